"""Models on disk: the same probabilities, nothing executed, nothing taken on trust; and what they ask of new cases."""

import json
import zipfile
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import skops.io
from sklearn.dummy import DummyClassifier
from sklearn.neighbors import KNeighborsClassifier

from radfusion.core.contract import InputContract
from radfusion.core.features import FeatureTable
from radfusion.core.hashing import content_hash, file_hash
from radfusion.errors import FeatureError, RunError, UnknownNameError
from radfusion.modelling.classifiers import CLASSIFIERS
from radfusion.modelling.contract import merged_contract, range_warnings
from radfusion.modelling.fitting import fit_arms
from radfusion.modelling.fusion import LATE_RULES, late_fusion
from radfusion.modelling.model import fit_model, fuse_models
from radfusion.modelling.stored import load_model, save_model

#: Enough folds inside for late fusion with weights.
INNER = {"folds": 2, "inner_folds": 2}


@pytest.fixture(scope="module", params=[2, 3], ids=["binary", "three classes"])
def study(request, simulate, quick):
    """Return an arm of every registered classifier, its table and its cohort."""
    table, cohort = simulate(request.param, n=80, p=20, effect=2.0)
    settings = quick(folds=2, classifiers=tuple(CLASSIFIERS))
    return fit_arms({"arm": table}, cohort, settings, seed=1)["arm"], table, cohort


@pytest.fixture
def saved(study, tmp_path):
    """Return a function that saves the model of a classifier and returns its folder."""
    arm, table, cohort = study

    def save(classifier, folder="model"):
        save_model(fit_model(arm, classifier, table=table, cohort=cohort, seed=1), tmp_path / folder)
        return tmp_path / folder

    return save


def changed(folder, change):
    """Change what model.json says and make it vouch for itself anew, as somebody with bad intent would."""
    file = folder / "model.json"
    facts = json.loads(file.read_text())
    change(facts)
    facts.pop("sha256")
    file.write_text(json.dumps(facts | {"sha256": content_hash(facts)}))


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
    assert names == {file.name for file in again.iterdir()} >= {"model.json", "input.json", "part-1.safetensors"}
    assert all((folder / name).read_bytes() == (again / name).read_bytes() for name in names)


def test_a_loaded_model_is_saved_as_the_same_bytes(saved, tmp_path):
    folder = saved("logistic")
    save_model(load_model(folder), tmp_path / "copy")
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == {
        file.name: file.read_bytes() for file in (tmp_path / "copy").iterdir()
    }


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


def test_the_input_contract_tells_ranges_counts_and_provenance(study, saved):
    arm, table, cohort = study
    contract = InputContract.model_validate_json((saved("svm") / "input.json").read_bytes())
    rows = cohort.of_set("training").frame
    known = table.frame.loc[rows.index]
    assert [each.feature for each in contract.features] == list(arm.preparation.inputs)
    for each in contract.features:
        values = known[each.feature]
        assert (each.minimum, each.median, each.maximum) == (values.min(), values.median(), values.max())
        assert (each.p1, each.p99) == pytest.approx(tuple(values.quantile([0.01, 0.99])))
        assert each.missing == 0.0
    assert {each.label: each.n_cases for each in contract.classes} == rows["label"].value_counts().to_dict()
    assert (contract.n_cases, contract.n_patients) == (len(rows), rows["patient"].nunique())
    assert {each.name: each.identity for each in contract.sources} == {"radiomics": table.provenance["radiomics"]}
    assert "median of the training cases" in contract.missing


def test_ranges_are_those_of_training_cases_and_missing_values_are_counted(simulate, quick):
    table, cohort = simulate(2, n=80, p=8, effect=2.0)
    frame = table.frame.copy()
    first = cohort.of_set("training").frame.index[:6]
    frame.loc[first, "radiomics:f000"] = np.nan
    frame.loc[cohort.of_set("internal").frame.index, "radiomics:f000"] = 1e6
    table = FeatureTable(frame, table.provenance)
    settings = quick(classifiers=("knn",), steps=["missing", "scale"])
    arm = fit_arms({"arm": table}, cohort, settings, seed=1)["arm"]
    known = fit_model(arm, "knn", table=table, cohort=cohort, seed=1).contract.features[0]
    assert (known.feature, known.missing) == ("radiomics:f000", 0.1)
    assert known.maximum < 10


