"""Models on disk: the same probabilities, nothing executed, nothing taken on trust."""

import json
import zipfile

import numpy as np
import pytest
import skops.io
from sklearn.dummy import DummyClassifier
from sklearn.neighbors import KNeighborsClassifier

from radfusion.core.features import FeatureTable
from radfusion.core.hashing import file_hash
from radfusion.errors import FeatureError, RunError, UnknownNameError
from radfusion.modelling.classifiers import CLASSIFIERS
from radfusion.modelling.cleaning import CleaningSettings
from radfusion.modelling.fitting import fit_arms
from radfusion.modelling.fusion import late_fusion
from radfusion.modelling.model import fit_model, fuse_models, load_model, save_model


@pytest.fixture(scope="module", params=[2, 3], ids=["binary", "three classes"])
def study(request, fitted):
    return fitted(request.param)


@pytest.fixture
def saved(study, tmp_path):
    """Return a function that saves the model of a classifier and returns its folder."""
    arm, table, cohort = study

    def save(classifier, folder="model"):
        save_model(fit_model(arm, classifier, table=table, cohort=cohort, seed=1), tmp_path / folder)
        return tmp_path / folder

    return save


@pytest.mark.parametrize("classifier", CLASSIFIERS)
def test_every_classifier_comes_back_as_it_was(study, saved, classifier):
    arm, table, cohort = study
    folder = saved(classifier)
    loaded = load_model(folder)
    expected = arm.fits[classifier].predictions
    predicted = loaded.predict(table, cohort)
    assert (loaded.name, loaded.classes, predicted.model) == (f"arm/{classifier}", cohort.classes, f"arm/{classifier}")
    np.testing.assert_array_equal(predicted.probabilities, expected.probabilities)
    assert loaded.signature == arm.selection.signature
    again = saved(classifier, "again")
    names = {file.name for file in folder.iterdir()}
    assert names == {file.name for file in again.iterdir()} >= {"model.json", "input.json"}
    assert all((folder / name).read_bytes() == (again / name).read_bytes() for name in names)


def test_columns_may_be_more_and_in_any_order_but_not_fewer(study, saved):
    arm, table, _ = study
    model = load_model(saved("logistic"))
    shuffled = FeatureTable(table.frame[list(table.frame.columns[::-1])].assign(**{"clinical:age": 1.0}))
    expected = arm.fits["logistic"].predictions.probabilities
    np.testing.assert_array_equal(model.predict(shuffled).probabilities, expected)
    lacking = FeatureTable(table.frame.drop(columns=model.columns[0]))
    with pytest.raises(FeatureError, match=rf"lacks 1 features .*\(source radiomics\): {model.columns[0]}"):
        model.predict(lacking)


def test_new_cases_have_no_patient_set_or_label(study, saved):
    _, table, cohort = study
    model = load_model(saved("logistic"))
    fresh = FeatureTable(table.frame.iloc[:2].rename(index=lambda case: f"new {case}"))
    rows = model.predict(fresh).frame[["patient", "set", "label"]]
    assert rows.isna().all(axis=None)
    with pytest.raises(FeatureError, match="no row for 2 cases of the table, first 'new case-0000'"):
        model.predict(fresh, cohort)


def test_the_input_contract_names_columns_and_provenance(study, saved):
    arm, table, _ = study
    needs = json.loads((saved("svm") / "input.json").read_text())
    assert needs["columns"] == list(arm.preparation.names)
    assert needs["sources"] == {"radiomics": dict(table.provenance["radiomics"])}


