"""The simulated cohort: the same bytes twice, honest sets, whole segmentations, and an AUC that is known."""

import itertools
import json
import tracemalloc

import numpy as np
import pandas as pd
import pydicom
import pytest
from PIL import Image
from pydantic import ValidationError

from radfusion.cohorts._centres import CENTRES
from radfusion.cohorts._severity import class_means
from radfusion.cohorts.simulate import (
    MarkerSettings,
    SetSizes,
    SimulationSettings,
    achievable_auc,
    simulate_cohort,
    simulated_films,
)
from radfusion.core.cohort import Cohort
from radfusion.errors import UserError
from radfusion.execution.progress import Progress

SMALL = SimulationSettings(
    sizes=SetSizes(training=24, internal=9, external=9, prospective=9), rows=200, columns=110, seed=7
)


@pytest.fixture(scope="module")
def png(tmp_path_factory):
    return simulate_cohort(tmp_path_factory.mktemp("png"), SMALL)


@pytest.fixture(scope="module")
def dicom(tmp_path_factory):
    return simulate_cohort(tmp_path_factory.mktemp("dicom"), SMALL.model_copy(update={"format": "dicom"}))


def pixels(path):
    return np.asarray(Image.open(path))


def files_of(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("form", ["png", "dicom"])
def test_same_seed_same_bytes(form, tmp_path, request):
    again = simulate_cohort(tmp_path, SMALL.model_copy(update={"format": form}))
    assert files_of(again.parent) == files_of(request.getfixturevalue(form).parent)


def test_another_seed_other_films(png, tmp_path):
    other = simulate_cohort(tmp_path, SMALL.model_copy(update={"seed": 8}))
    one = "images/SIM0001.png"
    assert (other.parent / one).read_bytes() != (png.parent / one).read_bytes()


def test_sets_have_the_asked_cases_and_share_no_patient(png):
    frame = Cohort.from_csv(png).frame  # raises when a patient is in two sets
    assert frame["set"].value_counts().to_dict() == {"training": 24, "internal": 9, "external": 9, "prospective": 9}
    assert frame["patient"].nunique() < len(frame)


def test_external_centre_is_unseen_and_prospective_is_later(png):
    table = pd.read_csv(png)
    centres = table.groupby("set")["centre"].agg(set).to_dict()
    assert centres["external"] == {"C"}
    assert centres["prospective"] == {"A"}
    assert "C" not in centres["training"] | centres["internal"]
    assert table.loc[table["set"] == "prospective", "year"].min() > table.loc[table["set"] == "training", "year"].max()


def test_class_shares_hold_in_every_set(png):
    table = pd.read_csv(png)
    shares = pd.crosstab(table["set"], table["label"])
    for _, counts in shares.iterrows():
        assert np.abs(counts.to_numpy() - np.array(SMALL.class_shares) * counts.sum()).max() < 1.0


def test_segmentations_lie_inside_films_of_the_same_size(png):
    for row in pd.read_csv(png).itertuples():
        region = pixels(png.parent / row.segmentation)
        assert region.shape == pixels(png.parent / row.image).shape == (SMALL.rows, SMALL.columns)
        assert set(np.unique(region)) == {0, 255}
        border = np.concatenate(
            [region[:3].ravel(), region[-3:].ravel(), region[:, :3].ravel(), region[:, -3:].ravel()]
        )
        assert not border.any()
        assert 250 < np.count_nonzero(region) < 2500


def test_vertebrae_of_a_film_do_not_overlap(png):
    for _, rows in pd.read_csv(png).groupby("image"):
        together = sum((pixels(png.parent / name) > 0).astype(int) for name in rows["segmentation"])
        assert together.max() == 1


def test_markers_are_where_the_truth_says_and_touch_no_vertebra(png):
    films = json.loads((png.parent / "truth.json").read_text())["films"]
    table = pd.read_csv(png)
    marked = [(name, film["marker"]) for name, film in films.items() if film["marker"]]
    assert len(marked) > len(films) / 2
    for name, marker in marked:
        top, bottom, left, right = marker["box"]
        assert pixels(png.parent / name)[top:bottom, left:right].max() > 235
        own = table[table["image"] == name]
        assert set(own["marker"]) == {marker["text"]}
        assert not any(pixels(png.parent / mask)[top:bottom, left:right].any() for mask in own["segmentation"])


def test_marker_side_follows_class_only_when_asked(tmp_path):
    markers = MarkerSettings(frequency=1.0, centre_effect=0.0, class_effect=20.0)
    tiny = SimulationSettings(sizes=SetSizes(training=40, internal=0, external=0, prospective=0), rows=160, columns=84)
    table = pd.read_csv(simulate_cohort(tmp_path / "linked", tiny.model_copy(update={"markers": markers})))
    worst = table.groupby("patient")["label"].transform("max")
    assert set(table.loc[worst == 2, "marker"]) == {"R"}
    assert set(table.loc[worst == 0, "marker"]) == {"L"}
    none = tiny.model_copy(update={"markers": MarkerSettings(frequency=0.0)})
    assert set(pd.read_csv(simulate_cohort(tmp_path / "none", none))["marker"]) == {"absent"}


def test_dicom_and_png_hold_the_same_film(png, dicom):
    seen = set()
    for row, other in zip(pd.read_csv(png).itertuples(), pd.read_csv(dicom).itertuples(), strict=True):
        header = pydicom.dcmread(dicom.parent / other.image)
        stored = header.pixel_array.astype(float)
        grey = 4095 - stored if header.PhotometricInterpretation == "MONOCHROME1" else stored
        assert np.abs(grey * 255 / 4095 - pixels(png.parent / row.image)).max() < 0.6
        assert (dicom.parent / other.segmentation).read_bytes() == (png.parent / row.segmentation).read_bytes()
        seen.add(header.PhotometricInterpretation)
    assert seen == {"MONOCHROME1", "MONOCHROME2"}


def test_dicom_header_tells_geometry_and_names_nobody(dicom):
    for row in pd.read_csv(dicom).drop_duplicates("image").itertuples():
        header = pydicom.dcmread(dicom.parent / row.image)
        assert header.Modality == "CR"
        assert header.PixelSpacing[0] == header.PixelSpacing[1] == round(CENTRES[row.centre].field_mm / SMALL.rows, 4)
        assert header.PatientID == row.patient
        named = [element for element in header if element.VR == "PN" or "Institution" in element.keyword]
        assert all(element.is_empty for element in named)
        assert not any(element.tag.is_private for element in header)
        empty = ("PatientBirthDate", "AccessionNumber", "StudyTime", "StudyID")
        assert all(header[keyword].is_empty for keyword in empty)
        assert header.StudyDate == f"{row.year}0101"
        assert int(header.PatientAge[:3]) == row.age <= 89


def test_achievable_auc_is_realistic_and_rises_with_the_effect():
    aucs = [achievable_auc(SimulationSettings(effect=effect)) for effect in (0.0, 0.5, 1.0, 1.5)]
    assert all(value == pytest.approx(0.5, abs=1e-12) for value in aucs[0].values())
    for weak, strong in itertools.pairwise(aucs):
        assert all(weak[name] < strong[name] for name in weak)
    assert 0.92 < aucs[2]["macro"] < 0.95
    assert aucs[2]["macro"] == pytest.approx(np.mean([aucs[2][k] for k in "012"]))


def test_achievable_auc_equals_an_independent_computation():
    """Densities by scipy, AUC by counting pairs."""
    from scipy.stats import multivariate_normal

    rng = np.random.default_rng(5)
    settings = SimulationSettings(class_shares=(0.5, 0.3, 0.2), effect=0.8)
    means = class_means(settings.effect)
    labels = rng.choice(3, size=6000, p=settings.class_shares)
    latents = rng.multivariate_normal(np.zeros(3), np.eye(3), size=labels.size) + means[labels]
    weighted = [p * multivariate_normal(m).pdf(latents) for p, m in zip(settings.class_shares, means, strict=True)]
    posterior = np.array(weighted) / np.sum(weighted, axis=0)
    for k in range(3):
        pairs = posterior[k][labels == k][:, None] - posterior[k][labels != k][None, :]
        assert achievable_auc(settings)[str(k)] == pytest.approx((pairs > 0).mean(), abs=0.015)


def plain_features(folder, row):
    """Heights of the body over its depth, and grey values near and far from its upper endplate."""
    film, region = pixels(folder / row.image).astype(float), pixels(folder / row.segmentation) > 0
    heights = region[:, region.any(axis=0)].sum(axis=0)
    thirds = [part.mean() for part in np.array_split(heights, 3)]
    below = np.where(region, region.cumsum(axis=0), 0)
    band, rest = film[(below > 3) & (below <= 7)], film[(below > 9) & (below <= 14)]
    sideways = np.diff(film, axis=1)[region[:, 1:] & region[:, :-1]]
    return [
        *(third / heights.size for third in thirds),
        thirds[1] / thirds[2],
        thirds[0] / thirds[2],
        band.mean() - film[region].mean(),
        band.mean() - (rest.mean() if rest.size else film[region].mean()),
        film[region].std(),
        sideways.std(),
    ]


def test_a_plain_model_finds_part_of_what_can_be_found(tmp_path):
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    sizes = SetSizes(training=120, internal=60, external=0, prospective=60)
    table_file = simulate_cohort(tmp_path, SimulationSettings(sizes=sizes, rows=256, columns=136))
    table = pd.read_csv(table_file)
    features = np.array([plain_features(tmp_path, row) for row in table.itertuples()])
    training = (table["set"] == "training").to_numpy()
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.5, max_iter=500))
    model.fit(features[training], table["label"][training])
    found = roc_auc_score(table["label"][~training], model.predict_proba(features[~training]), multi_class="ovr")
    achievable = json.loads((tmp_path / "truth.json").read_text())["achievable_auc"]["macro"]
    assert 0.75 < found < achievable


