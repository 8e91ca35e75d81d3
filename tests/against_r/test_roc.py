"""Areas, DeLong's tests and several classes against pROC."""

import numpy as np
from scipy.special import ndtri
from scipy.stats import norm

import radfusion.evaluation as ev
from radfusion.evaluation._inputs import binary
from radfusion.evaluation.adjustment import adjust_pvalues
from radfusion.evaluation.sample_size.precision import hanley_mcneil_se
from radfusion.evaluation.threshold_rules import operating_counts
from tests.reference_values import Within, agrees_with_r, column

LEVELS = (90, 95, 99)


def given(case, *names):
    """Arrays of the input without the rows that miss a score."""
    columns = [column(case["input"].get(name) or case["input"][f"{name}_strings"]) for name in names]
    kept = ~np.isnan(columns).any(axis=0)
    return [each[kept] for each in columns]


def as_proc_cuts(found, level=0.95, *, cut=True):
    """Limits A +- z SE as pROC prints them, also where this package says that they are not estimable."""
    if found.se is None:
        assert found.reason
        return None, None
    half = ndtri(0.5 + level / 2) * found.se
    low, high = found.value - half, found.value + half
    if cut:
        low, high = max(0.0, low), min(1.0, high)
        assert found.reason if found.low is None else (found.low, found.high) == (low, high)
    return low, high


def sides(statistic, p):
    """One-sided P values of a symmetric statistic: a above b, a below b."""
    return (p / 2, 1 - p / 2) if statistic > 0 else (1 - p / 2, p / 2)


@agrees_with_r("roc_single")
def roc_single(case):
    y, score = given(case, "y", "score")
    found = ev.auc(y, score)
    plain = {level: ev.auc(y, score, ci="delong", level=level / 100) for level in LEVELS}
    limits = {level: as_proc_cuts(plain[level], level / 100) for level in LEVELS}
    logit = found.low, found.high
    if found.low is None:
        # R prints an interval without width where the logit exists.
        assert found.reason
        logit = (found.value, found.value) if 0 < found.value < 1 and found.se is not None else (None, None)
    n_pos, n_neg = found.n_pos, found.n - found.n_pos
    test = ev.baseline.mann_whitney_test(score[y == 1], score[y == 0], exact=False, continuity=False)
    corrected = ev.baseline.mann_whitney_test(score[y == 1], score[y == 0], exact=False)
    cut, true_positive, false_positive = operating_counts(binary(y, score, 1))
    unclipped = as_proc_cuts(plain[95], cut=False)
    return {
        "auc": found.value,
        "n_cases": n_pos,
        "n_controls": n_neg,
        "delong_var": None if found.se is None else found.se**2,
        "delong_se": found.se,
        **{f"ci{level}_{side}": limits[level][k] for level in LEVELS for k, side in enumerate(("lower", "upper"))},
        "ci95_lower_unclipped": unclipped[0],
        "ci95_upper_unclipped": unclipped[1],
        "ci95_logit_lower": logit[0],
        "ci95_logit_upper": logit[1],
        "hanley_mcneil_se": hanley_mcneil_se(found.value, n_pos, n_neg),
        "mann_whitney_u": found.value * n_pos * n_neg,
        "mann_whitney_p_no_correction": test.p,
        "mann_whitney_p_continuity": corrected.p,
        "roc_curve": {
            "thresholds": cut,
            "sensitivities": true_positive / n_pos,
            "specificities": 1 - false_positive / n_neg,
        },
        "n_distinct_scores": len(cut) - 1,
    }


