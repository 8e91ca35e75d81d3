"""Every public statistic, the same bad inputs: a message that says what is allowed, or a stated undefined result.

Functions are found in the package and their arguments made from the names of their parameters; a new one is covered
without editing this file, or fails because a parameter has a name of its own.
"""

import inspect
import itertools
import warnings

import numpy as np
import pandas as pd
import pytest
from pydantic import BaseModel

import radfusion.evaluation as ev
from radfusion.errors import EvaluationError
from radfusion.evaluation import baseline, sample_size, survival

# Functions of whole predictions, of settings, or of numbers that come from other functions.
NOT_OF_ARRAYS = {
    *("adjust_comparisons", "adjust_pvalues", "class_comparisons", "compare_models", "compare_with_no_information"),
    *("evaluate_set", "roc_curves", "training_thresholds", "wilson_interval", "clopper_pearson_interval"),
    *("auc_power", "paired_auc_power", "binormal_design", "expected_auc_interval", "cox_snell_from_auc"),
    *("required_cases", "required_cases_multinomial", "baseline_table", "describe_groups", "family_sizes"),
    *("average_auc_test", "auc_bootstrap_test", "auc_permutation_test"),
}
N = 24
CODES = np.arange(N) % 3
PATIENTS = np.arange(N) // 2
GENERATOR = np.random.default_rng(1)


def public():
    """Name to function, of the package and of its parts that are packages of their own."""
    found = {}
    for module in (ev, baseline, sample_size, survival):
        for name in module.__all__:
            function = getattr(module, name)
            if inspect.isfunction(function) and name not in NOT_OF_ARRAYS:
                found[name] = function
    return found


def of_pair(test):
    """A test of a pair of models as a function of arrays, like the others."""

    def compared(labels, probabilities_a, probabilities_b, classes, *, patients=None):
        models = (ev.ScoredSet(labels, each, classes, patients) for each in (probabilities_a, probabilities_b))
        return test(ev.ScoredPair(*models, paired=True))

    return compared


PAIR_TESTS = ("average_auc_test", "auc_bootstrap_test", "auc_permutation_test")
FUNCTIONS = public() | {name: of_pair(getattr(ev, name)) for name in PAIR_TESTS}
SCORES = np.round(GENERATOR.normal(size=(2, N)) + 0.3 * (CODES == 1), 1)
RISKS = 1 / (1 + np.exp(-SCORES))
ODDS = np.exp(GENERATOR.normal(size=(2, N, 3)) + np.eye(3)[CODES])
SHARES = ODDS / ODDS.sum(axis=2, keepdims=True)
#: Parameter name to a good value; those of several classes where the function has `classes`.
GOOD = {
    "labels": (CODES == 1).astype(int),
    "labels_a": (CODES == 1).astype(int),
    "labels_b": (CODES == 1).astype(int),
    "predicted": (SCORES[0] > 0.5).astype(int),
    "predicted_a": (SCORES[0] > 0.5).astype(int),
    "predicted_b": (SCORES[1] > 0.5).astype(int),
    "ratings_a": CODES,
    "ratings_b": np.roll(CODES, 1),
    "ratings": np.round(GENERATOR.normal(size=(8, 1)) + 0.3 * GENERATOR.normal(size=(8, 3)), 2),
    "scores": SCORES[0],
    "scores_a": SCORES[0],
    "scores_b": SCORES[1],
    "probabilities": RISKS[0],
    "probabilities_a": RISKS[0],
    "probabilities_b": RISKS[1],
    "values": SCORES[0],
    "values_a": SCORES[0],
    "values_b": SCORES[1],
    "groups": CODES,
    "table": np.array([[5, 7], [8, 4]]),
    "times": np.round(GENERATOR.exponential(size=N) + 0.1, 2),
    "events": np.arange(N) % 3 != 0,
    "covariates": GENERATOR.normal(size=(N, 2)),
    "prevalence": 0.2,
    "threshold": 0.5,
    "thresholds": [0.2, 0.5],
    "specificity": 0.8,
    "sensitivity": 0.8,
    "at": [0.5, 1.0],
}
SEVERAL = {
    "labels": CODES,
    "labels_a": CODES,
    "labels_b": CODES,
    "predicted": SHARES[0].argmax(axis=1),
    "predicted_a": SHARES[0].argmax(axis=1),
    "predicted_b": SHARES[1].argmax(axis=1),
    "scores": SHARES[0],
    "probabilities": SHARES[0],
    "probabilities_a": SHARES[0],
    "probabilities_b": SHARES[1],
    "classes": (0, 1, 2),
}
BY_MODEL = {"compare_aucs": "scores", "equal_auc_test": "scores", "compare_macro_aucs": "probabilities"}
ARRAYS = tuple(name for name, value in GOOD.items() if isinstance(value, np.ndarray))


