"""Arms: no leak, no dependence on the executor, nothing computed twice."""

import time

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError
from threadpoolctl import threadpool_limits

from radfusion.core.features import FeatureTable
from radfusion.errors import FeatureError
from radfusion.execution.cache import Cache
from radfusion.execution.executors import Processes
from radfusion.execution.progress import Progress
from radfusion.execution.work import Workers
from radfusion.modelling.balancing import BalanceSettings
from radfusion.modelling.classifiers import DEFAULT_CLASSIFIERS, fit_classifier, probabilities
from radfusion.modelling.fits import FitTask, InnerFold, fit_part
from radfusion.modelling.fitting import fit_arms
from radfusion.modelling.folds import TrainingLabels
from radfusion.modelling.fusion import late_fusion
from radfusion.modelling.model import fit_model
from radfusion.modelling.preparation import PreparationTask, completed, prepare
from radfusion.modelling.rows import Rows
from radfusion.modelling.scores import macro_auc
from radfusion.modelling.settings import ModellingSettings
from radfusion.modelling.steps.lasso import Lasso
from radfusion.modelling.steps.univariate import Univariate
from radfusion.modelling.stored import save_model
from radfusion.modelling.tuning import TuningSettings

FAST = ("logistic", "knn")
LASSO = {"step": "lasso", "n_lambdas": 12, "folds": 3}


def assert_equal(one, other):
    """Everything that a report could read of two arms is the same to the last bit."""
    assert one.selection == other.selection
    assert one.fold_signatures == other.fold_signatures
    for name, fit in one.fits.items():
        same = other.fits[name]
        assert (fit.model, fit.hyperparameters, fit.trials) == (same.model, same.hyperparameters, same.trials)
        assert (fit.cv_macro_auc, fit.fold_hyperparameters) == (same.cv_macro_auc, same.fold_hyperparameters)
        pairs = [(fit.out_of_fold, same.out_of_fold), (fit.predictions, same.predictions)]
        for ours, theirs in [*pairs, *zip(fit.inside, same.inside, strict=True)]:
            pd.testing.assert_frame_equal(ours.frame, theirs.frame, check_exact=True)


def leaky_and_honest(seed, *, n=60, p=2000):
    """Out-of-fold macro AUC on pure noise: steps fitted on all cases before the folds, and steps fitted inside them."""
    rng = np.random.default_rng(seed)
    rows = Rows.from_frame(pd.DataFrame(rng.normal(size=(n, p)), columns=[f"a:f{i}" for i in range(p)]))
    labels = TrainingLabels(rng.permutation(np.arange(n) % 2), np.arange(n), ("a", "b"))
    folds, steps = labels.folds(5, seed=0), completed((Univariate(), Lasso(n_lambdas=10, folds=3)))

    def prepared(within):
        return prepare(PreparationTask(rows, labels, within, steps, None, 0)).of_rows(rows)

    def score(matrices):
        inner = tuple(InnerFold(values, folds == fold) for fold, values in enumerate(matrices))
        task = FitTask("logistic", {}, labels, matrices[0], inner, matrices[0], TuningSettings(), BalanceSettings(), 0)
        return macro_auc(labels.codes, fit_part(task).inside)

    return score([prepared(np.ones(n, dtype=bool))] * 5), score([prepared(folds != fold) for fold in range(5)])


def test_on_noise_the_chain_finds_nothing_where_selection_first_finds_everything():
    leaky, honest = np.mean([leaky_and_honest(seed) for seed in range(5)], axis=0)
    assert leaky > 0.9
    assert abs(honest - 0.5) < 0.08


def model_bytes(arm, table, cohort, folder, *, seed):
    """Name to content of every file of the saved models of an arm."""
    for name in arm.fits:
        save_model(fit_model(arm, name, table=table, cohort=cohort, seed=seed), folder / name)
    return {file.relative_to(folder): file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()}


