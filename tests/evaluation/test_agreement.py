"""Kappa, intraclass correlation, limits of agreement, concordance and McNemar's tests against their definitions."""

import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.contingency_tables import mcnemar as statsmodels_mcnemar
from statsmodels.stats.inter_rater import cohens_kappa

from radfusion.errors import EvaluationError
from radfusion.evaluation.agreement.concordance import lin_ccc
from radfusion.evaluation.agreement.intraclass import icc, icc_of_features, icc_test
from radfusion.evaluation.agreement.kappa import cohen_kappa, kappa_test
from radfusion.evaluation.agreement.limits import bland_altman
from radfusion.evaluation.mcnemar import mcnemar_test

WEIGHTS = (None, "linear", "quadratic")
FORMS = ("ICC(1,1)", "ICC(2,1)", "ICC(3,1)", "ICC(1,k)", "ICC(2,k)", "ICC(3,k)")
METHODS = ("exact", "mid_p", "corrected", "uncorrected")


def rated(seed, n=80, levels=4):
    """A reference and two raters that are often right, else a step away, and patients with one to four cases."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, levels, n)
    steps = rng.choice([-1, 0, 0, 0, 1], (2, n))
    a, b = np.clip(truth + steps, 0, levels - 1)
    return truth, a, b, rng.integers(0, n // 2, n)


def kappa_by_pairs(a, b, weights, levels):
    """One minus observed over chance disagreement, case by case and over all pairs of cases."""
    power = {None: 0, "linear": 1, "quadratic": 2}[weights]

    def apart(i, j):
        return float(i != j) if weights is None else (abs(int(i) - int(j)) / (levels - 1)) ** power

    observed = np.mean([apart(i, j) for i, j in zip(a, b, strict=True)])
    return 1 - observed / np.mean([apart(i, j) for i in a for j in b])


ratings = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(0, 3)), min_size=2, max_size=40).map(
    lambda rows: tuple(np.array(column) for column in zip(*rows, strict=True))
)


@pytest.mark.parametrize("weights", WEIGHTS)
@pytest.mark.parametrize("seed", range(3))
def test_kappa_is_observed_over_chance_disagreement(seed, weights):
    truth, a, _, _ = rated(seed)
    found = cohen_kappa(truth, a, categories=range(4), weights=weights)
    assert found.value == pytest.approx(kappa_by_pairs(truth, a, weights, 4), rel=1e-12)


@pytest.mark.parametrize(("weights", "theirs"), [(None, None), ("linear", "linear"), ("quadratic", "quadratic")])
def test_influences_give_the_variance_of_fleiss_cohen_and_everitt(weights, theirs):
    truth, a, _, _ = rated(3)
    table = np.zeros((4, 4))
    np.add.at(table, (truth, a), 1)
    expected = cohens_kappa(table, wt=theirs)
    found = cohen_kappa(truth, a, categories=range(4), weights=weights)
    assert (found.value, found.se**2) == pytest.approx((expected.kappa, expected.var_kappa), rel=1e-10)


@pytest.mark.parametrize("weights", WEIGHTS)
def test_kappa_test_equals_the_jackknife(weights):
    truth, a, b, _ = rated(5, n=400)
    found = kappa_test(truth, a, b, weights=weights)
    difference = [
        cohen_kappa(t, x, categories=range(4), weights=weights).value
        - cohen_kappa(t, y, categories=range(4), weights=weights).value
        for t, x, y in ((np.delete(truth, k), np.delete(a, k), np.delete(b, k)) for k in range(400))
    ]
    assert found.difference / found.statistic == pytest.approx(np.std(difference) * np.sqrt(399), rel=0.01)


def test_clustered_kappa_test_equals_the_jackknife_of_patients():
    truth, a, b, patients = rated(6, n=600)
    found = kappa_test(truth, a, b, patients=patients)
    difference = []
    for each in np.unique(patients):
        kept = patients != each
        one, two = cohen_kappa(truth[kept], a[kept]), cohen_kappa(truth[kept], b[kept])
        difference.append(one.value - two.value)
    expected = np.std(difference) * np.sqrt(len(difference) - 1)
    assert found.test == "cluster_influence_paired"
    assert found.difference / found.statistic == pytest.approx(expected, rel=0.02)


@given(ratings)
def test_one_kappa_is_the_difference_from_a_perfect_rater(columns):
    truth, a, _ = columns
    one, found = cohen_kappa(truth, a, categories=range(4)), kappa_test(truth, a, truth)
    if found.reason is None and found.statistic:
        assert found.difference == pytest.approx(one.value - 1, abs=1e-12)
        assert found.difference / found.statistic == pytest.approx(one.se, rel=1e-9)


@given(ratings)
def test_kappa_takes_the_raters_in_either_order(columns):
    a, b, _ = columns
    for weights in WEIGHTS:
        one = cohen_kappa(a, b, categories=range(4), weights=weights)
        other = cohen_kappa(b, a, categories=range(4), weights=weights)
        assert (one.value, one.se, one.reason) == (pytest.approx(other.value), pytest.approx(other.se), other.reason)


@given(ratings)
def test_every_kappa_is_a_number_or_has_a_reason(columns):
    truth, a, b = columns
    one, two = cohen_kappa(a, b), kappa_test(truth, a, b)
    assert (one.low is None) == (one.reason is not None)
    assert (two.p is None) == (two.reason is not None)


@given(ratings)
def test_equal_raters_do_not_differ(columns):
    truth, a, _ = columns
    found = kappa_test(truth, a, a)
    assert found.p == 1 or found.reason.startswith("every rating is the same category")


def test_patients_of_one_case_change_nothing():
    truth, a, b, _ = rated(8)
    names = [f"patient {k}" for k in range(len(truth))]
    assert cohen_kappa(truth, a, patients=names).se == cohen_kappa(truth, a).se
    assert kappa_test(truth, a, b, patients=names).p == kappa_test(truth, a, b).p


def test_each_case_twice_has_the_variance_of_once_when_patients_are_known():
    truth, a, _, _ = rated(9)
    twice = cohen_kappa(np.tile(truth, 2), np.tile(a, 2), patients=np.tile(np.arange(80), 2))
    assert twice.se == pytest.approx(cohen_kappa(truth, a).se * np.sqrt(80 / 79), rel=1e-12)


@pytest.mark.parametrize("weights", WEIGHTS)
def test_kappa_of_one_category_is_undefined(weights):
    found = cohen_kappa(["x"] * 5, ["x"] * 5, weights=weights)
    assert (found.value, found.low, found.high) == (None, None, None)
    assert found.reason == "every rating is the same category: agreement beyond chance is 0 / 0"


def test_kappa_of_one_patient_has_no_interval():
    found = cohen_kappa([0, 1, 1], [0, 1, 0], patients=["x", "x", "x"])
    assert found.value == pytest.approx(0.4)
    assert found.reason == "all cases are of one patient: the variance is not estimable"


def test_weights_follow_the_order_of_categories():
    grades = ["mild", "severe", "none", "mild"], ["none", "severe", "none", "severe"]
    order = ["none", "mild", "severe"]
    with pytest.raises(EvaluationError, match="weights need the order of categories"):
        cohen_kappa(*grades, weights="linear")
    named = cohen_kappa(*grades, weights="linear", categories=order)
    ordered = [pd.Series(each, dtype=pd.CategoricalDtype(order, ordered=True)) for each in grades]
    numbers = [[order.index(each) for each in column] for column in grades]
    assert kappa_test(*ordered, ordered[0], weights="linear").values == pytest.approx((named.value, 1))
    assert named == cohen_kappa(*ordered, weights="linear") == cohen_kappa(*numbers, weights="linear")


def test_a_category_that_nobody_used_widens_the_scale():
    one, two = [0, 0, 1, 1], [0, 1, 1, 1]
    assert cohen_kappa(one, two, categories=[0, 1, 2]).value == cohen_kappa(one, two).value
    near = cohen_kappa([0, 1, 3, 3], [0, 3, 3, 1], weights="linear").value
    assert cohen_kappa([0, 1, 3, 3], [0, 3, 3, 1], weights="linear", categories=range(4)).value != near


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: cohen_kappa([0, 1], [0, 1, 1]), "ratings_b has 3 entries"),
        (lambda: cohen_kappa([0, None], [0, 1]), "ratings_a are missing in 1 of 2 cases"),
        (lambda: cohen_kappa([0, 1], [0, 2], categories=[0, 1]), "ratings_b hold 2; allowed are the classes 0, 1"),
        (lambda: cohen_kappa([0, 1], [0, 1], weights="cubic"), "weights are 'cubic'; allowed are None"),
        (lambda: kappa_test([0, 1], [0, 1], [1]), "predicted_b has 1 entries"),
        (lambda: icc([1, 2, 3]), r"ratings have shape \(3,\); allowed is \(subjects, raters\)"),
        (lambda: icc([[1], [2]]), "two or more subjects and raters"),
        (lambda: icc([[1, 2], [3, np.nan]]), "ratings are missing or infinite in 1 of 2 cases"),
        (lambda: icc([[1, 2], [3, "x"]]), "ratings are not numbers"),
        (lambda: icc([[1, 2], [3]]), "ratings have shape"),
        (lambda: icc([[1, 2], [3, 4]], form="ICC(4,1)"), r"form is 'ICC\(4,1\)'; allowed are ICC\(1,1\)"),
        (lambda: icc_of_features([[1, 2], [3, 4]]), r"allowed is \(features, subjects, raters\)"),
        (lambda: bland_altman([1, 2], [1, 2, 3]), "values_b have shape"),
        (lambda: bland_altman([1, 2], [1, 2], multiplier=0), "multiplier is 0; allowed are numbers above 0"),
        (lambda: lin_ccc([], []), "values_a have shape"),
        (lambda: lin_ccc([1, 2], [1, np.inf]), "values_b are missing or infinite"),
        (lambda: mcnemar_test([0, 1], [0, 1], [0, 1], method="z"), "method is 'z'; allowed are exact, mid_p"),
        (lambda: mcnemar_test([0, 1], [0, 1], [0, 1, 1]), "predicted has 3 entries"),
        (lambda: icc([[1, 2], [3, 4]], level=95), "level is 95"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(EvaluationError, match=message):
        call()


def anova_by_loops(table):
    """Sums of squares of the two-way table, entry by entry."""
    n, k = len(table), len(table[0])
    grand = sum(map(sum, table)) / (n * k)
    rows = [sum(row) / k for row in table]
    columns = [sum(row[j] for row in table) / n for j in range(k)]
    error = sum((table[i][j] - rows[i] - columns[j] + grand) ** 2 for i in range(n) for j in range(k))
    within = sum((table[i][j] - rows[i]) ** 2 for i in range(n) for j in range(k))
    subjects, raters = k * sum((each - grand) ** 2 for each in rows), n * sum((each - grand) ** 2 for each in columns)
    return subjects / (n - 1), raters / (k - 1), error / ((n - 1) * (k - 1)), within / (n * (k - 1))


def icc_by_table(table):
    """The six formulas as Shrout and Fleiss write them."""
    n, k = len(table), len(table[0])
    s, r, e, w = anova_by_loops(table)
    values = (
        (s - w) / (s + (k - 1) * w),
        (s - e) / (s + (k - 1) * e + k * (r - e) / n),
        (s - e) / (s + (k - 1) * e),
        (s - w) / s,
        (s - e) / (s + (r - e) / n),
        (s - e) / s,
    )
    return dict(zip(FORMS, values, strict=True))


def read_by(seed, n=15, k=3, bias=0.5, noise=0.5):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, 1)) + bias * rng.normal(size=(1, k)) + noise * rng.normal(size=(n, k))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("k", [2, 5])
def test_icc_equals_the_textbook_table(form, k):
    table = read_by(k, k=k)
    assert icc(table, form=form).value == pytest.approx(icc_by_table(table.tolist())[form], rel=1e-12)


@pytest.mark.parametrize("form", FORMS)
def test_features_at_once_equal_features_one_by_one(form):
    features = np.stack([read_by(seed) for seed in range(5)] + [np.ones((15, 3)), np.tile(np.arange(15.0), (3, 1)).T])
    assert icc_of_features(features, form=form) == [icc(each, form=form) for each in features]


@pytest.mark.parametrize("form", FORMS)
def test_icc_knows_no_unit_and_no_origin(form):
    table = read_by(1)
    one, other = icc(table, form=form), icc(1e-3 * table + 1e3, form=form)
    assert (one.value, one.low, one.high) == pytest.approx((other.value, other.low, other.high), rel=1e-6)


tables = st.integers(2, 4).flatmap(
    lambda k: st.lists(st.lists(st.integers(0, 3), min_size=k, max_size=k), min_size=2, max_size=8)
)


@given(tables, st.sampled_from(FORMS))
def test_every_icc_is_a_number_inside_its_limits_or_has_a_reason(table, form):
    found, tested = icc(table, form=form), icc_test(table, form=form)
    if None in (found.value, found.low, found.high):
        assert found.reason
    else:
        assert found.low <= found.value + 1e-12
        assert found.value <= found.high + 1e-12
        assert found.reason is None
    assert (tested.p is None) <= (tested.reason is not None)


@pytest.mark.parametrize("form", ["ICC(1,1)", "ICC(2,1)", "ICC(3,k)"])
def test_icc_interval_covers_the_truth(form):
    rng = np.random.default_rng(4)
    shape = (600, 20, 3)
    bias = 0.0 if form == "ICC(1,1)" else 0.4 * rng.normal(size=(600, 1, 3))
    features = rng.normal(size=(600, 20, 1)) + bias + 0.8 * rng.normal(size=shape)
    error = 0.64
    truth = {"ICC(1,1)": 1 / (1 + error), "ICC(2,1)": 1 / (1 + 0.16 + error), "ICC(3,k)": 1 / (1 + error / 3)}[form]
    covered = np.mean([each.low <= truth <= each.high for each in icc_of_features(features, form=form)])
    assert 0.92 < covered < 0.98


@pytest.mark.parametrize("form", FORMS)
def test_ratings_that_are_all_equal_have_no_icc(form):
    found, tested = icc(np.full((6, 3), 0.1), form=form), icc_test(np.full((6, 3), 0.1), form=form)
    assert (found.value, found.low, found.high, tested.statistic, tested.p) == (None,) * 5
    assert found.reason == "the variance of a rating is estimated as 0: the ICC is not estimable"
    assert tested.reason.endswith("no F test is possible")


def test_subjects_that_do_not_differ():
    table = [[1.0, 2.0], [2.0, 1.0], [1.0, 2.0], [2.0, 1.0]]
    single, mean = icc(table, form="ICC(3,1)"), icc(table, form="ICC(3,k)")
    assert (single.value, single.reason) == (-1, "the subjects do not differ: the interval is not estimable")
    assert (mean.value, mean.reason[:34]) == (None, "the variance of the mean rating is")
    assert icc_test(table, form="ICC(3,1)").p == 1


def test_mean_of_raters_may_have_no_lower_limit():
    rng = np.random.default_rng(2)
    found = [icc(rng.normal(size=(4, 3)), form="ICC(2,k)") for _ in range(200)]
    unbounded = [each for each in found if each.low is None and each.high is not None]
    assert unbounded
    assert {each.reason.split(":")[0] for each in unbounded} == {"the lower limit has no bound"}


def test_bland_altman_interval_covers_the_limit():
    rng, covered = np.random.default_rng(5), np.zeros(3)
    truth = (0.5, 0.5 - 1.96, 0.5 + 1.96)
    for _ in range(500):
        found = bland_altman(rng.normal(0.5, 1, 30), np.zeros(30))
        covered += [each.low <= at <= each.high for each, at in zip(found, truth, strict=True)]
    assert (covered / 500 > 0.92).all()
    assert (covered / 500 < 0.98).all()


def test_bland_altman_without_spread():
    bias, lower, upper = bland_altman([2.0, 3.0], [1.0, 2.0])
    assert (bias.value, lower.value, upper.value, bias.low) == (1, 1, 1, None)
    assert bias.reason == "all differences are equal: the interval is not estimable"
    bias, lower, _ = bland_altman([2.0], [1.0])
    assert (bias.value, lower.value, lower.reason[:8]) == (1, None, "one case")


def test_concordance_of_shifted_copies_and_edges():
    values = np.arange(6.0)
    assert lin_ccc(values, values).reason == "the variance is estimated as 0: the interval is not estimable"
    assert lin_ccc(values, values + 1).value == pytest.approx(2 * values.var() / (2 * values.var() + 1))
    assert lin_ccc(values, np.ones(6)).reason == "one of the measurements does not vary: the interval is not estimable"
    assert lin_ccc([2, 2], [2, 2]).reason == "all values are equal: the concordance is 0 / 0"
    assert lin_ccc([1, 2], [1, 3]).reason.startswith("two cases have no interval")


def test_concordance_standard_error_equals_the_bootstrap():
    rng = np.random.default_rng(6)
    truth = rng.normal(size=400)
    a, b = truth + 0.5 * rng.normal(size=400), truth + 0.5 * rng.normal(size=400) + 0.3
    drawn = [lin_ccc(a[rows], b[rows]).value for rows in rng.integers(0, 400, (1000, 400))]
    assert lin_ccc(a, b).se == pytest.approx(np.std(drawn), rel=0.1)


def predictions(b, c, both=5, neither=2):
    """Predictions of which b are right only in the first and c only in the second."""
    right_a = [1] * b + [0] * c + [1] * both + [0] * neither
    right_b = [0] * b + [1] * c + [1] * both + [0] * neither
    return [1] * len(right_a), right_a, right_b


@given(st.integers(0, 30), st.integers(0, 30))
def test_mcnemar_is_the_same_from_either_side(b, c):
    labels, one, two = predictions(b, c)
    for method in METHODS:
        found, other = (mcnemar_test(labels, *pair, method=method) for pair in ((one, two), (two, one)))
        assert (found.p, found.statistic) == (other.p, other.statistic)
        assert (found.difference, found.low) == (-other.difference, pytest.approx(-other.high))


@given(st.integers(0, 12), st.integers(0, 12))
def test_exact_mcnemar_counts_the_flips_of_a_coin(b, c):
    weights = np.array([1.0])
    for _ in range(b + c):
        weights = np.convolve(weights, [0.5, 0.5])
    tail, at = weights[: min(b, c) + 1].sum(), weights[min(b, c)]
    assert mcnemar_test(*predictions(b, c)).p == pytest.approx(min(1, 2 * tail))
    assert mcnemar_test(*predictions(b, c), method="mid_p").p == pytest.approx(min(1, 2 * (tail - at / 2)))


@pytest.mark.parametrize("method", METHODS)
def test_models_right_on_the_same_cases_do_not_differ(method):
    found = mcnemar_test(*predictions(0, 0), method=method)
    assert (found.difference, found.p, found.reason) == (0, 1, None)
    assert found.low < 0 < found.high


def test_statsmodels_corrects_where_nothing_differs():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        none = statsmodels_mcnemar([[5, 0], [0, 2]], exact=False, correction=True)
    assert (none.pvalue, mcnemar_test(*predictions(0, 0), method="corrected").p) == (0, 1)
    equal = statsmodels_mcnemar([[5, 1], [1, 2]], exact=False, correction=True)
    assert (equal.pvalue < 0.5, mcnemar_test(*predictions(1, 1), method="corrected").p) == (True, 1)


def test_mcnemar_interval_covers_the_difference():
    rng, covered = np.random.default_rng(7), 0
    for b, c, both, neither in rng.multinomial(40, [0.2, 0.1, 0.6, 0.1], 1000):
        found = mcnemar_test(*predictions(b, c, both, neither))
        covered += found.low <= 0.1 <= found.high
    assert 0.93 < covered / 1000 < 0.98
