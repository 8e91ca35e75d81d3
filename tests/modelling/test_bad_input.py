"""Bad input: each a message that says what to change, or a result that says what was left out; never a traceback."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from radfusion.core.cohort import Cohort
from radfusion.core.features import FeatureTable
from radfusion.errors import CohortError, FeatureError, UserError
from radfusion.modelling.fitting import fit_arms

FAST = ("logistic", "knn")


def fit(table, cohort, settings):
    return fit_arms({"arm": table}, cohort, settings, seed=1)["arm"]


def with_labels(cohort, labels):
    """The cohort with the labels of its first training cases replaced."""
    rows = cohort.frame.copy()
    rows.loc[rows.index[: len(labels)], "label"] = labels
    return Cohort(rows, cohort.classes, cohort.root)


def few_of_a_class(cohort, patients):
    """The cohort with so many patients of grade 1, two cases each."""
    training = cohort.of_set("training").frame
    return with_labels(cohort, ["grade 1"] * (2 * patients) + ["grade 0"] * (len(training) - 2 * patients))


@pytest.mark.parametrize(
    ("patients", "changes", "message"),
    [
        (1, {}, "class 'grade 1' has 1 patient.*grade 0 44, grade 1 1; merge it with another class or leave it out"),
        (4, {"folds": 5}, "modelling.folds: 5 folds, but class 'grade 1' has 4 patients.*set modelling.folds to 4 or"),
        (6, {"folds": 6, "inner_folds": 6, "tuning": {"trials": 1}}, "modelling.inner_folds to 5 or less"),
        (4, {"folds": 4, "steps": [{"step": "lasso", "folds": 4}]}, "set modelling.steps: lasso.folds to 3 or less"),
        (3, {"folds": 3, "steps": ["lasso"]}, "lasso.folds: 10 folds, but .* take the step out, or merge classes"),
    ],
    ids=["one patient", "outer folds", "inner folds", "folds of the LASSO", "no folds of the LASSO"],
)
def test_too_few_patients_of_a_class_say_which_folds_to_change(simulate, quick, patients, changes, message):
    table, cohort = simulate(2)
    with pytest.raises(UserError, match=message):
        fit(table, few_of_a_class(cohort, patients), quick(classifiers=FAST, **changes))


@pytest.mark.parametrize(
    ("value", "message"), [(3.0, "every of its 40 .* constant"), (np.inf, "none of its 40 .* finite")]
)
def test_features_of_which_none_varies_are_refused_with_their_arm(simulate, quick, value, message):
    table, cohort = simulate()
    constant = table.frame * 0 + np.random.default_rng(0).normal(size=(120, 1))
    constant[cohort.frame["set"] == "training"] = value
    with pytest.raises(FeatureError, match=f"arm 'arm': {message}.*leave the source out"):
        fit(FeatureTable(constant), cohort, quick(classifiers=FAST))


def test_some_constant_features_go_and_are_counted(simulate, quick):
    table, cohort = simulate()
    frame = table.frame.copy()
    frame.iloc[:, 6:16] = 7.0
    arm = fit(FeatureTable(frame), cohort, quick(classifiers=FAST))
    variance = next(step for step in arm.selection.steps if step.name == "variance")
    assert (variance.n_in, variance.n_out) == (40, 30)


def test_nothing_selected_predicts_the_shares_and_says_so(simulate, quick):
    table, cohort = simulate(effect=0.0)
    none = quick(steps=[{"step": "univariate", "alpha": 1e-9}, "lasso"], folds=2)
    arm = fit(table, cohort, none)
    assert arm.selection.signature == ()
    assert arm.selection.steps[-1].n_out == 0
    training = cohort.of_set("training").frame["label"]
    shares = [(training == name).mean() for name in cohort.classes]
    for each in arm.fits.values():
        assert each.cv_macro_auc == 0.5
        np.testing.assert_allclose(each.predictions.probabilities, [shares] * len(cohort.frame))


def test_columns_of_one_name_are_refused_and_equal_columns_count_once(simulate, quick):
    table, cohort = simulate()
    with pytest.raises(FeatureError, match="feature names must be unique; twice: radiomics:f000"):
        FeatureTable(pd.concat([table.frame, table.frame.iloc[:, :1]], axis=1))
    twins = FeatureTable(table.frame.join(table.frame.add_suffix("-again")), table.provenance)
    one, two = (fit(each, cohort, quick(classifiers=FAST)) for each in (table, twins))
    assert one.preparation.names == two.preparation.names
    expected, found = (arm.fits["logistic"].predictions.probabilities for arm in (one, two))
    np.testing.assert_array_equal(found, expected)


def test_infinite_values_are_missing_values(simulate, quick):
    table, cohort = simulate()
    frame = table.frame.copy()
    frame.iloc[::7, :10] = np.inf
    frame.iloc[:, 20] = -np.inf
    gaps = FeatureTable(frame.replace([np.inf, -np.inf], np.nan))
    arms = [fit(each, cohort, quick(classifiers=FAST)) for each in (FeatureTable(frame), gaps)]
    assert arms[0].selection == arms[1].selection
    missing = next(step for step in arms[0].selection.steps if step.name == "missing")
    assert (missing.n_in, missing.n_out) == (40, 39)


HEADER = "case,patient,image,segmentation,label,set,centre\n"


def written(folder: Path, rows):
    """A cohort table of (label, set, centre), one patient each."""
    lines = [f"c{i},p{i},c{i}.png,c{i}-seg.png,{','.join(row)}\n" for i, row in enumerate(rows)]
    (folder / "cohort.csv").write_text(HEADER + "".join(lines))
    return folder / "cohort.csv"


TRAINING = [("0", "training", "A"), ("1", "training", "A")] * 4


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([("0", "internal", "A")] * 3, "set 'internal' has one class only .'0'.; a set needs at least two"),
        ([("0", "external", "B"), ("2", "external", "B")], r"row 11.*label.*'2'.*(0, 1|'0', '1')"),
        ([("0", "external", "B"), ("", "external", "B")], r"row 11.*no label"),
    ],
    ids=["a set of one class", "an unseen class", "a case without a class"],
)
def test_sets_that_nothing_can_be_said_of_are_refused_by_row(tmp_path, rows, message):
    with pytest.raises(CohortError, match=message):
        Cohort.from_table(written(tmp_path, TRAINING + rows), classes=("0", "1"))


def test_a_class_that_only_a_validation_set_has_is_refused(tmp_path):
    rows = [*TRAINING, ("0", "external", "B"), ("2", "external", "B")]
    with pytest.raises(CohortError, match="class '2' has no training case"):
        Cohort.from_table(written(tmp_path, rows))


def with_centres(cohort, elsewhere):
    """Two training centres; the other cases are of the given one."""
    rows = cohort.frame.copy()
    rows["centre"] = np.where(rows["set"] == "training", np.where(np.arange(len(rows)) % 4 < 2, "A", "B"), elsewhere)
    return Cohort(rows, cohort.classes, cohort.root)


def test_an_unseen_centre_is_refused_unless_a_rule_is_stated(simulate, quick):
    table, cohort = simulate()
    refused, unchanged = (
        quick(classifiers=FAST, folds=2, steps=["missing", {"step": "combat", "unseen": rule}, "variance"])
        for rule in ("refuse", "unchanged")
    )
    with pytest.raises(
        UserError, match=r"the centre 'C', which no training case at hand has \(known: A, B\).*unchanged"
    ):
        fit(table, with_centres(cohort, "C"), refused)
    assert len(fit(table, with_centres(cohort, "C"), unchanged).fits["knn"].predictions.frame) == 120
    with pytest.raises(UserError, match="centre of the cases is needed"):
        fit(table, cohort, refused)


@pytest.mark.parametrize("name", ["logistic", "knn", "lda", "xgboost", "lightgbm", "mlp", "random-forest"])
def test_parts_of_one_case_per_class_are_fitted(simulate, quick, name):
    table, cohort = simulate(2, per_patient=1)
    training = cohort.of_set("training").frame
    four = [case for label in cohort.classes for case in training.index[training["label"] == label][:2]]
    tiny = Cohort(cohort.frame.loc[four], cohort.classes, cohort.root)
    arm = fit(table, tiny, quick(classifiers=(name,), folds=2, steps=["variance"]))
    assert np.isfinite(arm.fits[name].out_of_fold.probabilities).all()