def test_truth_tells_settings_and_latents(png):
    truth = json.loads((png.parent / "truth.json").read_text())
    table = pd.read_csv(png)
    assert SimulationSettings.model_validate(truth["settings"]) == SMALL
    assert truth["achievable_auc"] == achievable_auc(SMALL)
    assert set(truth["latents"]) == set(table["case"])
    compression = table["case"].map(lambda case: truth["latents"][case]["compression"]).groupby(table["label"]).mean()
    assert compression.is_monotonic_increasing


def test_a_folder_with_a_cohort_is_refused(png):
    with pytest.raises(UserError, match="already holds cohort"):
        simulate_cohort(png.parent, SMALL)


def test_progress_hears_every_patient(tmp_path):
    class Counter(Progress):
        def __init__(self):
            self.heard = []

        def start(self, stage, total):
            self.heard += [stage, total]

        def advance(self, steps=1):
            self.heard.append(steps)

    counter = Counter()
    sizes = SetSizes(training=12, internal=0, external=0, prospective=0)
    settings = SimulationSettings(sizes=sizes, rows=160, columns=84)
    table = pd.read_csv(simulate_cohort(tmp_path, settings, progress=counter))
    patients = table["patient"].nunique()
    assert counter.heard == ["simulate", patients, *[1] * patients]


