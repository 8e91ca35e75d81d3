"""ComBat as an estimator: what it removes, what it keeps, and what it refuses; R's values are in tests/against_r."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from radfusion.errors import FeatureError
from radfusion.modelling.harmonisation import ComBat

KINDS = [ComBat(), ComBat(parametric=False), ComBat(mean_only=True), ComBat(reference="B")]


def simulated(sizes=(12, 15, 20), n_features=8, *, seed=0):
    """Features whose location and spread differ between batches, and an age that moves them."""
    rng = np.random.default_rng(seed)
    batches = np.repeat(list("ABCDEF")[: len(sizes)], sizes)
    age = rng.normal(60.0, 10.0, size=batches.size)
    shift, spread = rng.normal(0.0, 2.0, (len(sizes), n_features)), rng.uniform(0.5, 2.0, (len(sizes), n_features))
    row = np.searchsorted(list("ABCDEF"), batches)
    noise = rng.normal(size=(batches.size, n_features))
    return 50.0 + shift[row] + spread[row] * noise + 0.1 * age[:, None], batches, age[:, None]


@pytest.mark.parametrize("combat", KINDS)
def test_batches_come_together(combat):
    features, batches, age = simulated()
    harmonised = combat.fit(features, batches, age).transform(features, batches, age)

    def spread(values):
        return np.std([values[batches == name].mean(axis=0) for name in "ABC"], axis=0).mean()

    assert spread(harmonised) < 0.5 * spread(features)


@pytest.mark.parametrize("combat", KINDS)
def test_no_case_influences_another(combat):
    features, batches, age = simulated()
    fitted = combat.fit(features, batches, age)
    together = fitted.transform(features, batches, age)
    alone = [fitted.transform(features[[i]], batches[[i]], age[[i]])[0] for i in range(len(features))]
    np.testing.assert_allclose(together, alone, rtol=1e-12)


@settings(max_examples=20)
@given(st.integers(0, 1000), st.sampled_from(KINDS))
def test_units_names_and_order_do_not_matter(seed, combat):
    rng = np.random.default_rng(seed)
    features, batches, age = simulated(seed=seed)
    factor, offset, order = 10.0 ** rng.uniform(-3, 3, 8), rng.normal(size=8), rng.permutation(len(features))
    plain = combat.fit(features, batches, age).transform(features, batches, age)
    changed = features[order] * factor + offset
    fitted = combat.fit(changed, batches[order], age[order])
    np.testing.assert_allclose(
        fitted.transform(changed, batches[order], age[order]), plain[order] * factor + offset, rtol=1e-8
    )


def test_covariates_are_preserved():
    features, batches, _ = simulated((30, 30))
    disease = (np.arange(60) % 30 < np.where(batches == "A", 25, 5)).astype(float)[:, None]
    features = features + 6.0 * disease

    def effect(values):
        return (values[disease[:, 0] == 1].mean(axis=0) - values[disease[:, 0] == 0].mean(axis=0)).mean()

    kept = ComBat().fit(features, batches, disease).transform(features, batches, disease)
    lost = ComBat().fit(features, batches).transform(features, batches)
    assert effect(kept) == pytest.approx(6.0, abs=0.6)
    assert effect(lost) < 5.0


def test_the_reference_batch_stays_as_it_is():
    features, batches, _ = simulated()
    harmonised = ComBat(reference="B").fit(features, batches).transform(features, batches)
    np.testing.assert_array_equal(harmonised[batches == "B"], features[batches == "B"])


@pytest.mark.parametrize("parametric", [True, False])
def test_a_batch_of_one_case_moves_locations_only(parametric):
    features, batches, _ = simulated((12, 1, 9))
    fitted = ComBat(parametric=parametric).fit(features, batches)
    assert fitted.mean_only
    np.testing.assert_allclose(fitted.spreads, 1.0)
    assert np.isfinite(fitted.transform(features, batches)).all()
    assert not ComBat().fit(*simulated((12, 9))[:2]).mean_only


def test_a_feature_constant_in_a_batch_passes_unchanged():
    features, batches, _ = simulated()
    features[batches == "A", 2] = 7.0
    fitted = ComBat().fit(features, batches)
    np.testing.assert_array_equal(np.flatnonzero(~fitted.harmonised), [2])
    np.testing.assert_array_equal(fitted.transform(features, batches)[:, 2], features[:, 2])


def test_equal_features_leave_nothing_to_shrink():
    features, batches, _ = simulated(n_features=1)
    twice = np.hstack([features, features])
    fitted = ComBat().fit(twice, batches)
    standard = (twice - fitted.means) / fitted.scales
    for row, name in enumerate("ABC"):
        np.testing.assert_allclose(fitted.spreads[row], standard[batches == name].var(axis=0, ddof=1))


def test_agrees_with_slow_loops():
    features, batches, _ = simulated()
    empirical, iterated = ComBat(parametric=False).fit(features, batches), ComBat().fit(features, batches)
    for row, name in enumerate("ABC"):
        z = ((features - empirical.means) / empirical.scales)[batches == name]
        n, g, d = len(z), z.mean(axis=0), z.var(axis=0, ddof=1)
        for j in range(8):
            others = [k for k in range(8) if k != j]
            weight = [
                np.exp(-((z[:, j] - g[k]) ** 2).sum() / (2 * d[k])) / (2 * np.pi * d[k]) ** (n / 2) for k in others
            ]
            assert empirical.shifts[row, j] == pytest.approx(np.average(g[others], weights=weight))
            assert empirical.spreads[row, j] == pytest.approx(np.average(d[others], weights=weight))
            shape, scale = 2 + d.mean() ** 2 / d.var(ddof=1), d.mean() + d.mean() ** 3 / d.var(ddof=1)
            location, variance = g[j], d[j]
            for _ in range(200):
                location = (n * g.var(ddof=1) * g[j] + variance * g.mean()) / (n * g.var(ddof=1) + variance)
                variance = (scale + 0.5 * ((z[:, j] - location) ** 2).sum()) / (n / 2 + shape - 1)
            assert iterated.shifts[row, j] == pytest.approx(location, abs=1e-3)
            assert iterated.spreads[row, j] == pytest.approx(variance, rel=1e-3)


def test_unseen_batches_are_named_with_the_known():
    features, batches, _ = simulated((9, 9))
    fitted = ComBat().fit(features, batches)
    with pytest.raises(FeatureError, match=r"no training case of batch 'X', 'Y'; .* known of 'A', 'B'"):
        fitted.transform(features[:3], ["X", "A", "Y"])


def test_covariates_of_the_fit_are_needed():
    features, batches, age = simulated((9, 9))
    with pytest.raises(FeatureError, match="8 features and 0 covariates; fitted with 8 and 1"):
        ComBat().fit(features, batches, age).transform(features, batches)


@pytest.mark.parametrize(
    ("combat", "change", "message"),
    [
        (ComBat(), {"batches": ["A"] * 3}, r"features have shape \(18, 8\), batches \(3,\)"),
        (ComBat(), {"batches": ["A"] * 18}, "1 batch; two or more needed"),
        (ComBat(), {"batches": list(range(18))}, "18 cases for 18 batches and covariates"),
        (ComBat(), {"covariates": np.repeat([0.0, 1.0], 9)[:, None]}, "cannot be told apart from the batches"),
        (ComBat(), {"covariates": np.full((18, 1), np.nan)}, "covariate 0 holds values that are not finite"),
        (ComBat(), {"features": np.full((18, 3), np.inf)}, "feature 0 holds values that are not finite"),
        (ComBat(), {"features": np.arange(18.0)[:, None]}, "1 features vary within every batch"),
        (ComBat(reference="Z"), {}, "reference is 'Z'; batches are 'A', 'B'"),
        (ComBat(reference="A"), {"batches": ["A"] + ["B"] * 17}, "reference batch 'A' has a single case"),
    ],
)
def test_mistakes_are_named(combat, change, message):
    features, batches, _ = simulated((9, 9))
    with pytest.raises(FeatureError, match=message):
        combat.fit(**{"features": features, "batches": batches, **change})
