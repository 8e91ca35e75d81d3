"""Stability in a study: a second reader of the simulated cohort whose masks are wider by a known change."""

import shutil

import numpy as np
import pandas as pd
import pytest
import SimpleITK
from scipy import ndimage

from radfusion.core.features import FeatureTable
from radfusion.core.results import Exclusion, StudyResults
from radfusion.errors import FeatureError
from radfusion.execution.progress import Progress
from radfusion.extraction.robustness import Readings, StabilitySettings
from radfusion.imaging.loading import read_scan
from radfusion.imaging.settings import ImagingSettings
from radfusion.pipelines.fusion import run
from radfusion.pipelines.stability import assess_stability, compare_readings, unstable_in
from radfusion.study import Study

READ_TWICE = 18
# The small study and its second reader are two whole runs.
pytestmark = pytest.mark.timeout(900)


def table(values, name="radiomics", exclusions=()):
    columns = [f"{name}:f{at}" for at in range(values.shape[1])]
    return FeatureTable(pd.DataFrame(values, index=[f"c{at}" for at in range(len(values))], columns=columns), {},
                        exclusions)  # fmt: skip


def readings(*tables, kind="perturbations", versions=None):
    return Readings(kind, "radiomics", versions or ("original", *["noise"] * (len(tables) - 1)), tables)


def values(seed=0, shape=(12, 4)):
    return np.random.default_rng(seed).normal(size=shape)


def test_the_form_follows_what_differs_between_readings():
    pair = table(values()), table(values())
    one = compare_readings(readings(*pair), StabilitySettings())
    two = compare_readings(readings(*pair, kind="readers", versions=("A", "B")), StabilitySettings())
    assert (one.form, one.n_ratings, one.n_cases, [part.name for part in one.parts]) == ("ICC(1,1)", 2, 12, ["noise"])
    assert (two.form, two.n_ratings, two.n_cases, two.parts) == ("ICC(A,1)", 2, 12, ())
    assert {feature.value for each in (one, two) for feature in each.features} == {1.0}


def test_each_perturbation_is_also_judged_alone():
    original = values(shape=(40, 10))
    tables = [table(each) for each in (original, original + 0.01 * values(1, (40, 10)), values(2, (40, 10)))]
    found = compare_readings(readings(*tables, versions=("original", "translate", "contour")), StabilitySettings())
    parts = {part.name: part for part in found.parts}
    assert (parts["translate"].n_stable, parts["contour"].n_stable) == (10, 0)
    assert parts["translate"].median > 0.99
    assert not any(feature.kept for feature in found.features)


def test_faults_are_kept_by_name_and_readers_by_number():
    fault = Exclusion(case="c5", stage="segmentation", reason="the segmentation is empty")
    first, second = table(values()), table(values()[:5], exclusions=(fault,))
    found = compare_readings(readings(first, second, kind="readers", versions=("Dr A", "Dr B")), StabilitySettings())
    assert found.n_cases == 5
    assert [each.stage for each in found.faults] == ["reader 2, segmentation"]
    assert "Dr" not in found.model_dump_json()


def test_too_few_readings_are_refused_with_the_first_fault():
    fault = Exclusion(case="c1", stage="perturbation", reason="noise: nothing is left of the region")
    lost = table(values()[:1], exclusions=(fault,))
    with pytest.raises(FeatureError, match=r"1 cases have every reading.*; first c1: noise, perturbation: "):
        compare_readings(readings(table(values()), lost), StabilitySettings())


def two_kinds():
    """Readers do not agree on the second feature, perturbed images not on the third."""
    steady, noisy = values(shape=(40, 4)), values(9, (40, 4))
    by_reader, by_noise = steady.copy(), steady.copy()
    by_reader[:, 1], by_noise[:, 2] = noisy[:, 1], noisy[:, 2]
    return [readings(table(steady), table(by_reader), kind="readers"), readings(table(steady), table(by_noise))]


