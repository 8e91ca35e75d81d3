"""NIfTI, NRRD and MetaImage volumes (or slices) in one file, by SimpleITK."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from radfusion.errors import CaseError
from radfusion.imaging.formats._payload import check_payload
from radfusion.imaging.formats._volume_header import format_fact, inflated_head, orientation_fact, unstated_spacing
from radfusion.imaging.formats.base import FORMATS, Format, Pixels, decoding
from radfusion.imaging.settings import STANDARD, ImagingSettings

if TYPE_CHECKING:
    from SimpleITK import ImageFileReader

__all__ = ["Volume"]

_HEAD = 1024
_METAIMAGE = (b"ObjectType", b"NDims", b"Comment", b"ObjectSubType")


class Volume(Format):
    """Scalar images of two or three axes with spacing, origin and direction.

    A single slice becomes two-dimensional and keeps its place in the patient: three numbers of origin, nine of
    direction.
    """

    title = "NIfTI, NRRD or MetaImage"
    suffixes = (".nii", ".nii.gz", ".nrrd", ".mha", ".nhdr", ".mhd", ".hdr", ".img")

    def recognises(self, head: bytes) -> bool:
        """Whether the file begins as NRRD, NIfTI (compressed or not) or MetaImage."""
        if head.startswith(b"\x1f\x8b"):
            try:
                head = zlib.decompressobj(31).decompress(head, _HEAD)
            except zlib.error:
                return False
        return head.startswith((b"NRRD", *_METAIMAGE)) or head[344:347] in {b"n+1", b"ni1"} or _is_nifti_2(head)

    def shape(self, path: Path, settings: ImagingSettings = STANDARD) -> tuple[int, ...]:  # noqa: ARG002
        """Size in array order, from the header; a leading axis of one slice is left out."""
        size = tuple(reversed(_reader(path).GetSize()))
        return size[1:] if _is_slice(size) else size

    def read(self, path: Path, settings: ImagingSettings = STANDARD) -> Pixels:  # noqa: ARG002
        """Intensities and geometry, after the payload was found to be whole."""
        reader = _reader(path)
        check_payload(path, reader)
        with decoding(path, self.title), _no_itk_warnings():
            import SimpleITK

            image = reader.Execute()
            values = SimpleITK.GetArrayFromImage(image)
            axes = image.GetDimension()
            spacing = tuple(reversed(image.GetSpacing()))
            origin = tuple(reversed(image.GetOrigin()))
            direction = np.reshape(image.GetDirection(), (axes, axes))[::-1, ::-1]
            facts = {"format": format_fact(path), "numbers": values.dtype.name, **orientation_fact(path)}
            lost = unstated_spacing(path)
        if _is_slice(values.shape):
            facts["slice_thickness_mm"] = f"{spacing[0]:g}"
            values, spacing = values[0], spacing[1:]
        if lost is not None:
            return Pixels(values=values, facts={**facts, "spacing_refused": lost})
        return Pixels(
            values=values, spacing=spacing, origin=origin, direction=tuple(direction.ravel().tolist()), facts=facts
        )


@contextmanager
def _no_itk_warnings() -> Iterator[None]:
    """ITK prints its warnings, file names included."""
    import SimpleITK

    shown = SimpleITK.ProcessObject.GetGlobalWarningDisplay()
    SimpleITK.ProcessObject.SetGlobalWarningDisplay(False)
    try:
        yield
    finally:
        SimpleITK.ProcessObject.SetGlobalWarningDisplay(shown)


def _is_slice(size: tuple[int, ...]) -> bool:
    return len(size) == 3 and size[0] == 1


def _reader(path: Path) -> ImageFileReader:
    """Reader with the header read, of a file that holds one scalar image of two or three axes."""
    import SimpleITK

    reader = SimpleITK.ImageFileReader()
    with decoding(path, Volume.title), _no_itk_warnings():
        _check_is_whole_file(path, inflated_head(path))
        reader.SetFileName(str(path))
        reader.ReadImageInformation()
        axes, components, kind = reader.GetDimension(), reader.GetNumberOfComponents(), reader.GetPixelID()
    if axes not in {2, 3}:
        raise CaseError(f"{path.name}: has {axes} axes {reader.GetSize()}; two or three are allowed")
    if components != 1 or kind in {SimpleITK.sitkComplexFloat32, SimpleITK.sitkComplexFloat64}:
        kind_name = SimpleITK.GetPixelIDValueAsString(kind)
        raise CaseError(f"{path.name}: holds {components} components per voxel ({kind_name}); one number is wanted")
    return reader


def _check_is_whole_file(path: Path, head: bytes) -> None:
    """Refuse headers that point at another file: they may name any file of the machine."""
    text = head.split(b"\n\n")[0].lower()
    detached = (
        (head.startswith(b"NRRD") and (b"data file:" in text or b"datafile:" in text))
        or (head.startswith(_METAIMAGE) and not _is_local(head))
        or head[344:347] == b"ni1"
        or (path.suffix.lower() in {".hdr", ".img"} and head[344:347] != b"n+1")
    )
    if detached:
        raise CaseError(f"{path.name}: keeps its pixels in another file; save it as one file (.nii.gz, .nrrd or .mha)")
    if _is_nifti_2(head):
        raise CaseError(f"{path.name}: is NIfTI-2, which is not read; save it as NIfTI-1 (.nii.gz)")


def _is_nifti_2(head: bytes) -> bool:
    return head[4:7] in {b"n+2", b"ni2"}


def _is_local(head: bytes) -> bool:
    after = head.partition(b"ElementDataFile")[2].splitlines()
    return bool(after) and after[0].replace(b"=", b"").strip() == b"LOCAL"


FORMATS.add("volume", Volume())
