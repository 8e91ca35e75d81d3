"""Models on disk: numbers and never code, equal models as equal bytes, no changed file taken."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from radfusion.core.contract import InputContract
from radfusion.core.hashing import canonical_json, content_hash, file_hash
from radfusion.core.results import SelectedFeature
from radfusion.errors import RunError
from radfusion.execution.provenance import package_versions
from radfusion.modelling.classifiers import CLASSIFIERS
from radfusion.modelling.estimators import read_estimator, write_estimator
from radfusion.modelling.fusion import LATE_RULES
from radfusion.modelling.model import Model, ModelPart
from radfusion.modelling.preparation import packed, unpacked

__all__ = ["load_model", "save_model"]

_FORMAT = 3
_PACKAGES = ("numpy", "scikit-learn", "xgboost", "lightgbm", "skops")
_MODEL, _CONTRACT = "model.json", "input.json"


def save_model(model: Model, folder: str | Path) -> None:
    """Write a model into a folder that holds nothing else.

    ``model.json`` says what the model is and vouches for the other files; ``input.json`` is its input contract,
    ``part-N.safetensors`` the numbers of its steps, and beside each lies the estimator of the part.

    Parameters
    ----------
    model : Model
        Equal models give equal bytes.
    folder : path
        Made when it is not there.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    parts = [_write_part(part, folder / f"part-{number}") for number, part in enumerate(model.parts, start=1)]
    _write_json(folder / _CONTRACT, model.contract.model_dump(mode="json", by_alias=True))
    arrays = [f"part-{number}.safetensors" for number in range(1, len(parts) + 1)]
    facts = {
        "format": _FORMAT,
        "model": model.name,
        "classes": model.classes,
        "rule": model.rule,
        "weights": model.weights,
        "parts": parts,
        "packages": package_versions(_PACKAGES),
        "files": {name: file_hash(folder / name) for name in (_CONTRACT, *arrays)},
    }
    _write_json(folder / _MODEL, facts | {"sha256": content_hash(facts)})


def load_model(folder: str | Path) -> Model:
    """Read a model that :func:`save_model` wrote.

    Parameters
    ----------
    folder : path
        ``model`` of a run directory, or a copy of it.

    Raises
    ------
    RunError
        When the folder holds no model, or files that were changed.
    """
    folder = Path(folder)
    file = folder / _MODEL
    if not file.is_file():
        raise RunError(f"{file}: no such file; the model of a finished run is in its folder 'model'")
    try:
        facts = json.loads(file.read_text(encoding="utf-8"))
        _check(facts, file)
        parts = tuple(_read_part(part, folder, number) for number, part in enumerate(facts["parts"], start=1))
        contract = InputContract.model_validate_json((folder / _CONTRACT).read_bytes())
        return Model(facts["model"], tuple(facts["classes"]), parts, contract, facts["rule"], facts["weights"])
    except (ValueError, KeyError, TypeError, AttributeError, SafetensorError) as error:
        raise RunError(f"{file}: not a model file: {type(error).__name__}: {error}") from error


def _check(facts: Mapping[str, Any], file: Path) -> None:
    """Format, the hash of the description itself, those of the files that it names, and names that must be known."""
    if facts["format"] != _FORMAT:
        raise RunError(f"{file}: format {facts['format']!r}; this version reads format {_FORMAT}")
    if content_hash({key: value for key, value in facts.items() if key != "sha256"}) != facts["sha256"]:
        raise RunError(f"{file}: its content has not the SHA-256 that it states; the file was changed or damaged")
    for name, digest in facts["files"].items():
        named = file.parent / Path(name).name
        if not named.is_file():
            raise RunError(f"{named}: no such file; the folder of a model is moved or copied as a whole")
        if file_hash(named) != digest:
            raise RunError(f"{named}: its SHA-256 is not the one that {_MODEL} states; the file was changed or damaged")
    if facts["rule"] is not None and facts["rule"] not in LATE_RULES:
        raise RunError(f"{file}: {LATE_RULES.unknown(facts['rule'])}")


def _write_part(part: ModelPart, base: Path) -> dict[str, Any]:
    arrays, told = packed(part.preparation)
    whole = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    base.with_name(f"{base.name}.safetensors").write_bytes(save(whole))
    return {
        "model": part.model,
        "classifier": part.classifier,
        "hyperparameters": part.hyperparameters,
        "signature": part.signature,
        "preparation": told,
        "estimator": write_estimator(part.estimator, part.classifier, base),
    }


def _read_part(facts: Mapping[str, Any], folder: Path, number: int) -> ModelPart:
    if facts["classifier"] not in CLASSIFIERS:
        raise RunError(f"{folder / _MODEL}: {CLASSIFIERS.unknown(facts['classifier'])}")
    arrays: dict[str, NDArray[Any]] = load((folder / f"part-{number}.safetensors").read_bytes())
    return ModelPart(
        model=facts["model"],
        classifier=facts["classifier"],
        hyperparameters=facts["hyperparameters"],
        preparation=unpacked(arrays, facts["preparation"]),
        signature=tuple(SelectedFeature(**feature) for feature in facts["signature"]),
        estimator=read_estimator(facts["estimator"], facts["classifier"], folder),
    )


def _write_json(path: Path, content: Any) -> None:
    text = json.dumps(json.loads(canonical_json(content)), indent=1, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")
