"""Expected values made with R: every value of every case is compared, and one that nobody computed is a failure.

``tests/reference/<topic>.json`` keeps a few small cases of each topic. All cases are read from ``reference/`` of the
`shared` fixture's folder where that is present.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

KEPT = Path(__file__).parent / "reference"
#: Keys that say how R was run; there is nothing to compute.
ABOUT_R = {"accept", "boot_n", "one_run_r_seed"}
UNDEFINED = {"NA": None, "NaN": None, "Inf": np.inf, "-Inf": -np.inf}

#: Gives the computed values of one case, in the form of its expected values.
Compute = Callable[[dict[str, Any]], dict[str, Any]]


@dataclass(frozen=True)
class Within:
    """A computed number, or array, that has an error of its own: resampled in R, or here, or both."""

    value: Any
    error: float


def agrees_with_r(topic: str, *, slow: bool = False) -> Callable[[Compute], Compute]:
    """Turn a function from a case to computed values into a test of every case of a topic.

    The function returns a tree like ``case["expected"]``: dictionaries, lists or arrays, numbers, None for R's NA and
    NaN. Keys that the file does not hold are ignored; one that it holds and the function does not is a failure. Where
    the file has mean and standard deviation of several resampling runs of R, the function gives its own run.
    `slow` marks the test of all cases.
    """

    def decorate(compute: Compute) -> Compute:
        file = KEPT / f"{topic}.json"
        kept = read(file) if file.exists() else {"cases": []}

        @pytest.mark.parametrize("case", [pytest.param(each, id=each["id"]) for each in kept["cases"]])
        def test_kept(case: dict[str, Any]) -> None:
            wrong = list(disagreements(compute(case), case, kept))
            assert not wrong, "\n".join(wrong)

        @pytest.mark.data
        def test_every(shared: Path) -> None:
            file = read(shared / "reference" / f"{topic}.json")
            wrong = [
                f"{case['id']}: {text}" for case in file["cases"] for text in disagreements(compute(case), case, file)
            ]
            assert not wrong, "\n".join(wrong)

        tests = compute.__globals__
        if kept["cases"]:
            tests[f"test_kept_cases_of_{topic}_agree_with_r"] = test_kept
        tests[f"test_every_case_of_{topic}_agrees_with_r"] = pytest.mark.slow(test_every) if slow else test_every
        return compute

    return decorate


def read(file: Path) -> dict[str, Any]:
    """Read a file of expected values; a case may name another one whose input it shares."""
    content: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    inputs = {case["id"]: case["input"] for case in content["cases"]}
    for case in content["cases"]:
        case["input"] = inputs[case["input"].get("same_input_as", case["id"])]
    return content


def disagreements(found: dict[str, Any], case: dict[str, Any], file: dict[str, Any]) -> Iterator[str]:
    """What differs, or was not computed, in one case, as lines of text."""
    tolerance = {**file["default_tolerance"], **case.get("tolerance", {})}
    return _differences(found, case["expected"], tolerance, "")


def number(value: Any) -> float | None:
    """Number of a file; None for R's NA and NaN."""
    return UNDEFINED[value] if value in UNDEFINED else float(value)


def column(values: list[Any]) -> np.ndarray:
    """Numbers of a column of input, NaN where R has NA."""
    return np.array([np.nan if (each := number(value)) is None else each for value in values])


def _differences(found: Any, expected: Any, tolerance: dict[str, float], path: str) -> Iterator[str]:
    if isinstance(found, Within):
        found, tolerance = found.value, {"abs": found.error, "rel": 0.0}
    if isinstance(expected, dict) and expected.keys() == {"mean", "sd", "runs"}:
        yield from _other_run(found, expected, path)
    elif isinstance(expected, dict):
        yield from _by_key(found, expected, tolerance, path)
    elif isinstance(expected, list):
        yield from _by_place(found, expected, tolerance, path)
    elif not _equal(found, expected, tolerance):
        yield f"{path}: {expected!r} in R, found {found!r}"


def _by_key(found: Any, expected: dict[str, Any], tolerance: dict[str, float], path: str) -> Iterator[str]:
    for key in expected.keys() - ABOUT_R:
        if not isinstance(found, dict) or key not in found:
            yield f"{path}.{key}: not computed"
        else:
            yield from _differences(found[key], expected[key], tolerance, f"{path}.{key}")


def _by_place(found: Any, expected: list[Any], tolerance: dict[str, float], path: str) -> Iterator[str]:
    if not isinstance(found, list | tuple | np.ndarray) or len(found) != len(expected):
        yield f"{path}: {len(expected)} values in R, found {found!r}"
        return
    for k, (one, value) in enumerate(zip(found, expected, strict=True)):
        yield from _differences(one, value, tolerance, f"{path}[{k}]")


def _other_run(found: Any, expected: dict[str, Any], path: str) -> Iterator[str]:
    mean, sd = np.asarray(expected["mean"]), np.asarray(expected["sd"])
    if found is None or not (np.abs(found - mean) <= 5 * sd * np.sqrt(1 + 1 / expected["runs"]) + 0.002).all():
        yield f"{path}: {expected} in R, found {found!r}"


def _equal(found: Any, expected: Any, tolerance: dict[str, float]) -> bool:
    if isinstance(expected, bool) or (isinstance(expected, str) and expected not in UNDEFINED):
        return bool(found == expected)
    value = number(expected)
    if found is None or value is None or np.isnan(found):
        return value is None and (found is None or bool(np.isnan(found)))
    if np.isinf(value):
        return bool(found == value)
    return bool(found == value or abs(found - value) <= tolerance["abs"] + tolerance["rel"] * abs(value))
