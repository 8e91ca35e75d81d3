import numpy as np
import pytest

from radfusion.errors import FeatureError
from radfusion.networks.health import feature_health


def test_against_the_eigenvalues_of_the_covariance():
    values = np.random.default_rng(1).normal(size=(40, 6)) * [5, 3, 1, 1, 0.5, 0.1]
    health = feature_health(values)
    eigenvalues = np.linalg.eigvalsh(np.cov(values, rowvar=False))[::-1]
    shares = eigenvalues / eigenvalues.sum()
    assert health["first_component_share"] == pytest.approx(shares[0])
    assert health["effective_rank"] == pytest.approx(np.exp(-(shares * np.log(shares)).sum()))
    assert health["components_90"] == 1 + int((np.cumsum(shares) < 0.9).sum())


def test_constant_units_are_counted():
    values = np.random.default_rng(1).normal(size=(50, 20))
    values[:, :15] = 0.25
    health = feature_health(values)
    assert health["constant_share"] == 0.75
    assert health["zero_share"] == 0


def test_dead_and_nearly_constant_units_are_told_apart():
    rng = np.random.default_rng(2)
    values = np.column_stack([np.zeros((30, 2)), 5 + 0.001 * rng.normal(size=(30, 1)), rng.normal(size=(30, 5))])
    health = feature_health(values)
    shares = [health[name] for name in ("zero_share", "constant_share", "near_constant_share")]
    assert shares == [2 / 8, 2 / 8, 1 / 8]


def test_features_without_variance():
    health = feature_health(np.full((5, 3), 0.1))
    assert (health["first_component_share"], health["effective_rank"], health["constant_share"]) == (1.0, 0.0, 1.0)


@pytest.mark.parametrize("values", [np.ones((1, 4)), np.ones(4), np.ones((4, 0)), np.array([[1.0, np.nan], [2, 3]])])
def test_what_cannot_be_judged_is_refused(values):
    with pytest.raises(FeatureError, match="two or more cases"):
        feature_health(values)
