"""Debiased kernel alignment against the definition of its unbiased estimate, and what has no similarity."""

from itertools import permutations

import numpy as np
import pytest

from radfusion.errors import FeatureError
from radfusion.networks.similarity import debiased_cka


def criterion(a, b):
    """Unbiased Hilbert-Schmidt criterion as a U-statistic over ordered quadruples (Song 2012, theorem 3)."""
    k, m = a @ a.T, b @ b.T
    quadruples = np.array(list(permutations(range(len(a)), 4))).T
    i, j, q, r = quadruples
    return np.mean(k[i, j] * (m[i, j] + m[q, r] - 2 * m[i, q]))


def test_against_the_definition_over_quadruples():
    rng = np.random.default_rng(3)
    a = rng.normal(size=(7, 12))
    b = a[:, :5] + rng.normal(size=(7, 5))
    expected = criterion(a, b) / np.sqrt(criterion(a, a) * criterion(b, b))
    assert debiased_cka(a, b) == pytest.approx(expected, rel=1e-10)
    assert debiased_cka(b + 100, 3 * a) == pytest.approx(expected, rel=1e-8)


@pytest.mark.parametrize("value", [0.0, 0.1, 1e6 / 3])
def test_a_constant_table_has_no_similarity(value):
    a = np.random.default_rng(3).normal(size=(31, 4))
    with pytest.raises(FeatureError, match="without variance"):
        debiased_cka(a, np.full((31, 4), value))


@pytest.mark.parametrize("b", [np.zeros((5, 2)), np.zeros((6, 2)), np.zeros(6), np.full((6, 2), np.nan)])
def test_tables_that_cannot_be_compared(b):
    with pytest.raises(FeatureError):
        debiased_cka(np.random.default_rng(3).normal(size=(6, 2)), b)