def told(fit, cases):
    """What one fit says of training cases, with the bytes of its probabilities."""
    frames = [fit.out_of_fold.frame, fit.predictions.frame.loc[cases], *(each.frame for each in fit.inside)]
    numbers = [frame.select_dtypes("number").to_numpy().tobytes() for frame in frames]
    return fit.cv_macro_auc, fit.trials, fit.hyperparameters, fit.fold_hyperparameters, numbers


@pytest.mark.slow
def test_validation_rows_cannot_change_a_bit_of_what_is_fitted(simulate, quick, tmp_path):
    """Every default classifier, tuned: labels of validation cases None, their values missing, infinite or absurd."""
    table, cohort = simulate(n=80, p=20, effect=2.0, per_patient=1)
    held, frame, rows = cohort.frame["set"] != "training", table.frame.copy(), cohort.frame.copy()
    poison = np.random.default_rng(1).choice([np.nan, np.inf, -np.inf, 1e300, -1e60, 1e9], size=frame[held].shape)
    poison[0], poison[1] = np.nan, 1e300
    frame[held], rows["label"] = poison, rows["label"].astype(object).where(~held, None)
    poisoned = FeatureTable(frame, table.provenance), type(cohort)(rows, cohort.classes, cohort.root)
    settings, arms = quick(folds=2, inner_folds=2, tuning={"trials": 2}), []
    for number, (features, who) in enumerate([(table, cohort), poisoned]):
        arm = fit_arms({"arm": features}, who, settings, seed=3)["arm"]
        files = model_bytes(arm, features, who, tmp_path / str(number), seed=3)
        arms.append(
            (
                arm.selection,
                arm.fold_signatures,
                {name: told(arm.fits[name], rows.index[~held]) for name in arm.fits},
                files,
            )
        )
    assert all(np.isfinite(fit.predictions.probabilities).all() for fit in arm.fits.values())
    assert len(files) >= 2 * len(DEFAULT_CLASSIFIERS)
    for clean, dirty in zip(*arms, strict=True):
        assert clean == dirty


@pytest.mark.slow
def test_validation_rows_cannot_change_a_bit_of_what_is_harmonised_resampled_and_stacked(simulate, quick, tmp_path):
    """Steps and rules that look at more than one case at a time; the centre of validation cases is poisoned, too."""
    (radiomics, cohort), (deep, _) = (
        simulate(n=80, p=12, effect=1.5, per_patient=1, seed=seed, source=source)
        for seed, source in enumerate(("radiomics", "deep"))
    )
    held = cohort.frame["set"] != "training"
    rows = cohort.frame.assign(centre=np.where(np.arange(80) % 5 < 2, "A", "B"))
    spoilt = rows.assign(centre=rows["centre"].where(~held, "C"), label=rows["label"].astype(object).where(~held, None))
    steps = ["missing", {"step": "combat", "unseen": "unchanged"}, {"step": "pca", "sources": ["deep"]}, "scale", LASSO]
    settings = quick(
        folds=2,
        inner_folds=2,
        steps=steps,
        tuning={"trials": 2},
        late_rule="stacking",
        classifiers=("logistic", "svm"),
        balance={"resampling": "smote"},
    )
    found = []
    for number, who in enumerate((rows, spoilt)):
        frames = [table.frame.mask(held & (number == 1), -1e60) for table in (radiomics, deep)]
        tables = {"radiomics": FeatureTable(frames[0]), "deep": FeatureTable(frames[1])}
        everyone = type(cohort)(who, cohort.classes, cohort.root)
        arms = fit_arms(tables, everyone, settings, seed=3)
        late = late_fusion("late", list(arms.values()), rule="stacking")
        files = [model_bytes(arms[name], tables[name], everyone, tmp_path / f"{name}{number}", seed=3) for name in arms]
        says = [told(fit, rows.index[~held]) for arm in (*arms.values(), late) for fit in arm.fits.values()]
        found.append((files, says, [fit.weights for fit in late.fits.values()]))
    assert all(found[0][2])
    assert found[0] == found[1]


