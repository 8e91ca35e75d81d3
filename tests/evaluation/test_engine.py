"""The one engine against the definition written out over all pairs, and properties that hold for any data."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import radfusion.evaluation as ev

CLASSES = ("a", "b", "c")


def drawn(seed, n=40, decimals=1):
    """Three classes, two models with tied scores, and patients with one to four cases."""
    rng = np.random.default_rng(seed)
    y = np.append(np.repeat([0, 1, 2], 2), rng.integers(0, 3, n - 6))
    truth = np.eye(3)[y]
    one, two = (shares(np.round(truth * strength + rng.normal(size=(n, 3)), decimals)) for strength in (1.2, 0.8))
    return np.array(CLASSES)[y], one, two, rng.integers(0, n // 2, n)


def shares(scores):
    """Probabilities of ten steps, so that there are ties."""
    whole = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    first = np.round(whole[:, :-1], 1)
    return np.column_stack([first, 1 - first.sum(axis=1)]).clip(0, 1)


def influence_by_pairs(labels, scores, name):
    """Area and influence values, one pair at a time."""
    positive = labels == name
    n, n_pos = len(labels), int(positive.sum())
    wins = np.array([[1.0 if p > q else 0.5 if p == q else 0.0 for q in scores[~positive]] for p in scores[positive]])
    area, values = wins.mean(), np.zeros(n)
    for group, m, placement in ((positive, n_pos, wins.mean(axis=1)), (~positive, n - n_pos, wins.mean(axis=0))):
        values[group] = n / m * (placement - area) * np.sqrt(m / (m - 1))
    return area, values


def macro_by_pairs(labels, matrix, patients=None):
    """Macro area and its influence values, summed by patient where there are any."""
    found = [influence_by_pairs(labels, matrix[:, k], name) for k, name in enumerate(CLASSES)]
    values = np.mean([each for _, each in found], axis=0)
    if patients is not None:
        values = np.array([values[patients == each].sum() for each in np.unique(patients)])
    return np.mean([area for area, _ in found]), values


@pytest.mark.parametrize("seed", range(3))
def test_engine_equals_all_pairs(seed):
    labels, one, _, _ = drawn(seed)
    found = ev.influence(labels, one, CLASSES)
    for k, name in enumerate(CLASSES):
        area, values = influence_by_pairs(labels, one[:, k], name)
        assert found.aucs[k] == pytest.approx(area, abs=1e-15)
        np.testing.assert_allclose(found.values[:, k], values, atol=1e-14)


@pytest.mark.parametrize("clustered", [False, True])
def test_macro_test_equals_all_pairs(clustered):
    labels, one, two, patients = drawn(5)
    patients = patients if clustered else None
    (m1, g1), (m2, g2) = macro_by_pairs(labels, one, patients), macro_by_pairs(labels, two, patients)
    factor = len(g1) / (len(g1) - 1) if clustered else 1.0
    se = np.sqrt(factor * ((g1 - g2) ** 2).sum()) / len(labels)
    found = ev.macro_auc_test(labels, one, two, CLASSES, patients=patients)
    assert found.difference == pytest.approx(m1 - m2, abs=1e-15)
    assert found.statistic == pytest.approx((m1 - m2) / se, rel=1e-12)
    assert found.test == ("cluster_influence_paired" if clustered else "influence_macro_paired")
    macro = ev.one_vs_rest_auc(labels, one, CLASSES, patients=patients)[-1]
    assert macro.se == pytest.approx(np.sqrt(factor * (g1**2).sum()) / len(labels), rel=1e-12)


scored = st.lists(st.tuples(st.booleans(), st.integers(-4, 4), st.integers(-4, 4)), min_size=6, max_size=30).filter(
    lambda rows: 2 <= sum(row[0] for row in rows) <= len(rows) - 2
)


@given(scored)
def test_only_the_order_of_scores_matters(rows):
    y, a, b = (np.array(column) for column in zip(*rows, strict=True))
    assert ev.auc(y, np.exp(a / 2) - 7) == ev.auc(y, a)
    assert ev.delong_test(y, a**3, np.arctan(b)) == ev.delong_test(y, a, b)


@given(scored)
def test_swapped_labels_give_the_complement(rows):
    y, a, b = (np.array(column) for column in zip(*rows, strict=True))
    one, other = ev.auc(y, a), ev.auc(~y, a)
    assert one.value == pytest.approx(1 - other.value, abs=1e-15)
    assert one.se == pytest.approx(other.se, abs=1e-15)
    assert ev.delong_test(y, a, b).difference == pytest.approx(-ev.delong_test(~y, a, b).difference, abs=1e-15)


@given(scored)
def test_two_classes_are_delong(rows):
    y, a, b = (np.array(column) for column in zip(*rows, strict=True))
    two = [(each + 4) / 8 for each in (a, b)]
    macro, plain = ev.macro_auc_test(y.astype(int), *two, [0, 1]), ev.delong_test(y, a, b)
    for name in ("difference", "low", "high", "statistic", "p"):
        found, expected = getattr(macro, name), getattr(plain, name)
        assert found == expected or found == pytest.approx(expected, rel=1e-9, abs=1e-12)


@given(scored)
def test_one_case_per_patient_changes_nothing(rows):
    y, a, b = (np.array(column) for column in zip(*rows, strict=True))
    names = [f"patient {k}" for k in range(len(y))]
    assert ev.auc(y, a, patients=names) == ev.auc(y, a).model_copy(update={"n_patients": len(y)})
    assert ev.delong_test(y, a, b, patients=names).p == ev.delong_test(y, a, b).p


@given(scored)
def test_equal_models_have_no_difference(rows):
    y, a, _ = (np.array(column) for column in zip(*rows, strict=True))
    found = ev.delong_test(y, a, a * 2.0, patients=np.arange(len(y)) // 2)
    if found.reason is None:
        assert (found.difference, found.low, found.high, found.statistic, found.p) == (0, 0, 0, 0, 1)


@given(scored)
def test_area_under_the_drawn_curve_is_the_auc(rows):
    y, a, b = (np.array(column) for column in zip(*rows, strict=True))
    curve = ev.roc_curve(y, a)
    assert np.trapezoid(curve.y, curve.x) == pytest.approx(ev.auc(y, a).value, abs=1e-14)
    share = (b + 4) / 8
    matrix = np.stack([1 - share, share], axis=1)
    macro = ev.macro_roc_curve(y.astype(int), matrix, [0, 1])
    expected = ev.one_vs_rest_auc(y.astype(int), matrix, [0, 1])[-1].value
    assert np.trapezoid(macro.y, macro.x) == pytest.approx(expected, abs=1e-14)
    assert (np.diff(macro.x) >= 0).all()
    assert (np.diff(macro.y) >= -1e-15).all()


def test_clustered_test_keeps_its_size_where_the_plain_one_does_not():
    rng, patients, rejected = np.random.default_rng(7), np.repeat(np.arange(60), 3), np.zeros(2)
    for _ in range(300):
        y = np.repeat(np.arange(60) % 2, 3)
        shared, own = (np.repeat(rng.normal(size=(60, 2)), 3, axis=0), rng.normal(size=(180, 2)))
        one, two = (0.7**0.5 * shared + 0.3**0.5 * own).T + y
        tests = ev.delong_test(y, one, two), ev.delong_test(y, one, two, patients=patients)
        rejected += [each.p < 0.05 for each in tests]
    plain, clustered = rejected / 300
    assert plain > 0.12
    assert 0.02 < clustered < 0.09
