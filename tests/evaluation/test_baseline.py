"""The baseline table and its tests: slow versions, properties, and what cannot be tested."""

from itertools import product

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.special import comb, gammaln

from radfusion.core.results import Comparison, Estimate
from radfusion.errors import EvaluationError
from radfusion.evaluation import baseline as bl
from radfusion.evaluation.baseline import exact
from radfusion.evaluation.baseline.counts import expected_counts

VALUES = st.lists(st.integers(-4, 4).map(float), min_size=1, max_size=8)
TABLES = st.tuples(st.integers(2, 3), st.integers(2, 4)).flatmap(
    lambda shape: st.lists(
        st.lists(st.integers(0, 4), min_size=shape[1], max_size=shape[1]), min_size=shape[0], max_size=shape[0]
    )
)
TWO = (
    bl.t_test, bl.mann_whitney_test, bl.variance_test, bl.smd, bl.cohen_d, bl.hedges_g,
    lambda a, b: bl.t_test(a, b, equal_variance=True),
)  # fmt: skip
PAIRED = (
    bl.paired_t_test, bl.wilcoxon_signed_rank_test, bl.correlation_test,
    lambda a, b: bl.correlation_test(a, b, method="spearman"), lambda a, b: bl.correlation_test(a, b, method="kendall"),
)  # fmt: skip
GROUPED = (
    bl.anova_test, bl.kruskal_test, bl.levene_test, bl.bartlett_test, bl.tukey_test, bl.pairwise_t_test,
    bl.pairwise_mann_whitney_test, lambda x, g: bl.anova_test(x, g, equal_variance=False),
)  # fmt: skip
COUNTED = (bl.chi_square_test, bl.fisher_test, bl.cramers_v)


@pytest.fixture
def rng():
    return np.random.default_rng(20240118)


def same(one, other):
    """Whether two numbers agree, or neither is there."""
    return one is other or one == pytest.approx(other, rel=1e-9, abs=1e-12)


def holds(found):
    """A number is there, or the reason why it is not."""
    for each in found if isinstance(found, list) else [found]:
        assert type(each).model_validate(each.model_dump())
        if isinstance(each, Comparison):
            assert (each.p is None) <= bool(each.reason)
            assert each.p is None or 0 <= each.p <= 1
        if isinstance(each, Estimate):
            assert (each.value is None) <= bool(each.reason)
            assert None in (each.low, each.high) or each.low <= each.high


# --- what cannot be tested -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("test", TWO)
@given(a=VALUES, b=VALUES)
def test_two_samples_give_a_number_or_a_reason(test, a, b):
    holds(test(a, b))


@pytest.mark.parametrize("test", PAIRED)
@given(pairs=st.lists(st.tuples(st.integers(-4, 4), st.integers(-4, 4)), min_size=1, max_size=8))
def test_pairs_give_a_number_or_a_reason(test, pairs):
    holds(test(*np.array(pairs, dtype=float).T))


@pytest.mark.parametrize("test", GROUPED)
@settings(max_examples=40, deadline=None)
@given(rows=st.lists(st.tuples(st.integers(-4, 4), st.sampled_from("abc")), min_size=1, max_size=12))
def test_groups_give_a_number_or_a_reason(test, rows):
    values, groups = zip(*rows, strict=True)
    holds(test(values, groups))


@pytest.mark.parametrize("test", COUNTED)
@given(table=TABLES)
def test_tables_give_a_number_or_a_reason(test, table):
    if np.any(table):
        holds(test(table))


@given(table=TABLES)
def test_differences_of_tables_give_a_number_or_a_reason(table):
    if np.any(table[:2]):
        holds(bl.smd_counts(table[:2]))
        for method in ("conditional", "sample"):
            holds(bl.odds_ratio(np.array(table)[:2, :2] + [[0, 0], [0, 1]], method=method))


@given(values=VALUES)
def test_normality_gives_a_number_or_a_reason(values):
    holds(bl.shapiro_test(values))