def arguments(name):
    """Good arguments of a function, by the names of its required parameters."""
    parameters = inspect.signature(FUNCTIONS[name]).parameters
    known = {**GOOD, **SEVERAL} if "classes" in parameters else GOOD
    given = {each: known[each] for each, what in parameters.items() if what.default is what.empty}
    if name in BY_MODEL:
        key = BY_MODEL[name]
        given[key] = {"a": known[f"{key}_a"], "b": known[f"{key}_b"]}
    if name == "icc_of_features":
        given["ratings"] = np.stack([known["ratings"], known["ratings"][::-1] ** 2])
    if "n_resamples" in parameters:
        given["n_resamples"] = 100
    return given


def arrays(given):
    """Names of the array arguments, with the arrays inside a mapping."""
    for name, value in given.items():
        if isinstance(value, np.ndarray):
            yield name, value, lambda changed, name=name: {**given, name: changed}
        elif isinstance(value, dict):
            yield name, value["a"], lambda changed, name=name, value=value: {**given, name: {**value, "a": changed}}


def stated(result):
    """Results as JSON would have them; every number that is missing has a reason."""
    found = list(flat(result))
    assert found
    for each in found:
        assert type(each).model_validate(each.model_dump(by_alias=True)) == each
        if hasattr(each, "value") and each.value is None:
            assert each.reason
        if hasattr(each, "difference") and each.p is None:
            assert each.reason
    return found


def flat(result):
    if isinstance(result, BaseModel):
        yield result
    elif isinstance(result, list | tuple):
        for each in result:
            yield from flat(each)


