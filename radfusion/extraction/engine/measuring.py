"""Features of the regions of one image: filters are shared, regions are measured one by one."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from radfusion.errors import CaseError
from radfusion.extraction.engine.families import feature_names, intensity_family
from radfusion.extraction.engine.filters import Filter, filters_of, margin_needed, responses, seen_from
from radfusion.extraction.engine.levels import grey_levels
from radfusion.extraction.engine.quiet import one_quiet_thread
from radfusion.extraction.engine.regions import Plane, Region, normalised, regions_of
from radfusion.extraction.engine.response import Features, Response, Undefined
from radfusion.extraction.engine.shapes import shape_family
from radfusion.extraction.engine.sharing import groups_of
from radfusion.extraction.parameters import Parameters
from radfusion.imaging.geometry import Box

__all__ = ["Measured", "measure"]

_FAILURES = (RuntimeError, ValueError, ArithmeticError, MemoryError, AssertionError, LookupError)


@dataclass(frozen=True)
class Measured:
    """Features of one region.

    Attributes
    ----------
    values : dict of str to float
        Under PyRadiomics' names, in its order: ``original_glcm_Contrast``. NaN where a value is not defined.
    faults : dict of str to str
        Why a value is NaN, by feature.
    """

    values: dict[str, float] = field(default_factory=dict)
    faults: dict[str, str] = field(default_factory=dict)


def measure(  # noqa: PLR0917 - image, regions, spacing and what to measure come in no other order
    image: NDArray[Any],
    rois: Sequence[NDArray[np.bool_]],
    spacing: Sequence[float],
    parameters: Parameters,
) -> list[Measured | CaseError]:
    """Measure regions of an image as PyRadiomics does on the whole image.

    A film is measured in two dimensions, and so is a volume of one slice. The regions of an image share its filtered
    images; each has exactly the values that it has alone.

    Parameters
    ----------
    image : (rows, columns) or (slices, rows, columns) array
        Intensities. Whole numbers are rounded again after resampling, as in PyRadiomics.
    rois : sequence of arrays of bool, same shape
        The regions.
    spacing : sequence of float
        Distance between pixel centres in mm, in array order.
    parameters : Parameters
        What to measure.

    Returns
    -------
    list of Measured or CaseError
        One per region: its features, or why it has none.

    Notes
    -----
    Without `padDistance` a resampled image reaches as far around the region as the filters need.
    """
    if image.ndim == 3 and image.shape[0] == 1:
        image, rois, spacing = image[0], [roi[0] for roi in rois], spacing[1:]
    with one_quiet_thread():
        try:
            plane = normalised(Plane(image, tuple(spacing)), parameters.settings)
        except CaseError as error:
            return [error for _ in rois]
        runs = filters_of(parameters.image_types, parameters.settings, axes=image.ndim)
        margin = _resampling_margin(runs, parameters.settings)
        regions = regions_of(plane, rois, parameters.settings, margin=margin)
        tallies = [_Tally(region, parameters) for region in regions if isinstance(region, Region)]
        _measure(tallies, runs)
        done = iter(tallies)
        return [next(done).result() if isinstance(region, Region) else region for region in regions]


def _resampling_margin(runs: Sequence[Filter], settings: Mapping[str, Any]) -> int:
    spacing = settings.get("resampledPixelSpacing")
    if not spacing:
        return 0
    steps = [step for step in spacing if step > 0]
    return max((max(margin_needed(run, steps), default=0) for run in runs), default=0)


def _measure(tallies: Sequence[_Tally], runs: Sequence[Filter]) -> None:
    for tally in tallies:
        tally.measure_shape()
    for run in runs:
        for group in groups_of(run, [tally.region for tally in tallies]):
            _measure_responses(run, group.box, [tallies[number] for number in group.members])


def _measure_responses(run: Filter, box: Box, tallies: Sequence[_Tally]) -> None:
    missing, plane = list(run.titles), tallies[0].region.plane
    roi = np.logical_or.reduce([tally.region.roi for tally in tallies])
    try:
        for title, response in responses(run, plane, box, roi=roi):
            for tally in tallies:
                tally.measure_response(title, response[seen_from(tally.region.box, box)], settings=run.settings)
            missing.remove(title)
    except (*_FAILURES, CaseError) as error:
        for tally in tallies:
            tally.miss(missing, _words(error))


class _Tally:
    """The features of one region so far."""

    def __init__(self, region: Region, parameters: Parameters) -> None:
        self.region = region
        self._parameters = parameters
        asked = parameters.feature_classes.items()
        self._families = {name: wanted for name, wanted in asked if not name.startswith("shape")}
        self._measured = Measured()
        self._error: CaseError | None = None

    def result(self) -> Measured | CaseError:
        return self._error or self._measured

    def measure_shape(self) -> None:
        """Shape, by the family that the image has: ``shape2D`` of a film, ``shape`` of a volume."""
        asked, settings = self._parameters.feature_classes, self._parameters.settings
        families = [name for name in ("shape", "shape2D") if name in asked]
        if self.region.plane.image.ndim == 2:
            families = ["shape2D"] if families else []
        elif not settings.get("force2D", False):
            families = [name for name in families if name == "shape"]
        for family in families:
            wanted = asked.get(family, ())
            measured = functools.partial(shape_family, family, self.region, settings, wanted=wanted)
            self._add("original", family, wanted, measured=measured)

    def measure_response(self, title: str, response: NDArray[Any], *, settings: Mapping[str, Any]) -> None:
        """Intensities and texture of one response, cut to the box of the region."""
        if self._error or not self._families:
            return
        roi = self.region.roi[self.region.box]
        if not np.isfinite(response[roi]).all():
            self.miss([title], f"the {title} image has values that are not finite")
            return
        try:
            levels = grey_levels(response, roi, settings, title=title)
        except CaseError as error:
            self._error = error
            return
        seen = Response(response, roi, levels, self.region.plane.spacing, settings)
        for family, wanted in self._families.items():
            self._add(title, family, wanted, measured=functools.partial(intensity_family, family, seen, wanted))

    def miss(self, titles: Sequence[str], reason: str) -> None:
        """Note the features of responses that could not be made."""
        for title in titles:
            for family, wanted in self._families.items():
                names = feature_names(family, wanted)
                self._note(title, family, dict.fromkeys(names, math.nan), faults=dict.fromkeys(names, reason))

    def _add(
        self, title: str, family: str, wanted: Sequence[str], *, measured: Callable[[], tuple[Features, Undefined]]
    ) -> None:
        try:
            values, faults = measured()
        except _FAILURES as error:
            names = feature_names(family, wanted)
            values, faults = dict.fromkeys(names, math.nan), dict.fromkeys(names, _words(error))
        self._note(title, family, values, faults=faults)

    def _note(self, title: str, family: str, values: Features, *, faults: Undefined) -> None:
        self._measured.values.update({f"{title}_{family}_{name}": value for name, value in values.items()})
        self._measured.faults.update({f"{title}_{family}_{name}": why for name, why in faults.items()})


def _words(error: Exception) -> str:
    return " ".join(str(error).split())[-300:] or type(error).__name__
