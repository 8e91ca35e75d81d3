"""Audit rules on what was fitted, balanced, chosen and repeated: each verdict has a reason to change."""

import pytest

from radfusion.core.results import (
    FittedModel,
    FittedRows,
    ModelChoice,
    Provenance,
    RepeatedSplits,
    Selection,
    SelectionStep,
    SetSummary,
    StudyFacts,
    StudyResults,
)
from radfusion.evaluation.audit import (
    balanced_classes,
    choice_of_model,
    fitted_on_training,
    repeated_splits,
    scored_sets,
)


def rows(name, n, digit):
    return FittedRows(
        name=name, n_cases=n, n_patients=n, sha256=digit * 64, cases=tuple(f"case-{at}" for at in range(n))
    )


def model(name, score, *, final=False):
    return FittedModel(
        model=name, arm=name.split("/")[0], classifier="svm", fusion="none", sources=("radiomics",),
        hyperparameters={}, cv_macro_auc=score, final=final, fitted_on=("training", "training without fold 1"),
    )  # fmt: skip


def estimates(names):
    return tuple({"metric": "macro_auc", "value": 0.7, "model": name, "set": "training"} for name in names)


def study(**changes):
    models = changes.pop("models", (model("a/svm", 0.8, final=True), model("b/svm", 0.7)))
    step = SelectionStep(name="lasso", n_in=4, n_out=2, fitted_on="1" * 64)
    content = {
        "study": StudyFacts(title="t", kind="fusion", seed=1, classes=("0", "1")),
        "sets": (SetSummary(name="training", role="training", n_cases=4, n_patients=4, n_by_class={"0": 2, "1": 2}),),
        "fitted_rows": (rows("training", 4, "1"), rows("training without fold 1", 3, "2")),
        "selections": (Selection(arm="a", fitted_on="training", n_cases=4, steps=(step,), signature=()),),
        "models": models,
        "final_model": "a/svm",
        "estimates": estimates([each.model for each in models]),
        "provenance": Provenance(
            radfusion="0", python="3", platform="p", processor="p", packages={}, study_sha256="", cohort_sha256="",
            images_sha256="",
        ),
    }  # fmt: skip
    return StudyResults(**content | changes)


def verdict(rule, results):
    (finding,) = rule(results)
    return finding.verdict, finding.message


def test_what_was_fitted_is_read_from_the_rows():
    found = verdict(fitted_on_training, study())
    assert found[0] == "pass"
    assert "2 models were fitted on 2 lists of cases, none of more than the 4 training cases" in found[1]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"fitted_rows": (rows("training", 4, "1"),)}, "training without fold 1"),
        ({"fitted_rows": (rows("training", 4, "3"), rows("training without fold 1", 3, "2"))}, "lasso"),
        ({"fitted_rows": (rows("training", 5, "1"), rows("training without fold 1", 3, "2"))}, "training"),
    ],
)
def test_a_fit_on_other_rows_fails(changes, words):
    found = verdict(fitted_on_training, study(**changes))
    assert found[0] == "fail"
    assert found[1].endswith(f"training cases: {words}.")


def test_results_that_do_not_say_are_warned_of():
    assert verdict(fitted_on_training, study(fitted_rows=()))[0] == "warn"
    assert verdict(repeated_splits, study())[0] == "warn"
    assert verdict(scored_sets, study())[0] == "not_applicable"


def balanced(**settings):
    facts = study().study.model_copy(update={"settings": {"modelling": {"balance": settings}}})
    return verdict(balanced_classes, study(study=facts))


def test_balancing_is_warned_of():
    assert balanced(weights="none", resampling="none")[0] == "pass"
    assert balanced(weights="none", resampling="smote")[0] == "warn"
    assert "weights: balanced" in balanced(weights="balanced")[1]


def test_the_highest_model_is_the_final_one_unless_the_rule_says_otherwise():
    lower = (model("a/svm", 0.8), model("b/svm", 0.7, final=True))
    told = ModelChoice(
        rule="one-standard-error", model="b/svm", best="a/svm", value=0.8, se=0.1, within=("a/svm", "b/svm"),
        n_features=2,
    )  # fmt: skip
    assert verdict(choice_of_model, study())[0] == "pass"
    assert verdict(choice_of_model, study(models=lower))[0] == "fail"
    found = verdict(choice_of_model, study(models=lower, choice=told))
    assert found[0] == "pass"
    assert "of 2 models within one standard error of the highest, a/svm" in found[1]
    other = told.model_copy(update={"within": ("a/svm",)})
    assert verdict(choice_of_model, study(models=lower, choice=other))[0] == "fail"
    named = told.model_copy(update={"rule": "named", "within": ("b/svm",)})
    assert "named in the study file" in verdict(choice_of_model, study(models=lower, choice=named))[1]


def splits(n=20, **changes):
    content = {
        "model": "a/svm", "sets": ("training", "internal"), "n_training": 8, "n_held": 2, "values": (0.7,) * n,
        "median": 0.7, "low": 0.6, "high": 0.8, "used": 0.75, "percentile": 80.0,
    }  # fmt: skip
    return verdict(repeated_splits, study(repeated_splits=RepeatedSplits(**content | changes)))


def test_a_split_that_is_rarely_so_good_or_so_bad_is_warned_of():
    assert splits()[0] == "pass"
    assert "gives 0.750, at percentile 80" in splits()[1]
    assert [splits(percentile=value)[0] for value in (97.0, 2.0)] == ["warn", "warn"]
    assert splits(used=None, percentile=None)[0] == "pass"
    assert splits(5)[0] == "warn"
    assert splits(0, median=None, low=None, high=None, n_failed=3, reason="no class left")[1].endswith("decides.")
