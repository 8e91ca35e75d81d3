"""Features of the grey level co-occurrence matrix."""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray

from radfusion.extraction.engine.response import EPS, Features, Response, Undefined, entropy, weighted_sum

__all__ = ["glcm", "maximal_correlation"]

_ALONE = "no two pixels of the region are neighbours"
_FLAT = "the region has one grey level"
_FAINT = 1e-6  # second eigenvalue from which its root has nine digits

Matrices = NDArray[np.float64]  # (A, n, n): one per angle, levels that occur


def glcm(response: Response, wanted: tuple[str, ...]) -> tuple[Features, Undefined]:
    """Features of the pairs of neighbours, mean over the angles.

    References
    ----------
    .. [1] Haralick RM, Shanmugam K, Dinstein I. Textural features for image classification. IEEE Trans Syst Man Cybern
       1973;3:610-21. doi:10.1109/TSMC.1973.4309314
    """
    p = _matrices(response)
    if len(p) == 0:
        return {}, dict.fromkeys(wanted, _ALONE)
    i = response.levels.present.astype(np.float64)
    px, py = p.sum(2), p.sum(1)
    values = _pairs(p, i, margins=(px, py))
    values |= _sums_and_differences(p, i, px @ i + py @ i, highest=response.levels.highest)
    values |= _information(p)
    if "MCC" in wanted:
        values["MCC"] = maximal_correlation(p, px, py)
    undefined = dict.fromkeys(("Imc1", "Imc2", "MCC"), _FLAT) if len(i) == 1 else {}
    if not np.isfinite(values["Correlation"]).any():
        undefined["Correlation"] = _FLAT if len(i) == 1 else "all pairs of neighbours have one level on one side"
    else:
        values["Correlation"] = np.nan_to_num(values["Correlation"], nan=1.0)  # as PyRadiomics, for one flat angle
    means = np.nanmean(np.stack(list(values.values())), axis=1)
    found = dict(zip(values, means.tolist(), strict=True))
    return {name: value for name, value in found.items() if name not in undefined}, undefined


def _matrices(response: Response) -> Matrices:
    from radiomics import cMatrices

    levels = response.levels
    counts, angles = cMatrices.calculate_glcm(
        levels.image, response.roi, response.distances, levels.highest, *response.plane
    )
    at = levels.present - 1
    p = np.ascontiguousarray(np.moveaxis(counts[0], 2, 0)[:, at[:, None], at])
    if response.settings.get("symmetricalGLCM", True):
        p = p + p.transpose(0, 2, 1)
    p = weighted_sum(p, angles, response, gaussian=True)
    return np.asarray(p / p.sum((1, 2), keepdims=True))


def _pairs(
    p: Matrices, i: NDArray[np.float64], *, margins: tuple[Matrices, Matrices]
) -> dict[str, NDArray[np.float64]]:
    px, py = margins
    di, dj = i - (px @ i)[:, None], i - (py @ i)[:, None]
    covariance = (di[:, None, :] @ p @ dj[:, :, None])[:, 0, 0]
    spread = np.sqrt((px * di**2).sum(1)) * np.sqrt((py * dj**2).sum(1))
    return {
        "Autocorrelation": (p @ i) @ i,
        "JointAverage": px @ i,
        "Correlation": np.where(spread > 0, covariance / (spread + EPS), np.nan),
        "JointEnergy": (p**2).sum((1, 2)),
        "MaximumProbability": p.max((1, 2)),
        "SumSquares": (px * di**2).sum(1),
    }


def _sums_and_differences(
    p: Matrices, i: NDArray[np.float64], means: NDArray[np.float64], *, highest: int
) -> dict[str, NDArray[np.float64]]:
    """Features of the distributions of i + j and of |i - j|."""
    whole = i.astype(np.intp)
    plus = _collected(p, whole[:, None] + whole, 2 * highest + 1)
    minus = _collected(p, np.abs(whole[:, None] - whole), highest)
    total, k = np.arange(2 * highest + 1.0), np.arange(float(highest))
    centred = total - means[:, None]
    average = minus @ k
    return {
        "ClusterProminence": (plus * centred**4).sum(1),
        "ClusterShade": _cluster_shade(p, i, highest=highest),
        "ClusterTendency": (plus * centred**2).sum(1),
        "Contrast": minus @ k**2,
        "DifferenceAverage": average,
        "DifferenceEntropy": entropy(minus),
        "DifferenceVariance": (minus * (k - average[:, None]) ** 2).sum(1),
        "Id": minus @ (1 / (1 + k)),
        "Idm": minus @ (1 / (1 + k**2)),
        "Idmn": minus @ (1 / (1 + k**2 / highest**2)),
        "Idn": minus @ (1 / (1 + k / highest)),
        "InverseVariance": minus[:, 1:] @ (1 / k[1:] ** 2),
        "SumAverage": plus @ total,
        "SumEntropy": entropy(plus),
    }


