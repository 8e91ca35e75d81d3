"""Extraction beside the command line of PyRadiomics, on the same batch table and the same parameter file.

Both run as commands of their own, alternating within one run, each with two processes: ``pyradiomics --jobs 2`` and
`radfusion.extract` with the executor "processes". Wall seconds from start to end, best of several. The values of both
are compared in the same run. Films are made here: 12 bits in a 16-bit PNG, two textures and noise.
"""

from __future__ import annotations

import argparse
import csv
import datetime as dt
import json
import os
import platform
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
import SimpleITK

import radfusion as rf
from radfusion.execution.cache import Cache
from radfusion.execution.executors import executor_named

RESULTS = Path(__file__).parent / "results" / "extraction.csv"
PARAMETERS = {
    "imageType": {"Original": {}, "LoG": {"sigma": [1.0, 2.0, 3.0]}, "Wavelet": {}},
    "featureClass": {name: [] for name in ("firstorder", "glcm", "gldm", "glrlm", "glszm", "ngtdm")},
    "setting": {"binWidth": 25},
}
FILM, PROCESSES = (2_000, 2_500), 2
BASELINES = ("brain1", "brain2", "breast1")


@dataclass(frozen=True)
class Workload:
    """Cases that are timed together.

    Attributes
    ----------
    name : str
        What they are.
    shape : tuple of int
        Size of a made image; empty for files that are given.
    pixels : int
        Size of a region.
    images, regions : int
        Number of images, and of regions in each.
    """

    name: str
    shape: tuple[int, ...]
    pixels: int
    images: int
    regions: int = 1


WORKLOADS = (
    Workload("films, ROI of 25,000 px", FILM, 25_000, 40),
    Workload("films, ROI of 100,000 px", FILM, 100_000, 40),
    Workload("films, five ROIs of 25,000 px", FILM, 25_000, 40, regions=5),
    Workload("volumes of 64 x 256 x 256, ROI of 30,000 voxels", (64, 256, 256), 30_000, 20),
    Workload("PyRadiomics' own brain1, brain2, breast1, copied", (), 0, 60),
)
QUICK = (
    Workload("films, quick", (300, 340), 2_500, 2, regions=2),
    Workload("volumes, quick", (20, 60, 64), 1_500, 1),
)


def main() -> None:
    """Time the workloads, print a table and write it beside this file."""
    arguments = _arguments()
    if arguments.ours:
        ours(Path(arguments.ours))
        return
    chosen = QUICK if arguments.quick else WORKLOADS
    rows = []
    for workload in chosen:
        if arguments.only and arguments.only not in workload.name:
            continue
        with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
            table = write_cases(workload, Path(folder), images=arguments.images, data=arguments.data)
            if table is not None:
                rows.append(timed(workload, table, repeats=arguments.repeats))
                print(json.dumps(rows[-1]), flush=True)
    if arguments.out:
        pd.DataFrame(rows).to_csv(arguments.out, index=False)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a few small cases, for a test")
    parser.add_argument("--only", help="workloads whose name has these words")
    parser.add_argument("--images", type=int, help="number of images instead of the full one")
    parser.add_argument("--repeats", type=int, default=2, help="runs of each side, of which the best counts")
    parser.add_argument("--data", type=Path, help="folder with PyRadiomics' own cases (brain1_image.nrrd, ...)")
    parser.add_argument("--folder", type=Path, help="where files are made; needs 1 GB")
    parser.add_argument("--out", type=Path, default=RESULTS, help="table to write")
    parser.add_argument("--ours", help=argparse.SUPPRESS)
    return parser.parse_args()