@pytest.mark.parametrize("value", [0.1, 1 / 3, 1e6 + 0.1])
def test_rounding_is_no_variance(value):
    same = np.full(7, value) * (1 + np.array([0, 1, 0, -1, 0, 1, 0]) * 1e-16)
    assert bl.t_test(same, same[:5] + 1).reason == "the values have no variance: no test is possible"
    assert "no unit" in bl.smd(same, same[:5] + 1).reason
    assert bl.anova_test([*same, 2, 2], [*"aaaaaaabb"]).reason == "no group has variance: no test is possible"


@pytest.mark.parametrize("test", [*TWO, *PAIRED])
@pytest.mark.parametrize(
    ("a", "b", "message"),
    [
        ([], [1, 2], "values_a have shape .0,.; allowed is one dimension"),
        ([1, 2], [1, np.nan], "values_b are missing or infinite in 1 of 2 cases"),
        ([1, np.inf], [1, 2], "values_a are missing or infinite"),
        (["x", "y"], [1, 2], "values_a are not numbers"),
    ],
)
def test_bad_samples_are_refused(test, a, b, message):
    with pytest.raises(EvaluationError, match=message):
        test(a, b)


@pytest.mark.parametrize("test", PAIRED)
def test_pairs_have_one_length(test):
    with pytest.raises(EvaluationError, match="values_b has 2 entries where values_a has 3"):
        test([1, 2, 3], [1, 2])


@pytest.mark.parametrize("test", GROUPED)
def test_bad_groups_are_refused(test):
    with pytest.raises(EvaluationError, match="groups has 2 entries where the values have 3"):
        test([1, 2, 3], ["a", "b"])
    with pytest.raises(EvaluationError, match="groups are missing in 1 of 3 cases"):
        test([1, 2, 3], ["a", None, "b"])


@pytest.mark.parametrize("test", [*COUNTED, bl.smd_counts, bl.odds_ratio])
@pytest.mark.parametrize(
    ("table", "message"),
    [
        ([[1, 2]], r"table has shape \(1, 2\); allowed are two or more rows and columns"),
        ([[1, 2.5], [1, 1]], "whole numbers from 0"),
        ([[1, -2], [1, 1]], "whole numbers from 0"),
        ([[1, np.nan], [1, 1]], "whole numbers from 0"),
        ([[0, 0], [0, 0]], "table holds no case"),
        ([["a", "b"], ["c", "d"]], "table does not hold numbers"),
    ],
)
def test_bad_tables_are_refused(test, table, message):
    with pytest.raises(EvaluationError, match=message):
        test(table)


def test_unknown_choices_are_refused():
    for call, message in (
        (lambda: bl.correlation_test([1, 2], [1, 2], method="tau"), "pearson, spearman, kendall"),
        (lambda: bl.odds_ratio([[1, 2], [3, 4]], method="wald"), "conditional, sample"),
        (lambda: bl.odds_ratio([[1, 2, 3], [3, 4, 5]]), "2 x 2"),
        (lambda: bl.smd_counts([[1, 2], [3, 4], [5, 6]]), "two rows"),
        (lambda: bl.fisher_test([[1, 2], [3, 4]], n_resamples=0), "n_resamples is 0"),
        (lambda: bl.t_test([1, 2], [1, 3], level=95), "level is 95"),
        (lambda: bl.levene_test([1, 2], [1, 3], center="mode"), "median, mean"),
    ):
        with pytest.raises(EvaluationError, match=message):
            call()


# --- two samples -----------------------------------------------------------------------------------------------------


@given(a=VALUES, b=VALUES)
def test_samples_may_change_places(a, b):
    for test in (bl.t_test, bl.mann_whitney_test):
        one, other = test(a, b), test(b, a)
        assert same(one.p, other.p)
        assert same(one.difference, other.difference and -other.difference)


@given(a=VALUES, b=VALUES)
def test_superiority_counts_pairs(a, b):
    won = np.mean([(x > y) + (x == y) / 2 for x, y in product(a, b)])
    assert bl.mann_whitney_test(a, b).values == pytest.approx((won, 1 - won))


