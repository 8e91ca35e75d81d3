"""Fitted estimators as files: no pickle, nothing loaded that is not on a list, equal estimators as equal bytes."""

from __future__ import annotations

import io
import re
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from radfusion.core.hashing import file_hash
from radfusion.errors import RunError
from radfusion.modelling._skops import skops_io
from radfusion.modelling.balancing import Balanced
from radfusion.modelling.classifiers import CLASSIFIERS, ClassShares, LinearScores

__all__ = ["read_estimator", "write_estimator"]

_ENDINGS = {"skops": ".skops", "xgboost": ".xgboost.json", "lightgbm": ".lightgbm.txt"}
#: Private types of what calibrates scores.
_CALIBRATION = ("sklearn.calibration._CalibratedClassifier", "sklearn.calibration._SigmoidCalibration")
_OBJECT_ID = re.compile(r'("__id__": )(\d+)|("file": ")(\d+)(\.npy")')


def write_estimator(estimator: Any, classifier: str, path: Path) -> dict[str, Any]:
    """Write an estimator of the named classifier.

    Parameters
    ----------
    estimator : object
        As :func:`fit_classifier` gave it.
    classifier : str
        A registered classifier.
    path : pathlib.Path
        File name without its ending.

    Returns
    -------
    dict
        What :func:`read_estimator` needs: ``storage`` with ``file`` and ``sha256``, or with the numbers themselves;
        ``believed`` and ``restored`` where probabilities are brought back to the shares of the classes.
    """
    if isinstance(estimator, Balanced):
        shares = {"believed": estimator.before.tolist(), "restored": estimator.after.tolist()}
        return write_estimator(estimator.estimator, classifier, path) | shares
    if isinstance(estimator, ClassShares):
        return {"storage": "class-shares", "shares": estimator.shares.tolist()}
    if isinstance(estimator, LinearScores):
        numbers = {"coefficients": estimator.coefficients.tolist(), "intercepts": estimator.intercepts.tolist()}
        return {"storage": "numbers", **numbers}
    storage = CLASSIFIERS[classifier].storage
    file = path.with_name(path.name + _ENDINGS[storage])
    if storage == "skops":
        file.write_bytes(_without_addresses(skops_io().dumps(estimator)))
    elif storage == "xgboost":
        file.write_bytes(bytes(estimator.save_raw("json")))
    else:
        file.write_text(estimator.model_to_string(), encoding="utf-8")
    return {"storage": storage, "file": file.name, "sha256": file_hash(file)}


def read_estimator(facts: dict[str, Any], classifier: str, folder: Path) -> Any:
    """Read an estimator of the named classifier.

    Parameters
    ----------
    facts : dict
        As :func:`write_estimator` gave it.
    classifier : str
        A registered classifier.
    folder : pathlib.Path
        Where the file is.

    Raises
    ------
    RunError
        When the file is absent, is not the one that was written, or holds anything but such an estimator.
    """
    if "believed" in facts:
        bare = {name: value for name, value in facts.items() if name not in ("believed", "restored")}
        before, after = (np.array(facts[name], dtype=np.float64) for name in ("believed", "restored"))
        return Balanced(read_estimator(bare, classifier, folder), before, after)
    if facts["storage"] == "class-shares":
        return ClassShares(np.array(facts["shares"], dtype=np.float64))
    if facts["storage"] == "numbers":
        return LinearScores(*(np.array(facts[name], dtype=np.float64) for name in ("coefficients", "intercepts")))
    file = folder / Path(facts["file"]).name
    if not file.is_file():
        raise RunError(f"{file}: no such file; the folder of a model is moved or copied as a whole")
    if file_hash(file) != facts["sha256"]:
        raise RunError(f"{file}: its SHA-256 is not the one that model.json states; the file was changed or damaged")
    if facts["storage"] != CLASSIFIERS[classifier].storage:
        raise RunError(f"{file}: a {classifier} is not stored as {facts['storage']!r}")
    read = {"skops": _read_skops, "xgboost": _read_xgboost, "lightgbm": _read_lightgbm}[facts["storage"]]
    return read(file, classifier)


def _read_skops(file: Path, classifier: str) -> Any:
    skops, entry = skops_io(), CLASSIFIERS[classifier]
    trusted = [*entry.trusted, *(_CALIBRATION if entry.calibrated else ())]
    try:
        foreign = sorted(set(skops.get_untrusted_types(file=file)) - set(trusted))
        if foreign:
            raise RunError(f"{file}: holds {', '.join(foreign)}, which is no part of a {entry.title}; it is not loaded")
        estimator = skops.load(file, trusted=trusted)
    except (zipfile.BadZipFile, KeyError, ValueError, TypeError, AttributeError, ImportError) as error:
        raise RunError(f"{file}: not a readable {entry.title}: {error}") from error
    built = type(entry.build(entry.defaults, 0))
    calibrated = entry.calibrated and type(estimator).__name__ == "CalibratedClassifierCV"
    inner = estimator.estimator if calibrated else estimator
    if type(inner) is not built:
        raise RunError(f"{file}: holds a {type(inner).__name__}, not a {built.__name__}")
    return estimator


def _read_xgboost(file: Path, classifier: str) -> Any:
    from xgboost import Booster
    from xgboost.core import XGBoostError

    booster = Booster({"nthread": 1})
    try:
        booster.load_model(bytearray(file.read_bytes()))
    except (XGBoostError, ValueError) as error:
        raise RunError(f"{file}: not a readable {classifier} model: {error}") from error
    return booster


def _read_lightgbm(file: Path, classifier: str) -> Any:
    from lightgbm import Booster
    from lightgbm.basic import LightGBMError

    try:
        return Booster(model_str=file.read_text(encoding="utf-8"))
    except (LightGBMError, UnicodeDecodeError) as error:
        raise RunError(f"{file}: not a readable {classifier} model: {error}") from error


def _without_addresses(data: bytes) -> bytes:
    """The same archive without what differs from run to run: memory addresses as identifiers, and times."""
    numbers: dict[str, str] = {}

    def renumbered(match: re.Match[str]) -> str:
        before, number, after = (match[1], match[2], "") if match[2] else (match[3], match[4], match[5])
        return f"{before}{numbers.setdefault(number, str(len(numbers) + 1))}{after}"

    result = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as source, zipfile.ZipFile(result, "w", zipfile.ZIP_DEFLATED) as target:
        schema = _OBJECT_ID.sub(renumbered, source.read("schema.json").decode())
        members = {name: source.read(name) for name in source.namelist() if name != "schema.json"}
        renamed = {f"{numbers[Path(name).stem]}.npy": content for name, content in members.items()}
        for name in sorted(renamed):
            target.writestr(zipfile.ZipInfo(name), renamed[name], zipfile.ZIP_DEFLATED)
        target.writestr(zipfile.ZipInfo("schema.json"), schema, zipfile.ZIP_DEFLATED)
    return result.getvalue()
