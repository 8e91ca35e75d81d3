"""Deep features from end to end beside the bare network, and beside eager torch.

Each measurement is a command of its own; they alternate within one run, and the best of several counts:

- eager: torchvision's ResNet-50 as it comes, NCHW, batches in memory, as many threads as processors;
- bare: each backend that is installed, pictures in memory, one lane per processor (or two per GPU);
- films: `radfusion.extract` from PNG files and segmentations to features in the cache;
- decoded: the same network fed from pictures that are decoded already, through the same scheduler.

Weights are random, which changes no time. Rates are images per second once all lanes are at work; what comes before the
first image (processes started, network loaded, exported and proved) is told as ``start_s``; ``wall_s`` is everything.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

import radfusion as rf
from radfusion.execution.cache import Cache
from radfusion.execution.executors import executor_named
from radfusion.execution.executors.processes import available_processors
from radfusion.execution.progress import Progress

RESULTS = Path(__file__).parent / "results" / "deep.csv"
SIZE, EAGER_BATCH = 224, 32
#: Images after which every lane has begun, at the usual batch sizes.
SETTLED = 64


class Clock(Progress):
    """When cases were done."""

    def __init__(self) -> None:
        self.ticks: list[tuple[float, int]] = []

    def advance(self, steps: int = 1) -> None:
        """Note the time; nothing is done by what the cache remembers."""
        if steps:
            self.ticks.append((time.perf_counter(), steps))

    def rate(self, begun: float) -> dict[str, float]:
        """Images per second once all lanes are at work, and seconds before the first image."""
        done = np.cumsum([steps for _, steps in self.ticks])
        settled = min(int(np.searchsorted(done, SETTLED)), len(done) // 2)
        (first, _), (steady, _), (last, _) = self.ticks[0], self.ticks[settled], self.ticks[-1]
        return {"images_per_s": (done[-1] - done[settled]) / (last - steady), "start_s": first - begun}


def main() -> None:
    """Time everything, print the table and write it beside this file."""
    arguments = _arguments()
    if arguments.measure:
        print(json.dumps(MEASURES[arguments.measure](arguments)))
        return
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        arguments.folder = Path(folder)
        if "films" in arguments.only:
            write_films(arguments.folder, arguments.images, tuple(arguments.film))
        rows = _rows(arguments)
    table = pd.DataFrame(rows)
    print(table.drop(columns=["processor", "python", "versions"]).to_string(index=False))
    if arguments.out:
        table.to_csv(arguments.out, index=False)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=1_000, help="films from end to end, and pictures in memory")
    parser.add_argument("--repeats", type=int, default=3, help="runs of each measurement, of which the best counts")
    parser.add_argument("--device", default="cpu", help="cpu, cuda, cuda:0, mps")
    parser.add_argument("--precision", default="float32", help="float32, float16, bfloat16")
    parser.add_argument("--batch", type=int, help="pictures computed together; by default the backend's own")
    parser.add_argument("--backends", nargs="+", help="by default all that are installed")
    parser.add_argument("--only", nargs="+", default=list(MEASURES), choices=list(MEASURES), help="measurements")
    parser.add_argument("--workers", type=int, default=available_processors(), help="processes that read films")
    parser.add_argument("--film", type=int, nargs=2, default=(384, 208), help="rows and columns of a film")
    parser.add_argument("--folder", type=Path, help="where films are made")
    parser.add_argument("--out", type=Path, default=RESULTS, help="table to write")
    parser.add_argument("--measure", choices=list(MEASURES), help=argparse.SUPPRESS)
    parser.add_argument("--backend", default="auto", help=argparse.SUPPRESS)
    return parser.parse_args()


def _rows(arguments: argparse.Namespace) -> list[dict[str, object]]:
    backends = arguments.backends or _installed(arguments.device)
    kinds = [(name, backend) for name in arguments.only for backend in (["torch"] if name == "eager" else backends)]
    found: dict[tuple[str, str], list[dict[str, float]]] = {kind: [] for kind in kinds}
    for _ in range(arguments.repeats):
        for name, backend in kinds:
            found[name, backend].append(_run(name, backend, arguments))
            print(name, backend, found[name, backend][-1], flush=True)
    best = {kind: max(runs, key=lambda run: run["images_per_s"]) for kind, runs in found.items()}
    eager = best.get(("eager", "torch"), {}).get("images_per_s")
    return [
        {
            "measure": f"{name} of {arguments.film[0]} x {arguments.film[1]}" if name == "films" else name,
            "backend": backend,
            "device": arguments.device,
            "precision": arguments.precision,
            **{key: round(value, 2) for key, value in run.items()},
            "beside_eager": eager and round(run["images_per_s"] / eager, 2),
            "beside_bare": _share(run, best.get(("bare", backend))),
            "repeats": arguments.repeats,
            "load": round(os.getloadavg()[0], 1),
            **_circumstances(),
        }
        for (name, backend), run in best.items()
    ]


def _share(run: dict[str, float], bare: dict[str, float] | None) -> float | None:
    return bare and round(run["images_per_s"] / bare["images_per_s"], 3)


def _installed(device: str) -> list[str]:
    from radfusion.networks.backends import BACKENDS

    here = [name for name, each in BACKENDS.items().items() if each.missing() is None]
    return here if device == "cpu" else ["torch"]


def _run(name: str, backend: str, arguments: argparse.Namespace) -> dict[str, float]:
    given = {"measure": name, "backend": backend, "images": arguments.images, "device": arguments.device}
    given |= {"precision": arguments.precision, "folder": arguments.folder, "workers": arguments.workers}
    if arguments.batch:
        given["batch"] = arguments.batch
    options = [part for key, value in given.items() for part in (f"--{key}", str(value))]
    run = subprocess.run([sys.executable, __file__, *options], capture_output=True, text=True, check=False)
    if run.returncode:
        raise RuntimeError(f"{name}, {backend} failed: {run.stderr[-2000:]}")
    told: dict[str, float] = json.loads(run.stdout.splitlines()[-1])
    return told


def eager(arguments: argparse.Namespace) -> dict[str, float]:
    """The network of torchvision without its head, NCHW, nothing folded."""
    import torch
    from torchvision.models import resnet50

    network = resnet50(weights=None).eval()
    network.fc = torch.nn.Identity()
    network.to(arguments.device)
    batch = torch.from_numpy(np.random.default_rng(1).random((EAGER_BATCH, 3, SIZE, SIZE), dtype=np.float32))

    def once() -> int:
        with torch.inference_mode():
            return len(network(batch.to(arguments.device)).cpu())

    return {**_steady(once, arguments.images), "batch": EAGER_BATCH, **_memory()}


def bare(arguments: argparse.Namespace) -> dict[str, float]:
    """All lanes of a backend, each on its own batch in memory."""
    from radfusion.networks.opened import open_network

    deep = _deep(arguments)
    batches = open_network(deep.frozen_network(), deep.computing()).batches
    lanes = batches._count  # noqa: SLF001 - the benchmark looks inside
    pictures = np.random.default_rng(1).random((batches.size, SIZE, SIZE), dtype=np.float32)
    with ThreadPoolExecutor(lanes) as pool:

        def once() -> int:
            return sum(len(rows) for rows in pool.map(lambda _: batches.compute(pictures, None), range(2 * lanes)))

        return {**_steady(once, arguments.images), "batch": batches.size, **_memory()}


def decoded(arguments: argparse.Namespace) -> dict[str, float]:
    """Pictures in memory through the scheduler that films go through."""
    from radfusion.networks.inference import stream_features

    deep, clock, begun = _deep(arguments), Clock(), time.perf_counter()
    few = np.random.default_rng(1).random((64, 1, SIZE, SIZE), dtype=np.float32)
    items = ((few[number % len(few)], None) for number in range(arguments.images))
    for _ in stream_features(items, deep.frozen_network(), deep.computing()):
        clock.advance()
    return {**clock.rate(begun), "batch": deep.computing().batch_size, **_memory()}


def films(arguments: argparse.Namespace) -> dict[str, float]:
    """Read, crop, resize, compute, keep in a cache."""
    deep, clock, begun = _deep(arguments), Clock(), time.perf_counter()
    cohort = rf.Cohort.for_extraction(arguments.folder / "films.csv")
    place = executor_named("processes", arguments.workers)
    with tempfile.TemporaryDirectory(dir=arguments.folder) as cache:
        table = rf.extract(cohort, deep, executor=place, cache=Cache(cache), progress=clock)
    seconds = time.perf_counter() - begun
    if len(table.frame) != arguments.images or table.exclusions:
        raise AssertionError(f"{len(table.frame)} of {arguments.images} films, {table.exclusions[:1]}")
    whole = {"wall_s": seconds, "whole_images_per_s": arguments.images / seconds}
    return {**clock.rate(begun), **whole, "batch": deep.computing().batch_size, **_memory()}


MEASURES: dict[str, Callable[[argparse.Namespace], dict[str, float]]] = {
    "eager": eager,
    "bare": bare,
    "decoded": decoded,
    "films": films,
}


def _deep(arguments: argparse.Namespace) -> rf.Deep:
    return rf.Deep(
        weights="random",
        device=arguments.device,
        backend=arguments.backend,
        precision=arguments.precision,
        batch_size=arguments.batch,
    )


def _steady(once: Callable[[], int], images: int) -> dict[str, float]:
    """Images per second after a first round."""
    begun = time.perf_counter()
    once()
    first, done = time.perf_counter(), 0
    while done < images:
        done += once()
    return {"images_per_s": done / (time.perf_counter() - first), "start_s": first - begun}


def _memory() -> dict[str, float]:
    kinds = {"peak_mib": resource.RUSAGE_SELF, "worker_mib": resource.RUSAGE_CHILDREN}
    return {name: resource.getrusage(kind).ru_maxrss / 1024 for name, kind in kinds.items()}


def write_films(folder: Path, count: int, shape: tuple[int, ...]) -> None:
    """Films of 8 bits with a round region each, and their table."""
    films = list(_written(folder, count, shape))
    pd.DataFrame(films, columns=["case", "image", "segmentation"]).to_csv(folder / "films.csv", index=False)


def _written(folder: Path, count: int, shape: tuple[int, ...]) -> Iterator[tuple[str, str, str]]:
    y, x = (np.linspace(-1, 1, side) for side in shape)
    region = (y[:, None] ** 2 + x**2 < 0.3).astype(np.uint8)
    Image.fromarray(region).save(folder / "region.png")
    rng = np.random.default_rng(3)
    for number in range(count):
        coarse = Image.fromarray(rng.integers(0, 256, (shape[0] // 8, shape[1] // 8), dtype=np.uint8)).resize(
            shape[::-1]
        )
        fine = np.asarray(coarse, dtype=np.int16) + rng.integers(-6, 7, shape)
        name = f"{number}.png"
        Image.fromarray(np.clip(fine, 0, 255).astype(np.uint8)).save(folder / name)
        yield str(number), name, "region.png"


def _circumstances() -> dict[str, object]:
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    model = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    packages = ("torch", "openvino", "onnxruntime", "numpy", "radfusion")
    return {
        "date": dt.datetime.now(tz=dt.UTC).date().isoformat(),
        "processor": f"{model[0] if model else platform.processor()}, {os.cpu_count()} cores",
        "python": platform.python_version(),
        "versions": " ".join(filter(None, map(_version, packages))),
    }


def _version(package: str) -> str:
    try:
        return f"{package} {version(package)}"
    except PackageNotFoundError:
        return ""


if __name__ == "__main__":
    main()
