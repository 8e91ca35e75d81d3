"""Explanations: what a feature changes, by the model itself; exact terms where the model is linear."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import logit, softmax

from radfusion.modelling.explanation import explain
from radfusion.modelling.fitting import fit_arms
from radfusion.modelling.fusion import late_fusion
from radfusion.modelling.model import fit_model, fuse_models


@pytest.fixture(scope="module")
def fit(simulate, quick):
    """Return a function from a classifier and a number of classes to a fitted model and its table."""

    def fitted(classifier, classes=3, **settings):
        table, cohort = simulate(classes, n=80, p=12, effect=2.0)
        arm = fit_arms({"arm": table}, cohort, quick(classifiers=(classifier,), folds=2, **settings), seed=1)["arm"]
        return fit_model(arm, classifier, table=table, cohort=cohort, seed=1), table

    return fitted


@pytest.mark.parametrize("classifier", ["svm", "random-forest", "lightgbm"])
def test_contributions_are_changes_of_the_probability_when_one_feature_is_at_its_median(fit, classifier):
    model, table = fit(classifier)
    case = table.frame.iloc[[7]]
    found = explain(model, case)
    own = model.probabilities(case)[0]
    position = model.classes.index(found.class_)
    assert position == own.argmax()
    medians = {each.feature: each.median for each in model.contract.features}
    assert {each.feature for each in found.contributions} == set(model.columns)
    for each in found.contributions:
        without = model.probabilities(case.assign(**{each.feature: medians[each.feature]}))[0, position]
        assert each.probability == pytest.approx(own[position] - without, abs=1e-12)
        if each.log_odds is not None:
            assert each.log_odds == pytest.approx(logit(own[position]) - logit(without), abs=1e-9)
        assert each.value == case[each.feature].item()
    sizes = [abs(each.probability) for each in found.contributions]
    assert sizes == sorted(sizes, reverse=True)
    assert found.linear == ()


@pytest.mark.parametrize("balance", ["none", "balanced"])
@pytest.mark.parametrize("classes", [2, 3])
def test_terms_of_a_logistic_regression_sum_to_its_predictor(fit, classes, balance):
    model, table = fit("logistic", classes, balance={"weights": balance})
    case = table.frame.iloc[[5]]
    found = explain(model, case, top=100)
    own = model.probabilities(case)[0]
    predictor = found.intercepts["arm/logistic"] + sum(each.contribution for each in found.linear)
    if classes == 2:
        assert predictor == pytest.approx(logit(own.max()), abs=1e-9)
    else:
        others = softmax([np.log(own)], axis=1)
        np.testing.assert_allclose(others[0], own)
        assert predictor - np.log(own.max()) == pytest.approx(_constant(model, case), abs=1e-9)
    for each in found.linear:
        assert each.contribution == each.coefficient * each.value


def _constant(model, case):
    """Logarithm of the sum over which shares of more than two classes are formed."""
    (part,) = model.parts
    estimator = getattr(part.estimator, "estimator", part.estimator)
    scores = part.preparation.transform(case) @ estimator.coef_.T + estimator.intercept_
    if part.estimator is not estimator:
        scores = scores + np.log(part.estimator.after) - np.log(part.estimator.before)
    return float(np.log(np.exp(scores).sum()))


def test_late_fusion_is_explained_through_all_its_parts(simulate, quick):
    table, cohort = simulate(2, n=80, p=12, effect=2.0)
    other, _ = simulate(2, n=80, p=12, effect=2.0, seed=5, source="deep")
    tables = {"one": table, "two": other}
    arms = fit_arms(tables, cohort, quick(classifiers=("logistic",), folds=2), seed=1)
    late = late_fusion("late", list(arms.values()))
    parts = [fit_model(arms[name], "logistic", table=tables[name], cohort=cohort, seed=1) for name in arms]
    model = fuse_models("late/logistic", parts, rule=late.rule)
    joined = table.join(other).frame.iloc[[3]]
    found = explain(model, joined, top=100)
    assert {each.feature.split(":")[0] for each in found.contributions} == {"radiomics", "deep"}
    assert set(found.intercepts) == {"one/logistic", "two/logistic"}
    own = model.probabilities(joined)[0].max()
    first = found.contributions[0]
    changed = model.probabilities(joined.assign(**{first.feature: first.median}))[0]
    assert first.probability == pytest.approx(own - changed[model.classes.index(found.class_)], abs=1e-12)


def test_a_missing_value_counts_as_what_stands_in_for_it(fit):
    model, table = fit("logistic")
    name = model.columns[0]
    found = explain(model, table.frame.iloc[[4]].assign(**{name: np.nan}), top=100)
    (own,) = [each for each in found.contributions if each.feature == name]
    assert (own.value, own.probability) == (None, pytest.approx(0.0, abs=1e-12))


def test_a_model_of_no_feature_says_so(fit):
    steps = ["missing", {"step": "univariate", "alpha": 1e-12}, "scale"]
    model, table = fit("knn", steps=steps)
    found = explain(model, table.frame.iloc[[0]])
    assert (found.n_features, found.contributions, found.linear) == (0, (), ())
    assert "the shares of the classes" in found.method


def test_the_same_case_is_explained_the_same_way_twice_and_only_the_largest_are_told(fit):
    model, table = fit("extra-trees")
    case = table.frame.iloc[[9]]
    assert explain(model, case) == explain(model, case)
    assert explain(model, case, top=2).contributions == explain(model, case).contributions[:2]
    frame = pd.DataFrame(case[list(model.columns)[::-1]])
    assert explain(model, frame) == explain(model, case)
