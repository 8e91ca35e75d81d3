"""IBSI evidence: the committed table is what this code computes, and every difference has its reason."""

import numpy as np
import pandas as pd
import pytest

from radfusion.extraction import ibsi
from radfusion.extraction._ibsi_phantoms import CONFIGURATIONS, digital_phantom, on_ibsi_grid
from radfusion.imaging.loading import read_scan
from radfusion.imaging.settings import ImagingSettings


@pytest.fixture(scope="module")
def committed():
    return ibsi.ibsi_table()


def assert_same(computed, committed):
    expected = committed.loc[computed.index]
    words = ["feature", "code", "data", "aggregation", "ours", "result", "reason"]
    pd.testing.assert_frame_equal(computed[words], expected[words])
    for name in ("value", "corrected"):
        np.testing.assert_allclose(computed[name].astype(float), expected[name], rtol=1e-9)


def test_the_digital_phantom_gives_the_committed_table(committed):
    computed = ibsi.compare_ibsi()
    assert set(computed["data"]) == {"dig. phantom"}
    assert len(computed) == 482
    assert_same(computed, committed)


@pytest.mark.data
@pytest.mark.slow
def test_the_ct_phantom_gives_the_committed_table(committed, shared):
    computed = ibsi.compare_ibsi(shared / "data" / "ibsi")
    assert len(computed) == len(committed)
    assert_same(computed, committed)


@pytest.mark.data
def test_the_written_phantom_is_the_published_file(shared):
    folder = shared / "data" / "ibsi" / "ibsi_1_digital_phantom" / "nifti"
    files = folder / "image" / "phantom.nii.gz", folder / "mask" / "mask.nii.gz"
    published, written = read_scan("phantom", *files, settings=ImagingSettings()), digital_phantom()
    np.testing.assert_array_equal(written.roi, published.roi)
    np.testing.assert_array_equal(written.image[written.roi], published.image[published.roi])
    assert written.spacing == published.spacing


@pytest.mark.data
def test_the_committed_references_are_the_published_ones(committed, shared):
    published = pd.read_csv(shared / "data" / "ibsi" / "ibsi1_reference_values.csv")
    assert committed["code"].tolist() == published["code"].tolist()
    for ours, theirs in (("reference", "value"), ("tolerance", "tolerance")):
        np.testing.assert_array_equal(committed[ours], published[theirs])


def test_every_difference_has_a_reason_and_most_are_shown_to_be_it(committed):
    differing = committed[committed["result"] == "differs"]
    assert not set(differing["reason"]) - {"resampling", "kurtosis", "covariance", "grey levels"}
    shown = differing[differing["reason"] != "grey levels"]
    assert all(map(ibsi._matches, shown["corrected"], shown["reference"], shown["tolerance"].fillna(0.0)))
    assert set(differing.loc[differing["reason"] == "grey levels", "data"]) == {"config. C"}


def test_without_resampling_everything_but_the_kurtosis_matches(committed):
    part = committed[(committed["data"] == "config. A") & (committed["result"] == "differs")]
    assert part["code"].tolist() == ["IPH6"]


def test_a_value_matches_at_three_digits_within_the_tolerance():
    assert ibsi._matches(2.3949, 2.39, 0.0)
    assert not ibsi._matches(2.3951, 2.39, 0.0)
    assert ibsi._matches(561.4, 556.0, 5.0)
    assert not ibsi._matches(561.6, 556.0, 5.0)


def test_the_ibsi_grid_is_aligned_by_the_centre():
    """Voxels of 2 mm in place of 2 mm change nothing; of 3 mm the grid keeps the centre of the image."""
    phantom = digital_phantom()
    same, _ = on_ibsi_grid(phantom, CONFIGURATIONS[3])
    np.testing.assert_array_equal(same.image, phantom.image)
    np.testing.assert_array_equal(same.roi, phantom.roi)


def test_the_page_shows_the_committed_table(committed, root):
    assert f"<!-- table -->\n{ibsi._page(committed)}\n<!-- end -->" in (root / "docs" / "ibsi.md").read_text()
