"""Smooth curves through points: local regression as R's ``loess`` and ``lowess`` do it, in one dimension.

A curve at a place is a polynomial fitted to the nearest share of the points (`span`), weighted by the tricube
``(1 - (distance / h)**3)**3`` of their distance, where h is the distance of the farthest of them.

References
----------
.. [1] Cleveland WS. Robust locally weighted regression and smoothing scatterplots. J Am Stat Assoc 1979;74:829-836.
   doi:10.1080/01621459.1979.10481038
.. [2] Cleveland WS, Grosse E. Computational methods for local regression. Stat Comput 1991;1:47-62.
   doi:10.1007/BF01890836
"""

from __future__ import annotations

from bisect import bisect_right

import numpy as np

from radfusion.evaluation._inputs import Floats

__all__ = ["local_polynomial", "loess", "loess_direct", "lowess"]

# Distances are computed for this many (place, point) pairs at once: 8 MB an array.
_PAIRS = 1_000_000
# Singular values below this share of the largest are those of fewer distinct points than coefficients.
_RANK = 1e-12
# R's loess widens the range of the points by this share, and splits cells of more than this share of the span.
_MARGIN, _CELL = 0.005, 0.2
# R's lowess computes the curve anew only after this share of the range, and joins what lies between by straight lines.
_SKIP = 0.01
# R's lowess gives full weight below, and none above, these shares of the window.
_NEAR, _FAR = 0.001, 0.999


def loess(x: Floats, y: Floats, at: Floats, *, span: float = 0.75) -> Floats:
    """Local quadratic curve, computed at a few places and joined by cubics: R's ``loess`` with its defaults.

    The places are the corners of a k-d tree, which halves the points until no cell holds more than 0.2 `span` of them;
    each cubic has the fitted values and slopes of the corners on its two sides (Hermite's interpolation).

    Parameters
    ----------
    x, y : (n,) array
        The points.
    at : (m,) array
        Where the curve is wanted, between the lowest and the highest `x`.
    span : float
        Share of the points in each fit.

    Returns
    -------
    (m,) array
        The curve.

    Examples
    --------
    >>> x = np.linspace(0, 1, 20)
    >>> loess(x, x**2, np.array([0.25, 0.5])).round(6)
    array([0.0625, 0.25  ])
    """
    corners = _corners(np.sort(x), max(1, int(len(x) * span * _CELL)))
    value, slope = local_polynomial(x, y, corners, neighbours=_neighbours(len(x), span), degree=2)
    cell = np.clip(np.searchsorted(corners, at, side="right") - 1, 0, len(corners) - 2)
    width = corners[cell + 1] - corners[cell]
    h = (at - corners[cell]) / width
    rise, fall = h**2 * (3 - 2 * h), (1 - h) ** 2 * (1 + 2 * h)
    bend = h * (1 - h) ** 2 * slope[cell] - h**2 * (1 - h) * slope[cell + 1]
    return np.asarray(fall * value[cell] + rise * value[cell + 1] + bend * width, dtype=np.float64)


def loess_direct(x: Floats, y: Floats, at: Floats, *, span: float = 0.75) -> Floats:
    """Local quadratic curve, computed at every place: R's ``loess`` with ``surface = "direct"``, in O(n m)."""
    places, back = np.unique(at, return_inverse=True)
    return local_polynomial(x, y, places, neighbours=_neighbours(len(x), span), degree=2)[0][back]


def lowess(x: Floats, y: Floats, at: Floats, *, span: float = 2 / 3) -> Floats:
    """Local straight lines without robustness steps: R's ``approx(lowess(x, y, iter = 0), xout = at, ties = mean)``."""
    known = np.unique(x)
    reach = (known[-1] - known[0]) * _SKIP
    last, anchors = 0, [0]
    while last < len(known) - 1:
        last = max(last + 1, bisect_right(known, known[last] + reach) - 1)
        anchors.append(last)
    places = known[anchors]
    near = min(len(x), max(2, int(len(x) * span + 1e-7)))
    value = local_polynomial(x, y, places, neighbours=near, degree=1, flat=(_NEAR, _FAR))[0]
    return np.interp(at, places, value)


def local_polynomial(
    x: Floats,
    y: Floats,
    at: Floats,
    *,
    neighbours: int,
    degree: int,
    flat: tuple[float, float] = (0.0, 1.0),
) -> tuple[Floats, Floats]:
    """Values and slopes at some places of polynomials fitted to the nearest points.

    Parameters
    ----------
    x, y : (n,) array
        The points.
    at : (m,) array
        The places.
    neighbours : int
        Number of points in each fit.
    degree : int
        Degree of the polynomials. Where fewer distinct points are near, the solution of least norm is taken.
    flat : pair of float
        Shares of the window below which the weight is 1, and above which it is 0.

    Returns
    -------
    value, slope : (m,) array
        Of the polynomial of each place, there.
    """
    rows = max(1, _PAIRS // len(x))
    parts = [
        _fit(x[None, :] - at[start : start + rows, None], y, neighbours=neighbours, degree=degree, flat=flat)
        for start in range(0, len(at), rows)
    ]
    value, slope = (np.concatenate(each) for each in zip(*parts, strict=True))
    return value, slope


def _fit(
    offset: Floats, y: Floats, *, neighbours: int, degree: int, flat: tuple[float, float]
) -> tuple[Floats, Floats]:
    distance = np.abs(offset)
    width = np.partition(distance, neighbours - 1, axis=1)[:, neighbours - 1 : neighbours]
    # Where so many points are tied, the fit is their mean.
    width = np.where(width > 0, width, 1.0)
    share = np.minimum(distance / width, 1.0)
    weight = 1 - share * share * share
    weight = weight * weight * weight
    weight[share <= flat[0]] = 1.0
    weight[share >= flat[1]] = 0.0
    scaled = offset / width
    moments, targets = [], []
    for power in range(2 * degree + 1):
        moments.append(weight.sum(axis=1))
        if power <= degree:
            targets.append(weight @ y)
        weight = weight * scaled
    order = np.arange(degree + 1)
    gram = np.stack(moments, axis=1)[:, order[:, None] + order]
    solved = np.linalg.pinv(gram, rcond=_RANK, hermitian=True) @ np.stack(targets, axis=1)[:, :, None]
    return solved[:, 0, 0], solved[:, 1, 0] / width[:, 0]


def _neighbours(n: int, span: float) -> int:
    return min(n, max(1, int(n * span + 1e-5)))


def _corners(x: Floats, most: int) -> Floats:
    """Corners of the k-d tree of sorted points: the ends, widened, and every cut, sorted."""
    low, high = float(x[0]), float(x[-1])
    margin = _MARGIN * max(high - low, 1e-10 * max(abs(low), abs(high)) + 1e-30)
    ends = (low - margin, high + margin)
    found, cells = list(ends), [(0, len(x), ends)]
    while cells:
        start, stop, (low, high) = cells.pop()
        if stop - start <= most:
            continue
        last = _last_of_left(x, start, stop)
        cut = float(x[last])
        if cut in (low, high):
            continue
        found.append(cut)
        cells += [(start, last + 1, (low, cut)), (last + 1, stop, (cut, high))]
    return np.unique(found)


def _last_of_left(x: Floats, start: int, stop: int) -> int:
    """Position of the last point left of the cut: the median, or the nearest to it that is not tied with the next."""
    middle = (start + stop - 1) // 2
    for step in range(stop - start):
        for last in (middle + step, middle - step):
            if not start <= last < stop - 1:
                return middle
            if x[last] != x[last + 1]:
                return last
    return middle
