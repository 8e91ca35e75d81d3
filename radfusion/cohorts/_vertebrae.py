"""Vertebrae of a lateral film: where they stand, and how one looks given its latent severity."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["LEVELS", "Vertebra", "blur", "draw_vertebra", "soft_step", "stack_vertebrae"]

Plane = NDArray[np.floating[Any]]
LEVELS = ("T9", "T10", "T11", "T12", "L1", "L2", "L3", "L4", "L5")
_DEPTH_MM = dict(zip(LEVELS, (29.0, 30.0, 31.0, 32.0, 33.0, 34.0, 34.5, 35.0, 35.0), strict=True))
_HEIGHT_MM = dict(zip(LEVELS, (21.5, 22.5, 23.5, 25.0, 26.5, 27.5, 28.0, 28.0, 28.0), strict=True))
_DISC_MM = dict(zip(LEVELS, (4.5, 5.0, 5.5, 6.5, 7.5, 8.5, 9.5, 10.0, 10.0), strict=True))


@dataclass(frozen=True)
class Vertebra:
    """One vertebra of a film.

    Attributes
    ----------
    level : str
        ``"T9"`` to ``"L5"``.
    row, column : float
        Centre of the body in mm from the upper left corner of the film.
    tilt : float
        Rotation of the body in radians, positive turns its front upwards.
    depth, height : float
        Size of the unbroken body in mm.
    """

    level: str
    row: float
    column: float
    tilt: float
    depth: float
    height: float


@dataclass(frozen=True)
class _Frame:
    """Body coordinates in mm on a patch of the film: `ahead` grows to the back, `down` to the feet."""

    rows: slice
    columns: slice
    ahead: Plane
    down: Plane
    spacing: float


def stack_vertebrae(field: tuple[float, float], rng: np.random.Generator) -> list[Vertebra]:
    """Stand vertebrae along the spine of one patient.

    Parameters
    ----------
    field : tuple of float
        Rows and columns of the film in mm.
    rng : numpy.random.Generator
        Draws the patient's build, curvature and the level at the upper edge.

    Returns
    -------
    list of Vertebra
        From head to feet; the first and the last may reach beyond the film.
    """
    build = rng.normal(1.0, 0.045)
    first = int(rng.integers(0, 3))
    middle = field[1] * rng.uniform(0.43, 0.49)
    lordosis, phase = rng.uniform(4.0, 8.0), rng.uniform(-0.25, 0.15)
    edge = rng.uniform(-16.0, 4.0)
    spine: list[Vertebra] = []
    for level in LEVELS[first:]:
        height = _HEIGHT_MM[level] * build * rng.normal(1.0, 0.025)
        row = edge + height / 2
        if row - height / 2 > field[0]:
            break
        # One wave from the thoracic curve (convex to the back) to the lumbar one (convex to the front).
        angle = 2.0 * np.pi * (0.75 * row / field[0] + phase)
        column = middle + lordosis * np.sin(angle)
        slope = lordosis * np.cos(angle) * 1.5 * np.pi / field[0]
        depth = _DEPTH_MM[level] * build * rng.normal(1.0, 0.02)
        spine.append(Vertebra(level, row, column, float(np.arctan(slope)) + rng.normal(0.0, 0.02), depth, height))
        edge += height + _DISC_MM[level] * rng.normal(1.0, 0.12)
    return spine


def draw_vertebra(
    bone: Plane, vertebra: Vertebra, latents: NDArray[np.float64], *, spacing: float, rng: np.random.Generator
) -> NDArray[np.bool_]:
    """Add one vertebra to the bone of a film, in place.

    Parameters
    ----------
    bone : (rows, columns) array of float32
        Attenuation of bone.
    vertebra : Vertebra
        Where it stands.
    latents : (3,) array of float64
        Compression, coarseness and sclerosis, in standard deviations of an unbroken vertebra.
    spacing : float
        Distance between pixel centres in mm.
    rng : numpy.random.Generator
        Draws what does not depend on the class: shape of normal bodies, kind of collapse, grain, the rater's hand.

    Returns
    -------
    (rows, columns) array of bool
        The body as a rater outlines it.
    """
    frame = _frame(vertebra, bone.shape, spacing, reach=((-0.75, 0.75), (-0.72, 0.72)))
    upper, lower = _endplates(frame, vertebra, float(latents[0]), rng=rng)
    depth_in = _distance_inside(frame, vertebra, (upper, lower), rng=rng)
    inside = soft_step(depth_in / 0.35)
    body = inside * (0.20 + _trabeculae(frame, float(latents[1]), rng))
    body += inside * _sclerosis(frame, upper, float(latents[2]), rng=rng)
    body += _rim(frame, depth_in, (upper, lower))
    bone[frame.rows, frame.columns] += body
    behind = _frame(vertebra, bone.shape, spacing, reach=((-0.85, 1.1), (0.3, 1.7)))
    bone[behind.rows, behind.columns] += _posterior_elements(behind, vertebra, rng)
    region = np.zeros(bone.shape, dtype=np.bool_)
    hand = 0.45 * _grain(frame.down.shape, (5.0, 5.0), spacing, rng=rng)
    region[frame.rows, frame.columns] = depth_in > hand
    return region


def blur(plane: Plane, sigma: float | tuple[float, float]) -> Plane:
    """Gaussian blur; `sigma` in pixels, for both axes or for rows and columns."""
    from scipy import ndimage

    blurred: Plane = ndimage.gaussian_filter(plane, sigma, mode="nearest", truncate=3.0)
    return blurred


def _frame(
    vertebra: Vertebra,
    shape: tuple[int, ...],
    spacing: float,
    *,
    reach: tuple[tuple[float, float], tuple[float, float]],
) -> _Frame:
    """Patch around a vertebra; `reach` up and down in body heights, to the front and the back in body depths."""
    bounds = (
        (*(vertebra.row + part * vertebra.height for part in reach[0]), shape[0]),
        (*(vertebra.column + part * vertebra.depth for part in reach[1]), shape[1]),
    )
    rows, columns = (slice(max(0, int(low / spacing)), min(n, int(high / spacing))) for low, high, n in bounds)
    y = np.arange(rows.start, rows.stop, dtype=np.float32)[:, None] * spacing - vertebra.row
    x = np.arange(columns.start, columns.stop, dtype=np.float32)[None, :] * spacing - vertebra.column
    cosine, sine = math.cos(vertebra.tilt), math.sin(vertebra.tilt)
    ahead = (x * cosine - y * sine).astype(np.float32)
    down = (x * sine + y * cosine).astype(np.float32)
    return _Frame(rows, columns, ahead, down, spacing)


def _endplates(
    frame: _Frame, vertebra: Vertebra, compression: float, *, rng: np.random.Generator
) -> tuple[Plane, Plane]:
    """Upper and lower endplate: `down` coordinate in mm for each place of the patch.

    The loss of height rises with the latent from about 1% to 55%; Genant's grades 1 and 2 begin at 20% and 25%
    [1]_. Where it falls (front or middle, upper or lower endplate) is the patient's own.

    References
    ----------
    .. [1] Genant HK et al. J Bone Miner Res 1993;8:1137-1148. doi:10.1002/jbmr.5650080915
    """
    loss = 0.55 / (1.0 + math.exp(-1.25 * (compression - 2.4)))
    wedge = rng.uniform(0.35, 0.95)
    front = loss * (0.45 + 0.55 * wedge) + rng.normal(0.0, 0.022)
    centre = loss * (1.0 - 0.42 * wedge) + rng.normal(0.045, 0.015)
    back = loss * 0.10 + rng.normal(0.0, 0.012)
    along = np.clip(frame.ahead / (vertebra.depth / 2), -1.15, 1.15)
    sunk = front * along * (along - 1) / 2 + centre * (1 - along**2) + back * along * (along + 1) / 2
    above = rng.uniform(0.65, 0.92)
    half = vertebra.height / 2
    upper = -half + vertebra.height * above * sunk
    lower = half - vertebra.height * ((1 - above) * sunk + rng.normal(0.03, 0.008) * (1 - along**2))
    return upper.astype(np.float32), lower.astype(np.float32)


def _distance_inside(
    frame: _Frame, vertebra: Vertebra, endplates: tuple[Plane, Plane], *, rng: np.random.Generator
) -> Plane:
    """Distance to the nearest wall in mm, positive inside, with rounded corners."""
    upper, lower = endplates
    waist = rng.uniform(0.03, 0.065) * vertebra.depth
    wall = vertebra.depth / 2 - waist * np.clip(1 - (2 * frame.down / vertebra.height) ** 2, 0, None)
    walls = np.stack([frame.down - upper, lower - frame.down, frame.ahead + wall, wall * 1.02 - frame.ahead])
    # Log-sum-exp is a minimum whose corners are round; the radius of a corner is about 1 mm.
    nearest = walls.min(axis=0)
    smooth: Plane = (nearest - 1.0 * np.log(np.exp(-(walls - nearest) / 1.0).sum(axis=0))).astype(np.float32)
    return smooth


def _trabeculae(frame: _Frame, coarseness: float, rng: np.random.Generator) -> Plane:
    """Grain of the spongy bone: dense and fine when sound, sparse upright strands when osteoporotic."""
    share = 1.0 / (1.0 + math.exp(-1.0 * (coarseness - 1.0)))
    fine = _grain(frame.down.shape, (0.45, 0.45), frame.spacing, rng=rng)
    coarse = _grain(frame.down.shape, (2.6, 0.9), frame.spacing, rng=rng)
    grain: Plane = ((1 - share) * 0.045 * fine + share * 0.07 * coarse + 0.05 * (1 - share)).astype(np.float32)
    return grain


def _sclerosis(frame: _Frame, upper: Plane, sclerosis: float, *, rng: np.random.Generator) -> Plane:
    """Dense band of impacted bone below the upper endplate."""
    strength = 0.26 / (1.0 + math.exp(-1.1 * (sclerosis - 1.3)))
    below = rng.uniform(3.5, 6.0) + 0.8 * _grain(frame.down.shape, (6.0, 4.0), frame.spacing, rng=rng)
    width = rng.uniform(1.5, 2.2)
    band = np.exp(-0.5 * ((frame.down - upper - below) / width) ** 2)
    reach = 1.0 + 0.2 * _grain(frame.down.shape, (8.0, 5.0), frame.spacing, rng=rng)
    dense: Plane = (strength * band * reach).astype(np.float32)
    return dense


def _rim(frame: _Frame, depth_in: Plane, endplates: tuple[Plane, Plane]) -> Plane:
    """Cortical shell, denser along the endplates."""
    upper, lower = endplates
    shell = np.exp(-0.5 * ((depth_in - 0.7) / 0.55) ** 2)
    plate = np.exp(-0.5 * (np.minimum(frame.down - upper, lower - frame.down) - 0.7) ** 2 / 0.4)
    rim: Plane = (shell * (0.12 + 0.13 * plate)).astype(np.float32)
    return rim


def _posterior_elements(frame: _Frame, vertebra: Vertebra, rng: np.random.Generator) -> Plane:
    """Pedicle, articular and spinous processes behind the body."""
    half = vertebra.depth / 2
    sway = rng.normal(0.0, 1.0, size=4).tolist()
    parts = (
        (half + 3.5, -0.22 * vertebra.height, 6.5, 3.4, 0.0, 0.20),
        (half + 12.0 + sway[0], -0.30 * vertebra.height, 3.6, 7.0, 0.35, 0.17),
        (half + 14.0 + sway[1], 0.38 * vertebra.height, 3.4, 7.5, 0.30, 0.17),
        (half + 25.0 + sway[2], 0.42 * vertebra.height + sway[3], 10.0, 5.5, 0.22, 0.16),
    )
    total = np.zeros_like(frame.down)
    for ahead, down, length, width, turn, density in parts:
        x, y = frame.ahead - ahead, frame.down - down
        along, across = x * math.cos(turn) + y * math.sin(turn), y * math.cos(turn) - x * math.sin(turn)
        reach = np.sqrt((along / length) ** 2 + (across / width) ** 2)
        total += density * soft_step((1.0 - reach) / 0.14) * (0.75 + 0.25 * np.clip(reach, 0.0, 1.0) ** 4)
    return total


def _grain(shape: tuple[int, ...], sigma: tuple[float, float], spacing: float, *, rng: np.random.Generator) -> Plane:
    """Smooth noise of mean 0 and standard deviation 1; `sigma` in mm for rows and columns."""
    plane = blur(rng.standard_normal(shape, dtype=np.float32), (sigma[0] / spacing, sigma[1] / spacing))
    grain: Plane = (plane - plane.mean()) / plane.std()
    return grain


def soft_step(value: Plane) -> Plane:
    """Step from 0 (at -3 and below) to 1 (at 3 and above); a cubic, much cheaper than the logistic."""
    part = np.clip(value / 6.0 + 0.5, 0.0, 1.0)
    result: Plane = part * part * (3.0 - 2.0 * part)
    return result