def test_a_feature_must_be_stable_in_every_assessment():
    unstable = unstable_in(two_kinds(), StabilitySettings())
    assert unstable([f"c{at}" for at in range(40)]) == {"radiomics:f1", "radiomics:f2"}


def test_a_source_without_a_stable_feature_stops_the_study():
    noise = readings(table(values()), table(values(1)))
    with pytest.raises(FeatureError, match=r"no feature of radiomics reaches an ICC\(1,1\) of 0.75.*lower minimum_icc"):
        assess_stability([noise], StabilitySettings())
    steady, noisy = values(shape=(40, 2)), values(9, (40, 2))
    first = readings(table(steady), table(np.column_stack([steady[:, 0], noisy[:, 1]])), kind="readers")
    second = readings(table(steady), table(np.column_stack([noisy[:, 0], steady[:, 1]])))
    assert len(assess_stability([first], StabilitySettings())) == 1
    with pytest.raises(FeatureError, match="no feature of radiomics"):
        assess_stability([first, second], StabilitySettings())


@pytest.mark.parametrize("use", ["estimate", "lower"])
@pytest.mark.parametrize("seed", range(4))
def test_what_is_dropped_in_a_fold_is_measured_on_its_own_cases(use, seed):
    rng = np.random.default_rng(seed)
    first, settings = values(seed, (40, 30)), StabilitySettings(use=use)
    first[rng.random(first.shape) < 0.03] = np.nan
    spread = np.linspace(0.05, 1.5, 30)
    both = [table(first), table(first + spread * values(seed + 50, (40, 30)))]
    unstable = unstable_in([readings(*both)], settings)
    for kept in (rng.permutation(40)[:12], np.arange(40), np.array([3, 30])):
        cases = [f"c{at}" for at in kept]
        alone = compare_readings(readings(*(each.restrict(sorted(cases)) for each in both)), settings)
        expected = {feature.feature for feature in alone.features if not feature.kept}
        assert unstable(cases) == unstable(cases[::-1]) == expected
        assert len(kept) == 2 or 0 < len(expected) < 30


def test_a_fold_with_fewer_than_two_read_cases_drops_nothing_and_says_so_once():
    said = []
    unstable = unstable_in(two_kinds(), StabilitySettings(), progress=Listener(said))
    assert unstable(["c1", "someone else"]) is None
    assert unstable(["c2"]) is None
    assert [each.split(":")[0] for each in said] == [
        "stability of radiomics, readers",
        "stability of radiomics, perturbations",
    ]
    assert unstable_in([], StabilitySettings()) is None


def test_readings_that_some_cases_lack_leave_the_decision_to_the_others():
    by_reader, by_noise = two_kinds()
    few = readings(*(each.restrict(["c0", "c1", "c2"]) for each in by_reader.tables), kind="readers")
    unstable = unstable_in([few, by_noise], StabilitySettings())
    assert unstable([f"c{at}" for at in range(2, 40)]) == {"radiomics:f2"}


class Listener(Progress):
    """Keeps what is said."""

    def __init__(self, said):
        self.said = said

    def say(self, message):
        self.said.append(message)


@pytest.fixture(scope="module")
def read_twice(small_study, small_cache, tmp_path_factory):
    """Run directory of the small study, 18 of whose training cases a second reader drew wider."""
    folder = tmp_path_factory.mktemp("twice")
    shutil.copytree(small_study.parent, folder / "study", ignore=shutil.ignore_patterns("as-*"))
    path = folder / "study" / "cohort" / "cohort.csv"
    cohort = pd.read_csv(path, dtype=str)
    cohort["reader"] = "Dr First"
    again = cohort[cohort["set"] == "training"].iloc[:READ_TWICE].assign(reader="Dr Second")
    again["segmentation"] = [wider(path.parent, name, at) for at, name in enumerate(again["segmentation"])]
    pd.concat([cohort, again]).to_csv(path, index=False)
    changes = [
        "features.deep=[{weights: random, layer: layer1, size: 64}]",
        "features.stability={perturbations: [noise, translate], n_cases: 10, minimum_icc: 0.6}",
        "features.controls=[roi_shuffle]",
        "modelling.classifiers=[logistic]",
        "modelling.null_runs=0",
        "modelling.fusion=[early]",
    ]
    study = Study.from_yaml(folder / "study" / "study.yaml", changes)
    run(study, folder / "run", executor="serial", cache=small_cache, offline=True)
    return folder / "run"


