"""Kappa, McNemar's tests, intraclass correlation, limits of agreement and concordance against psych, vcd and epiR."""

import numpy as np
from scipy.special import fdtrc, fdtri

from radfusion.evaluation.agreement.concordance import lin_ccc
from radfusion.evaluation.agreement.intraclass import icc, icc_of_features, icc_test, mean_squares
from radfusion.evaluation.agreement.kappa import cohen_kappa
from radfusion.evaluation.agreement.limits import bland_altman
from radfusion.evaluation.mcnemar import mcnemar_test
from radfusion.evaluation.metrics.classes import class_scores
from radfusion.evaluation.metrics.decisions import accuracy, confusion
from tests.reference_values import agrees_with_r

FORMS = {f"icc{model}{key}": f"ICC({model},{mean})" for key, mean in (("", "1"), ("k", "k")) for model in (1, 2, 3)}


class Rough(float):
    """A number that R has only roughly: equal to those within 1e-4 of it, and infinity to those above 1e12."""

    def __eq__(self, other):
        return other > 1e12 if np.isinf(self) else abs(self - other) <= 1e-5 + 1e-4 * abs(other)

    __hash__ = float.__hash__


@agrees_with_r("agreement")
def agreement(case):
    given = case["input"]
    a, b, truth, categories = given["rater_a"], given["rater_b"], given["truth"], given["categories"]
    kappas = {
        weights: kappa_with_r_limits(cohen_kappa(a, b, categories=categories, weights=weights))
        for weights in (None, "linear", "quadratic")
    }
    table = np.array(confusion(a, b, categories))
    return {
        "table_rows_a": table,
        "agreement": accuracy(a, b).value,
        "kappa": kappas[None],
        "kappa_linear": kappas["linear"],
        "kappa_quadratic": kappas["quadratic"],
        "vcd_kappa_ase": kappas[None]["vcd_ase"],
        "vcd_kappa_equalspacing": kappas["linear"]["estimate"],
        "kappa_se_null": se_without_agreement(table),
        "psych_weighted_variance_do_not_use": {
            weights: psych_variance(table, kappas[weights]["variance"], power)
            for weights, power in (("linear", 1), ("quadratic", 2))
        },
        "mcnemar": mcnemar(truth, a, b),
        "classification_a_vs_truth": classification(truth, a, categories),
    }


def kappa_with_r_limits(found):
    """psych and vcd write [1, 1] where the variance is 0; we say that the interval is not estimable."""
    if not found.se:
        assert found.reason == "the variance is estimated as 0: the interval is not estimable"
        assert (found.low, found.high) == (None, None)
    low, high = (found.low, found.high) if found.se else (found.value, found.value)
    return {
        "estimate": found.value,
        "variance": found.se**2,
        "vcd_ase": found.se,
        "ci95_lower": low,
        "ci95_upper": high,
    }


def se_without_agreement(table):
    """Standard error of kappa under independence (Fleiss 1969), the margins as found."""
    n = table.sum()
    rows, columns = table.sum(axis=1) / n, table.sum(axis=0) / n
    chance = rows @ columns
    return np.sqrt((chance + chance**2 - (rows * columns) @ (rows + columns)) / n) / (1 - chance)


def psych_variance(table, ours, power):
    """psych 2.2.9 weighs row margins by rowSums(w * r) where the variance needs colSums(w * r): right for 2 only."""
    size, n = len(table), table.sum()
    weights = 1 - (np.abs(np.subtract.outer(np.arange(size), np.arange(size))) / (size - 1)) ** power
    share = table / n
    rows, columns = share.sum(axis=1), share.sum(axis=0)
    observed, chance = (weights * share).sum(), rows @ weights @ columns

    def variance(of_rows):
        terms = weights * (1 - chance) - np.add.outer(weights @ columns, of_rows) * (1 - observed)
        constant = observed * chance - 2 * chance + observed
        return max(0.0, (share * terms**2).sum() - constant**2) / (n * (1 - chance) ** 4)

    assert np.isclose(variance(rows @ weights), ours, rtol=1e-9, atol=1e-15)
    psych = variance(rows * weights.sum(axis=1))
    assert np.isclose(psych, ours, rtol=1e-9, atol=1e-15) if size == 2 else psych <= ours
    return psych