def test_exact_ranks_are_those_of_all_arrangements(rng):
    a, b = rng.normal(size=5), rng.normal(0.7, size=6)
    found = bl.mann_whitney_test(a, b)
    assert found.test == "mann_whitney_exact"
    both = stats.permutation_test((a, b), lambda x, y: np.mean(x[:, None] > y), n_resamples=np.inf)
    assert found.p == pytest.approx(both.pvalue, rel=1e-12)
    x, y = a, b[:5]
    signed = bl.wilcoxon_signed_rank_test(x, y)
    assert signed.test == "wilcoxon_signed_rank_exact"
    ranks = stats.rankdata(abs(x - y))
    sums = [ranks @ signs for signs in product([0, 1], repeat=5)]
    distance = abs(np.array(sums) - 7.5)
    assert signed.p == pytest.approx(np.mean(distance >= abs(signed.statistic - 7.5)))


def test_scipy_alone_would_not_be_exact_where_r_is(rng):
    a, b = rng.normal(size=12), rng.normal(0.9, size=14)
    ours = bl.mann_whitney_test(a, b)
    assert ours.p == pytest.approx(stats.mannwhitneyu(a, b, method="exact").pvalue, rel=1e-12)
    assert abs(stats.mannwhitneyu(a, b).pvalue / ours.p - 1) > 0.01


def test_ties_have_no_exact_distribution():
    found = bl.mann_whitney_test([1, 2, 2], [2, 3, 4], exact=True)
    assert (found.p, found.statistic) == (None, 1.0)
    assert found.reason == "values are tied: the exact distribution is not defined"
    found = bl.wilcoxon_signed_rank_test([1, 2, 3], [2, 3, 5], exact=True)
    assert found.reason == "differences are tied or zero: the exact distribution is not defined"
    assert bl.wilcoxon_signed_rank_test([1, 2], [1, 2]).reason == "no pair differs: no test is possible"


def test_large_samples_are_approximated(rng):
    a, b = rng.normal(size=50), rng.normal(size=20)
    assert bl.mann_whitney_test(a, b).test == "mann_whitney"
    assert bl.wilcoxon_signed_rank_test(a, a[::-1] + 0.1).test == "wilcoxon_signed_rank"


def test_signed_ranks_leave_pairs_without_a_difference_out(rng):
    a, b = np.round(rng.normal(size=(2, 30)), 1)
    kept = a != b
    all_pairs = bl.wilcoxon_signed_rank_test(np.append(a, [1.0, 2.0]), np.append(b, [1.0, 2.0]), exact=False)
    assert all_pairs.p == bl.wilcoxon_signed_rank_test(a[kept], b[kept], exact=False).p
    assert all_pairs.p == pytest.approx(stats.wilcoxon(a, b, correction=True, method="asymptotic").pvalue)


# --- several samples -------------------------------------------------------------------------------------------------


def test_two_groups_are_tested_as_two_samples(rng):
    a, b = rng.normal(size=9), rng.normal(1, 3, size=14)
    values, groups = np.concatenate([a, b]), ["a"] * 9 + ["b"] * 14
    for equal in (True, False):
        two, several = (
            bl.t_test(a, b, equal_variance=equal),
            bl.anova_test(values, groups, equal_variance=equal),
        )
        assert several.statistic == pytest.approx(two.statistic**2, rel=1e-10)
        assert (several.p, several.df_denominator) == pytest.approx((two.p, two.df), rel=1e-10)
    (pair,) = bl.pairwise_t_test(values, groups)
    (tukey,) = bl.tukey_test(values, groups)
    pooled = bl.t_test(a, b, equal_variance=True)
    assert (pair.p, pair.low, pair.high) == pytest.approx((pooled.p, pooled.low, pooled.high), rel=1e-10)
    assert (tukey.p, tukey.low, tukey.high) == pytest.approx((pooled.p, pooled.low, pooled.high), rel=1e-8)
    assert (pair.models, pair.difference) == (("a", "b"), pooled.difference)


def test_several_groups_agree_with_scipy(rng):
    values, groups = np.round(rng.normal(size=60), 1), rng.permutation(np.repeat([*"abc"], 20))
    parts = [values[groups == name] for name in dict.fromkeys(groups)]
    for ours, theirs in (
        (bl.anova_test, stats.f_oneway),
        (bl.kruskal_test, stats.kruskal),
        (bl.levene_test, stats.levene),
        (bl.bartlett_test, stats.bartlett),
        (lambda x, g: bl.levene_test(x, g, center="mean"), lambda *x: stats.levene(*x, center="mean")),
    ):
        found, expected = ours(values, groups), theirs(*parts)
        assert (found.statistic, found.p) == pytest.approx((expected.statistic, expected.pvalue), rel=1e-10)
    limits = stats.tukey_hsd(*parts).confidence_interval()
    found = bl.tukey_test(values, groups)
    assert [each.low for each in found] == pytest.approx([limits.low[i] for i in ((0, 1), (0, 2), (1, 2))], rel=1e-6)


