"""New cases: from image to answer as the run itself answered, and every reason why not in a sentence."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from radfusion.core.cohort import Cohort
from radfusion.core.features import FeatureTable
from radfusion.core.predictions import Predictions
from radfusion.core.results import StudyResults
from radfusion.errors import CohortError, FeatureError, RunError, UserError
from radfusion.execution.executors import Serial
from radfusion.execution.progress import Progress
from radfusion.extraction.clinical import clinical_table
from radfusion.extraction.imported import Imported, imported_table
from radfusion.imaging.loading import CaseFiles
from radfusion.imaging.settings import ImagingSettings
from radfusion.modelling.fitting import fit_arms
from radfusion.modelling.fusion import late_fusion
from radfusion.modelling.model import Model, fit_model, fuse_models
from radfusion.modelling.settings import ModellingSettings
from radfusion.modelling.stored import save_model
from radfusion.pipelines.application import Applied, predict_case, predict_table, write_answers
from radfusion.pipelines.asked_sources import asked_extractor
from radfusion.pipelines.case_notes import case_notes
from radfusion.pipelines.contracts import with_contract
from radfusion.pipelines.fusion import available_extractors
from radfusion.study import Study

COVARIATES = "cohort.covariates={age: {type: number, unit: years}, sex: {type: category}}"
LASSO = {"step": "lasso", "folds": 3}
CHAIN = ("missing", "variance", "univariate", "correlation", "scale", LASSO)
SETS = ("training", "internal", "external")
#: What a model may be made of: feature sources, and settings of modelling.
KINDS: dict[str, tuple[tuple[str, ...], dict[str, Any]]] = {
    "alone": (("radiomics",), {"classifiers": ("svm",)}),
    "early": (("radiomics", "random"), {}),
    "tuned": (("radiomics",), {"tuning": {"trials": 4}, "classifiers": ("random-forest",)}),
    "combat": (("radiomics",), {"steps": ("missing", {"step": "combat", "preserve": ("age",)}, *CHAIN[1:])}),
    "clinical": (("radiomics", "clinical"), {"steps": ("missing", "scale")}),
    "pca": (("random",), {"steps": ("missing", "scale", {"step": "pca", "n_components": 6}, "scale")}),
}


@dataclass(frozen=True)
class World:
    """The small study with the features of its run."""

    study: Study
    cohort: Cohort
    tables: dict[str, FeatureTable]

    def table(self, sources: tuple[str, ...]) -> FeatureTable:
        first, *others = (self.tables[name] for name in sources)
        for other in others:
            first = first.join(other)
        return first

    def contracted(self, model: Model) -> Model:
        extractors, _ = available_extractors(self.study, Progress(), offline=True)
        kinds = {"radiomics": "radiomics", "random": "deep", "clinical": "clinical", "texture": "radiomics"}
        return with_contract(model, self.study, extractors, kinds=kinds, thresholds=())

    def fit(
        self, sources: tuple[str, ...], *, sets: tuple[str, ...] = SETS, **settings: Any
    ) -> tuple[Model, Predictions]:
        plain = {"steps": CHAIN, "classifiers": ("logistic",), "folds": 3, "inner_folds": 2}
        table = self.table(sources).restrict(self.cohort.of_set(*sets).frame.index)
        modelling = ModellingSettings.model_validate(plain | settings)
        arm = fit_arms({"arm": table}, self.cohort, modelling, seed=7)["arm"]
        (classifier,) = modelling.classifiers
        model = fit_model(arm, classifier, table=table, cohort=self.cohort, seed=7)
        return self.contracted(model), arm.fits[classifier].predictions

    def files(self, case: str) -> tuple[Path, Path]:
        return self.cohort.image_path(case), self.cohort.segmentation_path(case)


@pytest.fixture(scope="module")
def world(small_study: Path, small_run: Path) -> World:
    study = Study.from_yaml(small_study, [COVARIATES])
    cohort = study.read_cohort()
    told = {source.name: source.settings for source in StudyResults.read(small_run).sources}
    tables = {
        name: FeatureTable(pd.read_parquet(small_run / "features" / f"{name}.parquet"), {name: told[name]})
        for name in ("radiomics", "random")
    }
    return World(study, cohort, tables | {"clinical": clinical_table(cohort, ["age", "sex"])})


@pytest.fixture(scope="module")
def saved(world: World, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], tuple[Path, Predictions]]:
    """Return a function from a name of KINDS to the folder of such a model and the predictions of its fit."""
    folder, done = tmp_path_factory.mktemp("models"), {}

    def save(kind: str) -> tuple[Path, Predictions]:
        if kind not in done:
            sources, settings = KINDS[kind]
            # The external centre gives no training case, so that a model that adjusts for centres has no answer there.
            sets = SETS[:2] if kind == "combat" else SETS
            model, done[kind] = world.fit(sources, sets=sets, **settings)
            save_model(model, folder / kind / "model")
        return folder / kind, done[kind]

    return save


def facts_of(world: World, kind: str, case: str) -> dict[str, str]:
    asked = {"combat": ("centre", "age"), "clinical": ("age", "sex")}.get(kind, ())
    return {name: str(world.cohort.frame.at[case, name]) for name in asked}


def table_of(world: World, cases: list[str], path: Path, *columns: str) -> Path:
    """A table of new cases: files, and further columns, without labels or sets."""
    frame = world.cohort.frame.loc[cases, list(columns)].rename_axis("case").reset_index()
    for position, name in enumerate(("image", "segmentation")):
        frame[name] = [str(world.files(case)[position]) for case in cases]
    frame.to_csv(path, index=False)
    return path


def test_the_run_answers_a_new_case_as_it_did_itself(world: World, small_run: Path) -> None:
    results = StudyResults.read(small_run)
    case = world.cohort.of_set("external").frame.index[0]
    answer = predict_case(small_run, *world.files(case))
    rows = pd.read_csv(small_run / "predictions" / f"{results.final_model.replace('/', '_')}.csv", index_col="case")
    expected = rows.loc[case, ["p_0", "p_1", "p_2"]].to_numpy(dtype=float)
    np.testing.assert_allclose(list(answer.probabilities.values()), expected, rtol=0, atol=1e-9)
    assert (answer.model, answer.case) == (results.final_model, "new case")
    assert answer.predicted == max(answer.probabilities, key=answer.probabilities.__getitem__)
    kept = {each.class_: each.value for each in results.thresholds if each.model == results.final_model}
    assert {each.class_: each.threshold for each in answer.decisions} == kept
    for each in answer.decisions:
        assert each.positive == (answer.probabilities[each.class_] >= kept[each.class_])


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_model_answers_as_its_fit_did(
    world: World, saved: Callable[[str], tuple[Path, Predictions]], kind: str
) -> None:
    folder, predictions = saved(kind)
    case = world.cohort.of_set("internal").frame.index[1]
    answer = predict_case(folder, *world.files(case), facts=facts_of(world, kind, case))
    expected = predictions.probabilities[predictions.frame.index.get_loc(case)]
    np.testing.assert_allclose(list(answer.probabilities.values()), expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize("rule", ["mean", "weighted", "stacking"])
def test_late_fusion_answers_as_its_fit_did(world: World, rule: str, tmp_path: Path) -> None:
    settings = ModellingSettings.model_validate(
        {"steps": CHAIN, "classifiers": ("logistic",), "folds": 3, "inner_folds": 2, "late_rule": rule}
    )
    tables = {"radiomics": world.tables["radiomics"], "deep-random": world.tables["random"]}
    arms = fit_arms(tables, world.cohort, settings, seed=7)
    late = late_fusion("late", list(arms.values()), rule=rule).fits["logistic"]
    parts = [fit_model(arm, "logistic", table=tables[name], cohort=world.cohort, seed=7) for name, arm in arms.items()]
    save_model(world.contracted(fuse_models("late/logistic", parts, rule=rule, weights=late.weights)), tmp_path)
    case = world.cohort.of_set("internal").frame.index[2]
    answer = predict_case(tmp_path, *world.files(case))
    expected = late.predictions.probabilities[late.predictions.frame.index.get_loc(case)]
    np.testing.assert_allclose(list(answer.probabilities.values()), expected, rtol=0, atol=1e-9)
    assert {each.model for each in answer.explanation.linear} <= {"radiomics/logistic", "deep-random/logistic"}


def test_a_table_is_answered_and_a_bad_case_is_named(
    world: World, saved: Callable[[str], tuple[Path, Predictions]], tmp_path: Path
) -> None:
    folder, predictions = saved("early")
    cases = list(world.cohort.of_set("internal").frame.index[:3])
    table = table_of(world, cases, tmp_path / "new.csv")
    frame = pd.read_csv(table)
    broken = tmp_path / "broken.png"
    broken.write_bytes(world.files(cases[1])[0].read_bytes()[:300])
    frame.loc[1, "image"] = str(broken)
    frame.to_csv(table, index=False)
    applied = predict_table(folder, table)
    assert [each.case for each in applied.answers] == [cases[0], cases[2]]
    for answer in applied.answers:
        expected = predictions.probabilities[predictions.frame.index.get_loc(answer.case)]
        np.testing.assert_allclose(list(answer.probabilities.values()), expected, rtol=0, atol=1e-9)
    (excluded,) = applied.exclusions
    assert (excluded.case, excluded.stage) == (cases[1], "read")
    assert "broken.png" in excluded.reason
    csv, lines = write_answers(applied, tmp_path / "out" / "predictions.csv")
    rows = pd.read_csv(csv, dtype={"predicted": str})
    assert rows["case"].tolist() == [cases[0], cases[2]]
    assert rows["predicted"].tolist() == [each.predicted for each in applied.answers]
    np.testing.assert_array_equal(rows["p_1"], [each.probabilities["1"] for each in applied.answers])
    assert [json.loads(line)["case"] for line in lines.read_text().splitlines()] == [cases[0], cases[2]]
    assert str(tmp_path) not in csv.read_text() + lines.read_text()


def test_features_may_be_given_as_a_table(
    world: World, saved: Callable[[str], tuple[Path, Predictions]], tmp_path: Path
) -> None:
    folder, predictions = saved("early")
    cases = list(world.cohort.of_set("internal").frame.index[:3])
    for name in ("radiomics", "random"):
        (tmp_path / f"{name}.csv").write_text(world.tables[name].restrict(cases[:2]).to_csv())
    files = [tmp_path / "radiomics.csv", tmp_path / "random.csv"]
    applied = predict_table(folder, table_of(world, cases, tmp_path / "new.csv"), features=files)
    found = [list(each.probabilities.values()) for each in applied.answers]
    np.testing.assert_allclose(found, predictions.probabilities[predictions.frame.index.isin(cases[:2])], atol=1e-9)
    assert [(each.case, each.reason) for each in applied.exclusions] == [
        (cases[2], "the feature table has no row of the case")
    ]
    with pytest.raises(FeatureError, match=rf"random\.csv: another .* source 'random' of the case '{cases[0]}', too"):
        predict_table(folder, tmp_path / "new.csv", features=[files[1], files[1]])


def test_tables_of_one_source_may_hold_different_cases(
    world: World, saved: Callable[[str], tuple[Path, Predictions]], tmp_path: Path
) -> None:
    folder, predictions = saved("early")
    cases = list(world.cohort.of_set("internal").frame.index[:2])
    parts = {
        f"{name}-{case}.csv": world.tables[name].restrict([case]) for name in ("radiomics", "random") for case in cases
    }
    for name, part in parts.items():
        (tmp_path / name).write_text(part.to_csv())
    table = table_of(world, cases, tmp_path / "new.csv")
    found = predict_table(folder, table, features=[tmp_path / name for name in parts])
    probabilities = [list(each.probabilities.values()) for each in found.answers]
    expected = predictions.probabilities[predictions.frame.index.isin(cases)]
    np.testing.assert_allclose(probabilities, expected, atol=1e-9)


def test_answers_of_nobody_are_a_table_with_a_header(tmp_path: Path) -> None:
    out, lines = write_answers(Applied((), ()), tmp_path / "none.csv")
    assert list(pd.read_csv(out).columns) == ["case", "model", "predicted", "warnings"]
    assert lines.read_bytes() == b""
    with pytest.raises(UserError, match=r"none\.jsonl: the JSON lines beside the table have this name"):
        write_answers(Applied((), ()), lines)


def test_a_model_of_imported_features_reads_such_a_table_again(world: World, tmp_path: Path) -> None:
    frame = world.tables["radiomics"].frame.rename(columns=lambda name: name.removeprefix("radiomics:"))
    frame.rename_axis("ID").to_csv(tmp_path / "theirs.csv")
    settings = Imported(name="texture", file=tmp_path / "theirs.csv", case="ID")
    texture = {"texture": imported_table(settings, tmp_path, world.cohort)}
    model, predictions = replace(world, tables=texture).fit(("texture",))
    save_model(model, tmp_path / "run" / "model")
    cases = list(world.cohort.of_set("external").frame.index[:2])
    frame.loc[cases].rename_axis("ID").to_csv(tmp_path / "new.csv")
    (tmp_path / "cases.csv").write_text("\n".join(["case", *cases]))
    applied = predict_table(tmp_path / "run", tmp_path / "cases.csv", features=[tmp_path / "new.csv"])
    found = [list(each.probabilities.values()) for each in applied.answers]
    np.testing.assert_allclose(found, predictions.probabilities[predictions.frame.index.isin(cases)], atol=1e-9)
    with pytest.raises(FeatureError, match="the features of source 'texture' came as a table"):
        predict_case(tmp_path / "run", *world.files(cases[0]))
    frame.loc[cases].astype(str).replace(r"^.*$", "much", regex=True).rename_axis("ID").to_csv(tmp_path / "new.csv")
    with pytest.raises(FeatureError, match=r"new\.csv: column 'original_.*' holds what is no number"):
        predict_table(tmp_path / "run", tmp_path / "cases.csv", features=[tmp_path / "new.csv"])


def test_a_model_that_adjusts_for_the_centre_must_be_told_a_known_one(
    world: World, saved: Callable[[str], tuple[Path, Predictions]], tmp_path: Path
) -> None:
    folder, _ = saved("combat")
    inside, outside = (world.cohort.of_set(name).frame.index[0] for name in ("internal", "external"))
    files, facts = world.files(inside), facts_of(world, "combat", inside)
    with pytest.raises(UserError, match=r"the model asks for 'centre' \(one of A, B.*\) of every case: --centre NAME"):
        predict_case(folder, *files, facts={"age": facts["age"]})
    with pytest.raises(UserError, match=r"asks for 'age' \(number in years\) of every case: --covariate age=VALUE"):
        predict_case(folder, *files, facts={"centre": facts["centre"]})
    with pytest.raises(UserError, match=r"no training case has the centre 'Z', which .*; known: A, B"):
        predict_case(folder, *files, facts=facts | {"centre": "Z"})
    with pytest.raises(CohortError, match="age 'old' is no number"):
        predict_case(folder, *files, facts=facts | {"age": "old"})
    with pytest.raises(UserError, match="the model does not ask for 'aeg'; did you mean 'age'"):
        predict_case(folder, *files, facts=facts | {"aeg": "70"})
    applied = predict_table(folder, table_of(world, [inside, outside], tmp_path / "new.csv", "centre", "age"))
    assert [each.case for each in applied.answers] == [inside]
    assert [(each.case, each.stage) for each in applied.exclusions] == [(outside, "centre")]


def test_a_centre_that_may_pass_unadjusted_is_warned_of(world: World, tmp_path: Path) -> None:
    steps = ("missing", {"step": "combat", "unseen": "unchanged"}, *CHAIN[1:])
    model, predictions = world.fit(("radiomics",), steps=steps)
    save_model(model, tmp_path)
    case = world.cohort.of_set("external").frame.index[0]
    answer = predict_case(tmp_path, *world.files(case), facts={"centre": "C"})
    expected = predictions.probabilities[predictions.frame.index.get_loc(case)]
    np.testing.assert_allclose(list(answer.probabilities.values()), expected, rtol=0, atol=1e-9)
    (warning,) = [each for each in answer.warnings if each.kind == "centre"]
    assert "is not adjusted for its centre" in warning.message


def test_unknown_covariates_are_filled_in_and_told(
    world: World, saved: Callable[[str], tuple[Path, Predictions]], tmp_path: Path
) -> None:
    folder, _ = saved("clinical")
    case = world.cohort.of_set("internal").frame.index[0]
    answer = predict_case(folder, *world.files(case), facts={"age": "", "sex": "X"})
    kinds = {each.kind: each.message for each in answer.warnings if "clinical" in str(each.feature) or not each.feature}
    assert "sex is 'X', which no training case had; known: F, M" in kinds["covariate"]
    missing = [each.feature for each in answer.warnings if each.kind == "missing"]
    assert missing == ["clinical:age", "clinical:sex=M"]
    table = table_of(world, [case], tmp_path / "new.csv", "sex")
    with pytest.raises(CohortError, match=r"no column 'age' \(covariate\)"):
        predict_table(folder, table)


def test_what_reading_finds_is_warned_of(
    world: World, saved: Callable[[str], tuple[Path, Predictions]], tmp_path: Path
) -> None:
    folder, _ = saved("alone")
    image, segmentation = world.files(world.cohort.frame.index[0])
    mask = np.array(Image.open(segmentation))
    mask[:12, :12] = mask.max()
    Image.fromarray(mask).save(tmp_path / "mask.png")
    messages = [each.message for each in predict_case(folder, image, tmp_path / "mask.png").warnings]
    assert "the region touches the border of the image (first row, first column)" in messages
    assert any(message.startswith("the region has 2 parts; the largest holds 0.") for message in messages)


def emptied(_image: Path, mask: Path) -> None:
    with Image.open(mask) as drawn:
        nothing = Image.new("L", drawn.size)
    nothing.save(mask)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (emptied, r"segmentation: 1\.png: "),
        (lambda image, _mask: image.write_bytes(b"no image"), r"read: 0\.png: "),
        (lambda _image, mask: mask.unlink(), r"segmentation: 1\.png: "),
    ],
    ids=["empty segmentation", "no image", "no segmentation"],
)
def test_a_case_that_cannot_be_used_is_answered_with_a_sentence(
    world: World,
    saved: Callable[[str], tuple[Path, Predictions]],
    tmp_path: Path,
    spoil: Callable[[Path, Path], object],
    message: str,
) -> None:
    folder, _ = saved("alone")
    image, mask = (
        shutil.copy(file, tmp_path / f"{number}.png") for number, file in enumerate(world.files("SIM0001-L1"))
    )
    spoil(image, mask)
    with pytest.raises(UserError, match=rf"^0\.png: {message}"):
        predict_case(folder, image, mask)


def test_folders_that_hold_no_model_are_refused(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="holds no model; give the folder of a finished run, or its folder 'model'"):
        predict_case(tmp_path, tmp_path / "a.png", tmp_path / "b.png")


def with_source(model: Model, **update: Any) -> Model:
    (source,) = model.contract.sources
    changed = model.contract.model_copy(update={"sources": (source.model_copy(update=update),)})
    return replace(model, contract=changed)


def test_other_settings_or_weights_than_those_of_training_are_refused(world: World, tmp_path: Path) -> None:
    model, _ = world.fit(("random",), steps=KINDS["pca"][1]["steps"])
    (source,) = model.contract.sources
    files = world.files(world.cohort.frame.index[0])
    save_model(with_source(model, identity=dict(source.identity) | {"weights_sha256": "0" * 64}), tmp_path / "a")
    with pytest.raises(FeatureError, match="source 'random': weights_sha256 differ from those that the model"):
        predict_case(tmp_path / "a", *files)
    absent = dict(source.extractor or {}) | {"weights": "radimagenet", "layer": "layer4"}
    save_model(with_source(model, extractor=absent), tmp_path / "b")
    with pytest.raises(FeatureError, match=r"source 'random', which the model needs, cannot be had here: .*not here"):
        predict_case(tmp_path / "b", *files)
    save_model(with_source(model, extractor=None, kind="other"), tmp_path / "c")
    with pytest.raises(FeatureError, match="the features of source 'random' came as a table: give --features TABLE"):
        predict_case(tmp_path / "c", *files)


def test_a_radiomics_model_needs_no_torch(world: World, saved: Callable[[str], tuple[Path, Predictions]]) -> None:
    folder, _ = saved("alone")
    files = world.files(world.cohort.frame.index[0])
    code = (
        "import sys; from radfusion.pipelines.application import predict_case; "
        f"predict_case({str(folder)!r}, {str(files[0])!r}, {str(files[1])!r}); "
        "sys.exit(sum(name in sys.modules for name in ('torch', 'matplotlib', 'jinja2', 'optuna')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_batches_of_training_are_used_again_and_other_versions_are_told(world: World, tmp_path: Path) -> None:
    model, _ = world.fit(("random",), steps=KINDS["pca"][1]["steps"])
    (source,) = model.contract.sources
    other = source.model_copy(update={"identity": dict(source.identity) | {"batch_size": 3, "torch": "0.1"}})
    extractor, notes = asked_extractor(other, tmp_path)
    assert (extractor.identity()["batch_size"], extractor.identity()["backend"]) == (3, source.identity["backend"])
    assert notes == ("source 'random': torch is not that of training; last digits may differ",)
    save_model(replace(model, contract=model.contract.model_copy(update={"sources": (other,)})), tmp_path)
    warnings = predict_case(tmp_path, *world.files(world.cohort.frame.index[0])).warnings
    assert [each.message for each in warnings if each.kind == "computing"] == list(notes)


@pytest.mark.parametrize("known", [True, False])
def test_a_spacing_unlike_that_of_training_is_warned_of(world: World, known: bool) -> None:
    case = world.cohort.frame.index[0]
    files = [CaseFiles(case, *map(str, world.files(case)))]
    imaging = ImagingSettings(spacing=None if known else (0.2, 0.2))
    notes = case_notes(files, imaging, spaced=known, executor=Serial())[case]
    words = (
        "is unknown, that of the training cases was known" if known else "is known, that of the training cases was not"
    )
    assert any(words in each.message for each in notes if each.kind == "image")
    alike = case_notes(files, imaging, spaced=not known, executor=Serial())[case]
    assert not any("pixel spacing" in each.message for each in alike)


def test_a_table_without_features_of_the_model_is_refused(
    world: World, saved: Callable[[str], tuple[Path, Predictions]], tmp_path: Path
) -> None:
    folder, _ = saved("alone")
    cases = table_of(world, [world.cohort.frame.index[0]], tmp_path / "new.csv")
    with pytest.raises(FeatureError, match=r"new\.csv: no column is a feature of the model; they are named radiomics:"):
        predict_table(folder, cases, features=[cases])


def test_a_source_that_gave_no_feature_is_not_asked_for(world: World, tmp_path: Path) -> None:
    steps = ("missing", {"step": "univariate", "alpha": 1e-12}, "scale")
    model, predictions = world.fit(("radiomics", "random"), steps=steps)
    save_model(model, tmp_path)
    answer = predict_case(tmp_path, *world.files(world.cohort.frame.index[0]))
    assert model.contract.sources == ()
    assert list(answer.probabilities.values()) == predictions.probabilities[0].tolist()
    assert "the shares of the classes" in answer.explanation.method
