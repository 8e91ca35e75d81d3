"""A finished study's model, applied to a new case."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from radfusion.core.features import FeatureTable
from radfusion.core.hashing import canonical_json
from radfusion.errors import FeatureError, RunError, UserError
from radfusion.execution.progress import Progress
from radfusion.extraction.extractors.base import Extractor
from radfusion.extraction.tables import Extraction, extract_batch
from radfusion.imaging.loading import CaseFiles
from radfusion.modelling.model import Model, load_model
from radfusion.pipelines.fusion import available_extractors
from radfusion.study import Study

__all__ = ["predict_case"]

#: Parts of an extractor's identity that make other features; versions are not among them.
DECISIVE = (
    "settings", "parameter_file", "weights_sha256", "network", "graph", "layer", "pooling", "crop", "flips", "input",
    "precision",
)  # fmt: skip


def predict_case(run: Path, image: Path, segmentation: Path) -> dict[str, Any]:
    """Read a case, extract what the run's model needs and predict.

    Returns
    -------
    dict
        ``model``, ``probabilities`` per class and the ``predicted`` class.

    Raises
    ------
    RunError
        When the folder holds no run.
    UserError
        When the case cannot be used.
    FeatureError
        When a feature source of the model is not available here.
    """
    resolved = run / "study.resolved.yaml"
    if not resolved.is_file():
        raise RunError(f"{run}: no study.resolved.yaml; give the folder of a finished run")
    study, model = Study.from_yaml(resolved), load_model(run / "model")
    extractors, missing = available_extractors(_portable(study), Progress(), offline=True)
    _require_alike(extractors, model)
    needed = [extractor for extractor in extractors if extractor.source in model.provenance]
    absent = [source for source in missing if source.name in model.provenance]
    if absent:
        raise FeatureError("; ".join(f"{source.name}: {source.reason}" for source in absent))
    files = CaseFiles("new case", str(image), str(segmentation))
    row: dict[str, float] = {}
    for extractor in needed:
        prepared = extract_batch(Extraction(extractor, study.imaging, (files,)))
        (result,) = extractor.complete(prepared, Progress())
        if result.reason:
            raise UserError(f"{image}: {result.stage}: {result.reason}")
        row |= {f"{extractor.source}:{name}": value for name, value in result.features.items()}
    predictions = model.predict(FeatureTable(pd.DataFrame([row], index=["new case"])))
    probabilities = dict(zip(predictions.classes, predictions.probabilities[0].tolist(), strict=True))
    return {"model": predictions.model, "probabilities": probabilities, "predicted": str(predictions.predicted[0])}


def _portable(study: Study) -> Study:
    """The study without weights files that lay beside its first file: they are looked for in the usual places."""
    deep = tuple(
        extractor if at_hand.file and at_hand.file.is_file() else extractor.model_copy(update={"file": None})
        for extractor, at_hand in ((each, study.at_hand(each)) for each in study.features.deep)
    )
    return study.model_copy(update={"features": study.features.model_copy(update={"deep": deep})})


def _require_alike(extractors: list[Extractor], model: Model) -> None:
    """Features of another network, layer or setting than the model was fitted on are refused."""
    for extractor in extractors:
        fitted, here = model.provenance.get(extractor.source, {}), extractor.identity()
        differs = [
            key for key in DECISIVE if key in fitted and canonical_json(fitted[key]) != canonical_json(here.get(key))
        ]
        if differs:
            raise FeatureError(
                f"{extractor.source}: {', '.join(differs)} differ from those that {model.name} was fitted with"
            )
