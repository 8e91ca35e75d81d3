"""PyRadiomics' filters, each on the part of the image that decides its response inside a region."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from radfusion.errors import CaseError
from radfusion.extraction.engine.patterns import sphere_patterns
from radfusion.extraction.engine.regions import Plane, itk_image
from radfusion.imaging.geometry import Box, box_shape, padded, size_text

if TYPE_CHECKING:
    import SimpleITK

__all__ = ["LOG_MARGIN", "Filter", "box_needed", "filters_of", "margin_needed", "responses", "seen_from"]

#: Standard deviations around a region that the recursive Gaussian sees: farther pixels change no bit of its response.
LOG_MARGIN = 20.0
#: Pixels around a sphere that its splines see: the weight of a pixel falls to 0.27 with every step away.
_SPLINE_MARGIN = 30
_SCALED = ("Square", "SquareRoot", "Logarithm", "Exponential")

Response = NDArray[np.number[Any]]


@dataclass(frozen=True)
class Filter:
    """One run of a filter.

    Attributes
    ----------
    image_type : str
        PyRadiomics' name, for example ``"LoG"``.
    titles : tuple of str
        Names of its responses, first parts of the feature names.
    settings : mapping
        PyRadiomics' settings, those of the image type before those of all.
    sigma : float
        Width in mm of a Laplacian of Gaussian, which runs once per width.
    """

    image_type: str
    titles: tuple[str, ...]
    settings: Mapping[str, Any]
    sigma: float = 0.0


def filters_of(image_types: Mapping[str, Mapping[str, Any]], settings: Mapping[str, Any], *, axes: int) -> list[Filter]:
    """Runs that image types need, in PyRadiomics' order.

    Examples
    --------
    >>> [run.titles for run in filters_of({"LoG": {"sigma": [1.0, 2.5]}}, {}, axes=2)]
    [('log-sigma-1-0-mm-3D',), ('log-sigma-2-5-mm-3D',)]
    >>> filters_of({"Wavelet": {}}, {}, axes=2)[0].titles
    ('wavelet-LH', 'wavelet-HL', 'wavelet-HH', 'wavelet-LL')
    """
    found = []
    for image_type, own in image_types.items():
        merged = {**settings, **(own or {})}
        if image_type == "LoG":
            found += [
                Filter("LoG", (f"log-sigma-{str(sigma).replace('.', '-')}-mm-3D",), merged, sigma)
                for sigma in merged.get("sigma", [])
            ]
        else:
            found.append(Filter(image_type, _titles(image_type, merged, axes), merged))
    return found


def _titles(image_type: str, settings: Mapping[str, Any], axes: int) -> tuple[str, ...]:
    if image_type == "Wavelet":
        return _wavelet_titles(settings, axes)
    if image_type == "LBP3D":
        return *(f"lbp-3D-m{level + 1}" for level in range(settings.get("lbp3DLevels", 2))), "lbp-3D-k"
    return ("lbp-2D",) if image_type == "LBP2D" else (image_type.lower(),)


def _wavelet_titles(settings: Mapping[str, Any], axes: int) -> tuple[str, ...]:
    filtered = axes - 1 if axes == 3 and settings.get("force2D", False) else axes
    names = [""]
    for _ in range(filtered):
        names = [name + band for name in names for band in "LH"]
    level = settings.get("level", 1)
    prefixes = ["wavelet", *(f"wavelet{number}" for number in range(2, level + 1))]
    return *(f"{prefix}-{name}" for prefix in prefixes for name in names[1:]), f"{prefixes[-1]}-{names[0]}"


def margin_needed(run: Filter, spacing: Sequence[float]) -> tuple[int, ...]:
    """Pixels around a region along each axis that decide the response inside it.

    Examples
    --------
    >>> margin_needed(filters_of({"LoG": {"sigma": [1.5]}}, {}, axes=2)[0], (0.5, 1.0))
    (60, 30)
    """
    if run.image_type == "LoG":
        return tuple(math.ceil(LOG_MARGIN * max(run.sigma, 0.0) / step) for step in spacing)
    return (_FIXED_MARGINS.get(run.image_type, _no_margin)(run.settings),) * len(spacing)


def _no_margin(_: Mapping[str, Any]) -> int:
    return 0


def _wavelet_margin(settings: Mapping[str, Any]) -> int:
    """Every level filters the approximation again with the same, undilated, filters."""
    import pywt  # type: ignore[import-untyped]

    wavelet: Any = pywt.Wavelet(settings.get("wavelet", "coif1"))
    return int(wavelet.dec_len) * int(settings.get("level", 1) + settings.get("start_level", 0))


_FIXED_MARGINS: Mapping[str, Callable[[Mapping[str, Any]], int]] = {
    "Wavelet": _wavelet_margin,
    "Gradient": lambda _: 2,
    "LBP2D": lambda settings: math.ceil(settings.get("lbp2DRadius", 1)) + 1,
    "LBP3D": lambda settings: math.ceil(settings.get("lbp3DIcosphereRadius", 1)) + _SPLINE_MARGIN,
}


def box_needed(run: Filter, plane: Plane, box: Box) -> Box:
    """Part of the image that a filter has to see for the values inside `box` to be those of the whole image."""
    shape, around = plane.image.shape, margin_needed(run, plane.spacing)
    wide = padded(box, around, shape)
    if run.image_type == "LBP3D":  # its spline coefficients are those of the whole image
        return tuple(slice(0, size) for size in shape)
    if run.image_type == "LBP2D":
        return _box_of_planes(run, box, wide)
    if run.image_type != "Wavelet":
        return wide
    # The transform is periodic: near a border the opposite one matters, so such an axis is kept whole.
    return tuple(
        slice(0, size) if side.start < margin or side.stop + margin > size else _even(outer, size)
        for side, outer, margin, size in zip(box, wide, around, shape, strict=True)
    )


def _box_of_planes(run: Filter, box: Box, wide: Box) -> Box:
    """Slices of a region, each from its first pixel: the place of a sample decides how its value is rounded."""
    across = run.settings.get("force2Ddimension", 0) if len(box) == 3 else None
    return tuple(
        inner if axis == across else slice(0, outer.stop)
        for axis, (inner, outer) in enumerate(zip(box, wide, strict=True))
    )


def _even(side: slice, size: int) -> slice:
    """Side of an even length, as the transform would repeat a row otherwise; the whole of an axis stays as it is."""
    if (side.stop - side.start) % 2 == 0 or side.stop - side.start == size:
        return side
    return slice(side.start, side.stop + 1) if side.stop < size else slice(side.start - 1, side.stop)


def seen_from(box: Box, outer: Box) -> Box:
    """Box counted from the corner of a larger one.

    Examples
    --------
    >>> seen_from((slice(5, 9), slice(7, 8)), (slice(3, 12), slice(0, 20)))
    (slice(2, 6, None), slice(7, 8, None))
    """
    return tuple(
        slice(side.start - frame.start, side.stop - frame.start) for side, frame in zip(box, outer, strict=True)
    )


def responses(run: Filter, plane: Plane, box: Box, *, roi: NDArray[np.bool_]) -> Iterator[tuple[str, Response]]:
    """Title and values inside `box` of each image that a filter makes.

    Parameters
    ----------
    run : Filter
        The filter.
    plane : Plane
        The whole image.
    box : tuple of slice
        Where values are wanted.
    roi : array of bool
        Pixels that matter; only the three-dimensional binary pattern looks at it.

    Raises
    ------
    CaseError
        When the filter cannot be applied to this image.
    """
    if run.image_type == "Original":
        yield run.titles[0], plane.image[box]
    elif run.image_type == "LoG":
        yield run.titles[0], _laplacian(run, plane, box)
    elif run.image_type == "LBP3D":
        yield from _on_spheres(run, plane, box, roi=roi)
    elif run.image_type in _SCALED:
        yield run.titles[0], _SCALINGS[run.image_type](plane.image[box].astype(np.float64), _ends(plane.image))
    else:
        yield from _by_pyradiomics(run, plane, box, roi=roi)


def _by_pyradiomics(run: Filter, plane: Plane, box: Box, *, roi: NDArray[np.bool_]) -> Iterator[tuple[str, Response]]:
    import SimpleITK
    from radiomics import imageoperations

    outer = box_needed(run, plane, box)
    inner = seen_from(box, outer)
    image = itk_image(plane.image[outer], plane.spacing)
    mask = itk_image(roi[outer].astype(np.uint8), plane.spacing)
    apply = getattr(imageoperations, f"get{run.image_type}Image")
    settings = {name: value for name, value in run.settings.items() if name != "label"}
    made = False
    for response, title, _ in apply(image, mask, **settings):
        made = True
        yield title, SimpleITK.GetArrayViewFromImage(response)[inner].copy()
    if not made:
        raise CaseError("PyRadiomics made no image", stage="radiomics")


def _on_spheres(run: Filter, plane: Plane, box: Box, *, roi: NDArray[np.bool_]) -> Iterator[tuple[str, Response]]:
    """Three-dimensional binary patterns; PyRadiomics' own vanish without a word since SciPy 1.17."""
    if plane.image.ndim != 3:
        raise CaseError("LBP3D needs a volume", stage="radiomics")
    for title, values in zip(run.titles, sphere_patterns(plane.image, roi, run.settings), strict=True):
        response = np.zeros(box_shape(box))
        response[roi[box]] = values
        yield title, response