def mcnemar(truth, a, b):
    right = [list(np.equal(each, truth)) for each in (a, b)]
    (both, only_a), (only_b, neither) = confusion(*right, [True, False])
    found = {name: mcnemar_test(truth, a, b, method=name) for name in ("exact", "mid_p", "corrected", "uncorrected")}
    assert all(each.difference == (only_a - only_b) / len(truth) for each in found.values())
    return {
        "both_right": both,
        "only_a_right": only_a,
        "only_b_right": only_b,
        "both_wrong": neither,
        "exact_p": found["exact"].p,
        "mid_p": found["mid_p"].p,
        "chi2_corrected": chi_squared(found["corrected"], only_a + only_b),
        "chi2_uncorrected": chi_squared(found["uncorrected"], only_a + only_b),
    }


def chi_squared(found, discordant):
    """R divides 0 by 0 where nobody is right alone; we say that the two do not differ."""
    if not discordant:
        assert (found.statistic, found.p, found.reason) == (0, 1, None)
        return {"statistic": None, "p": None}
    return {"statistic": found.statistic, "p": found.p}


def classification(truth, predicted, categories):
    scores = class_scores(truth, predicted, categories)
    found = {each.metric: each.value for each in scores if each.class_ is None}
    of_classes = {
        name: [each.value for each in scores if each.metric == name] for name in ("precision", "recall", "f1")
    }
    return {
        "confusion_rows_true": confusion(truth, predicted, categories),
        "accuracy": accuracy(truth, predicted).value,
        **of_classes,
        "macro_f1": found["macro_f1"],
        "weighted_f1": found["weighted_f1"],
    }


@agrees_with_r("icc")
def intraclass(case):
    if "features_subjects_by_readers" in case["input"]:
        return many_features(case["input"]["features_subjects_by_readers"])
    ratings = np.array(case["input"]["ratings_subjects_by_readers"], dtype=float)
    squares = mean_squares(ratings[None])
    at_90 = {form: icc(ratings, form=form, level=0.9) for form in ("ICC(2,1)", "ICC(3,1)")}
    (icc2_lower, icc2_upper), (icc3_lower, icc3_upper) = (limits_as_r(each) for each in at_90.values())
    found = {
        "anova": {key: anova(ratings, form) for key, form in FORMS.items()},
        "anova_90": {
            "icc2_lower": icc2_lower,
            "icc2_upper": icc2_upper,
            "icc3_lower": icc3_lower,
            "icc3_upper": icc3_upper,
        },
        "lmer": lmer(squares),
        "mean_squares": {
            "ms_subjects": squares.subjects[0],
            "ms_readers": squares.raters[0],
            "ms_error": squares.error[0],
            "ms_within": squares.within[0],
        },
    }
    return found if ratings.shape[1] > 2 else found | two_raters(*ratings.T)


def many_features(ratings):
    by_form = {form: icc_of_features(ratings, form=f"ICC({form[-1]},1)") for form in ("icc1", "icc2", "icc3")}
    found = {form: [each.value for each in estimates] for form, estimates in by_form.items()}
    lower = {f"{form}_ci95_lower": [each.low for each in estimates] for form, estimates in by_form.items()}
    return (
        found
        | lower
        | {
            "icc2_ci95_upper": [each.high for each in by_form["icc2"]],
            "kept_icc2_ge_075_1based": 1 + np.flatnonzero(np.array(found["icc2"]) >= 0.75),
            "kept_icc3_lower_ge_075_1based": 1 + np.flatnonzero(np.array(lower["icc3_ci95_lower"]) >= 0.75),
        }
    )


