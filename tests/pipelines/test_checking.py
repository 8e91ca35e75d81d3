"""What can fail later is refused before any computing."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import SimpleITK
from PIL import Image

from radfusion.errors import CohortError, RunError, StudyError, UserError, WeightsError
from radfusion.execution.cache import Cache
from radfusion.execution.progress import Progress
from radfusion.execution.work import Workers
from radfusion.pipelines.checking import CheckedIntake, check, check_study, unusable_sets
from radfusion.pipelines.demonstration import prepare_demo
from radfusion.pipelines.outputs import RunFolder
from radfusion.study import Study


def study_with(small_study: Path, *overrides: str) -> Study:
    return Study.from_yaml(small_study, overrides)


def test_the_set_of_the_primary_comparison_must_have_cases(small_study: Path) -> None:
    with pytest.raises(StudyError, match="no case is in the set 'prospective'; sets of the table: training, internal"):
        check_study(study_with(small_study, "evaluation.primary.set=prospective"))


def test_a_weights_file_that_the_study_names_must_be_there(small_study: Path) -> None:
    with pytest.raises(WeightsError, match="is not a file"):
        check_study(study_with(small_study, "features.deep.1.file=nowhere.pt"))


def test_too_many_folds_are_refused_early(small_study: Path) -> None:
    with pytest.raises(UserError, match="folds"):
        check_study(study_with(small_study, "modelling.folds=40"))


def test_a_test_of_two_classes_is_refused_early_where_there_are_three(small_study: Path) -> None:
    with pytest.raises(UserError, match=r"univariate.test: welch compares two classes, here are 3: kruskal, anova"):
        check_study(study_with(small_study, "modelling.steps=[{step: univariate, test: welch}]"))


def test_a_final_model_that_no_arm_gives_is_refused_early(small_study: Path) -> None:
    named = "modelling.choice={rule: named, model: early-randon/svm}"
    with pytest.raises(StudyError, match=r"no model is named .*did you mean 'early-random/svm'"):
        check_study(study_with(small_study, named))
    check_study(study_with(small_study, named.replace("randon", "random")))


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("features.deep=[{weights: random}, {weights: random, layer: layer1}]", "give one another `name`"),
        ("evaluation.primary.models=[early-randon, radiomics]", "did you mean 'early-random'?"),
        ("cohort.classes=[0, 1, 1]", "each is named once"),
        ("seed=5000000000", "less than 2147483648"),
        ("title=[1", "is not a YAML value"),
        ("modelling.classifiers=[logistic, logistic]", "listed twice"),
        ("cohort.class_names={'7': seven}", "class_names holds '7'"),
    ],
)
def test_a_study_that_contradicts_itself_is_refused(small_study: Path, override: str, message: str) -> None:
    with pytest.raises(StudyError) as error:
        study_with(small_study, override)
    assert message in str(error.value)


def test_nothing_of_the_users_is_removed(tmp_path: Path) -> None:
    """Folders that look like a run or a demonstration but bear no mark of one are refused."""
    for name in ("figures", "cohort"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "mine.csv").write_text("1")
    with pytest.raises(RunError, match="which no run wrote"):
        RunFolder.open(tmp_path)
    with pytest.raises(RunError, match="no demonstration made it"):
        prepare_demo(tmp_path, progress=Progress())
    assert len(list(tmp_path.rglob("mine.csv"))) == 2


def test_two_runs_do_not_share_a_folder(tmp_path: Path) -> None:
    folder = RunFolder.open(tmp_path)
    with folder.taken(), pytest.raises(RunError, match="another run is writing here"), RunFolder.open(tmp_path).taken():
        pass


def test_a_class_that_is_called_none_is_a_class(small_study: Path, tmp_path: Path) -> None:
    frame = pd.read_csv(small_study.parent / "cohort" / "cohort.csv", dtype=str)
    frame["label"] = frame["label"].replace("0", "none")
    for column in ("image", "segmentation"):
        frame[column] = str(small_study.parent / "cohort") + "/" + frame[column]
    frame.to_csv(tmp_path / "cohort.csv", index=False)
    table = f"cohort.table={tmp_path / 'cohort.csv'}"
    found = check_study(study_with(small_study, table, "cohort.classes=[none, 1, 2]"))
    assert found.cohort.classes == ("none", "1", "2")


@pytest.fixture
def own_study(small_study: Path, tmp_path: Path) -> Path:
    """Return a copy of the small study whose files may be spoiled."""
    shutil.copytree(small_study.parent, tmp_path / "study", ignore=shutil.ignore_patterns("as-*"))
    return tmp_path / "study" / "study.yaml"


def checked(study: Path, *overrides: str) -> CheckedIntake:
    place = Workers(cache=Cache(study.parent / "intake-cache"))
    return check(study_with(study, *overrides), study.parent / "check", place)


def rows_of(study: Path) -> pd.DataFrame:
    return pd.read_csv(study.parent / "cohort" / "cohort.csv", dtype=str)


def verdicts(found: CheckedIntake, code: str) -> list[str]:
    return [finding.verdict for finding in found.intake.findings if finding.code == code]


def test_all_mistakes_are_told_at_once(small_study: Path) -> None:
    with pytest.raises(UserError) as error:
        check_study(study_with(small_study, "modelling.folds=40", "evaluation.primary.set=prospective"))
    assert "folds" in str(error.value)
    assert "no case is in the set 'prospective'" in str(error.value)


def test_a_mistake_of_the_table_and_one_of_the_study_are_told_together(small_study: Path) -> None:
    with pytest.raises(UserError) as error:
        check_study(study_with(small_study, "cohort.classes=[0, 1]", "features.deep.1.file=nowhere.pt"))
    assert "label '2' is unknown" in str(error.value)
    assert "nowhere.pt" in str(error.value)


def test_a_good_study_is_ready_and_told_on_a_page(own_study: Path) -> None:
    found = checked(own_study)
    assert found.problems == ()
    assert len(found.intake.facts) == 90
    assert verdicts(found, "IN06") == ["warn"], "the simulated films bear markers"
    names = {path.name for path in (own_study.parent / "check").iterdir()}
    assert {"intake.html", "cases.csv", "acquisition.csv", "sets.csv", "findings.json"} <= names
    cases = pd.read_csv(own_study.parent / "check" / "cases.csv")
    assert cases["case"].tolist() == rows_of(own_study)["case"].tolist()
    assert (cases["grey_levels"] == 32).all()


def test_the_page_names_no_folder_of_the_machine_and_is_the_same_from_the_cache(own_study: Path) -> None:
    checked(own_study)
    first = {path.name: path.read_bytes() for path in (own_study.parent / "check").iterdir()}
    checked(own_study)
    assert first == {path.name: path.read_bytes() for path in (own_study.parent / "check").iterdir()}
    assert not [name for name, data in first.items() if str(own_study.parent).encode() in data]


def test_bad_cases_and_mistakes_of_the_study_are_told_together(own_study: Path) -> None:
    image = own_study.parent / "cohort" / rows_of(own_study)["image"][0]
    image.write_bytes(image.read_bytes()[:100])
    found = checked(own_study, "modelling.folds=40")
    assert "folds" in found.problems[0]
    assert any(problem.startswith("case 'SIM0001") and ", row 2: read: " in problem for problem in found.problems)
    assert not json.loads((own_study.parent / "check" / "findings.json").read_text())["ready"]


def test_equal_pixels_in_two_sets_refuse_the_study(own_study: Path) -> None:
    table = rows_of(own_study)
    source = own_study.parent / "cohort" / table["image"][0]
    copied = table.index[table["set"] == "external"][0]
    target = own_study.parent / "cohort" / table["image"][copied]
    Image.open(source).save(target, compress_level=1)
    assert source.read_bytes() != target.read_bytes()
    found = checked(own_study)
    assert any("equal pixels in two sets" in problem for problem in found.problems)


def test_grey_levels_beyond_the_limit_are_foretold(own_study: Path) -> None:
    found = checked(own_study, "features.radiomics.bin_width=0.1")
    assert len(found.intake.exclusions) == 90
    assert "grey levels" in found.intake.exclusions[0].reason
    assert "set 'training' has fewer than two classes left after 90 exclusions" in found.problems


@pytest.mark.parametrize(
    "settings",
    [
        "{bin_width: 0.1, resegment_range: [10, 20]}",
        "{bin_width: 0.1, feature_classes: [shape]}",
        "{bin_width: 0.1, image_types: [gradient]}",
        "{bin_width: 0.1, resegment_range: [10, 20], normalise: true, remove_outliers: 3}",
    ],
)
def test_what_extraction_may_accept_is_not_foretold_to_fail(own_study: Path, settings: str) -> None:
    found = checked(own_study, f"features.radiomics={settings}")
    assert not found.intake.exclusions


def test_the_advised_width_is_one_of_normalised_values(own_study: Path) -> None:
    found = checked(own_study, "features.radiomics={bin_width: 0.1, normalise: true, normalise_scale: 1000}")
    advised = float(found.intake.exclusions[0].reason.split("set bin_width near ")[1].split(",")[0])
    again = checked(own_study, f"features.radiomics={{bin_width: {advised}, normalise: true, normalise_scale: 1000}}")
    assert "SIM0001" in found.intake.exclusions[0].case
    assert not again.intake.exclusions


def test_resampling_without_a_spacing_is_foretold(own_study: Path) -> None:
    found = checked(own_study, "features.radiomics.resampled_spacing=[0.5, 0.5]")
    assert {item.stage for item in found.intake.exclusions} == {"radiomics"}
    assert "has no pixel spacing" in found.intake.exclusions[0].reason


def test_an_inverted_film_and_a_region_of_another_size_are_outliers(own_study: Path) -> None:
    table = rows_of(own_study)
    folder = own_study.parent / "cohort"
    image, drawn = folder / table["image"][0], folder / table["segmentation"][0]
    Image.fromarray(255 - np.asarray(Image.open(image))).save(image)
    large = np.asarray(Image.open(drawn)).copy()
    large[10:-10, 10:-10] = 255
    Image.fromarray(large).save(drawn)
    warnings = " ".join(checked(own_study).intake.warnings[table["case"][0]])
    assert "inverted?" in warnings
    assert "median of the set" in warnings


def test_a_volume_among_films_and_annotations_of_another_file_warn(own_study: Path) -> None:
    rows, folder = rows_of(own_study), own_study.parent / "cohort"
    box = [[10, 10], [40, 10], [40, 40], [10, 40]]
    document = {"shapes": [{"label": "a", "points": box}], "imagePath": "another.png"}
    (folder / "drawn.json").write_text(json.dumps(document))
    values = np.random.default_rng(1).integers(0, 4000, (3, 40, 40)).astype(np.int16)
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(values), str(folder / "volume.nrrd"))
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray((values > 0).astype(np.uint8)), str(folder / "region.nrrd"))
    rows.loc[0, "segmentation"] = "drawn.json"
    rows.loc[1, ["image", "segmentation"]] = ["volume.nrrd", "region.nrrd"]
    rows.to_csv(folder / "cohort.csv", index=False)
    warnings = checked(own_study).intake.warnings
    assert any(text.startswith("the annotations name a file of another name") for text in warnings[rows["case"][0]])
    assert any(text.endswith("as a rule in the set 2 axes: other features") for text in warnings[rows["case"][1]])


def test_no_set_is_left_without_classes_unnoticed(small_study: Path) -> None:
    cohort = study_with(small_study).read_cohort()
    gone = cohort.frame.index[(cohort.frame["set"] == "external") & (cohort.frame["label"] != "0")]
    assert unusable_sets(cohort, cohort, 0) == []
    assert unusable_sets(cohort.without(list(gone)), cohort, len(gone)) == [
        f"set 'external' has fewer than two classes left after {len(gone)} exclusions"
    ]


def test_a_table_that_cannot_be_read_stops_the_check(own_study: Path) -> None:
    (own_study.parent / "cohort" / "cohort.csv").unlink()
    with pytest.raises(CohortError):
        check_study(study_with(own_study))
    with pytest.raises(UserError, match="does not exist"):
        checked(own_study)


@pytest.mark.data
@pytest.mark.slow
def test_the_known_duplicates_of_real_films_are_found(shared: Path, root: Path, tmp_path: Path) -> None:
    """Six pairs of equal pixels, all within the training set; no pair across sets."""
    folder = shared / "data" / "cxr3"
    known = pd.read_csv(folder / "known_duplicates.csv")
    table = pd.read_csv(folder / "cohort.csv", dtype=str, keep_default_na=False)
    keep = table["image"].isin(known["image"]) | (table.index % 8 == 0)
    table = table[keep].assign(
        image=lambda frame: f"{folder}/" + frame["image"], mask=lambda frame: f"{folder}/" + frame["mask"]
    )
    table.to_csv(tmp_path / "cohort.csv", index=False)
    study = Study.from_yaml(
        root / "examples" / "pneumonia-radiographs" / "study.yaml", [f"cohort.table={tmp_path / 'cohort.csv'}"]
    )
    found = check(study, tmp_path / "check", Workers())
    equal = next(finding for finding in found.intake.findings if "across_sets" in finding.evidence)
    pairs = {frozenset(Path(case).name for case in group) for group in equal.evidence["within_a_set"]}
    expected = {frozenset(Path(image).name for image in group) for _, group in known.groupby("group")["image"]}
    assert pairs == expected
    assert equal.evidence["across_sets"] == []
    assert (tmp_path / "check" / "intake.html").exists()