def test_values_outside_the_training_range_are_warned_of_by_how_much(study, saved):
    _, table, _ = study
    contract = load_model(saved("knn")).contract
    first, second = contract.features[:2]
    row = table.frame.iloc[0].to_dict() | {
        first.feature: first.maximum + (first.maximum - first.minimum) / 4,
        second.feature: np.nan,
    }
    outside, missing = list(range_warnings(contract, row))
    assert (outside.kind, outside.feature, outside.beyond) == (
        "outside-training-range",
        first.feature,
        pytest.approx(0.25),
    )
    assert "by 25.0% of their range" in outside.message
    assert (missing.kind, missing.feature) == ("missing", second.feature)
    edge = row | {first.feature: first.maximum, second.feature: second.minimum}
    assert list(range_warnings(contract, edge)) == []


def test_a_constant_feature_has_no_range_to_measure_by(saved):
    contract = load_model(saved("knn")).contract
    flat = contract.features[0].model_copy(update={"minimum": 1.0, "maximum": 1.0})
    contract = contract.model_copy(update={"features": (flat,)})
    (found,) = range_warnings(contract, {flat.feature: 2.0})
    assert found.beyond is None
    assert "all have the same value" in found.message


@pytest.fixture(scope="module")
def both(study, simulate, quick):
    """Return two arms of one classifier that were fitted with inner folds, and their tables."""
    _, table, cohort = study
    other, _ = simulate(len(cohort.classes), n=80, p=20, seed=9, source="deep")
    settings = quick(classifiers=("knn",), late_rule="stacking", **INNER)
    arms = fit_arms({"first": table, "second": other}, cohort, settings, seed=1)
    return list(arms.values()), [table, other], cohort


@pytest.mark.parametrize("rule", LATE_RULES)
def test_late_fusion_comes_back_as_it_was(both, rule, tmp_path):
    arms, tables, cohort = both
    late = late_fusion("late", arms, rule=rule).fits["knn"]
    parts = [fit_model(arm, "knn", table=own, cohort=cohort, seed=1) for arm, own in zip(arms, tables, strict=True)]
    save_model(fuse_models("late/knn", parts, rule=rule, weights=late.weights), tmp_path)
    loaded = load_model(tmp_path)
    predicted = loaded.predict(tables[0].join(tables[1]), cohort)
    np.testing.assert_allclose(predicted.probabilities, late.predictions.probabilities, rtol=1e-13)
    assert loaded.signature == arms[0].selection.signature + arms[1].selection.signature
    assert [source.name for source in loaded.contract.sources] == ["radiomics", "deep"]
    assert [each.feature for each in loaded.contract.features] == list(loaded.columns)


def test_an_unknown_rule_is_refused(both):
    arms, tables, cohort = both
    part = fit_model(arms[0], "knn", table=tables[0], cohort=cohort, seed=1)
    with pytest.raises(UnknownNameError, match="late fusion rule"):
        fuse_models("late/knn", [part, part], rule="vote")


def test_a_model_of_no_feature_predicts_the_shares(simulate, quick, tmp_path):
    table, cohort = simulate()
    steps = ["missing", {"step": "univariate", "alpha": 1e-12}, "scale"]
    arm = fit_arms({"arm": table}, cohort, quick(classifiers=("mlp",), steps=steps), seed=1)["arm"]
    save_model(fit_model(arm, "mlp", table=table, cohort=cohort, seed=1), tmp_path)
    loaded = load_model(tmp_path)
    assert loaded.columns == ()
    np.testing.assert_array_equal(loaded.predict(table).probabilities, arm.fits["mlp"].predictions.probabilities)


def test_wide_arrays_of_steps_come_back_bit_for_bit(simulate, quick, tmp_path):
    table, cohort = simulate(2, n=80, p=300, effect=2.0)
    steps = ["missing", "scale", {"step": "pca", "n_components": 5}]
    arm = fit_arms({"arm": table}, cohort, quick(classifiers=("logistic",), steps=steps), seed=1)["arm"]
    save_model(fit_model(arm, "logistic", table=table, cohort=cohort, seed=1), tmp_path)
    loaded = load_model(tmp_path)
    assert len(loaded.columns) == 300
    np.testing.assert_array_equal(
        loaded.predict(table, cohort).probabilities, arm.fits["logistic"].predictions.probabilities
    )
    assert (tmp_path / "model.json").stat().st_size < 40_000