def test_pairs_are_adjusted_and_name_their_groups(rng):
    values, groups = rng.normal(size=30), np.repeat([*"xyz"], 10)
    found = bl.pairwise_mann_whitney_test(values, groups, adjustment="bonferroni")
    assert [each.models for each in found] == [("x", "y"), ("x", "z"), ("y", "z")]
    assert [each.p_adjusted for each in found] == [min(1.0, 3 * each.p) for each in found]
    assert {(each.adjustment, each.family) for each in found} == {("bonferroni", "pairwise_mann_whitney")}


# --- correlation -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["spearman", "kendall"])
def test_rank_correlations_agree_with_scipy(method, rng):
    a, b = np.round(rng.normal(size=(2, 40)), 1)
    found = bl.correlation_test(a, b, method=method)
    theirs = stats.spearmanr(a, b) if method == "spearman" else stats.kendalltau(a, b, method="asymptotic")
    assert (found.difference, found.p) == pytest.approx((theirs.statistic, theirs.pvalue), rel=1e-10)
    assert found.low < found.difference < found.high


@pytest.mark.parametrize("method", ["pearson", "spearman", "kendall"])
def test_perfect_correlation_has_no_interval(method):
    found = bl.correlation_test([1, 2, 3, 4, 5, 6], [-2, -4, -6, -8, -10, -12], method=method)
    assert (found.difference, found.low, found.high) == (-1.0, None, None)
    assert found.reason == "the correlation is -1: its variance is estimated as 0"


# --- tables ----------------------------------------------------------------------------------------------------------


def every_table(table):
    """All tables with the same totals, by filling the cells one after the other."""
    rows, columns = np.sum(table, axis=1), np.sum(table, axis=0)
    inner = [range(int(min(r, c)) + 1) for r, c in product(rows[:-1], columns[:-1])]
    for cells in product(*inner):
        full = np.zeros(np.shape(table), dtype=int)
        full[:-1, :-1] = np.reshape(cells, (len(rows) - 1, len(columns) - 1))
        full[:-1, -1] = rows[:-1] - full[:-1].sum(axis=1)
        full[-1] = columns - full[:-1].sum(axis=0)
        if full.min() >= 0:
            yield full


@settings(max_examples=30, deadline=None)
@given(table=TABLES.filter(lambda table: np.size(table) <= 9 and np.any(table)))
def test_fisher_enumerates_every_table(table):
    weights = np.array([np.exp(-gammaln(each + 1.0).sum()) for each in every_table(table)])
    seen = np.exp(-gammaln(np.array(table) + 1.0).sum())
    p = bl.fisher_test(table).p
    if p is not None:
        assert p == pytest.approx(weights[weights <= seen * (1 + 1e-7)].sum() / weights.sum(), rel=1e-10)


@settings(max_examples=30, deadline=None)
@given(table=TABLES.filter(np.any))
def test_fisher_does_not_care_for_order_or_direction(table):
    p = bl.fisher_test(table).p
    assert same(p, bl.fisher_test(np.transpose(table)).p)
    assert same(p, bl.fisher_test(np.array(table)[::-1, ::-1]).p)


def test_the_general_way_gives_the_two_by_two():
    table = np.array([[12, 5], [3, 9]])
    assert exact.exact_p(table) == pytest.approx(exact.FirstCell(table).two_sided_p(), rel=1e-12)


def test_too_many_tables_are_drawn_and_said_so(monkeypatch):
    table = [[9, 14, 10], [19, 22, 7], [20, 13, 11]]
    exactly = bl.fisher_test(table)
    monkeypatch.setattr(exact, "MOST_TABLES", 1000)
    drawn = bl.fisher_test(table, n_resamples=20_000, seed=3)
    assert drawn.test == "fisher_monte_carlo"
    assert drawn.reason == "too many tables to enumerate: P is from 20000 random tables (seed 3)"
    assert drawn.p == pytest.approx(exactly.p, abs=5 * np.sqrt(exactly.p / 20_000))
    assert drawn == bl.fisher_test(table, n_resamples=20_000, seed=3)
    assert drawn.p != bl.fisher_test(table, n_resamples=20_000, seed=4).p


