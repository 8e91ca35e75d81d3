"""Second readings: who is read again, what is remembered, and what a fault costs."""

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from radfusion.core.cohort import Cohort
from radfusion.core.scan import Scan
from radfusion.errors import CaseError
from radfusion.execution.cache import Cache
from radfusion.execution.executors import executor_named
from radfusion.execution.progress import Progress
from radfusion.execution.work import Workers
from radfusion.extraction.extractors.radiomics import Radiomics
from radfusion.extraction.perturbations import PERTURBATIONS
from radfusion.extraction.robustness import (
    Perturbed,
    StabilitySettings,
    control_tables,
    crossed,
    generator_of,
    perturbed_readings,
    reader_readings,
)

QUICK = Radiomics(image_types=("original",), feature_classes=("shape", "firstorder"))


class Notes(Progress):
    """Keeps what the stages said when they ended."""

    def __init__(self):
        self.ends = []

    def finish(self, note=""):
        self.ends.append(note)


@pytest.fixture
def cohort(read_twice):
    return Cohort.from_csv(read_twice)


def scan_of(case="a", seed=0):
    image = np.random.default_rng(seed).normal(100, 9, size=(50, 60))
    roi = np.hypot(*(axis - 26 for axis in np.indices(image.shape))) < 15
    return Scan(case, image, roi, None)


def test_readings_of_readers_are_training_cases_that_both_drew(cohort):
    found = reader_readings(cohort, QUICK)
    assert found.versions == ("A", "B")
    expected = [f"case{number:02d}" for number in range(12)]
    assert [list(table.frame.index) for table in found.tables] == [expected, expected]
    areas = [table.frame["radiomics:original_shape2D_PixelSurface"].to_numpy() for table in found.tables]
    assert (areas[1] >= areas[0]).all()
    assert areas[1].mean() > 1.2 * areas[0].mean()


def test_a_case_left_out_of_the_study_is_not_read_again(cohort):
    found = reader_readings(cohort.without(["case03"]), QUICK)
    assert all("case03" not in table.frame.index for table in found.tables)


def test_readers_without_shared_cases_give_nothing():
    assert crossed({"A": ["1", "2"], "B": ["3"]}) == ((), ())
    assert crossed({"A": ["1", "2"]}) == ((), ())


def test_a_third_reader_of_few_cases_is_left_out_where_that_keeps_more_readings():
    few = {"A": list("abcdefgh"), "B": list("abcdefgh"), "C": list("ab")}
    assert crossed(few) == (("A", "B"), tuple("abcdefgh"))
    many = {**few, "C": list("abcdefg")}
    assert crossed(many) == (("A", "B", "C"), tuple("abcdefg"))


def test_perturbed_readings_hold_the_original_and_every_draw(cohort):
    settings = StabilitySettings(perturbations=("noise", "dilate+translate"), n_cases=5, repeats=2)
    found = perturbed_readings(cohort, QUICK, settings, seed=3)
    assert found.versions == ("original", "noise", "noise", "dilate+translate", "dilate+translate")
    drawn = list(found.tables[0].frame.index)
    assert len(drawn) == 5
    assert set(drawn) < set(cohort.of_set("training").frame.index)
    assert all(list(table.frame.index) == drawn for table in found.tables)
    values = [table.frame.to_numpy() for table in found.tables]
    assert not any(np.array_equal(values[a], values[b]) for a in range(5) for b in range(a))
    again = perturbed_readings(cohort, QUICK, settings, seed=3)
    other = perturbed_readings(cohort, QUICK, settings, seed=4)
    pd.testing.assert_frame_equal(found.tables[3].frame, again.tables[3].frame)
    assert list(other.tables[0].frame.index) != drawn


def test_no_perturbations_no_readings(cohort):
    assert perturbed_readings(cohort, QUICK, StabilitySettings(), seed=3) is None


def test_perturbed_cases_are_remembered_apart_from_the_originals(cohort, tmp_path):
    settings, notes = StabilitySettings(perturbations=("noise", "erode"), n_cases=4), Notes()
    place = Workers(executor_named("processes", 2), Cache(tmp_path), notes)
    first = perturbed_readings(cohort, QUICK, settings, seed=3, workers=place)
    second = perturbed_readings(cohort, QUICK, settings, seed=3, workers=place)
    other = perturbed_readings(cohort, QUICK, settings.model_copy(update={"perturbations": ("noise",)}), seed=4,
                               workers=place)  # fmt: skip
    assert [note.split(", ")[1] for note in notes.ends[:6]] == ["0 from cache"] * 3 + ["4 from cache"] * 3
    for one, again in zip(first.tables, second.tables, strict=True):
        pd.testing.assert_frame_equal(one.frame, again.frame)
    shared = [case for case in other.tables[1].frame.index if case in first.tables[1].frame.index]
    means = [each.tables[1].frame.loc[shared, "radiomics:original_firstorder_Mean"] for each in (first, other)]
    assert (means[0] != means[1]).all()


def test_random_numbers_follow_the_content_not_the_name_of_the_case():
    draws = [generator_of(scan, 1, "noise", 0).random() for scan in (scan_of("a"), scan_of("b"), scan_of("a", seed=1))]
    assert draws[0] == draws[1] != draws[2]
    assert generator_of(scan_of(), 1, "noise", 1).random() != draws[0]
    assert generator_of(scan_of(), 2, "noise", 0).random() != draws[0]


def test_a_perturbed_extractor_keeps_names_and_tells_its_identity():
    one = Perturbed(extractor=QUICK, change="noise", seed=3)
    assert (one.source, one.batch, one.unavailable()) == ("radiomics", 1, None)
    assert one.identity()["settings"] == QUICK.identity()["settings"]
    others = [one.model_copy(update=change) for change in ({"seed": 4}, {"repeat": 1}, {"change": "dilate"})]
    assert len({str(each.identity()) for each in (one, *others)}) == 4
    assert list(one.extract([scan_of()])[0]) == list(QUICK.extract([scan_of()])[0])


def test_a_scan_that_cannot_be_perturbed_costs_itself_only():
    whole = Scan("whole", scan_of().image, np.ones((50, 60), dtype=bool), None)
    found = Perturbed(extractor=QUICK, change="dilate").measure([scan_of(), whole, scan_of(seed=2)])
    assert isinstance(found[1], CaseError)
    assert "whole image" in found[1].reason
    assert [len(found[at].values) for at in (0, 2)] == [27, 27]


def test_tables_of_controls_hold_the_whole_cohort(cohort):
    found = control_tables(cohort, QUICK, ["roi_shuffle", "background_shuffle"], seed=1)
    assert list(found) == ["roi_shuffle", "background_shuffle"]
    plain = Perturbed(extractor=QUICK, change="roi_shuffle", seed=1)
    for name, table in found.items():
        assert list(table.frame.index) == list(cohort.frame.index), name
    assert plain.source == "radiomics"


WRONG = {
    "did you mean 'rotate'": {"perturbations": ["rotat"]},
    "each is named once": {"perturbations": ["noise", "noise"]},
    "less than 1": {"minimum_icc": 1.0},
    "greater than or equal to 3": {"n_cases": 2},
    "'estimate' or 'lower'": {"use": "upper"},
}


@pytest.mark.parametrize("message", WRONG)
def test_wrong_settings_are_refused(message):
    with pytest.raises(ValidationError, match=message):
        StabilitySettings.model_validate(WRONG[message])


def test_the_settings_name_every_perturbation():
    described = StabilitySettings.model_fields["perturbations"].description
    assert [name for name in PERTURBATIONS if name not in described] == []
