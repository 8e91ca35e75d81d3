"""Extractors of a saved model's sources: the same features as in training, or a sentence that says why not."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from radfusion.core.contract import SourceContract
from radfusion.core.hashing import canonical_json
from radfusion.errors import FeatureError, UserError
from radfusion.extraction.extractors.base import Extractor
from radfusion.extraction.extractors.deep import Deep
from radfusion.extraction.extractors.radiomics import Radiomics

__all__ = ["asked_extractor"]

EXTRACTORS: Mapping[str, type[Extractor]] = {each.kind: each for each in (Radiomics, Deep)}
#: Parts of an extractor's identity that make other features.
DECISIVE = (
    "settings", "parameter_file", "weights_sha256", "network", "graph", "layer", "pooling", "crop", "flips", "input",
    "precision", "interpolation", "channels", "revision",
)  # fmt: skip
#: Parts that may change last digits.
_LAST_DIGITS = ("device", "backend", "batch_size", "versions", "torch", "onnxruntime", "openvino")


def asked_extractor(source: SourceContract, folder: Path) -> tuple[Extractor, tuple[str, ...]]:
    """The extractor of a source, and what about it may change last digits.

    Parameters
    ----------
    source : SourceContract
        Of a model, with the settings of an extractor.
    folder : pathlib.Path
        The model's folder; a weights file of the user's own is looked for there, beside it and where the study had it.

    Raises
    ------
    FeatureError
        When packages or weights are absent, or weights and settings are not those of the training features.
    """
    settings = dict(source.extractor or {})
    if name := settings.pop("file", None):
        settings["file"] = next((str(path) for path in _places(name, source.name, folder) if path.is_file()), name)
    extractor = EXTRACTORS[source.kind].model_validate_json(json.dumps(settings))
    if isinstance(extractor, Deep):
        extractor = _as_in_training(extractor, source.identity)
    if reason := extractor.unavailable():
        raise FeatureError(f"source {source.name!r}, which the model needs, cannot be had here: {reason}")
    here = extractor.identity()
    differs = [name for name in DECISIVE if name in source.identity and not _alike(name, source.identity, here)]
    if differs:
        what = f"{', '.join(differs)} differ from those that the model was fitted with"
        raise FeatureError(f"source {source.name!r}: {what}; its features would be others")
    unlike = [name for name in _LAST_DIGITS if name in source.identity and not _alike(name, source.identity, here)]
    notes = [f"source {source.name!r}: {name} is not that of training; last digits may differ" for name in unlike]
    return extractor, tuple(notes)


def _as_in_training(extractor: Deep, identity: Mapping[str, Any]) -> Deep:
    """With the library and the batches that training used, where they are here: the same digits."""
    if extractor.weights != "file" and extractor.file and not extractor.file.is_file():
        extractor = extractor.model_copy(update={"file": None})
    used = {name: identity[name] for name in ("backend", "batch_size") if isinstance(identity.get(name), str | int)}
    alike = extractor.model_copy(update=used)
    try:
        alike.computing()
    except UserError:
        return extractor
    return alike


def _alike(name: str, one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return canonical_json(one.get(name)) == canonical_json(other.get(name))


def _places(name: str, source: str, folder: Path) -> Iterator[Path]:
    """Where a weights file may lie: beside the model, in the run, here, or where the study's file says."""
    yield from (place / Path(name).name for place in (folder, folder.parent, Path()))
    resolved = folder.parent / "study.resolved.yaml"
    if resolved.is_file():
        study = YAML(typ="safe", pure=True).load(resolved.read_text(encoding="utf-8"))
        for entry in study["features"]["deep"]:
            if source in {entry.get("name"), entry["weights"]} and entry.get("file"):
                yield folder.parent / entry["file"]