def test_tables_of_many_rows_are_drawn():
    table = np.full((40, 40), 3)
    assert bl.fisher_test(table, n_resamples=50).test == "fisher_monte_carlo"


def test_scipy_draws_tables_where_ours_enumerates():
    table = np.array([[6, 21, 17, 15], [10, 17, 17, 7]])
    drawn = {stats.fisher_exact(table, method=stats.MonteCarloMethod(n_resamples=999)).pvalue for _ in range(3)}
    assert len(drawn) > 1
    assert {bl.fisher_test(table).p for _ in range(3)} == {bl.fisher_test(table).p}


@settings(deadline=None)
@given(table=st.lists(st.lists(st.integers(0, 12), min_size=2, max_size=2), min_size=2, max_size=2).filter(np.any))
def test_the_odds_ratio_solves_its_equations(table):
    found = bl.odds_ratio(table)
    (a, b), (c, d) = table
    rows = np.arange(max(0, a - d), min(a + b, a + c) + 1)
    weights = comb(a + b, rows) * comb(c + d, a + c - rows)

    def p(ratio):
        return weights * ratio ** rows.astype(float) / (weights * ratio ** rows.astype(float)).sum()

    if found.value:
        assert p(found.value) @ rows == pytest.approx(a, rel=1e-9)
        assert p(found.low)[rows >= a].sum() == pytest.approx(0.025, rel=1e-9)
        assert p(found.high)[rows <= a].sum() == pytest.approx(0.025, rel=1e-9)
    elif found.value == 0:
        assert (found.low, p(found.high)[rows <= a].sum()) == (0, pytest.approx(0.025, rel=1e-9))


def test_an_infinite_odds_ratio_is_not_a_number():
    found = bl.odds_ratio([[12, 0], [6, 9]])
    assert (found.value, found.high) == (None, None)
    assert found.reason == "a cell of the second diagonal is 0: the odds ratio has no upper limit"
    assert found.low == pytest.approx(1 / bl.odds_ratio([[0, 12], [9, 6]]).high, rel=1e-12)
    logs = bl.fisher_test([[12, 0], [6, 9]])
    assert (logs.low, logs.difference, logs.high) == (pytest.approx(np.log(found.low)), None, None)
    assert bl.odds_ratio([[12, 0], [6, 9]], method="sample").reason.startswith("a cell is 0")


@given(table=TABLES)
def test_chi_square_agrees_with_scipy(table):
    table = np.array(table)
    if not (table.any(axis=0).all() and table.any(axis=1).all()):
        return
    for corrected in (True, False):
        theirs = stats.chi2_contingency(table, correction=corrected)
        found = bl.chi_square_test(table, continuity=corrected)
        assert (found.statistic, found.p) == pytest.approx((theirs.statistic, theirs.pvalue), rel=1e-10, abs=1e-12)
        assert expected_counts(table) == pytest.approx(theirs.expected_freq)


def test_empty_rows_and_columns_are_named():
    assert bl.chi_square_test([[1, 2], [0, 0]]).reason == "row 2 of the table holds no case"
    assert bl.cramers_v([[0, 2], [0, 3]]).reason == "column 1 of the table holds no case"
    assert bl.fisher_test([[1, 2], [0, 0]]).p == 1.0
    assert bl.fisher_test([[1, 2, 3], [0, 0, 0]]).reason == "all cases are in one row or column: no test is possible"


def test_limits_of_cramers_v_solve_their_equations():
    table, n = [[6, 21, 17, 15], [30, 17, 17, 7]], 130
    found, chi = bl.cramers_v(table, level=0.9), bl.chi_square_test(table).statistic
    assert stats.ncx2.sf(chi, 3, n * found.low**2) == pytest.approx(0.05, rel=1e-6)
    assert stats.ncx2.cdf(chi, 3, n * found.high**2) == pytest.approx(0.05, rel=1e-6)
    assert bl.cramers_v([[10, 10], [10, 10]]).low == 0