def _laplacian(run: Filter, plane: Plane, box: Box) -> Response:
    """Laplacian of Gaussian: each step that SimpleITK's filter takes, in single precision, equal to the last bit."""
    import SimpleITK

    if run.sigma <= 0:
        raise CaseError(f"sigma must be positive, not {run.sigma:g}", stage="radiomics")
    least = [max(4, math.ceil(run.sigma / step) + 1) for step in plane.spacing]
    if any(size < needed for size, needed in zip(plane.image.shape, least, strict=True)):
        raise CaseError(
            f"the image is {size_text(plane.image.shape)}; a Laplacian of Gaussian of {run.sigma:g} mm needs "
            f"{size_text(least)}",
            stage="radiomics",
        )
    outer = box_needed(run, plane, box)
    image = itk_image(plane.image[outer], plane.spacing)
    inner = seen_from(box, outer)[::-1]
    total = np.zeros(box_shape(box), dtype=np.float32)
    for axis, step in enumerate(image.GetSpacing()):
        second = SimpleITK.GetArrayFromImage(_second_derivative(image, axis, inner, sigma=run.sigma))
        total = (total + second.astype(np.float64) * (1 / step**2)).astype(np.float32)
    return total


def _second_derivative(image: SimpleITK.Image, axis: int, inner: Sequence[slice], *, sigma: float) -> SimpleITK.Image:
    """Derivative along an axis, then smoothing along the others: cut along each axis once it is done."""
    import SimpleITK

    along = SimpleITK.RecursiveGaussianImageFilter()
    along.SetNormalizeAcrossScale(True)
    along.SetSigma(sigma)
    whole = [slice(None)] * len(inner)
    for direction in (axis, *(other for other in range(len(inner)) if other != axis)):
        along.SetOrder(2 if direction == axis else 0)
        along.SetDirection(direction)
        done = [*whole[:direction], inner[direction], *whole[direction + 1 :]]
        image = along.Execute(image)[tuple(done)]
    return image