def test_a_training_row_does_change_what_is_fitted(simulate, quick, tmp_path):
    """The test above would notice: one value of one training case is enough."""
    table, cohort = simulate(n=80, p=20, effect=2.0)
    frame, settings = table.frame.copy(), quick(folds=2, classifiers=("logistic",))
    frame.iloc[0] += 1.0
    files = []
    for number, each in enumerate((table, FeatureTable(frame, table.provenance))):
        arm = fit_arms({"arm": each}, cohort, settings, seed=3)["arm"]
        files.append(model_bytes(arm, each, cohort, tmp_path / str(number), seed=3))
    assert files[0].keys() == files[1].keys()
    assert files[0] != files[1]


@pytest.mark.slow
def test_order_and_names_change_nothing(simulate, quick):
    """Cases, columns and rows of the cohort in another order; classes and patients under other names."""
    table, cohort = simulate(n=80, p=20, effect=2.0)
    settings, rng = quick(folds=2, inner_folds=2, tuning={"trials": 2}), np.random.default_rng(7)
    expected = fit_arms({"arm": table}, cohort, settings, seed=1)["arm"]
    frame = table.frame.iloc[rng.permutation(80), rng.permutation(20)]
    rows = cohort.frame.iloc[rng.permutation(80)].copy()
    # The alphabetical order of classes turns round, that of the study stays.
    names = {"grade 0": "severe", "grade 1": "moderate", "grade 2": "mild"}
    rows["label"] = rows["label"].map(names)
    rows["patient"] = [f"{hash_of[::-1]}" for hash_of in rows["patient"]]
    renamed = type(cohort)(rows, tuple(names.values()), cohort.root)
    found = fit_arms({"arm": FeatureTable(frame)}, renamed, settings, seed=1)["arm"]
    assert found.fold_signatures == expected.fold_signatures
    for one, other in zip(found.selection.signature, expected.selection.signature, strict=True):
        assert {names[of]: value for of, value in other.coefficients.items()} == one.coefficients
    for name, fit in expected.fits.items():
        other = found.fits[name]
        assert (fit.cv_macro_auc, fit.trials) == (other.cv_macro_auc, other.trials)
        for ours, theirs in ((fit.predictions, other.predictions), (fit.out_of_fold, other.out_of_fold)):
            assert list(theirs.frame.index) == [case for case in rows.index if case in theirs.frame.index]
            values = theirs.probabilities[pd.Index(theirs.frame.index).get_indexer(ours.frame.index)]
            np.testing.assert_array_equal(values, ours.probabilities, err_msg=name)


@pytest.mark.parametrize("classes", [2, 3])
def test_the_order_of_classes_turns_the_columns_only(simulate, quick, classes):
    """Which class the study names first: folds and selection stay, probabilities to the tolerance of the solvers."""
    table, cohort = simulate(classes, effect=2.0)
    turned = type(cohort)(cohort.frame, cohort.classes[::-1], cohort.root)
    one, two = (fit_arms({"a": table}, each, quick(classifiers=FAST), seed=1)["a"] for each in (cohort, turned))
    assert one.fold_signatures == two.fold_signatures
    for name in FAST:
        for ours, theirs in zip(
            *([arm.fits[name].out_of_fold, arm.fits[name].predictions] for arm in (one, two)), strict=True
        ):
            np.testing.assert_allclose(theirs.probabilities[:, ::-1], ours.probabilities, atol=1e-4)
            assert list(theirs.classes) == list(ours.classes[::-1])


def test_no_patient_is_in_a_fold_and_in_its_part(simulate, quick):
    """Inside every outer part, and for every case of it, patients stay together: told by the parts themselves."""
    table, cohort = simulate(per_patient=3)
    arm = fit_arms({"arm": table}, cohort, quick(classifiers=("knn",), tuning={"trials": 1}, inner_folds=2), seed=1)[
        "arm"
    ]
    fit, training = arm.fits["knn"], cohort.of_set("training").frame
    *parts, full = (set(each.frame["patient"]) for each in fit.inside)
    assert full == set(training["patient"])
    assert len(parts) == 3
    left_out = [full - part for part in parts]
    assert set.union(*left_out) == full
    assert sum(map(len, left_out)) == len(full)
    for part, each in zip(fit.inside, left_out, strict=False):
        assert len(part.frame) + training["patient"].isin(each).sum() == len(training)