# --- standardised differences ----------------------------------------------------------------------------------------


def test_two_of_three_categories_are_two_categories():
    two, three = bl.smd_counts([[22, 32], [28, 13]]), bl.smd_counts([[22, 0, 32], [28, 0, 13]])
    assert three.value == pytest.approx(abs(two.value), rel=1e-12)
    assert three.value == pytest.approx(bl.smd_counts([[0, 32, 22], [0, 13, 28]]).value, rel=1e-12)


@given(a=VALUES, b=VALUES)
def test_standardised_differences_have_no_unit(a, b):
    for measure in (bl.smd, bl.cohen_d, bl.hedges_g):
        one, other = measure(a, b), measure(3 * np.array(a) - 7, 3 * np.array(b) - 7)
        assert same(one.value, other.value)


def test_hedges_g_is_less_biased_than_d(rng):
    truth, drawn = 0.8, rng.normal(size=(4000, 2, 5))
    d = [bl.cohen_d(a + truth, b).value for a, b in drawn]
    g = [bl.hedges_g(a + truth, b).value for a, b in drawn]
    assert abs(np.mean(g) - truth) < 0.03 < abs(np.mean(d) - truth)


def test_the_interval_of_the_smd_covers(rng):
    drawn = rng.normal(size=(2000, 2, 40))
    found = [bl.smd(a + 0.5, b) for a, b in drawn]
    assert np.mean([each.low <= 0.5 <= each.high for each in found]) == pytest.approx(0.95, abs=0.015)


# --- the table -------------------------------------------------------------------------------------------------------


@pytest.fixture
def cases(rng):
    n = 70
    return pd.DataFrame(
        {
            "age": rng.normal(60, 12, n),
            "marker": rng.lognormal(1, 1.2, n),
            "sex": rng.choice(["f", "m"], n),
            "rare": np.where(np.arange(n) % 35 == 0, "yes", "no"),
            "side": pd.Categorical(rng.choice(["left", "right"], n), categories=["right", "left"]),
            "smoker": rng.integers(0, 2, n),
            "stage": rng.integers(1, 5, n),
        }
    )


GROUPS = np.repeat(["b", "a"], 35)


def test_the_rule_chooses_and_is_written(cases):
    found = bl.baseline_table(cases, GROUPS).set_index(["variable", "level"])
    assert list(found.columns[1:4]) == ["all (n = 70)", "a (n = 35)", "b (n = 35)"]
    first = found.xs("", level="level")
    chosen = dict(zip(first.index, first["test"], strict=True))
    assert chosen["age"] == "t_welch"
    assert chosen["marker"] == "mann_whitney_exact"
    assert (chosen["sex"], chosen["smoker"]) == ("chi_square", "chi_square")
    assert chosen["rare"] == "fisher_exact"
    assert first.at["rare", "rule"] == "Fisher: the smallest expected count is 1.0, below 5"
    assert first.at["marker", "rule"].startswith("ranks: skewness")
    assert first.at["marker", "summary"] == "median (Q1, Q3)"
    assert [level for name, level in found.index if name == "side"] == ["", "right", "left"]


def test_numbers_of_the_table_are_those_of_the_tests(cases):
    found = bl.baseline_table(cases, GROUPS, numbers=["age"]).set_index(["variable", "level"])
    a, b = (cases["age"][name == GROUPS] for name in "ab")
    tested = bl.t_test(a, b)
    row = found.loc[("age", "")]
    assert (row["p"], row["statistic"], row["smd"]) == (tested.p, tested.statistic, abs(bl.smd(a, b).value))
    table = pd.crosstab(GROUPS, cases["stage"])
    assert found.loc[("stage", "")]["p"] == bl.chi_square_test(table).p
    assert found.loc[("stage", "2")]["a (n = 35)"].startswith(f"{table.at['a', 2]} (")


def test_three_groups_have_the_largest_difference(cases):
    groups = np.arange(70) % 3
    found = bl.baseline_table(cases, groups).set_index(["variable", "level"]).xs("", level="level")
    assert (found.at["age", "test"], found.at["marker", "test"]) == ("anova_welch", "kruskal_wallis")
    parts = [cases["age"][groups == k] for k in range(3)]
    assert found.at["age", "smd"] == max(abs(bl.smd(parts[i], parts[j]).value) for i, j in ((0, 1), (0, 2), (1, 2)))