def undefined_or_refused(name, given):
    """Call with what cannot be estimated: an error that says what is allowed or needed, or results that say why."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            result = FUNCTIONS[name](**given)
        except EvaluationError:
            return
    if name in RESULTS:
        stated(result)


# Functions that give counts, numbers or a design.
PLAIN = {"confusion", "influence", "youden_threshold", "best_thresholds", "binormal_pilot", "delong_pilot"}
RESULTS = [name for name in FUNCTIONS if name not in PLAIN]


def takes(*names):
    return [each for each in FUNCTIONS if all(name in inspect.signature(FUNCTIONS[each]).parameters for name in names)]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_good_arguments_are_found_by_name(name):
    given = arguments(name)
    assert any(True for _ in arrays(given))
    if name in RESULTS:
        stated(FUNCTIONS[name](**given))
    else:
        FUNCTIONS[name](**given)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_lengths_that_differ(name):
    given = arguments(name)
    bound = [
        each
        for each in arrays(given)
        if not each[0].startswith(("values_", "table", "ratings", "labels_b", "scores_b"))
    ]
    for _, value, changed in bound if len(list(arrays(given))) > 1 else ():
        with pytest.raises(EvaluationError, match="allowed"):
            FUNCTIONS[name](**changed(value[:-1]))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_missing_numbers(name):
    for key, value, changed in arrays(arguments(name)):
        if np.issubdtype(value.dtype, np.floating):
            bad = value.copy()
            bad.flat[3] = np.nan
            with pytest.raises(EvaluationError, match=r"missing|finite|not numbers"):
                FUNCTIONS[name](**changed(bad))
        elif key not in {"table", "events"}:
            bad = value.astype(object)
            bad[3] = None
            with pytest.raises(EvaluationError, match="missing"):
                FUNCTIONS[name](**changed(bad))


@pytest.mark.parametrize("name", takes("labels"))
@pytest.mark.parametrize("label", [0, 1])
def test_one_class_only(name, label):
    given = arguments(name)
    undefined_or_refused(name, {**given, "labels": np.full(N, label)})


@pytest.mark.parametrize("name", FUNCTIONS)
def test_two_cases(name):
    given = arguments(name)

    def cut(value):
        if isinstance(value, dict):
            return {key: each[:2] for key, each in value.items()}
        return value[:2] if isinstance(value, np.ndarray) else value

    undefined_or_refused(name, {key: cut(value) for key, value in given.items()})


@pytest.mark.parametrize("name", takes("labels", "classes"))
def test_unknown_class(name):
    given = arguments(name)
    with pytest.raises(EvaluationError, match=r"labels hold 7; allowed are the classes 0, 1, 2"):
        FUNCTIONS[name](**{**given, "labels": np.where(CODES == 2, 7, CODES)})


@pytest.mark.parametrize("name", [each for each in takes("positive") if "labels" in arguments(each)])
def test_unknown_positive(name):
    with pytest.raises(EvaluationError, match="no label equals positive=7"):
        FUNCTIONS[name](**arguments(name), positive=7)


PROBABILITIES = [each for each in FUNCTIONS if any(key.startswith("probabilities") for key in arguments(each))]


@pytest.mark.parametrize("name", PROBABILITIES)
def test_probabilities_outside_their_range(name):
    for key, value, changed in arrays(arguments(name)):
        if key.startswith("probabilities"):
            with pytest.raises(EvaluationError, match=r"probabilities reach from .* allowed is 0 to 1"):
                FUNCTIONS[name](**changed(value * 2))


@pytest.mark.parametrize("name", [each for each in PROBABILITIES if "classes" in arguments(each)])
def test_probabilities_that_do_not_sum_to_one(name):
    for key, value, changed in arrays(arguments(name)):
        if key.startswith("probabilities"):
            with pytest.raises(EvaluationError, match=r"probabilities sum to .*, not 1"):
                FUNCTIONS[name](**changed(value * 0.9))


KINDS = {
    "text": lambda codes: np.array(["no", "yes", "maybe"])[codes],
    "objects": lambda codes: np.array(["no", "yes", "maybe"], dtype=object)[codes],
    "ordered": lambda codes: pd.Categorical.from_codes(codes, ["no", "yes", "maybe"], ordered=True),
    "series": lambda codes: pd.Series(np.array(["no", "yes", "maybe"])[codes], index=range(100, 100 + len(codes))),
    "truths": lambda codes: codes == 1,
}
# What these take as an event is 1 or True.
EVENTS = {"net_benefit_test", "reclassification"}
LABELLED = [
    each
    for each in FUNCTIONS
    if {"labels", "labels_a", "ratings_a"} & set(arguments(each))
    and "weights" not in inspect.signature(FUNCTIONS[each]).parameters
]


@pytest.mark.parametrize(("name", "kind"), list(itertools.product(LABELLED, KINDS)))
def test_labels_of_any_kind_give_the_same_numbers(name, kind):
    given = arguments(name)
    if kind == "truths" and ("classes" in given or "ratings_a" in given):
        pytest.skip("more than two classes are not truths")
    if name in EVENTS and kind != "truths":
        with pytest.raises(EvaluationError, match="no label equals positive=1"):
            FUNCTIONS[name](**{**given, "labels": KINDS[kind](given["labels"])})
        return
    words = {
        key: KINDS[kind](value) for key, value in given.items() if key.startswith(("labels", "predicted", "ratings_"))
    }
    if "classes" in given:
        words["classes"] = ("no", "yes", "maybe")
    elif "positive" in inspect.signature(FUNCTIONS[name]).parameters:
        words["positive"] = True if kind == "truths" else "yes"
    plain, found = (FUNCTIONS[name](**{**given, **changed}) for changed in ({}, words))
    if name in RESULTS:
        assert [numbers(each) for each in flat(plain)] == [numbers(each) for each in flat(found)]


def numbers(result):
    """What does not depend on what classes are called."""
    return {key: value for key, value in result.model_dump().items() if key not in {"class_", "reason", "models"}}


@pytest.mark.parametrize("name", takes("patients"))
def test_a_patient_may_have_both_classes(name):
    given = arguments(name)
    plain, grouped = FUNCTIONS[name](**given), FUNCTIONS[name](**given, patients=PATIENTS)
    if name in RESULTS:
        for one, other in zip(stated(plain), stated(grouped), strict=True):
            assert getattr(one, "value", None) == getattr(other, "value", None)
            assert getattr(one, "difference", None) == getattr(other, "difference", None)
    with pytest.raises(EvaluationError, match="patients has 23 entries"):
        FUNCTIONS[name](**given, patients=PATIENTS[:-1])