def test_an_arm_of_every_classifier(fitted):
    arm, _, cohort = fitted(3)
    assert set(arm.fits) >= set(DEFAULT_CLASSIFIERS)
    assert [step.name for step in arm.selection.steps][-1] == "lasso"
    assert {feature.feature for feature in arm.selection.signature} == set(arm.preparation.names)
    assert all(0 <= feature.fold_frequency <= 1 for feature in arm.selection.signature)
    for name, fit in arm.fits.items():
        assert fit.model == f"arm/{name}"
        assert fit.cv_macro_auc > 0.7
        assert fit.trials == ()
        assert len(fit.fold_hyperparameters) == 2
        assert list(fit.predictions.frame.index) == list(cohort.frame.index)
        assert set(fit.out_of_fold.frame["set"]) == {"training"}
        np.testing.assert_allclose(fit.out_of_fold.probabilities.sum(axis=1), 1)
        internal = fit.predictions.of_set("internal")
        codes = pd.Index(cohort.classes).get_indexer(internal.labels)
        assert macro_auc(codes, internal.probabilities) > 0.7


def test_a_search_is_told_and_its_best_is_fitted(simulate, quick):
    table, cohort = simulate(n=80, p=20, effect=2.0)
    settings = quick(folds=2, inner_folds=2, classifiers=FAST, tuning={"trials": 3})
    for fit in fit_arms({"arm": table}, cohort, settings, seed=1)["arm"].fits.values():
        assert 1 <= len(fit.trials) <= 3
        assert fit.hyperparameters == max(fit.trials, key=lambda trial: trial.score).hyperparameters
        assert len(fit.fold_hyperparameters) == 2
        assert len(fit.inside) == 3


@pytest.mark.slow
def test_processes_give_the_same_bits(fitted, quick):
    here, table, cohort = fitted(3)
    there = fit_arms({"arm": table}, cohort, quick(folds=2), seed=1, workers=Workers(Processes(2)))
    assert_equal(here, there["arm"])


def test_the_number_of_threads_changes_no_bit(simulate, quick):
    table, cohort = simulate(2, n=100, p=3000)
    settings = quick(classifiers=("logistic",), folds=2, steps=["missing", {"step": "pca", "n_components": 30}])
    found = []
    for threads in (1, 2):
        with threadpool_limits(threads):
            found.append(fit_arms({"arm": table}, cohort, settings, seed=1)["arm"])
    assert_equal(*found)


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
    assert counted.notes[:2] == ["4 computed, 0 from cache", "8 computed, 0 from cache"]
    assert counted.notes[2:] == ["0 computed, 4 from cache", "0 computed, 8 from cache"]
    for change in ({"seed": 2}, {"settings": quick(classifiers=("logistic", "svm"), steps=["variance"])}):
        fit_arms({"arm": table}, cohort, **{"settings": settings, "seed": 1, "workers": workers} | change)
        assert counted.notes[-2] == "4 computed, 0 from cache"


def test_nothing_selected_predicts_the_shares_and_says_so(simulate, quick):
    table, cohort = simulate(effect=0.0)
    settings = quick(classifiers=FAST, steps=[{"step": "univariate", "alpha": 1e-9}, "lasso"], folds=2)
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
        ("hyperparameters", {"lda": {}}, r"lda is not fitted: add it to classifiers \(logistic, svm, "),
        ("clasifiers", ["svm"], "Extra inputs"),
    ],
)
def test_settings_refuse_what_is_not_there(key, value, message):
    with pytest.raises(ValidationError, match=message):
        ModellingSettings(**{key: value})


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