@agrees_with_r("roc_paired")
def roc_paired(case):
    y, a, b = given(case, "y", "score1", "score2")
    found, narrow = ev.delong_test(y, a, b), ev.delong_test(y, a, b, level=0.9)
    # Both areas as one matrix of influence values: its covariance has the variances and the covariance.
    both = [ev.influence(y, np.stack([-each, each], axis=1), [0, 1]) for each in (a, b)]
    values = [each.values[:, 1] for each in both]
    covariance = values[0] @ values[1] / len(y) ** 2
    var = [each.covariance()[1, 1] for each in both]
    if found.statistic is None:
        # Areas differ and no variance is estimated: pROC prints z = +-Inf, P = 0 and an interval without width.
        assert "variance" in found.reason
        z, p, limits = np.sign(found.difference) * np.inf, 0.0, [found.difference] * 4
    else:
        z, p, limits = found.statistic, found.p, [found.low, found.high, narrow.low, narrow.high]
    greater, less = sides(z, p)
    return {
        "auc1": found.values[0],
        "auc2": found.values[1],
        "auc_difference": found.difference,
        "var1": var[0],
        "var2": var[1],
        "cov12": covariance,
        "se_difference": found.difference / z if z and np.isfinite(z) else np.sqrt(max(0.0, sum(var) - 2 * covariance)),
        "z": z,
        "p_two_sided": p,
        "p_greater": greater,
        "p_less": less,
        "ci95_difference_lower": limits[0],
        "ci95_difference_upper": limits[1],
        "ci90_difference_lower": limits[2],
        "ci90_difference_upper": limits[3],
        "n_complete": found.n,
    }


@agrees_with_r("roc_unpaired")
def roc_unpaired(case):
    (y1, a), (y2, b) = given(case, "y1", "score1"), given(case, "y2", "score2")
    found = ev.delong_test_unpaired(y1, a, y2, b)
    one, two = ev.auc(y1, a), ev.auc(y2, b)
    greater, less = sides(found.statistic, found.p)
    return {
        "auc1": found.values[0],
        "auc2": found.values[1],
        "auc_difference": found.difference,
        "var1": one.se**2,
        "var2": two.se**2,
        "d": found.statistic,
        "df": found.df,
        "p_two_sided": found.p,
        "p_greater": greater,
        "p_less": less,
        "ci95_difference_lower": found.low,
        "ci95_difference_upper": found.high,
        "z_p_two_sided": 2 * norm.sf(abs(found.statistic)),
    }


@agrees_with_r("roc_many_models")
def roc_many_models(case):
    y, scores = np.array(case["input"]["y"]), np.array(case["input"]["scores"], dtype=float)
    models = {str(k): column for k, column in enumerate(scores.T, start=1)}
    found, bh = ev.compare_aucs(y, models), ev.compare_aucs(y, models, adjustment="bh")
    values = np.stack([ev.influence(y, np.stack([-each, each], axis=1), [0, 1]).values[:, 1] for each in scores.T])
    equal = ev.equal_auc_test(y, models)
    return {
        "auc": [each.value for each in found.estimates],
        "covariance": values @ values.T / len(y) ** 2,
        "pairs_1based": [[int(name) for name in each.models] for each in found.comparisons],
        "z": [each.statistic for each in found.comparisons],
        "p": [each.p for each in found.comparisons],
        "p_holm": [each.p_adjusted for each in found.comparisons],
        "p_bh": [each.p_adjusted for each in bh.comparisons],
        "global_chi2": equal.statistic,
        "global_df": equal.df,
        "global_p": equal.p,
    }


