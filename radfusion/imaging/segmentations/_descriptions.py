"""Names of the values of a label map, in ITK-SNAP's label descriptions beside it."""

from __future__ import annotations

import re
from pathlib import Path

__all__ = ["descriptions_beside"]

_SUFFIXES = (".label", ".txt", ".lbl")
_TITLE = "ITK-SnAP Label Description File"
# Value, red, green, blue, opacity, visible, mesh visible, "name".
_LINE = re.compile(r'^\s*(\d+)(?:\s+[\d.]+){6}\s+"(.*)"\s*$')
_MOST = 1 << 20


def descriptions_beside(path: Path) -> dict[int, str]:
    """Names by value from the label description file that belongs to a label map.

    It has the name of the label map with the suffix ``.label``, ``.txt`` or ``.lbl``, or is the only description file
    (``*.label``) of the folder. Without one there are no names.

    Parameters
    ----------
    path : path
        Label map.
    """
    if path.is_dir():
        return {}
    stem = path.name.split(".")[0]
    own = [
        path.with_name(name + suffix) for name in dict.fromkeys((path.name, path.stem, stem)) for suffix in _SUFFIXES
    ]
    for candidate in own:
        found = _described(candidate)
        if found:
            return found
    beside = [found for each in sorted(path.parent.glob("*.label")) if (found := _described(each))]
    return beside[0] if len(beside) == 1 else {}


def _described(path: Path) -> dict[int, str]:
    if not path.is_file() or path.stat().st_size > _MOST:
        return {}
    text = path.read_text(encoding="utf-8", errors="replace")
    lines = [_LINE.match(line) for line in text.splitlines()] if _TITLE.lower() in text.lower() else []
    return {int(line[1]): line[2].strip() for line in lines if line and int(line[1]) and line[2].strip()}