@pytest.mark.parametrize(
    ("wrong", "match"),
    [
        ({"class_shares": (0.5, 0.5, 0.5)}, "their sum 1"),
        ({"class_shares": (1.0, 0.0, 0.0)}, "above 0"),
        ({"rows": 400, "columns": 100}, "allowed are 208 to 400"),
        ({"size": 3}, "Extra inputs"),
        ({"format": "jpeg"}, "'png' or 'dicom'"),
    ],
)
def test_wrong_settings_are_refused(wrong, match):
    with pytest.raises(ValidationError, match=match):
        SimulationSettings(**wrong)


def test_films_come_one_by_one_and_are_those_of_the_files(png):
    films = list(simulated_films(SMALL))
    table = pd.read_csv(png).drop_duplicates("image")
    assert [film.patient for film in films] == table["patient"].tolist()
    for film, name in zip(films, table["image"], strict=True):
        assert np.abs(np.clip(film.film, 0, 1) * 255 - pixels(png.parent / name)).max() < 0.51
    assert [case.case for film in films for case in film.cases] == pd.read_csv(png)["case"].tolist()


def test_the_first_film_of_a_large_cohort_does_not_wait_for_the_last():
    """A film of 100,000 cases depends on its patient alone and is drawn before the others."""
    settings = SMALL.model_copy(update={"sizes": SetSizes(training=100_000, internal=0, external=0, prospective=0)})
    films = simulated_films(settings)
    tracemalloc.start()
    first = next(films)
    for _ in range(3):
        next(films)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert first.patient == "SIM0001"
    assert peak < 20e6


def test_the_truth_is_the_text_that_json_writes(png):
    text = (png.parent / "truth.json").read_text()
    assert json.dumps(json.loads(text), indent=1) + "\n" == text
    assert list(json.loads(text)) == ["achievable_auc", "settings", "films", "latents"]


def test_dicom_header_tells_the_acquisition(dicom):
    films = json.loads((dicom.parent / "truth.json").read_text())["films"]
    table = pd.read_csv(dicom).drop_duplicates("image")
    for row in table.itertuples():
        header = pydicom.dcmread(dicom.parent / row.image)
        centre = CENTRES[row.centre]
        assert (header.KVP, header.DistanceSourceToDetector) == (centre.kvp, centre.distance_mm)
        assert abs(header.Exposure - centre.mas) <= 4
        assert (header.Manufacturer, header.ManufacturerModelName) == (centre.maker, centre.model)
        assert header.BurnedInAnnotation == ("YES" if films[row.image]["marker"] else "NO")
        detector, patient = float(header.ImagerPixelSpacing[0]), float(header.PixelSpacing[0])
        assert detector / patient == pytest.approx(centre.magnification, rel=2e-4)
        assert ("PixelSpacingCalibrationType" in header) == (centre.magnification != 1.0)
    assert table["centre"].map(lambda name: CENTRES[name].magnification).nunique() == 2


def test_a_second_reader_draws_the_same_vertebrae_a_little_differently(png, tmp_path):
    two = simulate_cohort(tmp_path, SMALL.model_copy(update={"readers": 2}))
    table = pd.read_csv(two)
    assert Cohort.from_csv(two).readers == ("reader 1", "reader 2")
    first = table[table["reader"] == "reader 1"].drop(columns="reader").reset_index(drop=True)
    pd.testing.assert_frame_equal(first, pd.read_csv(png))
    overlaps = []
    for _, rows in table.groupby("case"):
        one, other = (pixels(tmp_path / name) > 0 for name in rows["segmentation"])
        overlaps.append(2 * (one & other).sum() / (one.sum() + other.sum()))
        assert (one == (pixels(png.parent / rows["segmentation"].iloc[0]) > 0)).all()
    assert min(overlaps) > 0.8
    assert 0.88 < np.mean(overlaps) < 0.99