@pytest.mark.parametrize(("compare", "test"), [("means", "t_welch"), ("ranks", "mann_whitney_exact")])
def test_the_protocol_may_fix_the_comparison(cases, compare, test):
    found = bl.baseline_table(cases[["age", "marker"]], GROUPS, compare=compare)
    assert list(found["test"]) == [test, test]
    assert set(found["rule"]) == {f"{compare} were asked for"}


def test_missing_values_are_counted_and_named(cases):
    cases.loc[[0, 1, 40], "age"] = np.nan
    cases["sex"] = cases["sex"].where(cases.index != 5, " ")
    found = bl.baseline_table(cases, GROUPS).set_index(["variable", "level"])
    assert found.loc[("age", "missing")]["b (n = 35)"] == "2 (5.7%)"
    assert found.loc[("sex", "missing")]["b (n = 35)"] == "1 (2.9%)"
    assert (found.loc[("age", "")]["missing"], found.loc[("sex", "")]["missing"]) == (3, 1)
    assert ("marker", "missing") not in found.index
    described = bl.describe_groups(cases, GROUPS)
    assert list(described[described["variable"] == "age"]["missing"]) == [1, 2]
    shares = described[described["variable"] == "sex"].groupby("group")["share"].sum()
    assert list(shares) == pytest.approx([1, 1])


def test_what_cannot_be_tested_has_its_reason():
    cases = pd.DataFrame(
        {"empty": [None] * 6, "half": [1.0, 2.0, 3.0, None, None, None], "same": [7.0] * 6, "word": ["x"] * 6}
    )
    found = bl.baseline_table(cases, [*"aaabbb"], numbers=["empty", "half", "same"])
    first = found[found["level"] == ""].set_index("variable")
    assert first["p"].isna().all()
    assert dict(first["reason"]) == {
        "empty": "all values of 'a' are missing: no test is possible",
        "half": "all values of 'b' are missing: no test is possible",
        "same": "all values are tied: no test is possible",
        "word": "all known values are the same: no test is possible",
    }
    alone = bl.baseline_table(cases, ["a"] * 6)
    assert set(alone[alone["level"] == ""]["reason"]) == {"there is one group: no test is possible"}
    assert "all (n = 6)" not in alone


def test_one_value_has_no_spread():
    found = bl.baseline_table(pd.DataFrame({"x": [1.0, 2.0, 4.0]}), [*"aab"], numbers=["x"], compare="means")
    assert found.at[0, "b (n = 1)"] == "4.00 (not estimable)"
    assert found.at[0, "reason"] == "a group has one value: its variance is not estimable"


def test_text_that_holds_numbers_may_be_numbers():
    cases = pd.DataFrame({"age": ["61", "70", "", "55"]})
    found = bl.describe_groups(cases, [*"aabb"], numbers=["age"])
    assert list(found["mean"]) == [65.5, 55]
    assert list(found["missing"]) == [0, 1]


@pytest.mark.parametrize(
    ("frame", "groups", "options", "message"),
    [
        ({"x": [1.0, 2]}, ["a"], {}, "groups has 1 entries where the table has 2 rows"),
        ({"x": [1.0, 2]}, ["a", None], {}, "groups are missing in 1 of 2 cases"),
        ({"x": [1.0, 2]}, ["a", "b"], {"numbers": ["y"]}, "no column 'y'; it has 'x'"),
        ({"x": ["l", "r"]}, ["a", "b"], {"numbers": ["x"]}, "column 'x' does not hold numbers"),
        ({"x": [1.0, np.inf]}, ["a", "b"], {"numbers": ["x"]}, "column 'x' holds infinite values"),
        ({}, ["a", "b"], {}, "no column"),
        ({"x": [1.0, 2]}, ["a", "b"], {"compare": "medians"}, "rule, means, ranks"),
    ],
)
def test_bad_tables_of_cases_are_refused(frame, groups, options, message):
    with pytest.raises(EvaluationError, match=message):
        bl.baseline_table(pd.DataFrame(frame, index=range(2)), groups, **options)
