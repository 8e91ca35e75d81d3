"""Steps that choose features, against slow and obviously right versions."""

import numpy as np
import pytest
from scipy import stats

from radfusion.modelling.steps.correlation import Correlation
from radfusion.modelling.steps.mrmr import MinimumRedundancy
from radfusion.modelling.steps.stability import Stability
from radfusion.modelling.steps.variance import Variance


def kept(step, training):
    return step.fit(training).transform.outputs


def correlations(values, method):
    return np.abs(stats.spearmanr(values).statistic if method == "spearman" else np.corrcoef(values.T))


def share(column, codes):
    """Share of the variance of one feature that lies between classes."""
    groups = [column[codes == code] for code in np.unique(codes)]
    between = sum(len(group) * (group.mean() - column.mean()) ** 2 for group in groups)
    return between / ((column - column.mean()) ** 2).sum()


def pairwise(training, maximum, method, stays):
    """Take features best first; keep each that correlates enough with none that was kept."""
    values, codes, names = training.rows.values, training.labels.codes, training.rows.names
    rho = correlations(values, method)
    seen = stats.rankdata(values, axis=0) if method == "spearman" else values
    demerit = {
        "stronger": [-share(column, codes) for column in seen.T],
        "less-correlated": [(rho[at].sum() - 1) / (len(names) - 1) for at in range(len(names))],
        "first": [0.0] * len(names),
    }[stays]
    left = []
    for at in sorted(range(len(names)), key=lambda at: (demerit[at], names[at])):
        if all(rho[at, other] <= maximum for other in left):
            left.append(at)
    return tuple(names[at] for at in sorted(left))


@pytest.mark.parametrize("stays", ["stronger", "less-correlated", "first"])
@pytest.mark.parametrize("method", ["spearman", "pearson"])
def test_pruning_equals_the_pairwise_loop(training, method, stays):
    rows = training(p=700, factors=6)
    found = kept(Correlation(maximum=0.8, method=method, stays=stays), rows)
    assert found == pairwise(rows, 0.8, method, stays)
    assert 5 < len(found) < 600


def test_rules_differ(training):
    rows = training(p=100, factors=4)
    found = {stays: kept(Correlation(stays=stays), rows) for stays in ("stronger", "less-correlated", "first")}
    assert len(set(found.values())) == 3


def test_of_a_correlated_pair_the_stronger_stays(training):
    codes = np.repeat([0, 1], 30)
    rng = np.random.default_rng(0)
    strong = codes * 2.0 + rng.normal(size=60)
    weak = strong + 0.2 * rng.normal(size=60)
    rows = training(values=np.column_stack([strong, weak]), names=("a:strong", "a:weak"), codes=codes)
    assert kept(Correlation(), rows) == ("a:strong",)
    swapped = training(values=np.column_stack([weak, strong]), names=("a:1", "a:2"), codes=codes)
    assert kept(Correlation(), swapped) == ("a:2",)


@pytest.mark.parametrize("stays", ["stronger", "less-correlated", "first"])
def test_of_duplicates_the_first_by_name_stays(training, stays):
    rows = training(copies=True)
    assert kept(Correlation(maximum=0.99, stays=stays), rows) == ("a:f000",)


def test_a_constant_feature_correlates_with_none(training):
    values = np.column_stack([np.full(30, 2.0), np.arange(30.0), np.full(30, 5.0)])
    assert len(kept(Correlation(), training(values=values, codes=np.arange(30) % 2))) == 3


def slow_mrmr(training, settings):
    """Ding and Peng's incremental search with every mean taken anew."""
    values, codes, names = training.rows.values, training.labels.codes, training.rows.names
    rho = correlations(values, settings.method)
    seen = stats.rankdata(values, axis=0) if settings.method == "spearman" else values
    f = [stats.f_oneway(*(column[codes == k] for k in np.unique(codes))).statistic for column in seen.T]
    taken = [int(np.argmax(f))]
    while len(taken) < settings.n_features:
        left = [at for at in range(len(names)) if at not in taken]
        redundancy = {at: np.mean([rho[at, other] for other in taken]) for at in left}
        quotient = {at: f[at] / max(redundancy[at], 1e-3) for at in left}
        difference = {at: f[at] - redundancy[at] for at in left}
        score = quotient if settings.form == "quotient" else difference
        taken.append(max(left, key=score.get))
    return tuple(names[at] for at in sorted(taken))


@pytest.mark.parametrize("form", ["quotient", "difference"])
@pytest.mark.parametrize("method", ["spearman", "pearson"])
@pytest.mark.parametrize("classes", [2, 3])
def test_mrmr_equals_the_slow_search(training, method, form, classes):
    rows = training(p=60, factors=10, classes=classes)
    step = MinimumRedundancy(n_features=15, form=form, method=method)
    assert kept(step, rows) == slow_mrmr(rows, step)


def test_mrmr_takes_the_second_of_a_pair_late(training):
    rng = np.random.default_rng(1)
    codes = np.arange(200) % 2
    strong = codes * 1.5 + rng.normal(size=200)
    other = codes * 0.8 + rng.normal(size=200)
    values = np.column_stack([strong, strong + 1e-3 * rng.normal(size=200), other])
    rows = training(values=values, names=("a:copy", "a:strong", "a:weaker"), codes=codes)
    assert "a:weaker" in kept(MinimumRedundancy(n_features=2), rows)


def test_mrmr_ties_go_by_name_and_all_may_stay(training):
    rows = training(copies=True)
    assert kept(MinimumRedundancy(n_features=1), rows) == ("a:f000",)
    assert kept(MinimumRedundancy(n_features=99), rows) == rows.rows.names


def test_constant_features_go_and_huge_or_tiny_ones_stay(training):
    rng = np.random.default_rng(0)
    values = rng.normal(size=(40, 5)) * np.array([0, 1e-14, 1e-200, 1e90, 1]) + np.array([7, 1, 0, 0, 0])
    assert kept(Variance(), training(values=values, codes=np.arange(40) % 2)) == ("a:f002", "a:f003", "a:f004")


@pytest.mark.parametrize(("share_", "stays"), [(0.5, 3), (0.8, 4), (0.79, 3), (1.0, 4)])
def test_nearly_constant_features_go_on_demand(training, share_, stays):
    steady = [np.where(np.arange(20) < equal, 1.0, np.arange(20.0)) for equal in (1, 5, 10, 16, 20)]
    rows = training(values=np.column_stack(steady), codes=np.arange(20) % 2)
    assert kept(Variance(max_equal_share=share_), rows) == rows.rows.names[:stays]


def test_unstable_features_go_where_they_were_measured(training):
    found = Stability().fit(training(p=4, unstable=frozenset({"a:f001", "b:other"})))
    assert found.transform.outputs == ("a:f000", "a:f002", "a:f003")
    assert found.told == {"measured": True}
    unmeasured = Stability().fit(training(p=4))
    assert (len(unmeasured.transform.outputs), unmeasured.told) == (4, {"measured": False})
