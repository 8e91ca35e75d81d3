"""Negative controls: images from which the texture has been taken while the region keeps its size and shape.

A signature that predicts as well on shuffled images never read the texture; most often it reads the size [1]_.

References
----------
.. [1] Welch ML, et al. Vulnerabilities of radiomic signature development: the need for safeguards. Radiother Oncol
   2019;130:2-9. doi:10.1016/j.radonc.2018.10.027
"""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, TypeAlias

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from pydantic import AfterValidator

from radfusion.core.registry import Registry
from radfusion.core.scan import Scan
from radfusion.extraction.perturbations import Perturbation

__all__ = ["CONTROLS", "ControlNames", "noise_in_region", "shuffle_all", "shuffle_background", "shuffle_region"]

CONTROLS: Registry[Perturbation] = Registry("negative control")


@CONTROLS.register("roi_shuffle")
def shuffle_region(scan: Scan, rng: Generator) -> Scan:
    """Shuffle the pixels inside the region among themselves: its histogram stays, its texture goes."""
    return _shuffled(scan, scan.roi, rng)


@CONTROLS.register("background_shuffle")
def shuffle_background(scan: Scan, rng: Generator) -> Scan:
    """Shuffle the pixels outside the region among themselves."""
    return _shuffled(scan, ~scan.roi, rng)


@CONTROLS.register("full_shuffle")
def shuffle_all(scan: Scan, rng: Generator) -> Scan:
    """Shuffle all pixels of the image among themselves: nothing of the image is left in the region but chance."""
    return _shuffled(scan, np.ones_like(scan.roi), rng)


@CONTROLS.register("roi_noise")
def noise_in_region(scan: Scan, rng: Generator) -> Scan:
    """Replace the region by normal noise of its own mean and standard deviation."""
    inside = scan.image[scan.roi]
    image = scan.image.copy()
    image[scan.roi] = rng.normal(inside.mean(), inside.std(), size=inside.size) if inside.size else inside
    return replace(scan, image=image)


def _shuffled(scan: Scan, where: NDArray[np.bool_], rng: Generator) -> Scan:
    image = scan.image.copy()
    image[where] = rng.permutation(image[where])
    return replace(scan, image=image)


def _known(names: tuple[str, ...]) -> tuple[str, ...]:
    for name in names:
        if name not in CONTROLS:
            raise ValueError(CONTROLS.unknown(name))
    if len(set(names)) < len(names):
        raise ValueError(f"controls {', '.join(names)}: each is named once")
    return names


#: Names of negative controls in a study file.
ControlNames: TypeAlias = Annotated[tuple[str, ...], AfterValidator(_known)]
