"""Arms: no leak, no dependence on the executor, nothing computed twice."""

import time

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from radfusion.core.features import FeatureTable
from radfusion.errors import FeatureError, UserError
from radfusion.execution.cache import Cache
from radfusion.execution.executors import Processes
from radfusion.execution.progress import Progress
from radfusion.execution.work import Workers
from radfusion.modelling.classifiers import CLASSIFIERS, fit_classifier, probabilities
from radfusion.modelling.cleaning import CleaningSettings
from radfusion.modelling.fitting import fit_arms
from radfusion.modelling.folds import TrainingLabels
from radfusion.modelling.preparation import PreparationTask, prepare
from radfusion.modelling.selection import SelectionSettings
from radfusion.modelling.settings import ModellingSettings
from radfusion.modelling.tuning import TuningTask, macro_auc, out_of_fold

FAST = ("logistic", "knn")


def assert_equal(one, other):
    """Everything that a report could read of two arms is the same to the last bit."""
    assert one.selection == other.selection
    assert one.fold_signatures == other.fold_signatures
    for name, fit in one.fits.items():
        same = other.fits[name]
        assert (fit.model, fit.hyperparameters, fit.trials) == (same.model, same.hyperparameters, same.trials)
        assert fit.cv_macro_auc == same.cv_macro_auc
        pd.testing.assert_frame_equal(fit.out_of_fold.frame, same.out_of_fold.frame, check_exact=True)
        pd.testing.assert_frame_equal(fit.predictions.frame, same.predictions.frame, check_exact=True)


def leaky_and_honest(seed, *, n=60, p=2000):
    """Out-of-fold macro AUC on pure noise: selection on all cases before the folds, and selection inside them."""
    rng = np.random.default_rng(seed)
    values, names = rng.normal(size=(n, p)), tuple(f"a:f{i}" for i in range(p))
    labels = TrainingLabels(rng.permutation(np.arange(n) % 2), np.arange(n), ("a", "b"))
    folds, frame = labels.folds(5, seed=0), pd.DataFrame(values, columns=list(names))
    selection = SelectionSettings(n_lambdas=10, folds=3)

    def prepared(rows):
        return prepare(PreparationTask(values, names, labels, rows, CleaningSettings(), selection, 0)).transform(frame)

    def score(matrices):
        task = TuningTask("logistic", labels, folds, tuple(matrices), matrices[0], matrices[0], 0)
        return macro_auc(labels.codes, out_of_fold(task, {"C": 1.0}))

    return score([prepared(np.ones(n, dtype=bool))] * 5), score([prepared(folds != fold) for fold in range(5)])


def test_on_noise_the_chain_finds_nothing_where_selection_first_finds_everything():
    leaky, honest = np.mean([leaky_and_honest(seed) for seed in range(5)], axis=0)
    assert leaky > 0.9
    assert abs(honest - 0.5) < 0.08


def test_validation_cases_cannot_change_what_is_fitted(simulate, quick):
    table, cohort = simulate()
    other = table.frame.copy()
    internal = cohort.frame["set"] == "internal"
    other[internal] = 1e6 * np.random.default_rng(1).normal(size=other[internal].shape)
    settings = quick(classifiers=FAST)
    one, two = (fit_arms({"arm": each}, cohort, settings, seed=3)["arm"] for each in (table, FeatureTable(other)))
    assert one.selection == two.selection
    for name in FAST:
        fitted = [arm.fits[name].predictions.of_set("training").frame for arm in (one, two)]
        pd.testing.assert_frame_equal(*fitted, check_exact=True)
        pd.testing.assert_frame_equal(one.fits[name].out_of_fold.frame, two.fits[name].out_of_fold.frame)


def test_an_arm_of_every_classifier(fitted):
    arm, _, cohort = fitted(3)
    assert list(arm.fits) == list(CLASSIFIERS)
    assert [step.name for step in arm.selection.steps][-1] == "lasso"
    assert {feature.feature for feature in arm.selection.signature} == set(arm.preparation.names)
    assert all(0 <= feature.fold_frequency <= 1 for feature in arm.selection.signature)
    for name, fit in arm.fits.items():
        assert fit.model == f"arm/{name}"
        assert fit.cv_macro_auc == max(trial.score for trial in fit.trials) > 0.7
        assert fit.hyperparameters in [trial.hyperparameters for trial in fit.trials]
        assert list(fit.predictions.frame.index) == list(cohort.frame.index)
        assert set(fit.out_of_fold.frame["set"]) == {"training"}
        np.testing.assert_allclose(fit.out_of_fold.probabilities.sum(axis=1), 1)
        internal = fit.predictions.of_set("internal")
        codes = pd.Index(cohort.classes).get_indexer(internal.labels)
        assert macro_auc(codes, internal.probabilities) > 0.7


@pytest.mark.slow
def test_processes_give_the_same_bits(fitted, quick):
    here, table, cohort = fitted(3)
    there = fit_arms({"arm": table}, cohort, quick(folds=2), seed=1, workers=Workers(Processes(2)))
    assert_equal(here, there["arm"])


class Counted(Progress):
    """Keeps the last word of every stage."""

    def __init__(self):
        self.notes = []

    def finish(self, note=""):
        self.notes.append(note)


