"""Speed of the cross-validated LASSO beside R's glmnet on the same numbers: ``python benchmarks/lasso.py``.

712 cases, 3,500 features in correlated blocks, 2 and 3 classes, 100 lambdas, 10 given folds; one thread, CPU seconds,
R (where ``Rscript`` with glmnet is installed) and this package in turn, best of several. Once each makes its own grid
of lambdas and may end it early, once both get all 100. What both find is compared. Compiling, which happens once per
machine, is told apart.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from radfusion.modelling.lasso import cross_validated_lasso

BLOCK = 20  # correlated columns
SCRIPT = Path(__file__).with_suffix(".R")
Arrays = dict[str, np.ndarray]
Found = dict[str, float]


def main() -> None:
    """Print the table and write it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=712)
    parser.add_argument("--features", type=int, default=3_500)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "lasso.csv")
    given = parser.parse_args()
    rscript = shutil.which("Rscript")
    if rscript is None:
        print("Rscript is not installed: no rows of glmnet")
    seconds = compiling()
    rows = []
    for classes in (2, 3):
        arrays = simulated(given.cases, given.features, classes)
        for grid in ("own", "given"):
            about = {"classes": classes, "cases": given.cases, "features": given.features, "grid": grid}
            found = [about | row for row in compared(arrays, grid, rscript, repeats=given.repeats)]
            print(*found, sep="\n", flush=True)
            rows += found
    table = pd.DataFrame(rows).assign(compile_s=seconds, **where())
    given.out.parent.mkdir(parents=True, exist_ok=True)
    table.to_csv(given.out, index=False, float_format="%.6g", lineterminator="\n")
    print(table.drop(columns=["date", "processor", "versions"]).to_string(index=False))


def simulated(n: int, p: int, classes: int) -> Arrays:
    """Features in blocks of correlation 0.64, 15 of which tell classes apart, labels, folds and 100 lambdas."""
    generator = np.random.default_rng([n, p, classes])
    shared = generator.normal(size=(n, -(-p // BLOCK)))
    x = 0.8 * np.repeat(shared, BLOCK, axis=1)[:, :p] + 0.6 * generator.normal(size=(n, p))
    effects = np.zeros((p, classes))
    effects[np.linspace(0, p - 1, 15).astype(int), np.arange(15) % classes] = 0.7
    labels = (x @ effects + generator.gumbel(size=(n, classes))).argmax(axis=1)
    folds = generator.permutation(np.arange(n) % 10)
    largest = 0.5 * np.abs((x - x.mean(axis=0)).T @ np.eye(classes)[labels] / n).max()
    return {"x": x, "labels": labels, "folds": folds, "lambdas": largest * 0.05 ** np.linspace(0, 1, 100)}


def compared(arrays: Arrays, grid: str, rscript: str | None, *, repeats: int) -> list[dict[str, Any]]:
    """Best time and findings of each program, run in turn; the ratio is R's time by ours."""
    found: dict[str, list[Found]] = {"radfusion": [], "glmnet": []}
    for _ in range(repeats):
        found["radfusion"].append(here(arrays, grid))
        if rscript is not None:
            found["glmnet"].append(in_r(rscript, arrays, grid))
    best = {name: min(each, key=lambda row: row["cpu_s"]) for name, each in found.items() if each}
    ratio = best["glmnet"]["cpu_s"] / best["radfusion"]["cpu_s"] if "glmnet" in best else None
    return [{"program": name, **row, "ratio": ratio} for name, row in best.items()]


def here(arrays: Arrays, grid: str) -> Found:
    """CPU seconds of this package and what it finds."""
    lambdas = arrays["lambdas"] if grid == "given" else len(arrays["lambdas"])
    begun = time.process_time()
    cv = cross_validated_lasso(arrays["x"], arrays["labels"], arrays["folds"], lambdas=lambdas)
    spent = time.process_time() - begun
    return {
        "cpu_s": spent,
        "lambdas": len(cv.lambdas),
        "index_min": cv.index_min + 1,
        "lambda_min": cv.lambda_min,
        "deviance_min": float(cv.cvm[cv.index_min]),
        "selected": int(cv.path.n_nonzero[cv.index_min]),
    }


def in_r(rscript: str, arrays: Arrays, grid: str) -> Found:
    """CPU seconds of cv.glmnet and what it finds."""
    n, p = arrays["x"].shape
    with tempfile.TemporaryDirectory() as folder:
        for name, array in arrays.items():
            array.T.astype("<f8").tofile(Path(folder) / name)  # columns one after the other
        command = [rscript, str(SCRIPT), folder, str(n), str(p), grid]
        one = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        printed = subprocess.run(command, check=True, capture_output=True, text=True, env=one).stdout
    keys = ("cpu_s", "lambdas", "index_min", "lambda_min", "deviance_min", "selected")
    return dict(zip(keys, map(float, printed.split()), strict=True))


def compiling() -> float:
    """CPU seconds of a first small problem of each kind, in a process without compiled code on disk."""
    with tempfile.TemporaryDirectory() as folder:
        spent = [_first_call(folder) for _ in range(2)]
    for classes in (2, 3):
        arrays = simulated(60, 40, classes)
        here(arrays, "own")
    return spent[0] - spent[1]


def _first_call(folder: str) -> float:
    begun = os.times()
    work = "from benchmarks.lasso import here, simulated\nfor k in (2, 3): here(simulated(60, 40, k), 'own')"
    root = Path(__file__).parents[1]
    subprocess.run([sys.executable, "-c", work], check=True, cwd=root, env=os.environ | {"NUMBA_CACHE_DIR": folder})
    ended = os.times()
    return ended.children_user + ended.children_system - begun.children_user - begun.children_system


def where() -> dict[str, str]:
    """Date, processor and versions."""
    from importlib.metadata import version

    names = ("numpy", "numba")
    versions = ", ".join([f"Python {platform.python_version()}", *(f"{name} {version(name)}" for name in names)])
    date = datetime.now(UTC).date().isoformat()
    return {"date": date, "processor": processor(), "versions": versions}


def processor() -> str:
    """Name of the processor."""
    facts = Path("/proc/cpuinfo")
    lines = facts.read_text(encoding="utf-8").splitlines() if facts.is_file() else []
    named = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.processor()


if __name__ == "__main__":
    main()
