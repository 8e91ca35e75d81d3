"""Speed of the statistics beside R on the same numbers: ``python benchmarks/statistics.py``.

Two areas with intervals and DeLong's paired test, by this package and by pROC (where ``Rscript`` with pROC is
installed), alternating within one run, one thread, CPU seconds, best of several; then all pairs of 16 models on four
sets. The values of both are compared.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

import radfusion.evaluation as ev

SIZES = (1_000, 10_000, 100_000, 1_000_000)
REPEATS = {1_000: 200, 10_000: 50, 100_000: 15, 1_000_000: 5}
SCRIPT = Path(__file__).with_suffix(".R")
Arrays = tuple[np.ndarray, np.ndarray, np.ndarray]


def main() -> None:
    """Print the two tables and the exponent of growth."""
    rscript = shutil.which("Rscript")
    if rscript is None:
        print("Rscript is not installed: the column of pROC is empty")
    print(f"{'cases':>9} {'radfusion ms':>13} {'pROC ms':>10} {'pROC / radfusion':>17}")
    spent = {}
    for n in SIZES:
        arrays = simulated(n)
        own, values = timed(lambda arrays=arrays: compared(*arrays), REPEATS[n])
        spent[n] = own
        if rscript is None:
            print(f"{n:>9,} {1e3 * own:>13.2f}")
            continue
        other, expected = in_r(rscript, arrays)
        np.testing.assert_allclose(values, expected, rtol=1e-8)
        print(f"{n:>9,} {1e3 * own:>13.2f} {1e3 * other:>10.2f} {other / own:>17.1f}")
    sizes = np.log(SIZES[1:])
    exponent = np.polyfit(sizes, np.log([spent[n] for n in SIZES[1:]]), 1)[0]
    print(f"cost grows as n ** {exponent:.2f} from {SIZES[1]:,} to {SIZES[-1]:,} cases")
    seconds, tests = timed(every_pair, 3)
    print(
        f"8 classifiers x 2 sources on 4 sets of 1,000 cases, 3 classes: {tests} tests of macro AUCs in {seconds:.2f} s"
    )


def simulated(n: int) -> Arrays:
    """Labels and two correlated scores."""
    generator = np.random.default_rng(n)
    labels = (generator.random(n) < 0.3).astype(float)
    noise, own = generator.normal(size=(2, n))
    return labels, labels + noise, 0.9 * labels + 0.6 * noise + 0.8 * own


def compared(labels: np.ndarray, a: np.ndarray, b: np.ndarray) -> tuple[float, ...]:
    """First area with its interval, as pROC cuts it, and the test."""
    found = ev.compare_aucs(labels, {"a": a, "b": b})
    first, test = found.estimates[0], found.comparisons[0]
    half = 1.959963984540054 * first.se
    return first.value, max(0.0, first.value - half), min(1.0, first.value + half), test.statistic, test.p


def timed(work: Callable[[], object], repeats: int) -> tuple[float, object]:
    """Least CPU seconds of several calls, and what the last gave."""
    best = np.inf
    for _ in range(repeats):
        begun = time.process_time()
        result = work()
        best = min(best, time.process_time() - begun)
    return best, result


def in_r(rscript: str, arrays: Arrays) -> tuple[float, list[float]]:
    """CPU seconds of pROC and its numbers."""
    n = len(arrays[0])
    with tempfile.TemporaryDirectory() as folder:
        for name, array in zip(("labels", "a", "b"), arrays, strict=True):
            array.astype("<f8").tofile(Path(folder) / name)
        command = [rscript, str(SCRIPT), folder, str(n), str(max(1, REPEATS[n] // 5))]
        printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    seconds, *values = map(float, printed.split())
    return seconds, values


def every_pair() -> int:
    """Number of tests between all pairs of 16 models on four sets."""
    generator, count = np.random.default_rng(1), 0
    for _ in range(4):
        labels = generator.integers(0, 3, 1_000)
        odds = np.exp(generator.normal(size=(16, 1_000, 3)) + np.eye(3)[labels])
        models = {f"model {k}": each / each.sum(axis=1, keepdims=True) for k, each in enumerate(odds)}
        count += len(ev.compare_macro_aucs(labels, models, (0, 1, 2)).comparisons)
    return count


if __name__ == "__main__":
    main()