def replaced(folder, content):
    """Put another estimator into a saved model, with matching hashes."""
    file = next(path for path in folder.glob("part-1.*") if path.suffix != ".safetensors")
    file.write_bytes(content)
    changed(folder, lambda facts: facts["parts"][0]["estimator"].update(sha256=file_hash(file)))


@pytest.mark.parametrize("name", ["part-1.xgboost.json", "part-1.safetensors", "input.json"])
def test_a_changed_file_is_refused(saved, name):
    folder = saved("xgboost")
    (folder / name).write_bytes((folder / name).read_bytes() + b" ")
    with pytest.raises(RunError, match=f"{name}: its SHA-256 is not the one that model.json states"):
        load_model(folder)
    (folder / name).unlink()
    with pytest.raises(RunError, match=f"{name}: no such file; the folder of a model is moved or copied as a whole"):
        load_model(folder)


@pytest.mark.parametrize("where", ["classes", "parts", "weights"])
def test_a_changed_description_is_refused(saved, where):
    folder = saved("logistic")
    facts = json.loads((folder / "model.json").read_text())
    facts[where] = {"parts": [1.0]} if where == "weights" else facts[where][::-1] + facts[where]
    (folder / "model.json").write_text(json.dumps(facts))
    with pytest.raises(RunError, match="has not the SHA-256 that it states; the file was changed or damaged"):
        load_model(folder)


def test_a_foreign_type_is_refused_even_with_matching_hashes(saved):
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
        ({"format": 99}, "format 99; this version reads format 3"),
        ({"rule": "vote"}, "no late fusion rule is named 'vote'"),
        ({"parts": [{}]}, "not a model file: KeyError"),
        ({"parts": [{"classifier": "oracle"}]}, "no classifier is named 'oracle'"),
    ],
)
def test_a_description_of_another_kind_is_refused(saved, change, message):
    folder = saved("logistic")
    changed(folder, lambda facts: facts.update(change))
    with pytest.raises(RunError, match=message):
        load_model(folder)


def test_what_is_no_json_is_refused(saved):
    folder = saved("logistic")
    (folder / "model.json").write_text((folder / "model.json").read_text()[:200])
    with pytest.raises(RunError, match="not a model file"):
        load_model(folder)


def test_another_storage_than_the_classifier_has_is_refused(saved):
    folder = saved("logistic")
    changed(folder, lambda facts: facts["parts"][0]["estimator"].update(storage="lightgbm"))
    with pytest.raises(RunError, match="a logistic is not stored as 'lightgbm'"):
        load_model(folder)


def test_a_folder_without_model_is_refused(tmp_path):
    with pytest.raises(RunError, match="no such file"):
        load_model(tmp_path)


def test_nothing_in_the_folder_is_a_pickle(saved):
    for classifier in CLASSIFIERS:
        for file in saved(classifier, classifier).iterdir():
            assert file.suffix in {".json", ".safetensors", ".skops", ".txt"}
            assert not file.read_bytes().startswith(b"\x80")
            if file.suffix == ".skops":
                members = zipfile.ZipFile(file).namelist()
                assert all(name == "schema.json" or name.endswith(".npy") for name in members)


def test_facts_are_asked_only_where_a_transform_asks(study, saved):
    model = load_model(saved("logistic"))
    assert (model.contract.centres, dict(model.contract.covariates)) == ((), {})
    assert isinstance(replace(model, rule=None).probabilities(pd.DataFrame(study[1].frame)), np.ndarray)


def test_a_fusion_asks_all_that_its_parts_ask(saved):
    one = load_model(saved("logistic")).contract
    asking = {"asks": {"centre": ("A", "B"), "age": ()}, "centres": ("A", "B")}
    other = one.model_copy(update={"asks": {"centre": ("B", "C")}, "centres": ("B", "C"), "n_cases": 3})
    merged = merged_contract("late/logistic", [one.model_copy(update=asking), other])
    assert merged.asks == {"centre": ("B",), "age": ()}
    assert (merged.model, merged.n_cases, merged.centres) == ("late/logistic", one.n_cases, ("A", "B", "C"))
    assert merged_contract("late", [one, other]).asks == {"centre": ("B", "C")}
