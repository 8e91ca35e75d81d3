"""Average precision: against scikit-learn and resampling, in edge cases, and how often its interval holds the truth."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, precision_recall_curve

from radfusion.errors import EvaluationError
from radfusion.evaluation import ScoredSet
from radfusion.evaluation.metrics import METRICS
from radfusion.evaluation.metrics.precision_recall import average_precision, pr_curve


def drawn(seed, n=200, decimals=9, share=0.3):
    rng = np.random.default_rng(seed)
    y = (rng.random(n) < share).astype(int)
    return y, np.round(y * 1.2 + rng.normal(size=n), decimals)


@given(st.integers(0, 1000), st.sampled_from([0, 1, 9]))
def test_value_equals_scikit_learn(seed, decimals):
    y, score = drawn(seed, decimals=decimals)
    assert average_precision(y, score).value == pytest.approx(average_precision_score(y, score), abs=1e-12)


def test_curve_equals_scikit_learn():
    y, score = drawn(1, decimals=1)
    precision, recall, _ = precision_recall_curve(y, score)
    curve = pr_curve(y, score)
    np.testing.assert_allclose(curve.x, recall[-2::-1])
    np.testing.assert_allclose(curve.y, precision[-2::-1])


def influence_by_removal(y, score):
    """Leaving one case out: the jackknife's standard error."""
    n = len(y)
    values = [average_precision(np.delete(y, i), np.delete(score, i)).value for i in range(n)]
    return np.sqrt((n - 1) / n * ((values - np.mean(values)) ** 2).sum())


@pytest.mark.parametrize("decimals", [0, 9])
def test_standard_error_is_that_of_leaving_one_out(decimals):
    y, score = drawn(2, n=400, decimals=decimals)
    assert average_precision(y, score).se == pytest.approx(influence_by_removal(y, score), rel=0.03)


def test_every_patient_twice_has_the_interval_of_patients():
    y, score = drawn(3)
    once = average_precision(y, score)
    twice = average_precision(np.repeat(y, 2), np.repeat(score, 2), patients=np.repeat(np.arange(len(y)), 2))
    assert (twice.value, twice.low, twice.high) == pytest.approx((once.value, once.low, once.high))
    assert twice.method == "cluster_delta_logit"


@pytest.mark.slow
@pytest.mark.parametrize(("n", "share"), [(100, 0.3), (300, 0.1)])
def test_interval_holds_the_truth_in_about_95_of_100_samples(n, share):
    truth = average_precision(*drawn(0, n=1_000_000, share=share)).value
    found = [average_precision(*drawn(seed, n=n, share=share)) for seed in range(1, 1001)]
    covered = np.mean([each.low is not None and each.low <= truth <= each.high for each in found])
    assert 0.92 <= covered <= 0.97


@pytest.mark.parametrize(
    ("y", "score", "value", "reason"),
    [
        (np.zeros(3), [1, 2, 3], None, "no case is of class 1"),
        ([0, 1, 0], [1, 2, 3], 0.5, "an interval needs two cases of class 1; there is one"),
        ([0, 1, 1], [1, 2, 3], 1, "the average precision is 1, where its variance is estimated as 0"),
        (np.ones(3), [1, 2, 3], 1, "the average precision is 1, where its variance is estimated as 0"),
    ],
)
def test_no_interval_without_variance(y, score, value, reason):
    found = average_precision(y, score)
    assert (found.value, found.low) == (value, None)
    assert found.reason.startswith(reason)


def test_scores_that_separate_nothing_give_the_share():
    found = average_precision([0, 1, 1, 0, 0], np.ones(5))
    assert found.value == 0.4
    # The share of positive cases is sampled too.
    assert found.se == pytest.approx(np.sqrt(0.4 * 0.6 / 4))


def test_metric_gives_every_class():
    rng = np.random.default_rng(4)
    matrix = rng.dirichlet(np.ones(3), 50)
    found = METRICS["average_precision"](ScoredSet(rng.choice(["a", "b"], 50), matrix, ("a", "b", "c")))
    assert [(each.class_, each.value is None) for each in found] == [("a", False), ("b", False), ("c", True)]


def test_no_curve_without_a_positive_case():
    with pytest.raises(EvaluationError, match="no case is of class 1"):
        pr_curve(np.zeros(2), [1, 2])
