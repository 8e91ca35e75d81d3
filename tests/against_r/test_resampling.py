"""Bootstrap and permutation against pROC: exactly for given resamples, else within the error of resampling."""

import numpy as np
from scipy.stats import norm

import radfusion.evaluation as ev
from radfusion.evaluation._inputs import Clusters, binary
from radfusion.evaluation.comparisons.resampled import bootstrap_z
from radfusion.evaluation.resampling import case_counts, weighted_areas
from tests.reference_values import Within, agrees_with_r

HOW = ev.Bootstrap(kind="percentile", n_resamples=2000, seed=11)
LIMITS = (0.025, 0.975)


@agrees_with_r("roc_resampling")
def roc_resampling(case):
    y, a, b = (np.array(case["input"][name], dtype=float) for name in ("y", "score1", "score2"))
    if "bootstrap_rows_1based" in case["input"]:
        return given_rows(y, a, b, np.array(case["input"]["bootstrap_rows_1based"]) - 1)
    one = ev.auc(y, a, ci=HOW)
    curves = ev.venkatraman_test(y, a, b, n_resamples=1000, seed=3)
    drawn = drawn_rows(y)
    specificities = (0.8, 0.9, 0.95)
    heights = [
        np.quantile([height(y[rows], a[rows], each) for rows in drawn], (0.025, 0.5, 0.975)) for each in specificities
    ]
    lower, median, upper = np.transpose(heights)
    partial = [ev.partial_auc(y[rows], a[rows], ev.RocRange(between=(1, 0.8))).value for rows in drawn]
    return {
        "ci95_bootstrap_stratified": np.array([one.low, one.high]),
        "ci95_bootstrap_nonstratified": np.quantile(not_stratified(y, a), LIMITS),
        "p_bootstrap_paired": binary_bootstrap_test(y, a, b)["p"],
        "p_venkatraman_paired": curves.p,
        "ci95_partial_auc_spec_1_08": np.quantile(partial, LIMITS),
        "venkatraman_paired_statistic_E": curves.statistic,
        # One run of R, and one of ours, each with an error of resampling.
        "one_run_ci95": Within([one.low, one.high], 0.03),
        "se_at_sp": {
            "specificity": specificities,
            "lower": Within(lower, 0.06),
            "median": Within(median, 0.03),
            "upper": Within(upper, 0.06),
        },
    }


def given_rows(y, a, b, rows):
    counts = np.stack([np.bincount(each, minlength=len(y)) for each in rows])
    drawn = [weighted_areas(binary(y, score, 1), "macro", counts) for score in (a, b)]
    test = bootstrap_z(ev.delong_test(y, a, b).difference, drawn[0] - drawn[1], level=0.95)
    return {
        "auc1_boot": drawn[0],
        "auc2_boot": drawn[1],
        "ci95_auc1": np.quantile(drawn[0], LIMITS),
        "ci95_auc2": np.quantile(drawn[1], LIMITS),
        "ci95_difference": (test["low"], test["high"]),
        "sd_difference": np.std(drawn[0] - drawn[1], ddof=1),
        "d": test["statistic"],
        "p_two_sided": test["p"],
    }


def paired(y, a, b):
    return ev.ScoredPair(*(ev.ScoredSet(y, each, (0, 1)) for each in (a, b)), paired=True)


def binary_bootstrap_test(y, a, b):
    low, high = min(a.min(), b.min()), max(a.max(), b.max())
    one, two = ((each - low) / (high - low) for each in (a, b))
    found = ev.auc_bootstrap_test(paired(y, one, two), how=HOW)
    assert found.p == 2 * norm.sf(abs(found.statistic))
    return {"p": found.p}


def not_stratified(y, score):
    blocks = case_counts(np.zeros(len(y), dtype=int), Clusters(), 2000, seed=5)
    return np.concatenate([weighted_areas(binary(y, score, 1), "macro", counts) for counts in blocks])


def drawn_rows(y):
    (counts,) = case_counts(y.astype(int), Clusters(), 1000, seed=9)
    return [np.repeat(np.arange(len(y)), each) for each in counts]