def test_late_fusion_comes_back_as_it_was(study, simulate, quick, tmp_path):
    first, table, cohort = study
    other, _ = simulate(len(cohort.classes), n=80, p=20, seed=9, source="deep")
    second = fit_arms({"deep": other}, cohort, quick(classifiers=("knn",)), seed=1)["deep"]
    late = late_fusion("late", first, second)
    parts = [fit_model(arm, "knn", table=own, cohort=cohort, seed=1) for arm, own in ((first, table), (second, other))]
    save_model(fuse_models("late/knn", *parts, rule="mean"), tmp_path)
    loaded = load_model(tmp_path)
    predicted = loaded.predict(table.join(other), cohort)
    np.testing.assert_allclose(predicted.probabilities, late.fits["knn"].predictions.probabilities, rtol=1e-14)
    assert loaded.signature == first.selection.signature + second.selection.signature
    with pytest.raises(UnknownNameError, match="late fusion rule"):
        fuse_models("late/knn", *parts, rule="vote")


def test_a_model_of_no_feature_predicts_the_shares(simulate, quick, tmp_path):
    table, cohort = simulate()
    settings = quick(classifiers=("mlp",), cleaning=CleaningSettings(alpha=1e-12))
    arm = fit_arms({"arm": table}, cohort, settings, seed=1)["arm"]
    save_model(fit_model(arm, "mlp", table=table, cohort=cohort, seed=1), tmp_path)
    predicted = load_model(tmp_path).predict(table)
    np.testing.assert_array_equal(predicted.probabilities, arm.fits["mlp"].predictions.probabilities)


def replaced(folder, content):
    """Put another estimator into a saved model, with a matching hash as an attacker would."""
    file = next(folder.glob("part-1.*"))
    file.write_bytes(content)
    facts = json.loads((folder / "model.json").read_text())
    facts["parts"][0]["estimator"]["sha256"] = file_hash(file)
    (folder / "model.json").write_text(json.dumps(facts))


def test_a_changed_estimator_file_is_refused(saved):
    folder = saved("xgboost")
    (folder / "part-1.xgboost.json").write_text("{}")
    with pytest.raises(RunError, match="its SHA-256 is not the one"):
        load_model(folder)
    (folder / "part-1.xgboost.json").unlink()
    with pytest.raises(RunError, match="no such file"):
        load_model(folder)


def test_a_foreign_type_is_refused_even_with_a_matching_hash(saved):
    folder = saved("knn")
    nasty = KNeighborsClassifier(metric=zipfile.ZipFile)
    replaced(folder, skops.io.dumps(nasty))
    with pytest.raises(RunError, match=r"holds zipfile\.ZipFile, which is no part of a k nearest neighbours"):
        load_model(folder)


@pytest.mark.parametrize(
    ("classifier", "content", "message"),
    [
        ("logistic", skops.io.dumps(DummyClassifier()), "holds a DummyClassifier, not a LogisticRegression"),
        ("logistic", b"no archive", "not a readable logistic regression"),
        ("xgboost", b"{}", "not a readable xgboost model"),
        ("lightgbm", b"tree", "not a readable lightgbm model"),
    ],
)
def test_what_is_no_such_estimator_is_refused(saved, classifier, content, message):
    folder = saved(classifier)
    replaced(folder, content)
    with pytest.raises(RunError, match=message):
        load_model(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": 99}, "format 99; this version reads format 1"),
        ({"rule": "vote"}, "no late fusion rule is named 'vote'"),
        ({"parts": [{}]}, "not a model file: KeyError"),
        ({"parts": [{"classifier": "oracle"}]}, "no classifier is named 'oracle'"),
    ],
)
def test_a_changed_description_is_refused(saved, change, message):
    folder = saved("logistic")
    facts = json.loads((folder / "model.json").read_text())
    (folder / "model.json").write_text(json.dumps(facts | change))
    with pytest.raises(RunError, match=message):
        load_model(folder)


def test_another_storage_than_the_classifier_has_is_refused(saved):
    folder = saved("logistic")
    facts = json.loads((folder / "model.json").read_text())
    facts["parts"][0]["estimator"]["storage"] = "lightgbm"
    (folder / "model.json").write_text(json.dumps(facts))
    with pytest.raises(RunError, match="a logistic is not stored as 'lightgbm'"):
        load_model(folder)


def test_a_folder_without_model_is_refused(tmp_path):
    with pytest.raises(RunError, match="no such file"):
        load_model(tmp_path)
