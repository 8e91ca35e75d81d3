"""A lateral radiograph of the spine: soft tissue, lungs, ribs and pelvis around the vertebrae, then the exposure."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from radfusion.cohorts._centres import Centre
from radfusion.cohorts._vertebrae import Plane, Vertebra, blur, draw_vertebra, soft_step

__all__ = ["draw_film", "whole_vertebrae"]

_BORDER_MM = 5.0


def whole_vertebrae(spine: list[Vertebra], field: tuple[float, float]) -> list[Vertebra]:
    """The vertebrae whose body lies clear of the border of the film; `field` in mm."""
    clear = _BORDER_MM + 4.0
    return [v for v in spine if v.row - v.height / 2 > clear and v.row + v.height / 2 < field[0] - clear]


def draw_film(
    spine: list[Vertebra],
    latents: Mapping[str, NDArray[np.float64]],
    shape: tuple[int, int],
    *,
    centre: Centre,
    rng: np.random.Generator,
) -> tuple[Plane, dict[str, NDArray[np.bool_]]]:
    """Draw the film of one patient.

    Parameters
    ----------
    spine : list of Vertebra
        From head to feet.
    latents : mapping of str to (3,) array
        Latent severity of each level.
    shape : tuple of int
        Rows and columns of the film.
    centre : Centre
        Hospital that takes the film.
    rng : numpy.random.Generator
        Draws everything else.

    Returns
    -------
    film : (rows, columns) array of float32
        Grey values from 0 (black) to 1 (bone white).
    regions : dict of str to (rows, columns) array of bool
        Outlined body of each level.
    """
    spacing = centre.field_mm / shape[0]
    bone = np.zeros(shape, dtype=np.float32)
    regions = {v.level: draw_vertebra(bone, v, latents[v.level], spacing=spacing, rng=rng) for v in spine}
    # Nothing around the vertebrae is sharp: a quarter of the pixels is enough and four times as fast.
    coarse = ((shape[0] + 1) // 2, (shape[1] + 1) // 2)
    around = _surroundings(spine, coarse, 2 * spacing, rng=rng).repeat(2, axis=0).repeat(2, axis=1)
    attenuation = bone * rng.normal(1.0, 0.06) + blur(around[: shape[0], : shape[1]], 0.7)
    film = _expose(attenuation, centre, spacing, rng=rng)
    return _collimated(film, spacing, rng=rng), regions


def _surroundings(spine: list[Vertebra], shape: tuple[int, int], spacing: float, *, rng: np.random.Generator) -> Plane:
    """Attenuation of everything but the vertebrae."""
    y = np.arange(shape[0], dtype=np.float32)[:, None] * spacing
    x = np.arange(shape[1], dtype=np.float32)[None, :] * spacing
    height, width = shape[0] * spacing, shape[1] * spacing
    axis = np.interp(y[:, 0], [v.row for v in spine], [v.column for v in spine]).astype(np.float32)[:, None]
    back = axis + rng.uniform(56.0, 66.0) + 4.0 * np.sin(y / height * np.pi + rng.uniform(0.0, 1.5))
    flesh = 0.29 + 0.05 * y / height + 0.07 * np.exp(-0.5 * ((x - axis - 4.0) / 26.0) ** 2)
    flesh *= np.clip((back - x) / 22.0, 0.0, 1.0) ** 0.6
    dome = height * rng.uniform(0.20, 0.34) + ((x - width * rng.uniform(0.05, 0.25)) / rng.uniform(9.0, 13.0)) ** 2
    lung = 0.12 * soft_step((dome - y) / 2.0) * soft_step((axis + 22.0 - x) / 6.0)
    crest = soft_step((y - height * rng.uniform(0.93, 1.04) - ((x - axis - 8.0) / 15.0) ** 2) / 1.5)
    total = flesh - lung + 0.10 * crest * soft_step((back - 12.0 - x) / 3.0) + _ribs(y, x, axis, rng=rng)
    total -= _gas(y, x, axis - 28.0, rng=rng) * np.clip(y / height - 0.3, 0.0, 0.4)
    clouds = blur(rng.standard_normal((shape[0] // 4 + 2, shape[1] // 4 + 2), dtype=np.float32), 1.6)
    smooth = blur(np.kron(clouds / clouds.std(), np.ones((4, 4), dtype=np.float32)), 2.5)
    result: Plane = (total + 0.022 * smooth[: shape[0], : shape[1]]).astype(np.float32)
    return result


def _ribs(y: Plane, x: Plane, axis: Plane, *, rng: np.random.Generator) -> Plane:
    """Ribs that run obliquely downwards to the front in the upper part of the film."""
    total = np.zeros(np.broadcast_shapes(y.shape, x.shape), dtype=np.float32)
    start, slope = rng.uniform(-25.0, 5.0), rng.uniform(0.40, 0.62)
    for number in range(4):
        course = start + 27.0 * number + slope * (axis + 30.0 - x) + 0.003 * (axis + 30.0 - x) ** 2
        off = np.abs(y - course)
        ends = soft_step((axis + 28.0 - x) / 3.0) * soft_step((x - axis + 64.0 - 16.0 * number) / 5.0)
        total += ends * (0.022 * soft_step((4.2 - off) / 0.7) + 0.022 * np.exp(-0.5 * ((off - 3.6) / 0.8) ** 2))
    return total


def _gas(y: Plane, x: Plane, front: Plane, *, rng: np.random.Generator) -> Plane:
    """Bubbles of bowel gas in front of the spine."""
    total = np.zeros(np.broadcast_shapes(y.shape, x.shape), dtype=np.float32)
    for _ in range(int(rng.integers(2, 6))):
        row, ahead = rng.uniform(0.45, 0.95) * float(y[-1, 0]), rng.uniform(-18.0, 2.0)
        reach = np.hypot((y - row) / rng.uniform(5.0, 11.0), (x - front - ahead) / rng.uniform(5.0, 9.0))
        total += rng.uniform(0.15, 0.45) * soft_step((1.0 - reach) / 0.12)
    return total


def _expose(attenuation: Plane, centre: Centre, spacing: float, *, rng: np.random.Generator) -> Plane:
    """Blur, scatter, display curve and quantum noise."""
    sharp = blur(attenuation, centre.blur_mm / spacing)
    coarse = attenuation[::4, ::4]
    veil = np.kron(blur(coarse, 14.0 / spacing / 4.0), np.ones((4, 4), dtype=np.float32))
    veiled = 0.88 * sharp + 0.12 * veil[: sharp.shape[0], : sharp.shape[1]]
    film = np.clip(rng.normal(1.08, 0.05) * veiled + rng.normal(-0.02, 0.02), 0.0, None) ** centre.gamma
    film = film / (1.0 + np.clip(film - 0.85, 0.0, None))
    grain = blur(rng.standard_normal(film.shape, dtype=np.float32), 0.55)
    exposed: Plane = (film + centre.noise * np.sqrt(0.3 + 1.4 * film) * grain / grain.std()).astype(np.float32)
    return exposed


def _collimated(film: Plane, spacing: float, *, rng: np.random.Generator) -> Plane:
    """Darken what the collimator keeps from the film: a frame of a few mm, turned by a degree or so."""
    y = np.arange(film.shape[0], dtype=np.float32)[:, None] * spacing
    x = np.arange(film.shape[1], dtype=np.float32)[None, :] * spacing
    turn = rng.normal(0.0, 0.008)
    frame = (rng.uniform(0.2, 0.9, size=4) * _BORDER_MM).tolist()
    edges = (
        y + turn * x - frame[0],
        float(y[-1, 0]) - y - turn * x - frame[1],
        x - turn * y - frame[2],
        float(x[0, -1]) - x + turn * y - frame[3],
    )
    window = np.ones_like(film)
    for edge in edges:
        window *= soft_step(edge / 0.4)
    dark: Plane = np.clip(film, 0.0, 1.0) * (0.03 + 0.97 * window)
    return dark
