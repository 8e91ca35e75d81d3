"""The ComBat step: fitted on training cases alone, centres taken out, the class kept, unseen centres answered."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from radfusion.core.cohort import Cohort
from radfusion.core.cohort_covariates import Covariate
from radfusion.core.features import FeatureTable
from radfusion.errors import FeatureError, UserError
from radfusion.modelling.fitting import fit_arms
from radfusion.modelling.folds import FoldPlan, TrainingLabels
from radfusion.modelling.harmonisable import check_harmonisation
from radfusion.modelling.harmonisation import ComBat
from radfusion.modelling.preparation import PreparationTask, completed, packed, prepare, unpacked
from radfusion.modelling.rows import Rows
from radfusion.modelling.settings import ModellingSettings
from radfusion.modelling.steps.base import Training
from radfusion.modelling.steps.combat import Combat
from radfusion.modelling.steps.scale import Scale

PLAN = FoldPlan(3, 2)
AGE_SEX = {"age": Covariate(type="number"), "sex": Covariate(type="category")}


def simulated(*, n=90, p=8, seed=0):
    """Features that centre B shifts and stretches; f0 tells the classes, f1 grows with age."""
    rng = np.random.default_rng(seed)
    codes, centre = np.arange(n) % 2, np.array(["A", "B", "C"], dtype=object)[(np.arange(n) // 2) % 3]
    age, sex = rng.integers(40, 90, n), np.array(["f", "m"], dtype=object)[rng.integers(0, 2, n)]
    values = rng.normal(size=(n, p))
    values[:, 0] += 2.0 * codes
    values[:, 1] += 0.1 * age
    values = np.where((centre == "B")[:, None], 2.0 * values + 5.0, values)
    cases = [f"case-{i:02d}" for i in range(n)]
    facts = pd.DataFrame({"centre": centre, "age": age.astype(str), "sex": sex}, index=cases)
    return pd.DataFrame(values, cases, [f"s:f{i}" for i in range(p)]), facts, codes


def training(frame, facts, codes):
    labels = TrainingLabels(codes, np.arange(len(codes)), ("a", "b"))
    return Training(Rows.from_frame(frame, facts), labels, None, 1)


def chain(frame, facts, codes, *steps):
    given = training(frame, facts, codes)
    task = PreparationTask(given.rows, given.labels, np.ones(len(codes), dtype=bool), completed(steps), None, 1)
    return prepare(task)


def cohort(facts, codes, sets=None, types=None):
    rows = facts.assign(patient=[f"p{i}" for i in range(len(facts))], label=np.array(["a", "b"])[codes], row=2)
    rows["set"] = "training" if sets is None else sets
    return Cohort(rows.rename_axis("case"), ("a", "b"), Path(), covariate_types=AGE_SEX if types is None else types)


@pytest.mark.parametrize("settings", [{}, {"parametric": False}, {"mean_only": True}, {"reference": "B"}])
@pytest.mark.parametrize("preserve", [(), ("age", "sex")])
def test_the_step_is_the_estimator(settings, preserve):
    frame, facts, codes = simulated()
    fitted = Combat(preserve=preserve, **settings).fit(training(frame, facts, codes))
    known = np.column_stack([facts["age"].astype(float), facts["sex"] == "m"])[:, : len(preserve)]
    own = ComBat(**settings).fit(frame, facts["centre"], known)
    after = fitted.transform.apply(Rows.from_frame(frame, facts)).values
    np.testing.assert_array_equal(after, own.transform(frame, facts["centre"], known))
    assert fitted.told["batches"] == {"A": 30, "B": 30, "C": 30}
    assert fitted.told["passed_unchanged"] == 0


def test_the_shift_of_a_centre_goes_and_the_class_stays():
    frame, facts, codes = simulated(n=300)
    after = chain(frame, facts, codes, Combat(), Scale()).transform(frame, facts)
    inside = (facts["centre"] == "B").to_numpy()
    before = ((frame - frame.mean()) / frame.std()).to_numpy()
    assert np.abs(before[inside].mean(axis=0) - before[~inside].mean(axis=0)).min() > 1.0
    assert np.abs(after[inside].mean(axis=0) - after[~inside].mean(axis=0)).max() < 0.15
    effects = [each[codes == 1, 0].mean() - each[codes == 0, 0].mean() for each in (before, after)]
    assert effects[1] > effects[0] > 0.3


def test_effects_of_covariates_stay():
    frame, facts, codes = simulated(n=300)
    older = facts.assign(
        age=np.where(facts["centre"] == "C", facts["age"].astype(int) + 30, facts["age"].astype(int)).astype(str)
    )
    aged = frame.assign(**{"s:f1": frame["s:f1"] + np.where(facts["centre"] == "C", 3.0, 0.0)})
    inside = (facts["centre"] == "C").to_numpy()

    def kept(*names):
        found = chain(aged, older, codes, Combat(preserve=names)).of_rows(Rows.from_frame(aged, older))
        return found[inside, 1].mean() - found[(facts["centre"] == "A").to_numpy(), 1].mean()

    assert kept("age") > kept() + 0.5


def test_rows_that_are_not_fitted_on_change_nothing():
    frame, facts, codes = simulated()
    poisoned, strange = frame.copy(), facts.copy()
    poisoned.iloc[60:] = np.where(np.arange(30)[:, None] % 2, np.nan, 1e9)
    strange.iloc[60:, 0] = "nowhere"
    found = []
    for values, told in ((frame, facts), (poisoned, strange)):
        given, within = training(values, told, codes), np.arange(90) < 60
        found.append(packed(prepare(PreparationTask(given.rows, given.labels, within, completed([Combat()]), None, 1))))
    (one, told), (other, told_again) = found
    assert told == told_again
    assert all(one[name].tobytes() == other[name].tobytes() for name in one)


def test_one_new_case_is_answered_as_among_others_and_after_being_kept():
    frame, facts, codes = simulated()
    fitted = chain(frame, facts, codes, Combat(preserve=("age", "sex")), Scale())
    together = fitted.transform(frame, facts)
    alone = np.vstack([fitted.transform(frame.iloc[[i]], facts.iloc[[i]]) for i in range(len(frame))])
    np.testing.assert_allclose(alone, together, rtol=1e-12, atol=1e-12)
    assert unpacked(*packed(fitted)).transform(frame, facts).tobytes() == together.tobytes()
    assert fitted.asks == {"centre": ("A", "B", "C"), "age": (), "sex": ("f", "m")}


def test_a_restricted_transform_gives_the_same_values():
    frame, facts, codes = simulated()
    transform = Combat(preserve=("age",)).fit(training(frame, facts, codes)).transform
    some = transform.restrict(["s:f5", "s:f1"])
    whole = transform.change(frame.to_numpy(), facts)
    np.testing.assert_array_equal(some.change(frame[["s:f5", "s:f1"]].to_numpy(), facts), whole[:, [5, 1]])


def test_an_unseen_centre_is_refused_or_passes():
    frame, facts, codes = simulated()
    strange = facts.copy()
    strange.iloc[4, 0] = "D"
    refusing, passing = (chain(frame, facts, codes, Combat(unseen=rule)) for rule in ("refuse", "unchanged"))
    message = r"case 'case-04' has the centre 'D', which no training case.*\(known: A, B, C\): leave.*unseen: unchanged"
    with pytest.raises(FeatureError, match=message):
        refusing.transform(frame, strange)
    transform = passing.transforms[1]
    rows = Rows.from_frame(frame, strange)
    np.testing.assert_array_equal(transform.apply(rows).values[4], frame.iloc[4])
    assert passing.asks == {"centre": ()}


def test_what_is_not_known_of_a_case_is_named():
    frame, facts, codes = simulated()
    fitted = chain(frame, facts, codes, Combat(preserve=("age", "sex")))
    for column, value, message in [
        ("centre", None, "no centre is known of case 'case-07' \\(1 such cases\\)"),
        ("sex", " unknown", "no sex is known of case 'case-07'"),
        ("sex", "x", "case 'case-07' has the sex 'x'; one of f, m is needed"),
        ("age", "old", "case 'case-07' has the age 'old'; a number is needed"),
    ]:
        strange = facts.copy()
        strange.loc["case-07", column] = value
        with pytest.raises(FeatureError, match=message):
            fitted.transform(frame, strange)
    with pytest.raises(FeatureError, match="the centre of the cases is needed; told of them: nothing"):
        fitted.transform(frame)


def test_what_cannot_be_fitted_says_why():
    frame, facts, codes = simulated()
    with pytest.raises(ValidationError, match="would leak"):
        Combat(preserve=("label",))
    with pytest.raises(UserError, match="combat by centre: 1 batch; two or more needed"):
        Combat().fit(training(frame, facts.assign(centre="A"), codes))
    with pytest.raises(UserError, match="reference is 'Z'; batches are 'A', 'B', 'C'"):
        Combat(reference="Z").fit(training(frame, facts, codes))
    with pytest.raises(UserError, match="1 features vary within every batch; two or more needed"):
        Combat().fit(training(frame[["s:f0"]], facts, codes))
    none = Combat().fit(training(frame[[]], facts, codes))
    assert (none.transform.outputs, none.told) == ((), {"reason": "no feature was left to harmonise"})


def test_one_centre_alone_passes_where_unseen_ones_do():
    frame, facts, codes = simulated()
    fitted = Combat(unseen="unchanged").fit(training(frame, facts.assign(centre="A"), codes))
    assert fitted.transform.outputs == tuple(sorted(frame.columns))
    assert fitted.told == {"reason": "all cases at hand have the centre A"}


def test_out_of_fold_predictions_gain_where_centres_hide_the_class():
    frame, facts, codes = simulated()
    study = cohort(facts.drop(columns=["age", "sex"]), codes, types={})
    table = FeatureTable(frame[["s:f0", "s:f2"]], {"s": {"version": "1", "weights": None}})
    found = {}
    for steps in (("scale",), ("combat", "scale")):
        settings = ModellingSettings(steps=steps, classifiers=("logistic",), folds=3, tuning={"trials": 0})
        found[steps] = fit_arms({"arm": table}, study, settings, seed=1)["arm"].fits["logistic"].cv_macro_auc
    assert found["combat", "scale"] > found["scale",] + 0.03


def test_the_check_passes_a_cohort_that_can_be_harmonised():
    _, facts, codes = simulated()
    check_harmonisation([Combat(preserve=("age", "sex")), Scale()], cohort(facts, codes), PLAN, seed=1)


def test_the_check_names_sets_and_folds_whose_centres_nobody_knows():
    _, facts, codes = simulated()
    sets = np.where(facts["centre"] == "C", "external", "training")
    message = r"the set 'external' has 30 cases of the centre 'C'.*\(they have A, B\): write unseen: unchanged"
    with pytest.raises(UserError, match=message):
        check_harmonisation([Combat()], cohort(facts, codes, sets), PLAN, seed=1)
    check_harmonisation([Combat(unseen="unchanged")], cohort(facts, codes, sets), PLAN, seed=1)
    rare = facts.copy()
    rare.loc["case-10", "centre"] = "E"
    with pytest.raises(UserError, match=r"fold . has 1 cases of the centre 'E'"):
        check_harmonisation([Combat()], cohort(rare, codes), PLAN, seed=1)
    category = facts.copy()
    category.loc["case-10", "sex"] = "other"
    with pytest.raises(UserError, match=r"has 1 cases of the sex 'other'.*: leave such cases out"):
        check_harmonisation([Combat(preserve=("sex",))], cohort(category, codes), PLAN, seed=1)


def test_the_check_names_columns_and_what_to_write():
    _, facts, codes = simulated()
    with pytest.raises(UserError, match="the cohort table has no 'scanner'; it has centre, age, sex"):
        check_harmonisation([Combat(batch="scanner")], cohort(facts, codes), PLAN, seed=1)
    with pytest.raises(UserError, match=r"'age' must be declared.*write cohort\.covariates: \{age: \{type: number\}\}"):
        check_harmonisation([Combat(preserve=("age",))], cohort(facts, codes, types={}), PLAN, seed=1)
    with pytest.raises(UserError, match="all training cases have the centre A; two or more are needed: take the step"):
        check_harmonisation([Combat()], cohort(facts.assign(centre="A"), codes), PLAN, seed=1)
    unknown = facts.copy()
    unknown.loc["case-03", "centre"] = None
    with pytest.raises(UserError, match="no centre is known of case 'case-03'"):
        check_harmonisation([Combat()], cohort(unknown, codes), PLAN, seed=1)
    with pytest.raises(UserError, match="no training case has the centre 'Z'; A, B, C"):
        check_harmonisation([Combat(reference="Z")], cohort(facts, codes), PLAN, seed=1)
    check_harmonisation([Scale()], cohort(facts.assign(centre=None), codes), PLAN, seed=1)
