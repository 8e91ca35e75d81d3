"""Tests of samples and tables as those of R's ``stats``, and standardised differences as those of their formulas."""

import numpy as np
import pandas as pd
import pytest

from radfusion.evaluation.baseline import (
    anova_test,
    bartlett_test,
    chi_square_test,
    cohen_d,
    correlation_test,
    cramers_v,
    describe_groups,
    fisher_test,
    hedges_g,
    kruskal_test,
    levene_test,
    mann_whitney_test,
    odds_ratio,
    paired_t_test,
    pairwise_mann_whitney_test,
    pairwise_t_test,
    shapiro_test,
    smd,
    smd_counts,
    t_test,
    tukey_test,
    variance_test,
    wilcoxon_signed_rank_test,
)
from radfusion.evaluation.baseline.counts import expected_counts
from radfusion.evaluation.baseline.exact import FirstCell
from tests.reference_values import agrees_with_r, column


@agrees_with_r("baseline")
def baseline(case):
    given = case["input"]
    if "table" in given:
        return of_table(np.array(given["table"]))
    if "groups" in given:
        return of_groups([column(each) for each in given["groups"]])
    of_two = of_pairs if "t_paired" in case["expected"] else of_samples
    return of_two(column(given["a"]), column(given["b"]))


def fields(test):
    """Statistic, degrees of freedom and P as R's ``htest`` has them, with the interval of a difference."""
    return {"statistic": test.statistic, "df": test.df, "p": test.p, "ci95": [test.low, test.high]}


def of_samples(a, b):
    frame, groups = pd.DataFrame({"x": np.concatenate([a, b])}), np.repeat(["a", "b"], [len(a), len(b)])
    seen = describe_groups(frame, groups, numbers=["x"]).set_index("group")
    described = {f"{name}_{each}": seen.at[each, name] for name in ("mean", "sd", "median") for each in "ab"}
    quartiles = {f"quartiles_{each}": [seen.at[each, "q1"], seen.at[each, "q3"]] for each in "ab"}
    corrected, plain = (mann_whitney_test(a, b, exact=False, continuity=each) for each in (True, False))
    exact = mann_whitney_test(a, b, exact=True if max(len(a), len(b)) < 50 else None)
    levene = levene_test(frame["x"], groups)
    # The reference leaves samples of two values out; R's shapiro.test itself takes them, and so does ours.
    shapiro = {f"shapiro_{name}": _shapiro(x) if len(np.unique(x)) > 2 else None for name, x in (("a", a), ("b", b))}
    return {
        **described,
        **quartiles,
        **shapiro,
        "t_equal_var": fields(t_test(a, b, equal_variance=True)),
        "t_welch": fields(t_test(a, b)),
        "mann_whitney": {
            "u": corrected.statistic,
            "p_continuity": corrected.p,
            "p_no_correction": plain.p,
            "p_exact": exact.p if exact.test == "mann_whitney_exact" else None,
        },
        "f_variance": fields(variance_test(a, b)),
        "levene_median": {"statistic": levene.statistic, "p": levene.p},
        "smd": smd(a, b).value,
        "cohen_d_pooled": cohen_d(a, b).value,
        "hedges_g": hedges_g(a, b).value,
    }


def _shapiro(x):
    found = shapiro_test(x)
    return {"w": found.statistic, "p": found.p}


def of_groups(parts):
    values, groups = np.concatenate(parts), np.repeat(np.arange(len(parts)), [len(part) for part in parts])
    classic, welch = (anova_test(values, groups, equal_variance=equal) for equal in (True, False))
    # "df2" of the classic test is column 2 of R's table, the sum of squares between groups; the degrees of freedom
    # stand in the rows below it. Ours are those.
    between = sum(len(part) * (part.mean() - values.mean()) ** 2 for part in parts)
    assert classic.df_denominator == len(values) - len(parts)
    tukey = tukey_test(values, groups)
    return {
        "anova": {"f": classic.statistic, "df1": classic.df, "df2": between, "p": classic.p},
        "welch_anova": {"f": welch.statistic, "df1": welch.df, "df2": welch.df_denominator, "p": welch.p},
        "kruskal": fields(kruskal_test(values, groups)),
        "bartlett": fields(bartlett_test(values, groups)),
        "pairs_1based": [[1 + int(name) for name in each.models] for each in tukey],
        "pairwise_t_pooled_holm": [each.p_adjusted for each in pairwise_t_test(values, groups)],
        "pairwise_wilcox_holm": [each.p_adjusted for each in pairwise_mann_whitney_test(values, groups, exact=False)],
        "tukey_p": [each.p for each in tukey],
        # R's differences are the second group less the first, ours the first less the second.
        "tukey_diff_second_minus_first": [-each.difference for each in tukey],
    }