def timed(workload: Workload, table: Path, *, repeats: int) -> dict[str, object]:
    """Run both sides in turn; compare their values."""
    theirs, mine = [], []
    for _ in range(repeats):
        theirs.append(_run([_beside("pyradiomics"), str(table), *_options(table)], log=table.with_name("log.txt")))
        shutil.rmtree(table.with_name("cache"), ignore_errors=True)
        mine.append(_run([sys.executable, __file__, "--ours", str(table)], log=table.with_name("log.txt")))
    told = json.loads(table.with_name("ours.json").read_text())
    n, worst = compared(table)
    slow, fast = min(wall for wall, _ in theirs), min(wall for wall, _ in mine)
    return {
        "workload": workload.name,
        "cases": n,
        "pyradiomics_s": round(slow, 2),
        "radfusion_s": round(fast, 2),
        "ratio": round(slow / fast, 2),
        "again_share": round(told["again_s"] / told["first_s"], 4),
        "worker_mib": round(told["worker_kib"] / 1024),
        "pyradiomics_mib": round(max(kib for _, kib in theirs) / 1024),
        **worst,
        "repeats": repeats,
        "load": round(os.getloadavg()[0], 1),
        **_circumstances(),
    }


def _beside(name: str) -> str:
    return str(Path(sys.executable).with_name(name))


def _options(table: Path) -> list[str]:
    out = table.with_name("theirs.csv")
    out.unlink(missing_ok=True)
    parameters = str(table.with_name("parameters.yaml"))
    return ["--param", parameters, "--jobs", str(PROCESSES), "--format", "csv", "--out", str(out)]


def _run(command: list[str], *, log: Path) -> tuple[float, int]:
    """Wall seconds, and peak memory in KiB of the largest process of the command."""
    begun = time.perf_counter()
    with log.open("a") as sink:
        process = subprocess.Popen(command, stdout=sink, stderr=sink)
        _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise RuntimeError(f"{Path(command[0]).name} failed: {log.read_text()[-2000:]}")
    return time.perf_counter() - begun, used.ru_maxrss


def ours(table: Path) -> None:
    """Extract the table, then once more from the cache, and say how long each took."""
    cohort = rf.Cohort.for_extraction(table)
    extractor = rf.Radiomics(parameters=table.with_name("parameters.yaml"))
    cache = Cache(table.with_name("cache"))
    spent, tables = [], []
    for _ in range(2):
        begun = time.perf_counter()
        processes = executor_named("processes", PROCESSES)
        tables.append(rf.extract(cohort, extractor, executor=processes, cache=cache))
        spent.append(time.perf_counter() - begun)
    pd.testing.assert_frame_equal(tables[0].frame, tables[1].frame)
    tables[0].frame.to_csv(table.with_name("ours.csv"))
    worker = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    told = {"first_s": spent[0], "again_s": spent[1], "worker_kib": worker}
    table.with_name("ours.json").write_text(json.dumps(told))


def compared(table: Path) -> tuple[int, dict[str, float]]:
    """Number of cases, and the largest relative difference of unfiltered and wavelet values and of LoG values."""
    mine = pd.read_csv(table.with_name("ours.csv"), index_col=0)
    mine.columns = mine.columns.str.removeprefix("radiomics:")
    theirs = pd.read_csv(table.with_name("theirs.csv"))
    theirs = theirs[[name for name in theirs if name in set(mine.columns)]]
    if list(theirs.columns) != list(mine.columns) or len(mine) != len(theirs):
        raise AssertionError(f"{mine.shape} values here, {theirs.shape} there, or in another order")
    differences = np.abs(mine.to_numpy() - theirs.to_numpy()) / np.maximum(np.abs(theirs.to_numpy()), 1e-9)
    is_log = mine.columns.str.startswith("log-sigma")
    worst = {"difference": float(differences[:, ~is_log].max()), "difference_log": float(differences[:, is_log].max())}
    if worst["difference"] > 1e-11 or worst["difference_log"] > 1e-6 or np.isnan(list(worst.values())).any():
        raise AssertionError(f"values differ: {worst}")
    return len(mine), worst