def test_a_second_run_is_read_from_the_cache_and_equal(simulate, quick, tmp_path):
    table, cohort = simulate(n=80, p=20)
    counted = Counted()
    workers, settings = Workers(cache=Cache(tmp_path), progress=counted), quick(classifiers=("logistic", "svm"))
    start = time.perf_counter()
    first = fit_arms({"arm": table}, cohort, settings, seed=1, workers=workers)["arm"]
    between = time.perf_counter()
    second = fit_arms({"arm": table}, cohort, settings, seed=1, workers=workers)["arm"]
    assert time.perf_counter() - between < (between - start) / 2
    assert_equal(first, second)
    assert counted.notes[:2] == ["4 computed, 0 from cache", "2 computed, 0 from cache"]
    assert counted.notes[2:] == ["0 computed, 4 from cache", "0 computed, 2 from cache"]
    for change in ({"seed": 2}, {"settings": settings.model_copy(update={"cleaning": CleaningSettings(alpha=0.1)})}):
        fit_arms({"arm": table}, cohort, **{"settings": settings, "seed": 1, "workers": workers} | change)
        assert counted.notes[-2] == "4 computed, 0 from cache"


def test_nothing_selected_predicts_the_shares_and_says_so(simulate, quick):
    table, cohort = simulate(effect=0.0)
    settings = quick(classifiers=FAST, cleaning=CleaningSettings(alpha=1e-9))
    arm = fit_arms({"arm": table}, cohort, settings, seed=1)["arm"]
    assert arm.selection.signature == ()
    assert arm.selection.steps[-1].n_out == 0
    training = cohort.of_set("training").frame["label"]
    shares = [(training == name).mean() for name in cohort.classes]
    for fit in arm.fits.values():
        assert fit.cv_macro_auc == 0.5
        np.testing.assert_allclose(fit.predictions.probabilities, [shares] * len(cohort.frame))


def test_missing_values_of_any_set_are_imputed(simulate, quick):
    table, cohort = simulate()
    frame = table.frame.copy()
    frame.iloc[::7, :10] = np.nan
    frame.iloc[-3:] = np.inf
    arm = fit_arms({"arm": FeatureTable(frame)}, cohort, quick(classifiers=FAST), seed=1)["arm"]
    assert all(np.isfinite(fit.predictions.probabilities).all() for fit in arm.fits.values())


def test_arms_share_folds_and_may_lack_cases(simulate, quick):
    table, cohort = simulate()
    fewer = FeatureTable(table.frame.drop(index=["case-0003", "case-0119"]))
    extra = FeatureTable(pd.concat([table.frame, table.frame.iloc[:1].rename(index={"case-0000": "stranger"})]))
    arms = fit_arms({"fewer": fewer, "extra": extra}, cohort, quick(classifiers=("logistic",)), seed=1)
    assert "case-0003" not in arms["fewer"].fits["logistic"].predictions.frame.index
    assert list(arms["extra"].fits["logistic"].predictions.frame.index) == list(cohort.frame.index)
    assert len(arms["fewer"].fits["logistic"].out_of_fold.frame) == 89


def test_an_arm_that_lacks_a_whole_fold_gets_folds_of_its_own(simulate, quick):
    table, cohort = simulate(per_patient=10)
    few = FeatureTable(table.frame.iloc[:50])
    arms = fit_arms({"all": table, "few": few}, cohort, quick(classifiers=("logistic",), folds=5), seed=1)
    assert len(arms["few"].fits["logistic"].out_of_fold.frame) == 50


def test_an_arm_without_training_case_is_refused(simulate, quick):
    table, cohort = simulate()
    with pytest.raises(FeatureError, match="arm 'deep': no training case has features"):
        fit_arms({"deep": FeatureTable(table.frame.iloc[-5:])}, cohort, quick(), seed=1)


def test_too_few_patients_of_a_class_are_refused(simulate, quick):
    table, cohort = simulate()
    rows = cohort.frame.copy()
    rows["label"] = "grade 0"
    rows.loc[["case-0000", "case-0001"], "label"] = ["grade 1", "grade 2"]
    with pytest.raises(UserError, match="grade 0 44, grade 1 1, grade 2 1"):
        fit_arms({"arm": table}, type(cohort)(rows, cohort.classes, cohort.root), quick(), seed=1)


def test_no_arm_is_no_work(simulate, quick):
    _, cohort = simulate()
    assert fit_arms({}, cohort, quick(), seed=1) == {}


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("classifiers", ["logistik"], "did you mean 'logistic'"),
        ("classifiers", ["svm", "svm"], "listed twice"),
        ("classifiers", [], "at least 1 item"),
        ("late_rule", "median", "no late fusion rule is named 'median'"),
        ("fusion", ["middle"], "'early' or 'late'"),
        ("clasifiers", ["svm"], "Extra inputs"),
    ],
)
def test_settings_refuse_what_is_not_there(key, value, message):
    with pytest.raises(ValidationError, match=message):
        ModellingSettings(**{key: value})


def test_probabilities_follow_the_order_of_the_study(simulate, quick):
    table, cohort = simulate(2, effect=2.0)
    turned = type(cohort)(cohort.frame, cohort.classes[::-1], cohort.root)
    fits = [
        fit_arms({"a": table}, each, quick(classifiers=("knn",)), seed=1)["a"].fits["knn"] for each in (cohort, turned)
    ]
    for fit in fits:
        predictions = fit.predictions.of_set("internal")
        assert (predictions.predicted == predictions.labels).mean() > 0.7


def test_a_fit_is_what_its_parts_give(simulate, quick):
    """The final model by hand: prepare on the training set, fit, predict."""
    table, cohort = simulate()
    arm = fit_arms({"arm": table}, cohort, quick(classifiers=("svm",)), seed=5)["arm"]
    rows = cohort.of_set("training").frame
    labels = TrainingLabels.from_rows(rows, cohort.classes)
    fit = arm.fits["svm"]
    values = arm.preparation.transform(table.frame)
    estimator = fit_classifier("svm", values[: len(rows)], labels, hyperparameters=fit.hyperparameters, seed=5)
    np.testing.assert_allclose(probabilities(estimator, values), fit.predictions.probabilities, rtol=1e-12)
