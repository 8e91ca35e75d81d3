"""Every registered name runs end to end; a new name is covered without editing this file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pydicom
import pytest
import SimpleITK
from PIL import Image

from radfusion.cohorts.simulate import SimulationSettings, simulate_cohort
from radfusion.core.cohort import Cohort
from radfusion.core.features import FeatureTable
from radfusion.core.results import StudyResults
from radfusion.errors import FeatureError
from radfusion.evaluation.audit import AUDIT_RULES
from radfusion.execution.executors import executor_named
from radfusion.extraction.extractors.deep import Deep
from radfusion.extraction.extractors.radiomics import Radiomics
from radfusion.extraction.imported import Imported, imported_table
from radfusion.extraction.robustness import StabilitySettings, control_tables, perturbed_readings
from radfusion.imaging.loading import read_scan
from radfusion.imaging.settings import ImagingSettings
from radfusion.modelling.classifiers import DEFAULT_CLASSIFIERS
from radfusion.modelling.fitting import fit_arms
from radfusion.modelling.fusion import late_fusion
from radfusion.modelling.settings import ModellingSettings
from radfusion.networks.architectures import NETWORKS
from radfusion.networks.backends import BACKENDS
from radfusion.networks.graphs import draw_network
from radfusion.networks.trained import Contract, write_trained
from radfusion.networks.weights import WEIGHTS, Pretrained
from radfusion.pipelines.names import REGISTRIES
from radfusion.pipelines.stability import compare_readings
from radfusion.pipelines.templates import template_folder, template_names
from radfusion.report.index import Index
from radfusion.report.sections import SECTIONS
from radfusion.study import Study
from tests.imported_tables import LEAKS, raw
from tests.imported_tables import WRITERS as TABLE_WRITERS
from tests.imported_tables import cohort_of as imported_cohort
from tests.segmentation_files import REGION, WRITERS, write_slice


def tables(run: Path) -> dict[str, FeatureTable]:
    return {path.stem: FeatureTable(pd.read_parquet(path)) for path in sorted((run / "features").glob("*.parquet"))}


def cohort_of(study: Path) -> Cohort:
    return Study.from_yaml(study).read_cohort()


def run_executor(name: str, study: Path, run: Path) -> None:
    assert [outcome.value for outcome in executor_named(name, 1).map(abs, [-2, 1])] == [2, 1]


def run_format(name: str, study: Path, run: Path) -> None:
    folder = study.parent / f"as-{name}"
    folder.mkdir()
    image, ending = np.arange(64 * 48, dtype=np.uint16).reshape(64, 48) % 251, {"raster": "png", "volume": "nii.gz"}
    path = folder / f"film.{ending.get(name, 'dcm')}"
    if name == "dicom":
        sizes = {"training": 12, "internal": 0, "external": 0, "prospective": 0}
        settings = SimulationSettings.model_validate({"format": "dicom", "sizes": sizes})
        frame = pd.read_csv(simulate_cohort(folder / "cohort", settings))
        path = folder / "cohort" / frame["image"][0]
        image = np.zeros(pydicom.dcmread(path).pixel_array.shape)
    elif name == "raster":
        Image.fromarray(image.astype(np.uint8)).save(path)
    else:
        SimpleITK.WriteImage(SimpleITK.GetImageFromArray(image), str(path))
    assert read_scan("x", path, None, settings=ImagingSettings()).image.shape == image.shape


def run_segmentation(name: str, study: Path, run: Path) -> None:
    folder = study.parent / f"as-{name.replace(' ', '-')}"
    folder.mkdir()
    scan = read_scan("x", write_slice(folder), WRITERS[name](folder), settings=ImagingSettings())
    np.testing.assert_array_equal(scan.roi, REGION == 1)


def run_weights(name: str, study: Path, run: Path) -> None:
    own = {"file": own_file(study.parent), "network": "resnet18"} if name == "file" else {}
    extractor = Deep.model_validate({"weights": name, "size": 64, **own})
    if reason := extractor.unavailable():
        pytest.skip(reason)
    run_deep(extractor, study)


def own_file(folder: Path) -> Path:
    """A file as radfusion writes it for a network that it trained."""
    drawn = draw_network(Pretrained(WEIGHTS["random"], "resnet18")).state_dict()
    trained = {name: value + 0.1 if name.endswith("running_mean") else value for name, value in drawn.items()}
    half = (0.5, 0.5, 0.5)
    contract = Contract(network="resnet18", white=1.0, order="RGB", mean=half, std=half, stride="v1.5")
    write_trained(folder / "own.safetensors", trained, contract)
    return folder / "own.safetensors"


def run_deep(extractor: Deep, study: Path) -> None:
    cohort = cohort_of(study)
    case = cohort.frame.index[0]
    scan = read_scan(case, cohort.image_path(case), cohort.segmentation_path(case), settings=ImagingSettings())
    (features,) = extractor.extract([scan])
    assert np.isfinite(list(features.values())).all()


def run_network(name: str, study: Path, run: Path) -> None:
    run_deep(Deep(weights="random", network=name, layer=NETWORKS[name].layers[0], batch_size=1), study)


def run_backend(name: str, study: Path, run: Path) -> None:
    if reason := BACKENDS[name].missing():
        pytest.skip(reason)
    run_deep(Deep(weights="random", layer="layer1", size=64, device="cpu", backend=name), study)


QUICK = Radiomics(image_types=("original",), feature_classes=("shape", "firstorder"))


#: The steps of a short chain.
SHORT = ["missing", "variance", "scale", {"step": "lasso", "folds": 3}]


def run_perturbation(name: str, study: Path, run: Path) -> None:
    cohort = cohort_of(study)
    found = perturbed_readings(cohort, QUICK, StabilitySettings(perturbations=(name,), n_cases=4), seed=1)
    assert found is not None
    stability = compare_readings(found, StabilitySettings())
    assert (stability.n_cases, stability.n_ratings, stability.faults) == (4, 2, ())


def run_control(name: str, study: Path, run: Path) -> None:
    few = cohort_of(study).of_set("external")
    (table,) = control_tables(few, QUICK, [name], seed=1).values()
    assert list(table.frame.index) == list(few.frame.index)


def run_step(name: str, study: Path, run: Path) -> None:
    own = {"lasso": {"folds": 3}, "combat": {"unseen": "unchanged"}}.get(name, {})
    settings = ModellingSettings.model_validate(
        {"steps": [{"step": name, **own}], "classifiers": ["logistic"], "folds": 3}
    )
    arm = fit_arms({"radiomics": tables(run)["radiomics"]}, cohort_of(study), settings, seed=1)["radiomics"]
    assert name in [step.name for step in arm.selection.steps]
    assert np.isfinite(arm.fits["logistic"].out_of_fold.probabilities).all()


def run_late_rule(name: str, study: Path, run: Path) -> None:
    settings = ModellingSettings.model_validate(
        {"steps": ["missing", "scale"], "classifiers": ["logistic"], "folds": 3, "inner_folds": 3, "late_rule": name}
    )
    arms = fit_arms(tables(run), cohort_of(study), settings, seed=1)
    fused = late_fusion("late", [arms["radiomics"], arms["random"]], rule=name)
    np.testing.assert_allclose(fused.fits["logistic"].predictions.probabilities.sum(axis=1), 1.0)


def run_classifier(name: str, study: Path, run: Path) -> None:
    if name not in DEFAULT_CLASSIFIERS:
        settings = ModellingSettings.model_validate({"steps": SHORT, "classifiers": [name], "folds": 3})
        fits = fit_arms({"radiomics": tables(run)["radiomics"]}, cohort_of(study), settings, seed=1)
        assert 0 <= fits["radiomics"].fits[name].cv_macro_auc <= 1
        return
    results = StudyResults.read(run)
    models = {model.model for model in results.models if model.classifier == name}
    assert {model.split("/")[0] for model in models} == {model.arm for model in results.models}
    judged = {(item.model, item.set) for item in results.estimates if item.metric == "macro_auc"}
    assert {(model, one.name) for model in models for one in results.sets} <= judged


def run_metric(name: str, study: Path, run: Path) -> None:
    metrics = {item.metric for item in StudyResults.read(run).estimates}
    expected = {
        "operating_point": {"sensitivity", "specificity"},
        "auc": {"auc", "macro_auc"},
        "classes": {"macro_f1", "balanced_accuracy", "mcc"},
        "calibration": {"calibration_intercept", "calibration_slope", "macro_ici"},
    }
    assert expected.get(name, {name}) <= metrics


def run_comparison(name: str, study: Path, run: Path) -> None:
    found = {item.metric for item in StudyResults.read(run).comparisons}
    assert {"macro_auc": "macro_auc", "class_auc": "auc"}.get(name, name) in found


def run_audit_rule(name: str, study: Path, run: Path) -> None:
    results = StudyResults.read(run)
    findings = list(AUDIT_RULES[name](results))
    assert findings
    assert all(finding in results.audit for finding in findings)


def run_table_format(name: str, study: Path, run: Path) -> None:
    path = study.parent / f"{name}.csv"
    TABLE_WRITERS[name](path, raw())
    entry = Imported.model_validate({"file": path.name, "format": name})
    assert imported_table(entry, path.parent, imported_cohort(list(raw().index))).frame.shape == (60, 12)


def run_leak_test(name: str, study: Path, run: Path) -> None:
    path = study.parent / "leaky.csv"
    pd.DataFrame(LEAKS[name](raw().to_numpy()), index=raw().index).add_prefix("f").to_csv(path, index_label="case")
    with pytest.raises(FeatureError, match="cannot be acknowledged away"):
        imported_table(Imported(file=path), path.parent, imported_cohort(list(raw().index)))


def run_section(name: str, study: Path, run: Path) -> None:
    benchmark = template_folder().parent / "reports" / "pretraining-benchmark"
    assert SECTIONS[name].build(Index(StudyResults.read(benchmark if name == "pretraining" else run)))


def run_template(name: str, study: Path, run: Path) -> None:
    assert Study.from_yaml(template_folder() / name / "study.yaml").title


RUN: dict[str, Callable[[str, Path, Path], None]] = {
    "executor": run_executor,
    "format": run_format,
    "segmentation": run_segmentation,
    "weights": run_weights,
    "network": run_network,
    "backend": run_backend,
    "perturbation": run_perturbation,
    "control": run_control,
    "step": run_step,
    "classifier": run_classifier,
    "late-rule": run_late_rule,
    "metric": run_metric,
    "comparison": run_comparison,
    "audit-rule": run_audit_rule,
    "section": run_section,
    "template": run_template,
    "table-format": run_table_format,
    "leak-test": run_leak_test,
}
NAMES = [(kind, name) for kind, registry in REGISTRIES.items() for name in registry]
NAMES += [("template", name) for name in template_names()]


@pytest.mark.parametrize(("kind", "name"), NAMES)
def test_every_name_runs(kind: str, name: str, small_study: Path, small_run: Path) -> None:
    RUN[kind](name, small_study, small_run)