def write_cases(workload: Workload, folder: Path, *, images: int | None, data: Path | None) -> Path | None:
    """Write images, segmentations, PyRadiomics' batch table and the parameter file; None where data are absent."""
    count = images or workload.images
    if not workload.shape and data is None:
        print(f"{workload.name}: left out, as --data names no folder")
        return None
    pairs = made(workload, folder, count) if workload.shape else copied(folder, data or folder, count)
    table = folder / "cases.csv"
    with table.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["ID", "Image", "Mask", "Label"])
        for name, image, mask in pairs:
            for label in range(1, workload.regions + 1):
                writer.writerow([f"{name}-{label}", image, mask, label])
    flat = len(workload.shape) == 2
    families = {"shape2D" if flat else "shape": [], **PARAMETERS["featureClass"]}
    (folder / "parameters.yaml").write_text(json.dumps({**PARAMETERS, "featureClass": families}))
    return table


def made(workload: Workload, folder: Path, count: int) -> Iterator[tuple[str, str, str]]:
    """Images of two textures and noise, with round regions one below the other."""
    suffix = "png" if len(workload.shape) == 2 else "nrrd"
    for number in range(count):
        image, mask = folder / f"{number}.{suffix}", folder / f"{number}-mask.{suffix}"
        SimpleITK.WriteImage(SimpleITK.GetImageFromArray(texture(workload.shape, seed=number)), image, True)
        SimpleITK.WriteImage(SimpleITK.GetImageFromArray(regions(workload, shift=number % 7)), mask, True)
        yield str(number), str(image), str(mask)


def texture(shape: Sequence[int], *, seed: int) -> np.ndarray:
    """12 bits: coarse and fine texture and noise."""
    noise = np.random.default_rng(seed).normal(size=(2, *shape)).astype(np.float32)
    total = 60 * noise[0]
    for part, sigma, weight in ((noise[0], 12.0, 350), (noise[1], 2.0, 150)):
        smooth = SimpleITK.SmoothingRecursiveGaussian(SimpleITK.GetImageFromArray(part), sigma)
        values = SimpleITK.GetArrayFromImage(smooth)
        total += weight * values / values.std()
    return np.clip(np.rint(total + 2_000), 0, 4_095).astype(np.uint16)


def regions(workload: Workload, *, shift: int) -> np.ndarray:
    """Discs or balls of the wanted size, labels 1 and up."""
    axes = len(workload.shape)
    radius = (workload.pixels / np.pi) ** 0.5 if axes == 2 else (workload.pixels * 0.75 / np.pi) ** (1 / 3)
    grid = np.ogrid[tuple(slice(0, size) for size in workload.shape)]
    mask = np.zeros(workload.shape, dtype=np.uint8)
    for label in range(workload.regions):
        centre = [size / 2 + shift for size in workload.shape]
        centre[0] += 2.2 * radius * (label - (workload.regions - 1) / 2)
        mask[sum((axis - middle) ** 2 for axis, middle in zip(grid, centre, strict=True)) < radius**2] = label + 1
    return mask


def copied(folder: Path, data: Path, count: int) -> Iterator[tuple[str, str, str]]:
    """PyRadiomics' own cases under other names, so that none is read once for several."""
    for number in range(count):
        name = BASELINES[number % len(BASELINES)]
        files = [folder / f"{number}_{kind}.nrrd" for kind in ("image", "label")]
        for kind, file in zip(("image", "label"), files, strict=True):
            shutil.copyfile(data / f"{name}_{kind}.nrrd", file)
        yield f"{name}-{number}", str(files[0]), str(files[1])


def _circumstances() -> dict[str, object]:
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    model = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    packages = ("pyradiomics-cuda", "SimpleITK", "numpy", "PyWavelets", "radfusion")
    return {
        "date": dt.datetime.now(tz=dt.UTC).date().isoformat(),
        "processor": f"{model[0] if model else platform.processor()}, {os.cpu_count()} cores",
        "python": platform.python_version(),
        "versions": " ".join(f"{name} {version(name)}" for name in packages),
    }


if __name__ == "__main__":
    main()
