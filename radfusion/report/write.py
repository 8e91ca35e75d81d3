"""Writing the report of a study: page, tables, figures and Methods text, from results alone."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable
from pathlib import Path
from typing import TypeVar

from radfusion.core.hashing import file_hash
from radfusion.core.results import OutputFile, StudyResults
from radfusion.execution.cache import write_atomically
from radfusion.execution.progress import Progress
from radfusion.report.blocks import Data, Picture, Table
from radfusion.report.figures import Drawn, draw
from radfusion.report.html import Part, page
from radfusion.report.index import Index
from radfusion.report.sections import sections_in_order
from radfusion.report.sentences import methods
from radfusion.report.styles import PAPER, Style

__all__ = ["write_report"]

Named = TypeVar("Named", Picture, Table)

_FORMULA = re.compile(r"[=@]|[+-](?![0-9.])")


def write_report(
    results: StudyResults, out: Path, *, style: Style = PAPER, progress: Progress | None = None
) -> tuple[OutputFile, ...]:
    """Write ``report.html``, ``methods.md``, ``tables/`` and ``figures/``.

    Nothing but `results` is read, and the same results give the same bytes.

    Parameters
    ----------
    results : StudyResults
        What the study found.
    out : path
        Run directory; made when it is not there.
    style : Style
        Look of the figures.
    progress : Progress, optional
        Listener.

    Returns
    -------
    tuple of OutputFile
        Paths relative to `out`, with hashes, in the order of writing.
    """
    progress = progress or Progress()
    index, out = Index(results), Path(out)
    parts = _parts(index)
    pictures = _named(block for part in parts for block in part.blocks if isinstance(block, Picture))
    tables = _named(block for part in parts for block in part.blocks if isinstance(block, Table))
    files = {f"tables/{name}.csv": to_csv(table.as_data()) for name, table in tables.items()}
    progress.start("figures", len(pictures))
    drawings: dict[str, Drawn] = {}
    for name, picture in pictures.items():
        drawings[name] = draw(picture, style)
        files |= {f"figures/{name}.{ending}": data for ending, data in drawings[name].files.items()}
        files[f"figures/{name}.csv"] = to_csv(picture.data)
        progress.advance()
    files["methods.md"] = _methods_text(index).encode()
    files["report.html"] = page(results, parts, drawings).encode()
    for path, data in files.items():
        (out / path).parent.mkdir(parents=True, exist_ok=True)
        write_atomically(out / path, data)
    progress.finish(f"{len(pictures)} drawn")
    return tuple(OutputFile(path=path, sha256=file_hash(out / path)) for path in files)


def _parts(index: Index) -> tuple[Part, ...]:
    built = ((name, section.title, tuple(section.build(index))) for name, section in sections_in_order())
    return tuple(Part(name, title, blocks) for name, title, blocks in built if blocks)


def _named(blocks: Iterable[Named]) -> dict[str, Named]:
    """Blocks by name.

    Raises
    ------
    ValueError
        When two have one name: one file would replace the other.
    """
    named: dict[str, Named] = {}
    for block in blocks:
        if block.name in named:
            raise ValueError(f"two blocks of the report are named {block.name!r}")
        named[block.name] = block
    return named


def to_csv(data: Data) -> bytes:
    r"""CSV of unrounded numbers; None is an empty field.

    Text that a spreadsheet would run as a formula (headers of image files may hold any) gets an apostrophe.

    Examples
    --------
    >>> to_csv(Data(("a", "b"), ((0.1, None), ("x, y", 2))))
    b'a,b\n0.1,\n"x, y",2\n'
    >>> to_csv(Data(("manufacturer",), (("=1+2",),)))
    b"manufacturer\n'=1+2\n"
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(data.columns)
    writer.writerows([_harmless(value) for value in row] for row in data.rows)
    return text.getvalue().encode()


def _harmless(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and _FORMULA.match(value) else value


def _methods_text(index: Index) -> str:
    parts = [
        f"# {index.results.study.title}",
        "Draft written by radfusion from results.json; [AUTHOR: ...] is yours to fill.",
    ]
    for heading, paragraphs in methods(index):
        parts += [f"## {heading}", *paragraphs]
    return "\n\n".join(parts) + "\n"
