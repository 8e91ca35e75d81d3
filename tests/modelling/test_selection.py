"""Signatures: what the LASSO finds, its rules, and the empty signature."""

import numpy as np
import pytest
from pydantic import ValidationError

from radfusion.modelling.folds import TrainingLabels
from radfusion.modelling.selection import SELECTORS, Candidates, SelectionSettings, fit_signature

QUICK = {"n_lambdas": 25, "folds": 4}


def candidates(classes, *, n=120, p=30, effect=1.5, seed=0):
    rng = np.random.default_rng(seed)
    codes = np.arange(n) % classes
    values = rng.normal(size=(n, p))
    values[:, 2] += effect * (codes == classes - 1)
    values[:, 5] -= effect * (codes == classes - 1)
    values = (values - values.mean(axis=0)) / values.std(axis=0)
    labels = TrainingLabels(codes, np.arange(n) // classes, tuple("abcd"[:classes]))
    return Candidates(values, tuple(f"s:f{i}" for i in range(p)), labels)


@pytest.mark.parametrize("classes", [2, 3])
def test_lasso_finds_the_features_and_their_directions(classes):
    signature = fit_signature(candidates(classes), SelectionSettings(rule="1se", **QUICK), seed=1)
    last = "abc"[classes - 1]
    assert {"s:f2", "s:f5"} <= set(signature.names)
    assert set(signature.coefficients) == ({"b"} if classes == 2 else {"a", "b", "c"})
    row = dict(zip(signature.names, signature.coefficients[last], strict=True))
    assert row["s:f2"] > 0 > row["s:f5"]
    assert set(signature.intercepts) == set(signature.coefficients)


def test_one_standard_error_selects_no_more_than_the_minimum():
    found = {
        rule: fit_signature(candidates(3), SelectionSettings(rule=rule, **QUICK), seed=1) for rule in ("min", "1se")
    }
    assert len(found["1se"].names) <= len(found["min"].names)
    for rule, signature in found.items():
        assert signature.lambdas["chosen"] == signature.lambdas[rule]
        assert signature.lambdas["1se"] >= signature.lambdas["min"]


def test_max_features_is_kept():
    limited = fit_signature(candidates(3), SelectionSettings(max_features=2, **QUICK), seed=1)
    assert 0 < len(limited.names) <= 2
    assert limited.lambdas["chosen"] > limited.lambdas["min"]


def test_deviance_and_paths_can_be_plotted():
    signature = fit_signature(candidates(3), SelectionSettings(**QUICK), seed=1)
    best = min(signature.deviance, key=lambda point: point["mean"])
    assert best["lambda"] == signature.lambdas["min"]
    curves = {(curve["feature"], curve["class"]) for curve in signature.path}
    assert {(name, of) for name in signature.names for of in "abc"} <= curves
    assert {curve["feature"] for curve in signature.path if curve["selected"]} == set(signature.names)
    assert all(len(curve["lambda"]) == len(curve["coefficient"]) <= 50 for curve in signature.path)


def test_no_candidate_gives_the_empty_signature():
    some = candidates(2)
    none = Candidates(np.empty((120, 0)), (), some.labels)
    signature = fit_signature(none, SelectionSettings(**QUICK), seed=0)
    assert (signature.names, signature.coefficients, signature.step.n_out) == ((), {}, 0)


def test_noise_may_give_the_empty_signature():
    signature = fit_signature(candidates(2, effect=0.0, seed=4), SelectionSettings(rule="1se", **QUICK), seed=0)
    assert signature.names == ()
    assert signature.coefficients["b"].shape == (0,)


def test_none_keeps_everything():
    signature = fit_signature(candidates(2), SelectionSettings(method="none"), seed=0)
    assert signature.names == candidates(2).names


@pytest.mark.parametrize("method", SELECTORS)
def test_every_selector_is_deterministic(method):
    settings = SelectionSettings(method=method, **QUICK)
    one, again = (fit_signature(candidates(2), settings, seed=3) for _ in range(2))
    assert (one.names, one.lambdas, one.deviance, one.path) == (again.names, again.lambdas, again.deviance, again.path)


def test_an_unknown_selector_is_answered_with_the_nearest():
    with pytest.raises(ValidationError, match="no selector is named 'laso'; did you mean 'lasso'"):
        SelectionSettings(method="laso")