@agrees_with_r("roc_multiclass")
def roc_multiclass(case):
    y = np.array(case["input"]["y"])
    classes = list(range(y.max() + 1))
    both = [np.array(case["input"][f"prob_model{m}"]) for m in (1, 2)]
    tests = [ev.delong_test(y, both[0][:, k], both[1][:, k], positive=k) for k in classes]
    # R's advisory variance leaves out sqrt(m / (m - 1)), with m the size of the case's group.
    plain = [without_small_sample_factor(y, each, classes) for each in both]
    se = np.sqrt(((plain[0] - plain[1]) ** 2).sum()) / len(y)
    test = ev.macro_auc_test(y, *both, classes)
    difference = test.difference
    gap = np.subtract(*(ev.influence(y, each, classes).values.mean(axis=1) for each in both))
    if test.statistic:
        np.testing.assert_allclose(difference / test.statistic, np.sqrt(gap @ gap) / len(y), rtol=1e-10)
        np.testing.assert_allclose(test.p, 2 * norm.sf(abs(test.statistic)), rtol=1e-10)
    return {
        "model1": several_classes(y, both[0], classes),
        "model2": several_classes(y, both[1], classes),
        "comparison": {
            "per_class_z": [each.statistic for each in tests],
            "per_class_p": [each.p for each in tests],
            "per_class_p_holm": adjust_pvalues([each.p for each in tests]),
            "macro_difference": difference,
            "macro_se_influence": se,
            "macro_p_influence": 2 * norm.sf(abs(difference / se)) if se else None,
            "macro_boot_stratified": bootstrapped(y, both, classes)
            if "macro_boot_stratified" in case["expected"]["comparison"]
            else None,
        },
    }


def without_small_sample_factor(y, matrix, classes):
    size = np.where(y[:, None] == classes, np.bincount(y)[classes], len(y) - np.bincount(y)[classes])
    return (ev.influence(y, matrix, classes).values * np.sqrt((size - 1) / size)).mean(axis=1)


def several_classes(y, matrix, classes):
    *areas, macro = ev.one_vs_rest_auc(y, matrix, classes)
    limits = [as_proc_cuts(ev.auc(y, matrix[:, k], positive=k, ci="delong")) for k in classes]
    predicted = matrix.argmax(axis=1)
    phi = without_small_sample_factor(y, matrix, classes)
    per_class = ev.class_scores(y, predicted, classes)

    def each(metric):
        return [found.value for found in per_class if found.metric == metric and found.class_ is not None]

    return {
        "ovr_auc": [found.value for found in areas],
        "ovr_delong_var": [found.se**2 for found in areas],
        "ovr_ci95_lower": [low for low, _ in limits],
        "ovr_ci95_upper": [high for _, high in limits],
        "macro_auc": macro.value,
        "weighted_auc": ev.weighted_auc(y, matrix, classes).value,
        "micro_auc": ev.micro_auc(y, matrix, classes).value,
        "hand_till_m": ev.hand_till_auc(y, matrix, classes).value,
        "pairwise_a_i_given_j": pairwise_areas(y, matrix, classes),
        "macro_auc_influence_var": phi @ phi / len(y) ** 2,
        "confusion_rows_true": ev.confusion(y, predicted, classes),
        "accuracy": ev.accuracy(y, predicted).value,
        "recall": each("recall"),
        "precision": each("precision"),
        "f1": each("f1"),
        "macro_f1": next(found.value for found in per_class if found.metric == "macro_f1"),
        "kappa": ev.cohen_kappa(y, predicted).value,
    }


def pairwise_areas(y, matrix, classes):
    def area(i, j):
        among = np.isin(y, [i, j])
        return ev.auc(y[among], matrix[among, i], positive=i).value

    return [[None if i == j else area(i, j) for j in classes] for i in classes]


def bootstrapped(y, both, classes):
    how = ev.Bootstrap(kind="percentile", n_resamples=1000, seed=1)
    one = ev.macro_auc(y, both[0], classes, ci=how)
    pair = ev.ScoredPair(*(ev.ScoredSet(y, each, tuple(classes)) for each in both), paired=True)
    test = ev.auc_bootstrap_test(pair, how=how)
    spread = test.difference / test.statistic if test.statistic else 0.0
    limits = one.low, one.high
    if one.low is None:
        assert "same area" in one.reason
        limits = one.value, one.value
    return {
        "ci95_model1": Within(limits, 0.01),
        "ci95_difference": Within([test.low, test.high], 0.01),
        "sd_difference": Within(spread, 0.01),
    }