def anova(ratings, form):
    found, tested = icc(ratings, form=form), icc_test(ratings, form=form)
    statistic, p = tested.statistic, tested.p
    if statistic is None:
        # R divides by rounding error: F is 1e30 or so and P next to 0.
        assert tested.reason == "the raters' error is estimated as 0: no F test is possible"
        statistic, p = Rough("inf"), 0.0
    low, high = limits_as_r(found)
    return {
        "icc": found.value,
        "f": statistic,
        "df1": tested.df,
        "df2": tested.df_denominator,
        "p": p,
        "ci95_lower": low,
        "ci95_upper": high,
    }


def limits_as_r(found):
    """Without error R's limits are those of an infinite F, the value 1 itself; we say that they are not estimable."""
    if found.low is None:
        assert (found.value, found.reason) == (1, "the raters' error is estimated as 0: the interval is not estimable")
        return found.value, found.value
    return found.low, found.high


def lmer(squares):
    """psych's default: mean squares made from lme4's REML variances, which are never below 0.

    In a balanced table the likelihood is that of three independent mean squares. Where one between subjects or raters
    is below that of error their variance is 0, and it is pooled with the error by degrees of freedom (Thompson 1962).
    lme4 stops its search at about five digits.
    """
    n, k = squares.n, squares.k
    if squares.error[0] == 0 < squares.raters[0]:
        # lme4 stops with an error where nothing is left over.
        return None
    error, df = squares.error[0], (n - 1) * (k - 1)
    for square, its_df in sorted([(squares.subjects[0], n - 1), (squares.raters[0], k - 1)]):
        if square < error:
            error, df = (df * error + its_df * square) / (df + its_df), df + its_df
    subjects, raters = max(squares.subjects[0], error), max(squares.raters[0], error)
    within = error + (raters - error) / n
    return {key: psych_row(form, (subjects, raters, error, within), n, k) for key, form in FORMS.items()}


def psych_row(form, squares, n, k):
    """One row of psych's table from mean squares, as Shrout and Fleiss write it."""
    subjects, raters, error, within = squares
    noise, df = (within, n * (k - 1)) if form[4] == "1" else (error, (n - 1) * (k - 1))
    if not noise:
        return {"icc": 1, "f": Rough("inf"), "df1": n - 1, "df2": df, "p": 0, "ci95_lower": 1, "ci95_upper": 1}
    f = subjects / noise
    upper_f, lower_f = 1 / fdtri(df, n - 1, 0.025), fdtri(n - 1, df, 0.025)
    value, low, high = ((f / q - 1) / (f / q + k - 1) for q in (1, upper_f, lower_f))
    if form[4] == "2":
        rest = k * raters + (k * n - k - n) * error
        value = (subjects - error) / (subjects + rest / n)
        a = k * value * raters / error
        b = n * (1 + (k - 1) * value) - k * value
        v = (k - 1) * (n - 1) * (a + b) ** 2 / ((n - 1) * a**2 + b**2)
        low, high = (
            n * (subjects - q * error) / (q * rest + n * subjects)
            for q in (1 / fdtri(v, n - 1, 0.025), fdtri(n - 1, v, 0.025))
        )
    if form[6] == "k":
        value, low, high = (k * each / (1 + (k - 1) * each) for each in (value, low, high))
    rough = {"icc": value, "f": f, "p": fdtrc(n - 1, df, f), "ci95_lower": low, "ci95_upper": high}
    return {"df1": n - 1, "df2": df} | {name: Rough(each) for name, each in rough.items()}


def two_raters(a, b):
    bias, lower, upper = bland_altman(a, b)
    concordance = lin_ccc(a, b)
    return {
        "bland_altman": {
            "bias": bias.value,
            "sd": bias.se * np.sqrt(len(a)),
            "loa_lower": lower.value,
            "loa_upper": upper.value,
        },
        "lin_ccc": {"est": concordance.value, "lower": concordance.low, "upper": concordance.high},
    }
