"""Every registered classifier runs, says nothing, gives probabilities in the order of the classes, and can be kept."""

import subprocess
import sys
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.trial import FixedTrial
from pydantic import ValidationError
from threadpoolctl import threadpool_limits

from radfusion.errors import RunError
from radfusion.modelling.balancing import BalanceSettings
from radfusion.modelling.classifiers import (
    CLASSIFIERS,
    DEFAULT_CLASSIFIERS,
    ClassShares,
    fit_classifier,
    probabilities,
    stated_hyperparameters,
)
from radfusion.modelling.estimators import read_estimator, write_estimator
from radfusion.modelling.folds import TrainingLabels
from radfusion.modelling.hyperparameters import Choice, Integer, Number, Share
from radfusion.modelling.scores import macro_auc
from radfusion.modelling.settings import ModellingSettings


def training(classes, *, n=90, k=4, seed=0):
    codes = np.arange(n) % classes
    values = np.random.default_rng(seed).normal(size=(n, k)) + codes[:, None]
    return values, TrainingLabels(codes, np.arange(n) // 2, tuple("abcd"[:classes]))


def few(name):
    """Fewer trees, where there are trees."""
    return {"n_estimators": 10} if "n_estimators" in CLASSIFIERS[name].hyperparameters else {}


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("name", CLASSIFIERS)
def test_every_classifier_separates_what_is_separable(name, classes):
    values, labels = training(classes)
    one, again = (
        probabilities(fit_classifier(name, values, labels, hyperparameters={}, seed=7), values) for _ in range(2)
    )
    assert one.shape == (90, classes)
    assert one.dtype == np.float64
    np.testing.assert_allclose(one.sum(axis=1), 1, rtol=1e-12)
    assert macro_auc(labels.codes, one) > 0.8
    np.testing.assert_array_equal(one, again)


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("name", CLASSIFIERS)
def test_what_is_kept_predicts_the_same_and_equal_fits_are_equal_files(name, classes, tmp_path):
    values, labels = training(classes)
    files = []
    for folder in (tmp_path / "one", tmp_path / "two"):
        folder.mkdir()
        estimator = fit_classifier(name, values, labels, hyperparameters=few(name), seed=7)
        facts = write_estimator(estimator, name, folder / "part")
        kept = read_estimator(facts, name, folder)
        np.testing.assert_array_equal(probabilities(kept, values), probabilities(estimator, values))
        files.append((facts, {path.name: path.read_bytes() for path in folder.iterdir()}))
    assert files[0] == files[1]


def test_a_kept_classifier_is_not_taken_for_another(tmp_path):
    values, labels = training(2)
    estimator = fit_classifier("naive-bayes", values, labels, hyperparameters={}, seed=0)
    facts = write_estimator(estimator, "naive-bayes", tmp_path / "part")
    with pytest.raises(RunError, match="holds a GaussianNB, not a SVC"):
        read_estimator(facts, "svm", tmp_path)


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_without_a_feature_that_varies_the_shares_of_the_classes_are_predicted(name):
    _, labels = training(3)
    some = labels.take(np.arange(89))
    for values in (np.empty((89, 0)), np.full((89, 2), 3.0)):
        estimator = fit_classifier(name, values, some, hyperparameters={}, seed=0)
        assert isinstance(estimator, ClassShares)
        np.testing.assert_array_equal(probabilities(estimator, values[:2]), [[30 / 89, 30 / 89, 29 / 89]] * 2)


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_a_constant_feature_beside_others_does_no_harm(name):
    values, labels = training(2)
    values[:, 1] = 0.0
    found = probabilities(fit_classifier(name, values, labels, hyperparameters={}, seed=0), values)
    assert macro_auc(labels.codes, found) > 0.8


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_classes_of_two_cases_and_a_single_feature_are_enough(name):
    codes = np.array([0] * 12 + [1] * 2 + [2] * 2)
    labels = TrainingLabels(codes, np.arange(16), ("a", "b", "c"))
    values = np.random.default_rng(0).normal(size=(16, 1)) + codes[:, None]
    found = probabilities(fit_classifier(name, values, labels, hyperparameters={}, seed=0), values)
    assert found.shape == (16, 3)
    assert np.isfinite(found).all()


@pytest.mark.parametrize("name", [name for name, each in CLASSIFIERS.items().items() if not each.calibrated])
def test_an_inner_part_may_hold_a_single_case_of_a_class(name):
    codes = np.array([0] * 8 + [1] * 8 + [2])
    labels = TrainingLabels(codes, np.arange(17), ("a", "b", "c"))
    values = np.random.default_rng(0).normal(size=(17, 2)) + codes[:, None]
    found = probabilities(fit_classifier(name, values, labels, hyperparameters={}, seed=0), values)
    assert np.isfinite(found).all()


def test_a_feature_of_which_adaboost_makes_nothing_leaves_the_shares():
    """Every stump is as good as chance; scikit-learn refuses to fit that."""
    codes, values = np.tile([0, 1], 20), np.repeat([0.0, 1.0], 20)[:, None]
    labels = TrainingLabels(codes, np.arange(40), ("a", "b"))
    estimator = fit_classifier("adaboost", values, labels, hyperparameters={}, seed=0)
    np.testing.assert_allclose(probabilities(estimator, values), 0.5, atol=0.05)


def drawn(name):
    """Hyperparameters within the space of a classifier."""
    kinds = {
        Number: lambda each: st.floats(*each.search),
        Share: lambda each: st.floats(*each.search),
        Integer: lambda each: st.integers(*each.search),
        Choice: lambda each: st.sampled_from(each.values),
    }
    return st.fixed_dictionaries({key: kinds[type(each)](each) for key, each in CLASSIFIERS[name].space.items()})


@pytest.mark.parametrize("name", CLASSIFIERS)
@settings(max_examples=5)
@given(data=st.data())
def test_every_setting_of_the_space_is_allowed_and_fits_few_cases(name, data):
    chosen = data.draw(drawn(name))
    assert stated_hyperparameters(name, chosen) == chosen
    proposed = FixedTrial(chosen)
    assert {key: each.suggest(proposed, key) for key, each in CLASSIFIERS[name].space.items()} == chosen
    values, labels = training(2, n=20, k=1)
    estimator = fit_classifier(name, values, labels, hyperparameters=chosen | few(name), seed=0)
    assert np.isfinite(probabilities(estimator, values)).all()


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_defaults_are_allowed_and_lie_within_the_space(name):
    entry = CLASSIFIERS[name]
    assert stated_hyperparameters(name, entry.defaults) == entry.defaults
    for each in entry.space.values():
        assert each.default in each.values if isinstance(each, Choice) else each.search[0] <= each.default
        assert isinstance(each, Choice) or each.default <= each.search[1]


@pytest.mark.parametrize(
    ("stated", "message"),
    [
        ({"logistik": {"C": 1}}, "did you mean 'logistic'"),
        ({"svm": {"gama": 1}}, r"svm has no hyperparameter 'gama'; allowed: C \(a number above 0\)"),
        ({"svm": {"C": -1}}, "C of svm is -1; allowed: a number above 0"),
        ({"svm": {"C": True}}, "allowed: a number above 0"),
        ({"knn": {"n_neighbors": 2.5}}, "allowed: a whole number of at least 1"),
        ({"knn": {"weights": "near"}}, "allowed: one of uniform, distance"),
        ({"lightgbm": {"num_leaves": 1}}, "at least 2"),
        ({"elastic-net": {"alpha": 1.5}}, "above 0 and at most 1"),
        ({"mlp": {"alpha": float("inf")}}, "a number above 0"),
    ],
)
def test_a_hyperparameter_that_cannot_be_is_refused_with_what_can(stated, message):
    with pytest.raises(ValidationError, match=message):
        ModellingSettings(hyperparameters=stated)


def test_stated_hyperparameters_replace_defaults():
    stated = {"random-forest": {"n_estimators": 7}}
    assert ModellingSettings(hyperparameters=stated).hyperparameters == stated
    values, labels = training(2)
    assert len(fit_classifier("random-forest", values, labels, hyperparameters=stated["random-forest"], seed=0)) == 7


def test_more_neighbours_than_cases_are_all_cases():
    values, labels = training(2, n=10)
    chosen = {"n_neighbors": 30, "weights": "uniform"}
    found = probabilities(fit_classifier("knn", values, labels, hyperparameters=chosen, seed=0), values)
    np.testing.assert_array_equal(found, 0.5)


def test_eight_classifiers_are_fitted_where_none_is_named():
    assert ModellingSettings().classifiers == DEFAULT_CLASSIFIERS
    assert len(DEFAULT_CLASSIFIERS) == 8
    assert set(DEFAULT_CLASSIFIERS) < set(CLASSIFIERS)


def test_the_elastic_net_has_the_probabilities_of_scikit_learn():
    """One objective in two scales: C is 1 / (n lambda)."""
    from sklearn.linear_model import LogisticRegression

    values, labels = training(3, n=120)
    values = (values - values.mean(axis=0)) / values.std(axis=0)
    ours = fit_classifier("elastic-net", values, labels, hyperparameters={"lambda": 0.02, "alpha": 0.4}, seed=0)
    theirs = LogisticRegression(C=1 / (120 * 0.02), l1_ratio=0.4, solver="saga", max_iter=20000, tol=1e-9)
    theirs.fit(values, labels.codes)
    np.testing.assert_allclose(probabilities(ours, values), theirs.predict_proba(values), atol=1e-5)


@pytest.mark.parametrize("name", [name for name, each in CLASSIFIERS.items().items() if each.calibrated])
def test_scores_become_probabilities_that_do_not_lie(name):
    """Far from 0 and 1 where classes overlap, and right in the large."""
    rng = np.random.default_rng(0)
    codes = (rng.random(300) < 0.3).astype(np.intp)
    values = rng.normal(size=(300, 3)) + 0.3 * codes[:, None]
    labels = TrainingLabels(codes, np.arange(300), ("a", "b"))
    found = probabilities(fit_classifier(name, values, labels, hyperparameters={}, seed=0), values)
    assert found[:, 1].mean() == pytest.approx(codes.mean(), abs=0.02)


def test_all_fits_together_take_one_thread():
    values, labels = training(3, n=150, k=12)
    for name in CLASSIFIERS:  # libraries are loaded
        fit_classifier(name, values[:60], labels.take(np.arange(60)), hyperparameters={}, seed=0)
    with threadpool_limits(1):
        wall, cpu = time.perf_counter(), time.process_time()
        for name in CLASSIFIERS:
            for balance in (BalanceSettings(), BalanceSettings(resampling="smote")):
                fitted = fit_classifier(name, values, labels, hyperparameters={}, seed=0, balance=balance)
                probabilities(fitted, values)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    assert cpu <= 1.15 * wall


def test_naming_the_classifiers_loads_none_of_their_libraries():
    heavy = "sklearn", "xgboost", "lightgbm", "optuna", "imblearn"
    code = f"import sys, radfusion.modelling.settings; print([m for m in {heavy} if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def row(name):
    """The line of the guide's table."""
    entry = CLASSIFIERS[name]
    settings = "; ".join(f"`{key}` {each.default}" for key, each in entry.hyperparameters.items())
    space = "; ".join(f"`{key}` {each.searched}" for key, each in entry.space.items())
    weights, scores = ("yes" if each else "no" for each in (entry.weighted, entry.calibrated))
    return f"| `{name}` | {entry.title} | {settings} | {space} | {weights} | {scores} | {entry.storage} |"


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_the_guide_states_every_classifier_as_it_is(name, root):
    assert row(name) in (root / "docs" / "classifiers.md").read_text(encoding="utf-8").splitlines()


def test_the_first_example_of_the_guide_is_a_valid_study_section(root):
    from ruamel.yaml import YAML

    text = (root / "docs" / "classifiers.md").read_text(encoding="utf-8")
    stated = YAML(typ="safe").load(text.split("```yaml\n")[1].split("```")[0])["modelling"]
    settings = ModellingSettings.model_validate(stated)
    assert settings.tuning.trials > 0
    assert settings.hyperparameters