def of_table(table):
    fisher = fisher_test(table)
    found = {
        "chisq_uncorrected": fields(chi_square_test(table, continuity=False)),
        "fisher_p": fisher.p,
        "min_expected": expected_counts(table).min(),
        "cramers_v": cramers_v(table).value,
    }
    if len(table) == 2 and table.shape[1] > 2:
        found["smd_multinomial"] = smd_counts(table).value
    if table.shape != (2, 2):
        return found
    ratio = odds_ratio(table)
    assert fisher.high == pytest.approx(np.log(ratio.high), rel=1e-12)
    found |= {
        "chisq_yates": fields(chi_square_test(table)),
        "fisher_odds_ratio_conditional_mle": ratio.value,
        "fisher_or_ci95": [ratio.low, ratio.high],
        "odds_ratio_sample": odds_ratio(table, method="sample").value,
        "smd_proportion": smd_counts(table).value,
    }
    return found | printed_by_r(table)


def of_pairs(a, b):
    corrected, plain = (wilcoxon_signed_rank_test(a, b, exact=False, continuity=each) for each in (True, False))
    pearson = correlation_test(a, b)
    return {
        "t_paired": fields(paired_t_test(a, b)),
        "wilcoxon_signed_rank_v": corrected.statistic,
        "wilcoxon_p_continuity": corrected.p,
        "wilcoxon_p_no_correction": plain.p,
        "pearson": fields(pearson),
        "pearson_r": pearson.difference,
        "pearson_ci95": [pearson.low, pearson.high],
        "spearman_rho": correlation_test(a, b, method="spearman").difference,
        "kendall_tau_b": correlation_test(a, b, method="kendall").difference,
    }


def printed_by_r(table):
    """What ``fisher.test`` prints: roots on the scale of the ratio or its inverse, to an absolute 0.0001 there."""
    first = FirstCell(table)
    x, support = first.observed, first.support

    def root(function, target):
        at_one = function(1.0)
        if at_one > target:
            return zero(lambda t: function(t) - target, 0.0, 1.0)
        return 1 / zero(lambda t: function(1 / t) - target, np.finfo(float).eps, 1.0)

    def p(ratio):
        return first.p(np.log(ratio)) if ratio > 0 else (support == support[0]).astype(float)

    # The lower tail falls with the ratio, so that it is turned round before its root is sought.
    ends = (0.0 if x == support[0] else None, np.inf if x == support[-1] else None)
    mle = next((end for end in ends if end is not None), None)
    mle = root(lambda t: p(t) @ support, x) if mle is None else mle
    low = root(lambda t: p(t)[support >= x].sum(), 0.025) if ends[0] is None else 0.0
    high = root(lambda t: -p(t)[support <= x].sum(), -0.025) if ends[1] is None else np.inf
    return {"fisher_test_printed_odds_ratio": mle, "fisher_test_printed_ci95": [low, high]}


def zero(function, a, b):
    """Brent's root finder with the tolerance of R's ``uniroot``, ``.Machine$double.eps^0.25``."""
    eps = np.finfo(float).eps
    fa, fb = function(a), function(b)
    c, fc = a, fa
    for _ in range(1000):
        before = b - a
        if abs(fc) < abs(fb):
            a, b, c, fa, fb, fc = b, c, b, fb, fc, fb
        tolerance, step = 2 * eps * abs(b) + eps**0.25 / 2, (c - b) / 2
        if abs(step) <= tolerance or fb == 0:
            return b
        if abs(before) >= tolerance and abs(fa) > abs(fb):
            step = interpolated((a, b, c), (fa, fb, fc), before, tolerance)
        if abs(step) < tolerance:
            step = np.copysign(tolerance, step)
        a, fa, b = b, fb, b + step
        fb = function(b)
        if fb * fc > 0:
            c, fc = a, fa
    raise AssertionError("no root")


def interpolated(points, values, before, tolerance):
    """Secant or inverse quadratic step where it stays inside, otherwise half the interval."""
    (a, b, c), (fa, fb, fc) = points, values
    width, t1, t2 = c - b, fb / fa if a == c else fb / fc, fb / fa
    if a == c:
        p, q = width * t1, 1 - t1
    else:
        q = fa / fc
        p, q = t2 * (width * q * (q - t1) - (b - a) * (t1 - 1)), (q - 1) * (t1 - 1) * (t2 - 1)
    p, q = (p, -q) if p > 0 else (-p, q)
    inside = p < 0.75 * width * q - abs(tolerance * q) / 2 and p < abs(before * q / 2)
    return p / q if inside else width / 2