def wider(folder, name, number):
    """Write a segmentation that is dilated by 0 to 4 pixels, and return its name."""
    scan = read_scan("x", folder / name, None, settings=ImagingSettings())
    drawn = scan.image > 0
    drawn = ndimage.binary_dilation(drawn, iterations=number % 5) if number % 5 else drawn
    target = f"second-{number}.nii.gz"
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(drawn.astype(np.uint8)), str(folder / target))
    return target


@pytest.fixture(scope="module")
def found(read_twice):
    return StudyResults.read(read_twice)


def test_every_source_is_assessed_both_ways_on_training_cases(found):
    facts = [(each.source, each.kind, each.form, each.n_cases, each.n_ratings) for each in found.stability]
    assert facts == [
        ("radiomics", "readers", "ICC(A,1)", READ_TWICE, 2),
        ("radiomics", "perturbations", "ICC(1,1)", 10, 3),
        ("random", "readers", "ICC(A,1)", READ_TWICE, 2),
        ("random", "perturbations", "ICC(1,1)", 10, 3),
    ]
    assert all(not each.faults for each in found.stability)


def test_size_falls_when_a_reader_draws_wider_and_brightness_does_not(found):
    values = {feature.feature: feature for feature in found.stability[0].features}
    size = values["radiomics:original_shape2D_PixelSurface"]
    brightness = values["radiomics:original_firstorder_Median"]
    assert not size.kept
    assert brightness.kept
    assert size.value < brightness.value - 0.2


def test_dropped_features_are_in_no_signature_and_counted_by_the_step(found):
    kept = {}
    for each in found.stability:
        names = {feature.feature for feature in each.features if feature.kept}
        kept[each.source] = kept.get(each.source, names) & names
    assert all(kept.values())
    for selection in found.selections:
        sources = {"radiomics": ["radiomics"], "deep-random": ["random"]}.get(selection.arm, ["radiomics", "random"])
        before, step = selection.steps[:2]
        assert (before.name, step.name, step.settings) == ("missing", "stability", {"measured": True})
        assert before.n_in == sum(each.n_features for each in found.sources if each.name in sources)
        assert step.n_out <= sum(len(kept[source]) for source in sources) < step.n_in
        assert {item.feature for item in selection.signature} <= set().union(*kept.values())


def test_the_control_stands_beside_the_images_on_every_set(found):
    assert [each.original.set for each in found.controls] == [one.name for one in found.sets]
    for each in found.controls:
        assert each.model == found.final_model
        image = next(
            item for item in found.estimates
            if (item.metric, item.model, item.set) == ("macro_auc", each.model, each.original.set)
        )  # fmt: skip
        assert each.original == image
        assert 0 < each.controlled.value < 1
        assert 0 < each.n_like_original < each.n_features


def test_the_report_tells_it(read_twice, found):
    page = (read_twice / "report.html").read_text()
    assert "18 training vertebrae were segmented twice" in page
    assert "Segmentation reproducibility was not assessed" not in page
    assert "Dr Second" not in page + (read_twice / "results.json").read_text()
    rows = pd.read_csv(read_twice / "tables" / "stability.csv")
    assert len(rows) == sum(len(each.features) for each in found.stability)
    assert (read_twice / "figures" / "stability.png").exists()
    assert (read_twice / "tables" / "negative_controls.csv").exists()


def test_all_extracted_features_are_written_and_the_model_uses_stable_ones(read_twice, found):
    frame = pd.read_parquet(read_twice / "features" / "radiomics.parquet")
    assert frame.shape[1] == found.sources[0].n_features
