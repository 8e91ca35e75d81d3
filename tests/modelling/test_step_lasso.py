"""The LASSO step: what it finds, its rules, scores that can be recomputed, frequencies, and what cannot be fitted."""

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from radfusion.errors import UserError
from radfusion.modelling._lasso_solver import class_probabilities
from radfusion.modelling._selection_frequency import drawn_patients
from radfusion.modelling.fitting import selected_features
from radfusion.modelling.folds import TrainingLabels
from radfusion.modelling.lasso import Penalty, cross_validated_lasso, lasso_path
from radfusion.modelling.preparation import PreparationTask, completed, packed, prepare, unpacked
from radfusion.modelling.rows import Rows
from radfusion.modelling.steps.base import Training
from radfusion.modelling.steps.lasso import Lasso
from radfusion.modelling.steps.missing import Missing
from radfusion.modelling.steps.scale import Scale
from radfusion.modelling.steps.univariate import Univariate

QUICK = {"n_lambdas": 25, "folds": 4}


def training(classes, *, n=120, p=30, effect=1.5, seed=0):
    """Features on scales of their own; f02 and f05 tell the last class."""
    rng = np.random.default_rng(seed)
    codes = np.arange(n) % classes
    values = rng.normal(size=(n, p))
    values[:, 2] += effect * (codes == classes - 1)
    values[:, 5] -= effect * (codes == classes - 1)
    values = 100.0 * rng.normal(size=p) + values * np.geomspace(0.01, 100.0, p)
    labels = TrainingLabels(codes, np.arange(n) // classes, tuple("abcd"[:classes]))
    names = [f"s:f{i:02d}" for i in range(p)]
    rows = Rows.from_frame(pd.DataFrame(values, [f"case-{i}" for i in range(n)], names))
    return Training(rows, labels, None, 1)


def chain(given, *steps):
    everyone = np.ones(len(given.rows), dtype=bool)
    return prepare(PreparationTask(given.rows, given.labels, everyone, completed(steps), None, given.seed))


def recomputed(prepared, values):
    """Probabilities by the words of the results: intercept + sum of coefficient * (x - mean) / scale."""
    features = selected_features(prepared, [])
    scores = [
        intercept
        + sum(
            each.coefficients[of] * (values[each.feature] - each.mean) / each.scale
            for each in features
            if each.coefficients
        )
        for of, intercept in prepared.score.intercepts.items()
    ]
    found = class_probabilities(np.array(scores, dtype=float).reshape(len(scores), -1).T)
    return np.hstack([1 - found, found]) if len(scores) == 1 else found


@pytest.mark.parametrize("classes", [2, 3])
def test_finds_the_features_and_their_directions(classes):
    signature = Lasso(rule="1se", **QUICK).fit(training(classes)).signature
    last = "abc"[classes - 1]
    assert {"s:f02", "s:f05"} <= set(signature.names)
    assert set(signature.coefficients) == set(signature.intercepts) == ({"b"} if classes == 2 else {"a", "b", "c"})
    row = dict(zip(signature.names, signature.coefficients[last], strict=True))
    assert row["s:f02"] > 0 > row["s:f05"]


ORDERS = [
    [Lasso(**QUICK)],
    [Scale(), Lasso(**QUICK)],
    [Lasso(**QUICK), Scale()],
    [Scale(method="robust"), Univariate(), Lasso(**QUICK), Scale()],
    [Scale(), Scale(method="minmax"), Lasso(rule="1se", **QUICK), Scale(method="robust")],
    [Scale(), Lasso(form="grouped", alpha=0.7, **QUICK)],
    [Missing(), Lasso(sources=("s",), **QUICK), Scale(sources=("s",))],
]


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("steps", ORDERS, ids=lambda steps: "-".join(step.step for step in steps))
def test_scores_can_be_recomputed_from_the_results_whatever_the_order(classes, steps):
    given, entering = training(classes), training(classes).rows
    at = next(place for place, step in enumerate(steps) if isinstance(step, Lasso))
    for step in steps[:at]:
        transform = step.fit(Training(entering, given.labels, None, given.seed)).transform
        entering = transform.apply(entering.select(transform.inputs))
    prepared, lasso = chain(given, *steps), steps[at]
    cv = cross_validated_lasso(
        entering.values, given.labels.codes, given.labels.folds(4, seed=given.seed), lambdas=25, penalty=lasso.penalty
    )
    own = cv.path.predict_proba(entering.values, cv.index_min if lasso.rule == "min" else cv.index_1se)
    raw = {name: given.rows.select([name]).values[:, 0] for name in prepared.signature.names}
    assert raw
    np.testing.assert_allclose(recomputed(prepared, raw), own, atol=1e-9)


def test_scores_of_a_stable_signature_are_those_of_a_fit_to_it():
    given = training(3)
    signature = Lasso(bootstraps=8, minimum_frequency=0.95, **QUICK).fit(given).signature
    every = Lasso(bootstraps=8, **QUICK).fit(given).signature
    assert signature.names == tuple(name for name in every.names if every.frequency[name] >= 0.95)
    assert 2 <= len(signature.names) < len(every.names)
    values = given.rows.select(signature.names).values
    lambdas = np.geomspace(20 * signature.lambdas["chosen"], signature.lambdas["chosen"], 9)
    own = lasso_path(values, given.labels.codes, lambdas=lambdas, tolerance=1e-9).predict_proba(values, -1)
    scores = np.array(list(signature.coefficients.values())) @ ((values - signature.means) / signature.scales).T
    found = class_probabilities(scores.T + np.array(list(signature.intercepts.values())))
    np.testing.assert_allclose(found, own, atol=1e-4)


def test_a_signature_that_a_later_step_takes_apart_has_no_score():
    given = training(2)
    prepared = chain(given, Lasso(**QUICK), Univariate(alpha=1e-300))
    assert prepared.signature.names
    assert prepared.score is None
    assert all(not each.coefficients for each in selected_features(prepared, []))


def test_frequencies_count_bootstrap_samples_of_patients():
    given = training(2, effect=3.0)
    signature = Lasso(bootstraps=10, **QUICK).fit(given).signature
    assert signature.frequency.keys() == set(signature.names)
    assert signature.frequency["s:f02"] == 1.0
    assert min(signature.frequency.values()) < 1.0
    assert all(float(10 * share).is_integer() for share in signature.frequency.values())
    listed = {
        each.feature: each.bootstrap_frequency
        for each in selected_features(chain(given, Lasso(bootstraps=10, **QUICK)), [])
    }
    assert listed == dict(signature.frequency)


def test_a_drawn_patient_brings_all_cases_and_classes_keep_their_patients():
    codes = np.array([0] * 6 + [1] * 4 + [0, 1])
    labels = TrainingLabels(codes, np.array([1, 1, 2, 2, 3, 3, 4, 5, 6, 7, 8, 8]), ("a", "b"))
    generator = np.random.default_rng(0)
    for _ in range(20):
        rows = drawn_patients(labels, generator)
        drawn = labels.patients[rows]
        assert (codes[rows][np.isin(drawn, [1, 2, 3])] == 0).all()
        assert np.isin(drawn, [1, 2, 3]).sum() == 6
        assert np.isin(drawn, [4, 5, 6, 7]).sum() == 4
        assert (drawn == 8).sum() == 2


def test_one_standard_error_selects_no_more_than_the_minimum():
    found = {rule: Lasso(rule=rule, **QUICK).fit(training(3)).signature for rule in ("min", "1se")}
    assert len(found["1se"].names) <= len(found["min"].names)
    for rule, signature in found.items():
        assert signature.lambdas["chosen"] == signature.lambdas[rule]
        assert signature.lambdas["1se"] >= signature.lambdas["min"]


def test_max_features_is_kept():
    limited = Lasso(max_features=2, **QUICK).fit(training(3)).signature
    assert 0 < len(limited.names) <= 2
    assert limited.lambdas["chosen"] > limited.lambdas["min"]


def test_grouped_features_enter_all_classes_together():
    rows = Lasso(form="grouped", **QUICK).fit(training(3)).signature.coefficients.values()
    assert all((row != 0).all() for row in rows)
    apart = Lasso(**QUICK).fit(training(3)).signature.coefficients.values()
    assert any((row == 0).any() for row in apart)


def test_an_elastic_net_keeps_more_features():
    sizes = [len(Lasso(alpha=alpha, **QUICK).fit(training(2)).signature.names) for alpha in (1.0, 0.1)]
    assert sizes[0] < sizes[1]


def test_other_measures_choose_lambda():
    given = training(2)
    folds = given.labels.folds(4, seed=1)
    for measure in ("class", "auc"):
        signature = Lasso(measure=measure, **QUICK).fit(given).signature
        cv = cross_validated_lasso(given.rows.values, given.labels.codes, folds, lambdas=25, measure=measure)
        assert signature.lambdas["min"] == cv.lambda_min
        assert signature.deviance == ()
    with pytest.raises(UserError, match=r"lasso\.measure: an AUC is of two classes, here are 3: deviance or class"):
        Lasso(measure="auc", **QUICK).fit(training(3))


def test_deviance_and_paths_can_be_plotted_on_the_standardised_scale():
    signature = Lasso(**QUICK).fit(training(3)).signature
    best = min(signature.deviance, key=lambda point: point["mean"])
    assert best["lambda"] == signature.lambdas["min"]
    curves = {(curve["feature"], curve["class"]): curve for curve in signature.path}
    assert {curve["feature"] for curve in signature.path if curve["selected"]} == set(signature.names)
    assert all(len(curve["lambda"]) == len(curve["coefficient"]) <= 50 for curve in signature.path)
    for of, row in signature.coefficients.items():
        for name, coefficient in zip(signature.names, row, strict=True):
            curve = curves[name, of]
            at = int(np.argmin(np.abs(np.array(curve["lambda"]) - signature.lambdas["chosen"])))
            assert curve["coefficient"][at] == coefficient


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("kind", ["none", "constant"])
def test_no_feature_that_varies_gives_the_shares_of_the_classes(classes, kind):
    given = training(classes, n=100)
    values = np.empty((100, 0)) if kind == "none" else np.ones((100, 2))
    names = () if kind == "none" else ("s:a", "s:b")
    fitted = Lasso(**QUICK).fit(Training(Rows(values, names, given.rows.facts), given.labels, None, 1))
    assert fitted.signature.names == fitted.transform.outputs == ()
    assert fitted.told == {"reason": "no feature that varies was left to choose from"}
    intercepts = np.array([list(fitted.signature.intercepts.values())])
    found = class_probabilities(intercepts)
    np.testing.assert_allclose(found[0, -1], given.labels.shares[-1], rtol=1e-12)


def test_noise_may_give_the_empty_signature():
    fitted = Lasso(rule="1se", **QUICK).fit(training(2, effect=0.0, seed=4))
    assert fitted.signature.names == ()
    assert fitted.signature.coefficients["b"].shape == (0,)
    assert fitted.told == {"reason": "every coefficient is zero at the chosen lambda"}


def test_no_feature_may_be_selected_often_enough():
    fitted = Lasso(bootstraps=12, minimum_frequency=1.0, **QUICK).fit(training(2, effect=0.45, seed=1))
    assert fitted.told == {"infrequent": fitted.told["infrequent"], "reason": "no feature is selected often enough"}
    assert fitted.told["infrequent"] > 0
    shares = class_probabilities(np.array([list(fitted.signature.intercepts.values())]))
    np.testing.assert_allclose(shares, 0.5, atol=1e-9)


def test_what_cannot_be_fitted_says_what_to_change():
    given = training(2)
    lone = Training(given.rows, TrainingLabels(given.labels.codes, given.labels.patients, ("a", "b", "c")), None, 1)
    with pytest.raises(UserError, match="class 'c' has no case among the 120 training cases at hand: fewer folds"):
        Lasso(**QUICK).fit(lone)
    with pytest.raises(UserError, match=r"modelling\.steps: lasso\.folds"):
        Lasso(folds=90).fit(given)
    with pytest.raises(ValidationError, match="minimum_frequency needs bootstrap samples"):
        Lasso(minimum_frequency=0.5)
    with pytest.raises(ValidationError, match="greater than or equal to"):
        Lasso(alpha=0.0)


def test_a_kept_chain_is_bit_equal_and_fits_repeat():
    given = training(3)
    one, again = (chain(given, Scale(), Lasso(bootstraps=3, **QUICK)) for _ in range(2))
    back = unpacked(*packed(one))
    for other in (again, back):
        assert other.signature.names == one.signature.names
        assert dict(other.signature.frequency) == dict(one.signature.frequency)
        assert (other.signature.means == one.signature.means).all()
        assert (other.signature.scales == one.signature.scales).all()
        assert (other.of_rows(given.rows) == one.of_rows(given.rows)).all()
        assert selected_features(other, []) == selected_features(one, [])


def test_penalties_are_those_of_the_settings():
    assert Lasso().penalty == Penalty()
    assert Lasso(form="grouped", alpha=0.5).penalty == Penalty(alpha=0.5, grouped=True)
