"""What can fail later is refused before any computing."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from radfusion.errors import RunError, StudyError, UserError, WeightsError
from radfusion.execution.progress import Progress
from radfusion.pipelines.checking import check_study
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


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("features.deep=[{weights: random}, {weights: random, layer: layer1}]", "has two entries in deep"),
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
