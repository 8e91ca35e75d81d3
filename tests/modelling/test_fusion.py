"""Late fusion: probabilities of the same cases, combined by rules whose weights are fitted honestly."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import minimize

from radfusion.core.features import FeatureTable
from radfusion.errors import UnknownNameError, UserError
from radfusion.modelling.fitting import fit_arms
from radfusion.modelling.fusion import LATE_RULES, combine, fit_weights, late_fusion
from radfusion.modelling.scores import macro_auc

FITTED = [name for name, rule in LATE_RULES.items().items() if rule.fit is not None]


@pytest.fixture(scope="module")
def arms(simulate, quick):
    first, cohort = simulate(seed=1)
    second, _ = simulate(seed=2, source="deep")
    tables = {"a": first, "b": FeatureTable(second.frame.iloc[1:]), "c": second}
    settings = {
        name: quick(classifiers=("svm",) if name == "c" else ("logistic", "knn"), late_rule="stacking", inner_folds=3)
        for name in tables
    }
    fitted = {name: fit_arms({name: table}, cohort, settings[name], seed=1)[name] for name, table in tables.items()}
    return fitted, cohort


@pytest.fixture(scope="module")
def three(simulate, quick):
    """Return three arms of one classifier, the second of noise, fitted with inner folds; and their cohort."""
    (first, cohort), (noise, _), (third, _) = (
        simulate(seed=number, effect=effect, source=name, p=8)
        for number, effect, name in ((1, 1.0, "a"), (2, 0.0, "b"), (3, 0.8, "c"))
    )
    settings = quick(steps=["missing", "scale"], classifiers=("logistic",), late_rule="weighted", inner_folds=3)
    return list(fit_arms({"a": first, "b": noise, "c": third}, cohort, settings, seed=1).values()), cohort


def labelled(n=200, classes=3, parts=2, seed=0, signal=1.0):
    """Probabilities of parts that know something of the classes, the later ones less."""
    rng = np.random.default_rng(seed)
    codes = rng.integers(classes, size=n)
    member = codes[:, None] == np.arange(classes)
    scores = [signal / (part + 1) * member + rng.normal(size=(n, classes)) for part in range(parts)]
    powers = np.exp(np.stack(scores))
    return powers / powers.sum(axis=2, keepdims=True), codes


def test_the_mean_of_the_probabilities_of_shared_cases(arms):
    (first, second), cohort = (arms[0]["a"], arms[0]["b"]), arms[1]
    late = late_fusion("late", [first, second])
    assert (late.parts, late.sources, list(late.fits)) == (("a", "b"), ("radiomics", "deep"), ["logistic", "knn"])
    fit, one, two = (each.fits["knn"] for each in (late, first, second))
    assert (fit.model, fit.weights) == ("late/knn", {})
    assert list(fit.predictions.frame.index) == list(cohort.frame.index[1:])
    expected = (one.predictions.probabilities[1:] + two.predictions.probabilities) / 2
    np.testing.assert_allclose(fit.predictions.probabilities, expected, rtol=1e-14)
    codes = np.array([cohort.classes.index(label) for label in fit.out_of_fold.labels])
    assert fit.cv_macro_auc == macro_auc(codes, fit.out_of_fold.probabilities)


@pytest.mark.parametrize("rule", LATE_RULES)
def test_every_rule_gives_probabilities_of_any_number_of_parts(rule):
    stacked, codes = labelled(parts=4)
    fused = combine(stacked, rule, fit_weights(stacked, codes, rule))
    np.testing.assert_allclose(fused.sum(axis=1), 1)
    assert fused.min() >= 0


@pytest.mark.parametrize("rule", ["mean", "geometric-mean", "maximum", "weighted"])
def test_parts_that_agree_are_left_alone(rule):
    stacked, codes = labelled(parts=1)
    twice = np.concatenate([stacked, stacked])
    np.testing.assert_allclose(combine(twice, rule, fit_weights(twice, codes, rule)), stacked[0], atol=1e-9)


def test_contradicting_certainties_are_no_error():
    fused = combine(np.array([[[1.0, 0.0]], [[0.0, 1.0]]]), "geometric-mean")
    np.testing.assert_allclose(fused, [[0.5, 0.5]])


def test_the_mixture_weights_are_those_of_a_constrained_search():
    stacked, codes = labelled(parts=3)
    given = stacked[:, np.arange(len(codes)), codes]
    found = minimize(
        lambda shares: -np.log(shares @ given).mean(),
        np.full(3, 1 / 3),
        jac=lambda shares: -(given / (shares @ given)).mean(axis=1),
        method="SLSQP",
        bounds=[(0, 1)] * 3,
        constraints={"type": "eq", "fun": lambda shares: shares.sum() - 1, "jac": np.ones_like},
        options={"ftol": 1e-14},
    ).x
    weights = fit_weights(stacked, codes, "weighted")["parts"]
    assert sum(weights) == pytest.approx(1, abs=1e-12)
    np.testing.assert_allclose(weights, found, atol=1e-5)


def test_stacking_is_the_least_log_loss():
    stacked, codes = labelled(parts=3)
    weights = fit_weights(stacked, codes, "stacking")

    def loss(parts, classes):
        fused = combine(stacked, "stacking", {"parts": parts, "classes": classes})
        return -np.log(fused[np.arange(len(codes)), codes]).mean()

    parts, classes = np.array(weights["parts"]), np.array(weights["classes"])
    least, rng = loss(parts, classes), np.random.default_rng(1)
    for step in 1e-3 * rng.normal(size=(50, 6)):
        away = np.maximum(parts + step[:3], 0)
        assert loss(away / away.sum(), classes + step[3:]) > least


@pytest.mark.parametrize("rule", FITTED)
def test_scores_that_run_against_the_labels_get_no_weight_rather_than_a_negative_one(rule):
    stacked, codes = labelled(parts=1, signal=2.0)
    against = 1 / stacked / (1 / stacked).sum(axis=2, keepdims=True)
    parts = fit_weights(np.concatenate([stacked, against]), codes, rule)["parts"]
    assert parts[1] == 0
    assert parts[0] > 0


def test_classes_told_apart_without_error_give_weights_as_well():
    sure = np.array([[[1.0, 0.0]] * 5 + [[0.0, 1.0]] * 5] * 2)
    weights = fit_weights(sure, np.repeat([0, 1], 5), "stacking")
    np.testing.assert_allclose([*weights["parts"], *weights["classes"]], [0.5, 0.5, 0, 0], atol=1e-9)


def test_the_informative_parts_are_trusted_and_noise_is_not(three):
    fitted, _ = three
    weights = late_fusion("late", fitted, rule="weighted").fits["logistic"].weights["parts"]
    assert min(weights[0], weights[2]) > weights[1]
    assert sum(weights) == pytest.approx(1)


@pytest.mark.parametrize("rule", FITTED)
def test_weights_never_meet_the_fold_that_they_are_judged_on(three, rule):
    """Labels of a fold are changed: its own fused probabilities stay, those of the other folds do not."""
    fitted, _ = three
    before = late_fusion("late", fitted, rule=rule).fits["logistic"].out_of_fold
    inside = fitted[0].fits["logistic"].inside
    fold = ~before.frame.index.isin(inside[0].frame.index)
    changed = [_with_labels_turned(part, before.frame.index[fold]) for part in fitted]
    after = late_fusion("late", changed, rule=rule).fits["logistic"].out_of_fold
    same = np.isclose(before.probabilities, after.probabilities, atol=1e-9).all(axis=1)
    assert same[fold].all()
    assert not same[~fold].any()


def _with_labels_turned(part, cases):
    """The arm with the labels of some cases passed round among them, in everything that a rule could read."""

    def turned(predictions):
        frame = predictions.frame.copy()
        there = frame.index[frame.index.isin(cases)]
        frame.loc[there, "label"] = np.roll(frame.loc[there, "label"].to_numpy(), 1)
        return replace(predictions, frame=frame)

    fit = part.fits["logistic"]
    fit = replace(fit, out_of_fold=turned(fit.out_of_fold), inside=tuple(map(turned, fit.inside)))
    return replace(part, fits={"logistic": fit})


@pytest.mark.parametrize("rule", FITTED)
def test_final_weights_are_of_all_training_cases_whatever_their_order(three, rule):
    fitted, cohort = three
    fit = late_fusion("late", fitted, rule=rule).fits["logistic"]
    rows = [part.fits["logistic"].inside[-1].frame.sort_index() for part in fitted]
    stacked = np.stack([frame[[f"p_{name}" for name in cohort.classes]].to_numpy() for frame in rows])
    codes = np.array([cohort.classes.index(label) for label in rows[0]["label"]])
    assert fit.weights == fit_weights(stacked, codes, rule)
    everything = np.stack([part.fits["logistic"].predictions.probabilities for part in fitted])
    np.testing.assert_allclose(fit.predictions.probabilities, combine(everything, rule, fit.weights), atol=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("rule", FITTED)
def test_nothing_is_found_in_noise(simulate, quick, rule):
    """Labels and features have nothing to do with each other: the mean AUC over 20 repeats is 0.5 within 2 SE.

    A stacker with weights of any sign that is fitted on the out-of-fold probabilities of the other folds, as is often
    done, turns scores around that are below chance.
    """
    settings = quick(
        steps=["missing", "scale"], classifiers=("logistic",), late_rule=rule, folds=4, inner_folds=4, null_runs=0
    )
    found = []
    for repeat in range(20):
        one, cohort = simulate(2, n=80, p=8, effect=0.0, seed=2 * repeat)
        other, _ = simulate(2, n=80, p=8, effect=0.0, seed=2 * repeat + 1, source="deep")
        arms = fit_arms({"one": one, "other": other}, cohort, settings, seed=repeat)
        found.append(late_fusion("late", list(arms.values()), rule=rule).fits["logistic"].cv_macro_auc)
    assert abs(np.mean(found) - 0.5) <= 2 * np.std(found, ddof=1) / np.sqrt(len(found))


def test_an_unknown_rule_or_no_shared_classifier_is_refused(arms):
    fitted = arms[0]
    with pytest.raises(UnknownNameError, match="no late fusion rule is named 'vote'"):
        late_fusion("late", [fitted["a"], fitted["b"]], rule="vote")
    with pytest.raises(UserError, match="'a', 'c' share no classifier"):
        late_fusion("late", [fitted["a"], fitted["c"]])


def test_a_rule_with_weights_asks_for_them_and_for_inner_folds(simulate, quick):
    with pytest.raises(UserError, match="'stacking' has weights, which are fitted on training cases"):
        combine(np.full((2, 1, 2), 0.5), "stacking")
    table, cohort = simulate(p=8)
    settings = quick(steps=["missing", "scale"], classifiers=("logistic",))
    arm = fit_arms({"a": table}, cohort, settings, seed=1)["a"]
    with pytest.raises(UserError, match="'weighted' needs arms that were fitted with inner folds"):
        late_fusion("late", [arm, arm], rule="weighted")


def test_only_rules_with_weights_ask_for_inner_folds(quick):
    assert not quick(late_rule="mean").inner
    assert quick(late_rule="stacking").inner
    assert not quick(late_rule="stacking", fusion=("early",)).inner
    assert quick(arms={"both": {"late": ["a", "b"], "rule": "weighted"}}).inner
    assert not quick(arms={"both": {"late": ["a", "b"]}}, late_rule="maximum").inner
