"""Parts of the engine that replace PyRadiomics' own code, each beside it or beside the plain definition."""

import time

import numpy as np
import pytest
from radiomics import cShape
from radiomics.glcm import RadiomicsGLCM

from radfusion.extraction.engine import shapes
from radfusion.extraction.engine.glcm import maximal_correlation
from radfusion.extraction.engine.shapes import mesh_of
from tests.extraction.scenes import ball, itk_pair, scan_of


def blob(seed, shape=(9, 12, 11), share=0.4):
    return np.random.default_rng(seed).random(shape) < share


def by_pyradiomics(roi, spacing):
    return cShape.calculate_coefficients(np.pad(roi, 1), np.array(spacing, dtype=float))


@pytest.fixture
def table(monkeypatch):
    """Measure small regions by the table of neighbourhoods too."""
    monkeypatch.setattr(shapes, "_FEW_VOXELS", 0)


REGIONS = {
    "sparse": blob(0, share=0.1),
    "half": blob(1),
    "dense": blob(2, share=0.95),
    "ball": ball((20, 21, 22), (10, 10, 11), 8),
    "one voxel": np.ones((1, 1, 1), dtype=bool),
    "a line": np.ones((1, 80, 1), dtype=bool),
    "a slice": np.ones((1, 20, 30), dtype=bool),
}


@pytest.mark.usefixtures("table")
@pytest.mark.parametrize("name", REGIONS)
@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (3.0, 0.7, 0.9)])
def test_the_mesh_is_that_of_pyradiomics(name, spacing):
    mesh = mesh_of(REGIONS[name], spacing)
    area, volume, diameters = by_pyradiomics(REGIONS[name], spacing)
    np.testing.assert_allclose([mesh.area, mesh.volume], [area, volume], rtol=1e-12)
    np.testing.assert_allclose(mesh.diameters, diameters, rtol=1e-12)


def test_the_mesh_of_a_cuboid_has_its_volume_but_for_the_edges():
    mesh = mesh_of(np.ones((30, 40, 50), dtype=bool), (2.0, 1.0, 1.0))
    assert mesh.volume == pytest.approx(30 * 40 * 50 * 2, rel=0.01)
    assert mesh.diameters[3] == pytest.approx(np.hypot(np.hypot(60, 40), 50), rel=0.02)


def test_one_large_slice_takes_no_minutes():
    roi = np.ones((1, 300, 400), dtype=bool)  # all pairs of its 240,000 vertices would be 3e10
    started = time.process_time()
    mesh = mesh_of(roi, (1.0, 1.0, 1.0))
    assert time.process_time() - started < 20
    assert mesh.diameters[0] == pytest.approx(np.hypot(299, 400))


def plain_mcc(p):
    """Root of the second eigenvalue of Q, by its definition."""
    n = len(p)
    q = np.zeros((n, n))
    for i in range(n):
        for j in range(n):
            q[i, j] = sum(p[i, k] * p[j, k] / (p[i].sum() * p[:, k].sum()) for k in range(n))
    return np.sqrt(np.sort(np.linalg.eigvals(q).real)[-2])


@pytest.mark.parametrize("symmetric", [True, False])
def test_the_maximal_correlation_is_that_of_its_definition(symmetric):
    counts = np.random.default_rng(3).integers(1, 30, size=(5, 7, 7)).astype(float)
    counts = counts + counts.transpose(0, 2, 1) if symmetric else counts
    p = counts / counts.sum((1, 2), keepdims=True)
    np.testing.assert_allclose(maximal_correlation(p, p.sum(2), p.sum(1)), [plain_mcc(one) for one in p], rtol=1e-9)


@pytest.mark.parametrize("seed", range(6))
def test_the_maximal_correlation_is_that_of_pyradiomics_with_rare_levels(seed):
    generator = np.random.default_rng(seed)
    image = np.cumsum(generator.normal(size=(40, 40)), axis=1) * 4
    image[5, 5:7], image[30, 30:32] = 900, (1_200, 1_230)  # levels that occur beside each other and nowhere else
    theirs = RadiomicsGLCM(*itk_pair(scan_of(image, np.ones((40, 40), dtype=bool))), binWidth=10)
    theirs.enableFeatureByName("MCC")
    expected = float(theirs.execute()["MCC"])
    p = theirs.P_glcm[0].transpose(2, 0, 1)
    assert maximal_correlation(p, p.sum(2), p.sum(1)).mean() == pytest.approx(expected, rel=1e-9)


def test_two_groups_of_levels_that_never_meet_have_correlation_one():
    p = np.zeros((1, 4, 4))
    p[0, :2, :2] = p[0, 2:, 2:] = [[0.1, 0.15], [0.15, 0.1]]
    assert maximal_correlation(p, p.sum(2), p.sum(1))[0] == pytest.approx(1.0, abs=1e-12)
