"""Univariate tests and their adjustment, column for column against scipy and R."""

import json

import numpy as np
import pytest
from scipy import stats

from radfusion.errors import UserError
from radfusion.modelling._class_tests import OF_ANY, OF_TWO, TESTS, adjusted
from radfusion.modelling._ranks import rank_columns
from radfusion.modelling.steps.univariate import Univariate

SCIPY = {
    "kruskal": stats.kruskal,
    "anova": stats.f_oneway,
    "welch-anova": lambda *groups: stats.f_oneway(*groups, equal_var=False),
    "student-t": stats.ttest_ind,
    "welch": lambda *groups: stats.ttest_ind(*groups, equal_var=False),
    "mann-whitney": lambda *groups: stats.mannwhitneyu(*groups, method="asymptotic", use_continuity=True),
}


def columns(classes, *, ties, seed=3):
    """Forty cases by fifteen features whose means and spreads differ between classes of unequal size."""
    rng = np.random.default_rng(seed)
    codes = rng.permutation(np.repeat(np.arange(classes), [20, 12, 8][:classes]))
    values = rng.integers(0, 6, size=(len(codes), 15)) if ties else rng.normal(size=(len(codes), 15))
    return values * (1.0 + codes[:, None]) + 0.7 * codes[:, None], codes


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize(("name", "classes"), [(name, k) for name in SCIPY for k in (2, 3) if name in OF_ANY or k == 2])
def test_p_values_equal_scipy(name, classes, ties):
    values, codes = columns(classes, ties=ties)
    expected = [SCIPY[name](*(column[codes == k] for k in range(classes))).pvalue for column in values.T]
    np.testing.assert_allclose(TESTS[name](values, codes), expected, rtol=1e-10)


@pytest.mark.parametrize("name", TESTS)
def test_units_change_no_p_value_and_a_constant_feature_has_one(name):
    values, codes = columns(2, ties=False)
    values[:, 0] = 7.0
    found = TESTS[name](values, codes)
    assert found[0] == 1.0
    for unit in (1e-200, 1e150):
        np.testing.assert_allclose(TESTS[name](values * unit, codes), found, rtol=1e-9)


@pytest.mark.parametrize("name", ["welch", "welch-anova"])
def test_welch_has_no_p_value_where_a_class_does_not_vary(name):
    codes = np.repeat([0, 1], 5)
    values = np.where(codes == 0, 1.0, np.arange(10.0))[:, None]
    assert TESTS[name](values, codes).tolist() == [1.0]


def test_ranks_equal_scipy():
    rng = np.random.default_rng(0)
    for values in (rng.normal(size=(50, 7)), rng.integers(0, 4, size=(50, 9)) / 3, np.zeros((3, 2)), np.ones((1, 4))):
        np.testing.assert_array_equal(rank_columns(values), stats.rankdata(values, axis=0))


@pytest.mark.parametrize("how", ["bh", "by", "bonferroni", "holm"])
def test_adjusted_p_values_equal_r(root, how):
    reference = json.loads((root / "tests" / "reference" / "multiplicity.json").read_text())
    assert reference["cases"]
    for case in reference["cases"]:
        known = [at for at, p in enumerate(case["input"]["p"]) if p is not None]
        p, expected = (np.array(each, dtype=float)[known] for each in (case["input"]["p"], case["expected"][how]))
        np.testing.assert_allclose(adjusted(p, how), expected, rtol=1e-12, atol=1e-14)


def test_features_stay_by_their_adjusted_p_value(training):
    rows = training(classes=3, p=40, informative=8)
    values, codes = rows.rows.values, rows.labels.codes
    p = np.array([stats.kruskal(*(column[codes == k] for k in range(3))).pvalue for column in values.T])
    names = np.array(rows.rows.names)
    for settings, kept in [
        ({}, p < 0.05),
        ({"adjustment": "bh"}, stats.false_discovery_control(p) < 0.05),
        ({"adjustment": "bonferroni", "alpha": 0.01}, p * 40 < 0.01),
    ]:
        assert Univariate(**settings).fit(rows).transform.outputs == tuple(names[kept])
        assert 0 < kept.sum() < 40


def test_at_most_the_top_features_stay(training):
    rows = training(classes=3, p=40, informative=8)
    every = Univariate(alpha=1.0).fit(rows).transform.outputs
    assert len(every) == 40
    p = OF_ANY["kruskal"](rows.rows.values, rows.labels.codes)
    best = tuple(rows.rows.names[at] for at in sorted(np.argsort(p)[:5]))
    assert Univariate(top=5).fit(rows).transform.outputs == best


def test_equal_p_values_go_by_name(training):
    rows = training(copies=True)
    assert Univariate(top=1).fit(rows).transform.outputs == ("a:f000",)


@pytest.mark.parametrize("test", OF_TWO)
def test_a_test_of_two_classes_refuses_three(training, test):
    with pytest.raises(UserError, match=rf"univariate.test: {test} compares two classes, here are 3: kruskal, anova"):
        Univariate(test=test).fit(training(classes=3))


def test_one_case_of_every_class_has_no_spread_to_compare_with(training):
    rows = training(codes=np.arange(3), classes=3, n=3)
    for test in ("anova", "kruskal", "welch-anova"):
        assert Univariate(test=test, adjustment="bh").fit(rows).transform.outputs == ()


def test_a_feature_that_is_the_class_has_a_p_value_next_to_none():
    codes = np.repeat([0, 1], 150)
    assert 0 <= TESTS["anova"](codes[:, None] * 5.0 + 1.0, codes)[0] < 1e-100
