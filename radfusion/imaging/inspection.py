"""What can be seen of a case before anything is computed from it: size, grey values, region, burnt-in text."""

from __future__ import annotations

import base64
import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from radfusion.core.hashing import content_hash, file_hash
from radfusion.core.scan import Scan
from radfusion.errors import CaseError
from radfusion.execution.cache import Cache
from radfusion.imaging.fingerprints import Grey, narrowed, perceptual_hash, pixel_hash, reduced
from radfusion.imaging.geometry import bounding_box, box_shape
from radfusion.imaging.loading import CaseFiles, read_scans
from radfusion.imaging.markers import TextBox, find_text
from radfusion.imaging.segmentations import source_hash
from radfusion.imaging.settings import ImagingSettings
from radfusion.imaging.thumbnails import central_plane, thumbnail

__all__ = ["CaseFacts", "Fault", "Inspection", "inspect_batch", "inspect_cases"]

_CORNER = 0.06
_LONGEST = 512
_EVERY = 3


@dataclass(frozen=True)
class CaseFacts:
    """Facts of one case, none of which names a person.

    Attributes
    ----------
    case : str
        Identifier of the case.
    size : tuple of int
        Rows and columns, or slices, rows and columns.
    spacing : tuple of float or None
        Distance between pixel centres in mm in the same order; how it is known is ``facts["spacing"]``.
    modality : str
        DICOM code, or ``"unknown"``.
    range : tuple of float
        Darkest and brightest grey value.
    spread : float
        Standard deviation of the grey values, of every third row and column.
    bits : int
        Bits that the range of grey values takes; 0 where values are not whole.
    black, saturated : float
        Shares of the pixels that have the darkest and the brightest value.
    corners : float
        Median brightness of the four corners, 0 (darkest) to 1 (brightest): high on a film that is inverted.
    roi_pixels : int
        Size of the region.
    roi_box : tuple of int
        Size of the smallest box around it.
    roi_range : tuple of float
        Darkest and brightest value of the region.
    pixel_hash : str
        SHA-256 of size and values.
    perceptual_hash : str
        64 bits of coarse structure as hexadecimal digits.
    text : tuple of TextBox
        Probable burnt-in letters; never looked for in volumes.
    facts : mapping of str to str
        Acquisition facts, and what reading did to pixels and region.
    thumbnail : bytes
        PNG with the outline of the region.
    """

    case: str
    size: tuple[int, ...]
    spacing: tuple[float, ...] | None
    modality: str
    range: tuple[float, float]
    spread: float
    bits: int
    black: float
    saturated: float
    corners: float
    roi_pixels: int
    roi_box: tuple[int, ...]
    roi_range: tuple[float, float]
    pixel_hash: str
    perceptual_hash: str
    text: tuple[TextBox, ...] = ()
    facts: Mapping[str, str] = field(default_factory=dict)
    thumbnail: bytes = b""

    def to_plain(self) -> dict[str, Any]:
        """JSON values, for a cache entry; :meth:`from_plain` undoes it."""
        return dataclasses.asdict(self) | {"thumbnail": base64.b64encode(self.thumbnail).decode("ascii")}

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any], case: str) -> CaseFacts:
        """Facts of an entry, as those of a case: the same files may serve another identifier."""
        values: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in plain.items()
        }
        values["text"] = tuple(TextBox(tuple(text["box"]), text["score"]) for text in plain["text"])
        return cls(**(values | {"case": case, "thumbnail": base64.b64decode(plain["thumbnail"])}))


@dataclass(frozen=True)
class Fault:
    """Why a case cannot be used: the stage that met it and the reason."""

    case: str
    stage: str
    reason: str


@dataclass(frozen=True)
class Inspection:
    """One task: the cases of one image file, how files are read, the folder of the cache and what makes the facts."""

    cases: tuple[CaseFiles, ...]
    imaging: ImagingSettings
    cache: str | None = None
    made_by: str = ""


def inspect_batch(task: Inspection) -> list[CaseFacts | Fault]:
    """Inspect the cases of a task, or find what the cache knows of them; see :func:`inspect_cases`."""
    key = _cache_key(task) if task.cache else None
    cache = Cache(task.cache) if task.cache and key else None
    entry = cache.get(key) if cache and key else None
    if entry is not None:
        known = zip(entry[1]["cases"], task.cases, strict=True)
        return [CaseFacts.from_plain(plain, files.case) for plain, files in known]
    found = inspect_cases(task.cases, settings=task.imaging)
    usable = [each for each in found if isinstance(each, CaseFacts)]
    if cache and key and len(usable) == len(found):
        cache.put(key, {}, {"cases": [each.to_plain() for each in usable]})
    return found


