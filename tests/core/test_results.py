from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from radfusion.core.results import Estimate, StudyResults
from radfusion.errors import RunError


def test_nan_is_refused() -> None:
    with pytest.raises(ValidationError, match="finite number"):
        Estimate(metric="auc", value=float("nan"))


def test_class_is_written_under_its_own_name() -> None:
    assert '"class":"2"' in Estimate(metric="auc", value=0.5, class_="2").model_dump_json(by_alias=True)


def test_a_folder_without_results_is_answered(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"a finished run directory holds results\.json"):
        StudyResults.read(tmp_path)


def test_a_foreign_results_file_is_answered(tmp_path: Path) -> None:
    (tmp_path / "results.json").write_text("{}")
    with pytest.raises(RunError, match="not a results file of schema version 1"):
        StudyResults.read(tmp_path)