def height(y, score, specificity):
    return ev.sensitivity_at_specificity(y, score, specificity).value


@agrees_with_r("roc_asah")
def roc_asah(case):
    given = case["input"]
    y, gender = np.array(given["outcome_poor"]), np.array(given["gender"])
    markers = {name: np.array(given[name], dtype=float) for name in ("s100b", "ndka", "wfns", "age")}
    both = ev.compare_aucs(y, markers)
    s100b, ndka = markers["s100b"], markers["ndka"]
    gos = np.array(given["gos6"])
    return {
        **{name: one_marker(y, score) for name, score in markers.items()},
        "paired_delong": [
            {
                "a": each.models[0],
                "b": each.models[1],
                "z": each.statistic,
                "p": each.p,
                "ci95_lower": each.low,
                "ci95_upper": each.high,
            }
            for each in both.comparisons
        ],
        "unpaired_by_gender": [
            by_gender(y, markers[name], gender == "Male") | {"marker": name} for name in ("s100b", "ndka", "wfns")
        ],
        "multiclass_univariate_gos6": [
            {
                "marker": name,
                "response": "gos6",
                "levels": np.unique(gos),
                "direction": ">",
                "multiclass_auc": mean_of_pairs(gos, markers[name]),
            }
            for name in ("s100b", "ndka")
        ],
        "s100b_vs_ndka_bootstrap_p": binary_bootstrap_test(y, s100b, ndka)["p"],
        "s100b_vs_ndka_venkatraman_p": ev.venkatraman_test(y, s100b, ndka, n_resamples=1000, seed=3).p,
    }


def one_marker(y, score):
    found, plain, how = ev.auc(y, score), ev.auc(y, score, ci="delong"), ev.auc(y, score, ci=HOW)
    best = ev.best_thresholds(y, score)
    exact = ev.exact_operating_point(y, score, best[0])
    hits = {"sensitivity": (score >= best[0]) & (y == 1), "specificity": (score < best[0]) & (y == 0)}
    hits |= {"ppv": hits["sensitivity"], "npv": hits["specificity"]}
    shares = {each.metric: each for each in exact}
    return {
        "auc": found.value,
        "delong_var": found.se**2,
        "ci95_lower": plain.low,
        "ci95_upper": plain.high,
        "best_youden": [at(y, score, threshold) for threshold in best],
        "partial_auc_spec_1_09": ev.partial_auc(y, score).value,
        "partial_auc_spec_1_09_corrected": ev.partial_auc(y, score, ev.RocRange(corrected=True)).value,
        "partial_auc_sens_1_09": ev.partial_auc(y, score, ev.RocRange(focus="sensitivity")).value,
        "ncases_for_90pct_power": needed_cases(y, found.value),
        "ci95_bootstrap_2000": np.array([how.low, how.high]),
        "at_first_best_youden_clopper_pearson": {
            name: {
                "k": int(hit.sum()),
                "n": shares[name].n,
                "estimate": shares[name].value,
                "lower": shares[name].low,
                "upper": shares[name].high,
            }
            for name, hit in hits.items()
        },
    }


def at(y, score, threshold):
    found = {each.metric: each.value for each in ev.operating_point(y, score, threshold)}
    return {"threshold": threshold, **found}


def needed_cases(y, area):
    ratio = float((y == 0).sum() / (y == 1).sum())
    return ev.sample_size.auc_power(auc=area, power=0.9, significance=0.05, ratio=ratio).n_positive


def by_gender(y, score, male):
    found = ev.delong_test_unpaired(y[male], score[male], y[~male], score[~male])
    return {"male_vs_female_d": found.statistic, "df": found.df, "p": found.p}


def mean_of_pairs(response, score):
    """pROC's multi-class area of one score: mean over pairs of levels, lower levels scoring higher."""
    levels = np.unique(response)
    pairs = [(i, j) for k, i in enumerate(levels) for j in levels[k + 1 :]]
    among = {pair: np.isin(response, pair) for pair in pairs}
    return np.mean([ev.auc(response[among[i, j]], score[among[i, j]], positive=i).value for i, j in pairs])
