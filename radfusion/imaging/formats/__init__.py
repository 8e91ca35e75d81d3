"""Image formats: one module each, found by what a file contains before what it is called.

A new format is a new module of this folder that adds its reader to ``FORMATS``.
"""

from __future__ import annotations

import importlib
import pkgutil
from pathlib import Path

from radfusion.errors import CaseError
from radfusion.imaging.formats.base import FORMATS, Format, Pixels

__all__ = ["FORMATS", "Format", "Pixels", "format_of"]

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")

_HEAD = 1024


def format_of(path: Path) -> Format:
    """Find the format of a file by its first bytes, and by its suffix only where they say nothing; or of a folder.

    Raises
    ------
    CaseError
        When there is no such file, it is empty, or no format fits.
    """
    if path.is_dir():
        return next(reader for reader in FORMATS.items().values() if reader.folders)
    head = _head(path)
    for reader in FORMATS.items().values():
        if reader.recognises(head):
            return reader
    for reader in FORMATS.items().values():
        if path.name.lower().endswith(reader.suffixes):
            return reader
    known = ", ".join(reader.title for reader in FORMATS.items().values())
    raise CaseError(f"{path.name}: neither its content nor its suffix is of a known image format; allowed: {known}")


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD)
    except FileNotFoundError:
        raise CaseError(f"{path.name}: no such file in {path.parent.name or path.parent}") from None
    except OSError as error:
        raise CaseError(f"{path.name}: cannot be opened: {error.strerror}") from error
    if not head:
        raise CaseError(f"{path.name}: the file is empty (0 bytes)")
    return head