def _cluster_shade(p: Matrices, i: NDArray[np.float64], *, highest: int) -> NDArray[np.float64]:
    """Third moment of i + j."""
    q = _angles_last(p)
    ux, uy = (i[:, None, None] * q).sum((0, 1)), (i[:, None] * q).sum((0, 1))
    cubes = (np.arange(2 * highest + 1.0)[:, None] - ux - uy) ** 3
    whole = i.astype(np.intp)
    return np.asarray((q * cubes[whole[:, None] + whole]).sum((0, 1)))


def _angles_last(p: Matrices) -> NDArray[np.float64]:
    """Order in which PyRadiomics adds: a sum that nearly vanishes owes its last digits to it."""
    return np.ascontiguousarray(np.moveaxis(p, 0, 2))


def _collected(p: Matrices, index: NDArray[np.intp], size: int) -> Matrices:
    """Sum of the entries that share an index, per angle."""
    places = np.arange(len(p))[:, None, None] * size + index
    found = np.bincount(places.ravel(), p.ravel(), minlength=len(p) * size)
    return found.reshape(len(p), size).astype(np.float64, copy=False)


def _information(p: Matrices) -> dict[str, NDArray[np.float64]]:
    q = _angles_last(p)
    px, py = q.sum(1, keepdims=True), q.sum(0, keepdims=True)
    independent = px * py
    logarithm = np.log2(independent + EPS)
    joint = entropy(q, (0, 1))
    crossed, expected = -(q * logarithm).sum((0, 1)), -(independent * logarithm).sum((0, 1))
    larger = np.fmax(entropy(px, (0, 1)), entropy(py, (0, 1)))
    gained = 1 - np.e ** (-2 * (expected - joint))
    return {
        "Imc1": np.where(larger != 0, (joint - crossed) / np.where(larger != 0, larger, 1), 0.0),
        "Imc2": np.where(expected == joint, 0.0, np.sqrt(gained)),
        "JointEntropy": joint,
    }


def maximal_correlation(p: Matrices, px: Matrices, py: Matrices, *, kept: int = 4) -> NDArray[np.float64]:
    """Maximal correlation coefficient: root of the second largest eigenvalue of Q.

    PyRadiomics takes all eigenvalues of Q(i, j) = sum over k of p(i, k) p(j, k) / (px(i) py(k) + eps), not symmetric.
    Without eps, Q is similar to the symmetric B B' with B = p / sqrt(px py). Its largest eigenvectors span, to first
    order in eps, those of Q; on them Q is a matrix of four rows (Rayleigh-Ritz).

    Parameters
    ----------
    p : (A, n, n) array
        Probabilities of pairs, one matrix per angle.
    px, py : (A, n) arrays
        Their margins.
    kept : int
        Eigenvectors that are kept: the two that are wanted, and some that may be nearly equal to them.

    Returns
    -------
    (A,) array
        One coefficient per angle; NaN where PyRadiomics leaves an angle out.
    """
    n = p.shape[1]
    if n < 2:
        return np.full(len(p), np.nan)
    root = np.sqrt(px)
    inverse = np.divide(1, root, out=np.zeros_like(root), where=root > 0)
    across = np.divide(1, np.sqrt(py), out=np.zeros_like(py), where=py > 0)
    b = inverse[:, :, None] * p * across[:, None, :]
    vectors = np.linalg.eigh(b @ b.transpose(0, 2, 1))[1][:, :, -min(kept, n) :]
    q = (p / (px[:, :, None] * py[:, None, :] + EPS)) @ p.transpose(0, 2, 1)
    small = (root[:, :, None] * vectors).transpose(0, 2, 1) @ q @ (inverse[:, :, None] * vectors)
    second = np.sort(np.linalg.eigvals(small).real, axis=1)[:, -2]
    return np.sqrt(second) if second.min() > _FAINT else _maximal_correlation_as_pyradiomics(p)


def _maximal_correlation_as_pyradiomics(p: Matrices) -> NDArray[np.float64]:
    """The same step by step, for hardly any correlation: rounding decides if an angle counts as 0 or is left out."""
    q = _angles_last(p)
    px, py = q.sum(1), q.sum(0)
    parts = ((q[:, None, k] * q[None, :, k]) / (px[:, None] * py[k] + EPS) for k in range(len(q)))
    eigenvalues = np.linalg.eigvals(functools.reduce(np.add, parts).transpose(2, 0, 1))
    eigenvalues.sort()
    return np.asarray(np.sqrt(eigenvalues[:, -2]).real)
