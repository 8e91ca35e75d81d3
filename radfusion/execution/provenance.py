"""Versions and machine: what a result must say about how it was made."""

from __future__ import annotations

import functools
import importlib.metadata
import platform
from pathlib import Path

from radfusion import __version__
from radfusion.core.hashing import content_hash, file_hash

__all__ = ["PACKAGES", "package_versions", "platform_facts", "processor_name", "source_revision"]

#: Distributions whose version may change a number.
PACKAGES = (
    "numpy",
    "scipy",
    "pandas",
    "SimpleITK",
    "pyradiomics-cuda",
    "pyradiomics",
    "PyWavelets",
    "pydicom",
    "Pillow",
    "torch",
    "torchvision",
    "scikit-learn",
    "xgboost",
    "lightgbm",
    "imbalanced-learn",
    "optuna",
    "numba",
    "matplotlib",
)


def package_versions(names: tuple[str, ...] = PACKAGES) -> dict[str, str]:
    """Installed versions of the named distributions; those not installed are left out."""
    versions = {}
    for name in names:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions


@functools.cache
def source_revision(*packages: str) -> str:
    """Hash of the source of some of radfusion's packages.

    It is part of every cache key, so that no entry outlives the code that made it.

    Parameters
    ----------
    *packages : str
        Folders of radfusion: ``"imaging"``, ``"modelling"``.
    """
    root = Path(__file__).resolve().parent.parent
    files = sorted(file for package in packages for file in (root / package).rglob("*.py"))
    return content_hash([file_hash(file) for file in files])


def platform_facts() -> dict[str, str]:
    """Versions of radfusion and Python, system and processor."""
    return {
        "radfusion": __version__,
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "processor": processor_name(),
    }


def processor_name() -> str:
    """Model name of the processor, as far as the system tells."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
