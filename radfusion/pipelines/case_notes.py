"""What reading a case's files changed or assumed, as warnings beside its prediction."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from radfusion.core.contract import CaseWarning
from radfusion.core.scan import Scan
from radfusion.errors import CaseError
from radfusion.execution.executors import Executor
from radfusion.imaging.loading import CaseFiles, read_scans
from radfusion.imaging.settings import ImagingSettings

__all__ = ["case_notes"]

#: Facts of reading that say what was done to a region, in words.
_OF_SEGMENTATION = {
    "drawn_on": "its annotations name {}",
    "contours_repeated": "contours repeated: {}",
    "contours_missing": "contours missing: {}",
    "contours_outside": "contours outside the image: {}",
    "contours_left_out": "contours left out: {}",
    "annotations_left_out": "annotations left out: {}",
}
#: The same of an image.
_OF_IMAGE = {
    "colour": "coloured image: {}",
    "exif_orientation": "orientation in the file: {}",
    "lossy_compression": "lossy compression: {}",
    "spacing_refused": "spacing of the header refused: {}",
}
_OUTSIDE = 0.01


@dataclass(frozen=True)
class _Look:
    """One task: cases to read, and whether training cases had a known spacing: all, none or some (None)."""

    files: tuple[CaseFiles, ...]
    imaging: ImagingSettings
    spaced: bool | None


def case_notes(
    files: Sequence[CaseFiles], imaging: ImagingSettings, *, spaced: bool | None, executor: Executor
) -> dict[str, tuple[CaseWarning, ...]]:
    """Warnings of each case that can be read.

    Parameters
    ----------
    files : sequence of CaseFiles
        Cases.
    imaging : ImagingSettings
        How files become scans.
    spaced : bool or None
        Whether the pixel spacing of the training cases was known; None where it was of some.
    executor : Executor
        Where files are read.
    """
    looks = [_Look((each,), imaging, spaced) for each in files]
    outcomes = executor.map(_look, looks)
    return {each.case: outcome.value or () for each, outcome in zip(files, outcomes, strict=True)}


def _look(task: _Look) -> tuple[CaseWarning, ...]:
    try:
        (scan,) = read_scans(task.files, settings=task.imaging)
    except MemoryError:
        return ()
    return () if isinstance(scan, CaseError) else tuple(_warnings(scan, task.spaced))


def _warnings(scan: Scan, spaced: bool | None) -> Iterator[CaseWarning]:
    for message in (*_told(scan.facts, _OF_IMAGE), *_of_spacing(scan, spaced)):
        yield CaseWarning(kind="image", message=message)
    for message in (*_told(scan.facts, _OF_SEGMENTATION), *_of_region(scan.facts)):
        yield CaseWarning(kind="segmentation", message=message)


def _told(facts: Mapping[str, str], words: Mapping[str, str]) -> Iterator[str]:
    for name, sentence in words.items():
        if facts.get(name):
            yield sentence.format(facts[name])


def _of_spacing(scan: Scan, spaced: bool | None) -> Iterator[str]:
    if scan.spacing is None and spaced is True:
        yield "the pixel spacing is unknown, that of the training cases was known: sizes are in pixels instead of mm"
    if scan.spacing is not None and spaced is False:
        yield "the pixel spacing is known, that of the training cases was not: sizes are in mm instead of pixels"


def _of_region(facts: Mapping[str, str]) -> Iterator[str]:
    if facts.get("geometry", "same") != "same":
        yield f"fitted to the image: {facts['geometry']}"
    if facts.get("roi_touches_border", "no") != "no":
        yield f"the region touches the border of the image ({facts['roi_touches_border']})"
    if float(facts.get("roi_outside_field_share", 0)) > _OUTSIDE:
        yield f"{float(facts['roi_outside_field_share']):.0%} of the region lie outside the image"
    if int(facts.get("roi_components", 1)) > 1:
        yield f"the region has {facts['roi_components']} parts; the largest holds {facts['roi_largest_share']} of it"
