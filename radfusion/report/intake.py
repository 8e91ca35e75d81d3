"""The page of an intake: what was found first, then sets, acquisition, pictures and cases."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from radfusion import __version__
from radfusion.core.results import AuditFinding, Exclusion
from radfusion.execution.cache import write_atomically
from radfusion.report.blocks import Table
from radfusion.report.drawings.contact_sheet import contact_sheets
from radfusion.report.html import Numbers, environment
from radfusion.report.write import to_csv

__all__ = ["IntakePage", "PicturedCase", "write_intake"]

#: Bytes of pictures that a page may hold; text and the coding of bytes as letters come on top.
LIMIT = 11_000_000
_ORDER = {"fail": 0, "warn": 1, "acknowledged": 2, "not_applicable": 3, "pass": 4}


@dataclass(frozen=True)
class PicturedCase:
    """A case on the contact sheet: identifier, set, class in words, PNG, and what is unusual about it."""

    case: str
    set: str
    label: str
    picture: bytes
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class IntakePage:
    """What the page tells.

    Attributes
    ----------
    title : str
        Title of the study.
    verdict : str
        One sentence: ready or not.
    ready : bool
        Whether a run may start as things are.
    findings : tuple of AuditFinding
        What was looked for and found.
    exclusions : tuple of Exclusion
        Cases that cannot be used.
    sets, acquisition, cases : Table
        Tables of the page, with their unrounded data.
    pictures : tuple of PicturedCase
        In the order of the table.
    """

    title: str
    verdict: str
    ready: bool
    findings: tuple[AuditFinding, ...]
    exclusions: tuple[Exclusion, ...]
    sets: Table
    acquisition: Table
    cases: Table
    pictures: tuple[PicturedCase, ...]


def write_intake(page: IntakePage, out: Path, *, limit: int = LIMIT) -> tuple[str, ...]:
    """Write the page, its tables, the findings and the contact sheet; the same intake gives the same bytes.

    Parameters
    ----------
    page : IntakePage
        What the page tells.
    out : path
        Folder; made when it is not there. Contact sheets of an earlier intake are replaced.
    limit : int
        Bytes of pictures in the page; beyond it a part of each set and class is shown, and all cases with a warning.

    Returns
    -------
    tuple of str
        Names of the files.
    """
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    shown = _sampled(page.pictures, limit)
    findings = sorted(page.findings, key=lambda finding: _ORDER[finding.verdict])
    files = {
        "sets.csv": to_csv(page.sets.as_data()),
        "cases.csv": to_csv(page.cases.as_data()),
        "acquisition.csv": to_csv(page.acquisition.as_data()),
        "findings.json": _findings_text(page, findings).encode(),
        "intake.html": _html(page, findings, shown).encode(),
    }
    files |= contact_sheets([(f"{set_} set, {label}", group) for (set_, label), group in _grouped(page.pictures)])
    for old in out.glob("contact_sheet*.png"):
        if old.name not in files:
            old.unlink()
    for name, data in files.items():
        write_atomically(out / name, data)
    return tuple(files)


def _html(page: IntakePage, findings: Sequence[AuditFinding], shown: Sequence[PicturedCase]) -> str:
    template = environment().get_template("intake.html.j2")
    return template.render(
        page=page,
        version=__version__,
        numbers=Numbers(),
        drawings={},
        folder="",
        findings=[finding for finding in findings if finding.verdict not in {"pass", "not_applicable"}],
        passed=[finding for finding in findings if finding.verdict in {"pass", "not_applicable"}],
        groups=list(_grouped(shown)),
        shown=len(shown),
        coded={each.case: base64.b64encode(each.picture).decode("ascii") for each in shown},
    )


def _findings_text(page: IntakePage, findings: Sequence[AuditFinding]) -> str:
    plain = {
        "title": page.title,
        "ready": page.ready,
        "verdict": page.verdict,
        "findings": [finding.model_dump(mode="json") for finding in findings],
        "exclusions": [exclusion.model_dump(mode="json") for exclusion in page.exclusions],
        "warnings": {each.case: list(each.warnings) for each in page.pictures if each.warnings},
    }
    return json.dumps(plain, indent=1, ensure_ascii=False) + "\n"


def _grouped(pictures: Sequence[PicturedCase]) -> Iterator[tuple[tuple[str, str], list[PicturedCase]]]:
    groups: dict[tuple[str, str], list[PicturedCase]] = {}
    for each in pictures:
        groups.setdefault((each.set, each.label), []).append(each)
    yield from groups.items()


def _sampled(pictures: Sequence[PicturedCase], limit: int) -> tuple[PicturedCase, ...]:
    """All pictures that fit; else those with a warning, as far as they fit, and evenly spaced others of each group."""
    if sum(len(each.picture) for each in pictures) <= limit:
        return tuple(pictures)
    room, kept = limit, set()
    warned = [each for each in pictures if each.warnings]
    order = [*_spread(warned), *_spread([each for each in pictures if not each.warnings])]
    for each in order:
        room -= len(each.picture)
        if room < 0:
            break
        kept.add(each.case)
    return tuple(each for each in pictures if each.case in kept)


def _spread(pictures: Sequence[PicturedCase]) -> Iterator[PicturedCase]:
    """The first of each group, then the second of each group, and so on."""
    groups = [group for _, group in _grouped(pictures)]
    for place in range(max(map(len, groups), default=0)):
        yield from (group[place] for group in groups if place < len(group))