def _ends(image: Response) -> tuple[float, float]:
    """Lowest and highest intensity of the whole image, which scale these filters."""
    return float(image.min()), float(image.max())


def _square(part: Response, ends: tuple[float, float]) -> Response:
    coefficient = 1 / np.sqrt(np.float64(max(map(abs, ends))))
    return np.asarray((coefficient * part) ** 2)


def _square_root(part: Response, ends: tuple[float, float]) -> Response:
    coefficient = max(map(abs, ends))
    part[part > 0] = np.sqrt(part[part > 0] * coefficient)
    part[part < 0] = -np.sqrt(-part[part < 0] * coefficient)
    return part


def _logarithm(part: Response, ends: tuple[float, float]) -> Response:
    highest = np.float64(max(map(abs, ends)))
    part[part > 0] = np.log(part[part > 0] + 1)
    part[part < 0] = -np.log(-(part[part < 0] - 1))
    return np.asarray(part * (highest / np.log(highest + 1)))


def _exponential(part: Response, ends: tuple[float, float]) -> Response:
    highest = np.float64(max(map(abs, ends)))
    return np.asarray(np.exp(np.log(highest) / highest * part))


_SCALINGS = {"Square": _square, "SquareRoot": _square_root, "Logarithm": _logarithm, "Exponential": _exponential}
