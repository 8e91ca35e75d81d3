"""Stored values of DICOM pixel data, by pydicom's decoders, and by GDCM (inside SimpleITK) where those have none."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from radfusion.errors import CaseError
from radfusion.imaging.formats._dicom_header import printable

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

__all__ = ["frame_count", "is_colour", "stored_values"]

_PIXEL_MODULE = (
    "SamplesPerPixel", "PlanarConfiguration", "Rows", "Columns", "BitsAllocated", "BitsStored", "HighBit",
    "PixelRepresentation", "NumberOfFrames", "PixelData",
)  # fmt: skip
_END_OF_IMAGE = b"\xff\xd9"
_PADDED = 16


def frame_count(path: Path, header: Dataset) -> int:
    """Number of frames that the header states; 1 when it states none."""
    count = int(header.get("NumberOfFrames") or 1)
    if count < 1:
        raise CaseError(f"{path.name}: NumberOfFrames is {count}; at least 1 is allowed")
    return count


def is_colour(header: Dataset) -> bool:
    """Whether a pixel has three numbers as stored."""
    return int(header.get("SamplesPerPixel") or 1) == 3


def stored_values(path: Path, header: Dataset, frame: int | None = None) -> NDArray[Any]:
    """Stored values: sign extended, bits above ``HighBit`` cleared, YBR turned to RGB.

    Parameters
    ----------
    path : path
        File, for messages.
    header : Dataset
        Header with the pixel data.
    frame : int, optional
        Which frame, counted from 0; without it all, on a leading axis when there are several.

    Raises
    ------
    CaseError
        When the data are damaged, shorter than the header says or of a transfer syntax that nothing decodes.
    """
    values = _decoded(path, header, frame)
    frames = frame_count(path, header) if frame is None else 1
    wanted = ((frames,) if frames > 1 else ()) + (int(header.Rows), int(header.Columns))
    wanted += (3,) if is_colour(header) else ()
    if values.shape != wanted:
        raise CaseError(f"{path.name}: the header promises {wanted}, the pixel data hold {values.shape}")
    return _shifted(values, header)


def _decoded(path: Path, header: Dataset, frame: int | None) -> NDArray[Any]:
    from pydicom.pixels.utils import pixel_array
    from pydicom.uid import RLELossless

    # Of damaged data pylibjpeg's decoder of RLE panics, which no `except` should catch; pydicom's own raises.
    plugin = "pydicom" if header.file_meta.TransferSyntaxUID == RLELossless else ""
    try:
        return pixel_array(header, index=frame, decoding_plugin=plugin, **_bit_options(header))
    except RuntimeError as error:
        syntax = header.file_meta.TransferSyntaxUID
        if "missing dependencies" not in str(error) and "does not support" not in str(error):
            raise
        if "JPEG" not in syntax.name or (is_colour(header) and header.PhotometricInterpretation != "RGB"):
            raise CaseError(f"{path.name}: no installed decoder reads {printable(syntax.name)}") from error
    except NotImplementedError as error:
        syntax = header.file_meta.TransferSyntaxUID
        raise CaseError(f"{path.name}: the transfer syntax {printable(syntax.name)} is not read") from error
    return _by_gdcm(path, header, frame)


def _bit_options(header: Dataset) -> dict[str, Any]:
    """Let the decoder keep the bits up to ``HighBit`` where that is not the last of ``BitsStored``."""
    if "HighBit" not in header or "BitsStored" not in header or "PixelData" not in header:
        return {}
    top = int(header.HighBit) + 1
    return {"bits_stored": top} if int(header.BitsStored) < top <= int(header.BitsAllocated) else {}


def _shifted(values: NDArray[Any], header: Dataset) -> NDArray[Any]:
    """Drop what lies below the stored bits: overlays of old files."""
    options = _bit_options(header)
    if not options or not np.issubdtype(values.dtype, np.integer):
        return values
    shifted: NDArray[Any] = values >> (options["bits_stored"] - int(header.BitsStored))
    return shifted


def _by_gdcm(path: Path, header: Dataset, frame: int | None) -> NDArray[Any]:
    """Decode by GDCM from a file that holds the pixel module alone: nothing else of the header can harm or identify."""
    import SimpleITK
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import SecondaryCaptureImageStorage, generate_uid

    _check_is_whole(path, header)
    bare = Dataset()
    bare.file_meta = FileMetaDataset()
    bare.file_meta.TransferSyntaxUID = header.file_meta.TransferSyntaxUID
    bare.SOPClassUID = bare.file_meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    bare.SOPInstanceUID = bare.file_meta.MediaStorageSOPInstanceUID = generate_uid(entropy_srcs=["radfusion"])
    for keyword in _PIXEL_MODULE:
        if keyword in header:
            bare[keyword] = header[keyword]
    bare.PhotometricInterpretation = "RGB" if is_colour(header) else "MONOCHROME2"
    with TemporaryDirectory() as folder:
        bare.save_as(Path(folder) / "pixels.dcm", enforce_file_format=True)
        values: NDArray[Any] = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(Path(folder) / "pixels.dcm")))
    if frame is not None or values.shape[0] == 1:
        return np.asarray(values[frame or 0])
    return values


def _check_is_whole(path: Path, header: Dataset) -> None:
    """GDCM fills what is missing: each frame must have its end."""
    from pydicom.encaps import generate_frames

    frames = frame_count(path, header)
    parts = list(generate_frames(header.PixelData, number_of_frames=frames))
    if len(parts) != frames or not all(_END_OF_IMAGE in part[-_PADDED:] for part in parts):
        raise CaseError(f"{path.name}: the compressed pixel data are cut short or damaged")
