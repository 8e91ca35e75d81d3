"""The estimator keeps scikit-learn's promises and ours: equal rows, equal probabilities, patients together."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, StratifiedGroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.estimator_checks import parametrize_with_checks

import radfusion as rf
from radfusion.modelling.estimator import FeatureClassifier
from radfusion.modelling.fitting import fit_arms

#: Of scikit-learn's own data, with few cases per class.
FEW = ({"step": "univariate", "alpha": 1.0}, {"step": "lasso", "folds": 3, "n_lambdas": 12})


@parametrize_with_checks([FeatureClassifier(steps=()), FeatureClassifier("knn", steps=FEW[:1])])
def test_scikit_learns_own_checks(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def data(simulate):
    """Return training rows as a frame, with labels and patients, and the whole table with its cohort."""
    table, cohort = simulate(n=80, p=20, effect=2.0)
    rows = cohort.of_set("training").frame
    return table.frame.loc[rows.index], rows["label"], rows["patient"], table, cohort


@pytest.mark.parametrize("tuning", [None, {"trials": 2}], ids=["defaults", "tuned"])
@pytest.mark.parametrize("classifier", ["svm", "xgboost"])
def test_equal_rows_give_the_probabilities_of_a_study(data, quick, classifier, tuning):
    frame, labels, patients, table, cohort = data
    settings = quick(folds=5, classifiers=(classifier,), tuning=tuning or {}, inner_folds=2)
    fit = fit_arms({"arm": table}, cohort, settings, seed=4)["arm"].fits[classifier]
    model = rf.FeatureClassifier(classifier, steps=settings.steps, tuning=tuning, seed=4)
    order = np.random.default_rng(0).permutation(len(frame))
    model.fit(frame.iloc[order, ::-1], labels.iloc[order], groups=patients.iloc[order])
    assert model.hyperparameters_ == fit.hyperparameters
    found = model.predict_proba(table.frame[model.feature_names_in_])
    np.testing.assert_array_equal(found, fit.predictions.probabilities)
    assert (model.predict(table.frame[model.feature_names_in_]) == fit.predictions.predicted).all()


def test_parameters_are_kept_as_given_and_copied(data):
    frame, labels, patients, *_ = data
    model = FeatureClassifier(
        "svm", steps=list(FEW), hyperparameters={"C": 2.0}, balance={"weights": "balanced"}, seed=3
    )
    twin = clone(model).set_params(seed=4)
    assert twin.get_params() == model.get_params() | {"seed": 4}
    model.fit(frame, labels, groups=patients)
    assert model.hyperparameters_["C"] == 2.0
    assert list(model.classes_) == ["grade 0", "grade 1", "grade 2"]
    assert not hasattr(twin, "classes_")


def test_an_array_gives_what_its_frame_gives(data):
    frame, labels, patients, *_ = data
    model = FeatureClassifier("knn", steps=FEW)
    named = clone(model).fit(frame, labels, groups=patients).predict_proba(frame)
    bare = clone(model).fit(frame.to_numpy(), labels.to_numpy(), groups=patients.to_numpy())
    np.testing.assert_array_equal(bare.predict_proba(frame.to_numpy()), named)
    assert bare.preparation_.names[0].startswith("x")


def test_missing_and_infinite_values_are_filled_in(data):
    frame, labels, *_ = data
    holed = frame.copy()
    holed.iloc[::9, :3] = np.nan
    holed.iloc[1::9, 3] = np.inf
    assert np.isfinite(FeatureClassifier(steps=FEW).fit(holed, labels).predict_proba(holed)).all()


def test_it_works_in_cross_validation_and_search_with_patients(data):
    frame, labels, patients, *_ = data
    folds = StratifiedGroupKFold(3)
    model = FeatureClassifier("logistic", steps=FEW)
    found = cross_val_predict(
        model, frame, labels, groups=patients, cv=folds, method="predict_proba", params={"groups": patients}
    )
    assert (found.argmax(axis=1) == pd.factorize(labels, sort=True)[0]).mean() > 0.7
    grid = {"classifier": ["knn", "logistic"], "steps": [FEW, ("variance",)]}
    search = GridSearchCV(model, grid, cv=folds, error_score="raise").fit(frame, labels, groups=patients)
    assert len(search.cv_results_["params"]) == 4
    assert search.best_score_ > 0.7


def test_it_ends_a_pipeline(data):
    frame, labels, *_ = data
    fitted = make_pipeline(FunctionTransformer(np.log1p), FeatureClassifier(steps=FEW)).fit(frame.abs(), labels)
    assert fitted.predict(frame.abs()).shape == labels.shape


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"classifier": "logistik"}, "did you mean 'logistic'"),
        ({"steps": ["laso"]}, "steps"),
        ({"tuning": {"trails": 3}}, "tuning"),
        ({"hyperparameters": {"c": 1}}, "c"),
        ({"steps": [{"step": "lasso", "folds": 25}]}, "lasso.folds: 25 folds, but class 'grade [012]' has"),
    ],
)
def test_what_is_not_allowed_is_a_value_error_that_names_it(data, changes, message):
    frame, labels, patients, *_ = data
    with pytest.raises(ValueError, match=message):
        FeatureClassifier(**changes).fit(frame, labels, groups=patients)


def test_one_class_and_lone_patients_are_refused(data):
    frame, labels, *_ = data
    with pytest.raises(ValueError, match="60 cases are of 1 class, grade 1: at least 2"):
        FeatureClassifier().fit(frame, ["grade 1"] * 60)
    with pytest.raises(ValueError, match="class 'grade 0' has 1 patient"):
        FeatureClassifier(steps=FEW).fit(frame, labels, groups=labels)
