"""Adjusted P values: what holds for all methods, and each method from its definition."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from radfusion.core.results import Comparison
from radfusion.errors import EvaluationError
from radfusion.evaluation.adjustment import ADJUSTMENTS, adjust_comparisons, adjust_pvalues, family_sizes
from radfusion.report.wording import ADJUSTMENTS as WORDS

# Smaller numbers than this lose digits when they are multiplied.
FAMILIES = st.lists(st.floats(1e-300, 1) | st.none(), min_size=1, max_size=7)


def closed(p, local):
    """Largest P of `local` among all sets of hypotheses that hold the one in question."""
    places = range(len(p))
    sets = [chosen for size in places for chosen in combinations(places, size + 1)]
    return [max(local(sorted(p[i] for i in chosen)) for chosen in sets if k in chosen) for k in places]


def bonferroni(p):
    return min(1.0, len(p) * min(p))


def simes(p):
    return min(len(p) * each / (k + 1) for k, each in enumerate(p))


@pytest.mark.parametrize(("method", "local"), [("holm", bonferroni), ("hommel", simes)])
@given(p=st.lists(st.floats(1e-300, 1), min_size=1, max_size=6))
def test_closed_testing_gives_the_same(method, local, p):
    assert adjust_pvalues(p, method) == pytest.approx(closed(p, local), rel=1e-12)


@pytest.mark.parametrize("method", ADJUSTMENTS)
@given(p=FAMILIES)
def test_adjustment_keeps_order_and_what_is_missing(method, p):
    found = adjust_pvalues(p, method)
    pairs = [(a, b) for a, b in zip(p, found, strict=True) if a is not None]
    assert [each is None for each in found] == [each is None for each in p]
    assert all(a <= b * (1 + 1e-12) and b <= 1 for a, b in pairs)
    assert [b for _, b in sorted(pairs)] == sorted(b for _, b in pairs)
    assert [each for each in found if each is not None] == adjust_pvalues([a for a, _ in pairs], method)


@given(p=FAMILIES)
def test_methods_are_as_strict_as_their_theory_says(p):
    found = {name: [each for each in adjust_pvalues(p, name) if each is not None] for name in ADJUSTMENTS}
    for milder, stricter in (("holm", "bonferroni"), ("hochberg", "holm"), ("hommel", "hochberg"), ("bh", "hommel")):
        assert all(a <= b * (1 + 1e-12) for a, b in zip(found[milder], found[stricter], strict=True))
    assert all(a <= b for a, b in zip(found["bh"], found["by"], strict=True))


def test_statsmodels_counts_missing_p_values():
    from statsmodels.stats.multitest import multipletests

    p = [0.01, np.nan, 0.04, 0.03]
    ours = adjust_pvalues([None if np.isnan(each) else each for each in p])
    assert ours == pytest.approx([0.03, None, 0.06, 0.06])
    assert multipletests(p, method="holm")[1][[0, 2, 3]] == pytest.approx([0.04, 0.09, 0.09])
    assert np.isnan(multipletests(p, method="fdr_bh")[1]).all()


@pytest.mark.parametrize("p", [[0.1, float("nan")], [1.1], [-0.1, 0.2]])
def test_what_is_no_p_value_is_refused(p):
    with pytest.raises(EvaluationError, match="numbers from 0 to 1, and None for a test not made"):
        adjust_pvalues(p)


@pytest.mark.parametrize("method", ADJUSTMENTS)
def test_families_without_a_test_stay_empty(method):
    assert adjust_pvalues([], method) == []
    assert adjust_pvalues([None, None], method) == [None, None]


def test_the_size_of_a_family_is_the_number_it_was_adjusted_for():
    given_ = [("primary", 0.04), ("secondary", 0.01), ("secondary", None), ("secondary", 0.03), ("exploratory", None)]
    tests = [Comparison(test="t", metric="m", difference=0, p=p, family=role, role=role) for role, p in given_]
    assert family_sizes(tests) == {"secondary": 2, "exploratory": 0}
    found = adjust_comparisons(tests, "bonferroni")
    assert [each.p_adjusted for each in found if each.family == "secondary"] == [0.02, None, 0.06]
    assert {each.adjustment for each in found if each.role != "primary"} == {"bonferroni"}


def test_every_adjustment_has_its_words():
    assert set(WORDS) == set(ADJUSTMENTS) - {"none"}
