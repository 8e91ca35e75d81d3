"""The table of weights sources in words: all of them, or one with everything that is known of it."""

from __future__ import annotations

import re
import shutil
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import Any

from radfusion.networks.sources import WEIGHTS, WeightsFile, WeightsSource
from radfusion.networks.weights import default_weights_folder, find_weights

__all__ = ["describe_source", "in_words", "list_sources"]

_HEAD = ("source", "networks", "learned from", "licence", "file")
_SHARES = (3, 3, 4, 4)
_NARROWEST, _USUAL = 80, 120


def list_sources(width: int | None = None) -> str:
    """Every source in a table: networks, what the weights were learned from, licence, at hand or how to get.

    Parameters
    ----------
    width : int, optional
        Characters of a line, 80 at least; the terminal's by default.
    """
    rows = [_HEAD, *(_row(source) for source in WEIGHTS.items().values())]
    first = max(len(row[0]) for row in rows)
    wide = max(width or shutil.get_terminal_size((_USUAL, 0)).columns, _NARROWEST)
    share = (wide - first - 2 * len(_SHARES)) // sum(_SHARES)
    table = "\n".join(_wrapped(row, (first, *(share * part for part in _SHARES))) for row in rows)
    return f"{table}\n\nradfusion weights list NAME says everything of one source"


def describe_source(name: str) -> str:
    """Everything that is known of one source, with its files and how to cite it.

    Raises
    ------
    UnknownNameError
        When there is no such source.
    """
    source = WEIGHTS[name]
    facts = {
        "title": source.title,
        "networks": ", ".join(source.networks) or "every network",
        "learned from": ", ".join(source.modalities) or "-",
        "input": f"{source.input}, {f'{source.size} x {source.size}' if source.size else 'of the size of the network'}",
        "variant": f"ResNets with stride {source.graph.stride}, stem {source.graph.stem}, "
        f"epsilon {source.graph.epsilon:g}",
        "stages": f"to {source.deepest}" if source.deepest else "all",
        "licence": source.licence,
        "cite": source.reference,
        "to get": source.obtain.format(name=name),
    }
    if source.files:
        facts["by hand"] = (
            f"radfusion weights import {name} FILE [--network NETWORK], or lay the file into the folder {name} of "
            f"$RADFUSION_WEIGHTS or of {default_weights_folder()}"
        )
    return "\n".join([name, *_lines(facts), *(_file(source, form) for form in source.files)])


def in_words(facts: Mapping[str, Any]) -> str:
    """Facts of a weights file, one a line.

    Examples
    --------
    >>> print(in_words({"layers": ["layer1", "layer2"], "hash_known": True, "bytes": 34380587}))
    layers: layer1, layer2
    hash known: yes
    bytes: 34,380,587
    """
    return "\n".join(f"{key.replace('_', ' ')}: {_value(value)}" for key, value in facts.items())


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(value)
    return f"{value:,}" if isinstance(value, int) else str(value)


def _row(source: WeightsSource) -> tuple[str, ...]:
    networks = source.networks or ("every network",)
    more = f" and {len(networks) - 1} more" if len(networks) > 1 else ""
    modalities = ", ".join(source.modalities) or "-"
    return source.name, f"{networks[0]}{more}", modalities, re.split(r" \(|;", source.licence)[0], _at_hand(source)


def _at_hand(source: WeightsSource) -> str:
    here = [network for network in source.networks if find_weights(source, network)]
    if here:
        return f"at hand: {', '.join(here)}"
    if not source.files:
        return "built in" if source.drawn else "your own"
    return f"weights fetch {source.name}" if source.files[0].url else f"weights import {source.name} FILE"


def _lines(facts: Mapping[str, str]) -> Iterator[str]:
    for key, value in facts.items():
        yield textwrap.fill(
            value,
            _USUAL,
            initial_indent=f"  {key:14}",
            subsequent_indent=" " * 16,
            break_long_words=False,
            break_on_hyphens=False,
        )


def _file(source: WeightsSource, form: WeightsFile) -> str:
    found = find_weights(source, form.network)
    lines = [
        f"  {form.name} ({form.network}{f', {form.expected_bytes / 1e6:.1f} MB' if form.expected_bytes else ''})",
        f"SHA-256 {form.hashes}{' (required)' if form.hash_required else ' (told by users)'}"
        if form.sha256
        else "no SHA-256 known",
        *([form.url] if form.url else []),
        f"at hand: {found}" if found and found.name == form.name else "not at hand",
    ]
    return "\n    ".join(lines)


def _wrapped(cells: Sequence[str], widths: Iterable[int]) -> str:
    """One row of the table, each cell broken to its width."""
    columns = [
        [f"{line:{width}}" for line in textwrap.wrap(cell, width, break_on_hyphens=False)] or [" " * width]
        for cell, width in zip(cells, widths, strict=True)
    ]
    blank = [" " * len(column[0]) for column in columns]
    lines = zip_longest(*columns)
    return "\n".join(
        "  ".join(part or space for part, space in zip(line, blank, strict=True)).rstrip() for line in lines
    )