def _cache_key(task: Inspection) -> str | None:
    """Hash of what the files hold, not of where they lie; None where reading will say what is wrong."""
    try:
        images = [file_hash(image) for image in dict.fromkeys(files.image for files in task.cases)]
        drawn = [_drawn_hash(files, task.imaging) for files in task.cases]
    except OSError:
        return None
    return content_hash("inspection", images, drawn, task.imaging, task.made_by)


def _drawn_hash(files: CaseFiles, settings: ImagingSettings) -> str | None:
    if files.segmentation is None:
        return None
    return source_hash(Path(files.segmentation), files.label, Path(files.image), settings=settings)


def inspect_cases(files: Sequence[CaseFiles], *, settings: ImagingSettings) -> list[CaseFacts | Fault]:
    """Read cases and look at them; those that follow each other on one image file share its reading.

    Parameters
    ----------
    files : sequence of CaseFiles
        Cases with their files.
    settings : ImagingSettings
        How files become scans.

    Returns
    -------
    list of CaseFacts or Fault
        In the order of `files`; a case that cannot be used costs itself only.
    """
    try:
        read = read_scans(files, settings=settings)
    except MemoryError as error:
        return [Fault(each.case, "read", f"MemoryError: {error}") for each in files]
    scans = [each for each in read if isinstance(each, Scan)]
    place: dict[str, CaseFacts] = {}
    for _, group in groupby(scans, key=lambda scan: id(scan.image)):
        place |= {facts.case: facts for facts in _of_one_image(list(group))}
    return [
        Fault(each.case, outcome.stage, outcome.reason) if isinstance(outcome, CaseError) else place[each.case]
        for each, outcome in zip(files, read, strict=True)
    ]


def _of_one_image(scans: Sequence[Scan]) -> list[CaseFacts]:
    image = narrowed(scans[0].image)
    flat = image.ndim == 2
    middle, factor = reduced(image if flat else image[image.shape[0] // 2], _LONGEST)
    shared = _image_facts(image) | {"corners": _corners(middle), "perceptual_hash": perceptual_hash(middle)}
    if flat:
        rows, columns = (side * factor for side in middle.shape)
        inside = np.logical_or.reduce([scan.roi[:rows:factor, :columns:factor] for scan in scans])
        shared["text"] = find_text(middle, inside, factor=factor)
    return [CaseFacts(**shared, **_case_facts(scan, image, middle)) for scan in scans]


def _image_facts(image: Grey) -> dict[str, Any]:
    low, high = image.min(), image.max()
    whole = np.issubdtype(image.dtype, np.integer)
    return {
        "size": image.shape,
        "range": (float(low), float(high)),
        "spread": float(image[..., ::_EVERY, ::_EVERY].std(dtype=np.float64)),
        "bits": (int(high) - min(0, int(low))).bit_length() if whole else 0,
        "black": float(np.count_nonzero(image == low) / image.size),
        "saturated": float(np.count_nonzero(image == high) / image.size),
        "pixel_hash": pixel_hash(image),
    }


def _case_facts(scan: Scan, image: Grey, middle: NDArray[np.float32]) -> dict[str, Any]:
    box = bounding_box(scan.roi)
    inside = image[box][scan.roi[box]]
    plane, roi = central_plane(image, scan.roi)
    small = middle if image.ndim == 2 else reduced(plane, _LONGEST)[0]
    return {
        "case": scan.case,
        "spacing": scan.spacing,
        "modality": scan.modality,
        "roi_pixels": int(inside.size),
        "roi_box": box_shape(box),
        "roi_range": (float(inside.min()), float(inside.max())),
        "facts": dict(scan.facts),
        "thumbnail": thumbnail(plane, roi, box[-2:], small=small),
    }


def _corners(small: NDArray[np.float32]) -> float:
    low, high = np.percentile(small, [1, 99])
    if high <= low:
        return 0.0
    rows, columns = (max(1, round(_CORNER * side)) for side in small.shape)
    corners = [small[:rows, :columns], small[:rows, -columns:], small[-rows:, :columns], small[-rows:, -columns:]]
    middle = np.median(np.concatenate([corner.ravel() for corner in corners]))
    return float(np.clip((middle - low) / (high - low), 0, 1))
