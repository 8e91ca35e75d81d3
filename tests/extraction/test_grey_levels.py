"""Grey levels are counted as they will be, and a width is advised, never taken."""

import numpy as np
import pytest

from radfusion.extraction.engine import one_quiet_thread
from radfusion.extraction.engine.levels import grey_levels
from radfusion.extraction.engine.regions import Plane, normalised
from radfusion.extraction.extractors.radiomics import Radiomics
from radfusion.extraction.grey_levels import advise_bin_width, grey_level_count, grey_level_warning
from tests.extraction.scenes import ball, film

ROI = ball((140, 150), (71, 76), 12)


@pytest.mark.parametrize("width", [3.0, 25.0])
@pytest.mark.parametrize("normal", [{}, {"normalise": True}, {"normalise": True, "remove_outliers": 0.5}])
@pytest.mark.parametrize(
    "kept", [{}, {"resegment_range": (100.0,)}, {"resegment_range": (-1, 1), "resegment_mode": "sigma"}]
)
def test_the_count_is_that_of_the_extraction(width, normal, kept):
    settings = Radiomics(bin_width=width, **normal, **kept)
    asked = settings.asked(2).settings
    with one_quiet_thread():
        image = normalised(Plane(film(), (1.0, 1.0)), asked).image
    inside = image[ROI]
    low, high = {1: (100.0, np.inf), 2: (inside.mean() - inside.std(), inside.mean() + inside.std())}.get(
        len(kept.get("resegment_range", ())), (-np.inf, np.inf)
    )
    roi = ROI & (image >= low) & (image <= high)
    if roi.any():
        assert grey_level_count(film(), ROI, settings) == grey_levels(image, roi, asked, title="original").highest


def test_a_fixed_number_needs_no_counting_and_no_warning():
    assert grey_level_count(film(), ROI, Radiomics(bin_count=32)) == 32
    assert grey_level_warning(film(), ROI, Radiomics(bin_count=32)) is None


def test_usual_numbers_of_levels_give_no_warning_and_others_do():
    assert grey_level_warning(film(), ROI, Radiomics(bin_width=4.0)) is None
    assert "fewer than 8" in grey_level_warning(film(), ROI, Radiomics(bin_width=60.0))
    assert "more than 256" in grey_level_warning(film(), ROI, Radiomics(bin_width=0.25))
    flat = np.full((140, 150), 7.0)
    assert "all pixels of the region are 7" in grey_level_warning(flat, ROI, Radiomics(bin_width=1.0))


def test_the_advised_width_gives_the_advised_number():
    inside = film()[ROI]
    width = advise_bin_width(inside.min(), inside.max())
    assert 60 <= grey_level_count(film(), ROI, Radiomics(bin_width=width)) <= 68
