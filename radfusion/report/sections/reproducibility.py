"""Reproducibility: versions, hashes, settings and how to run the study again."""

from __future__ import annotations

import json

from radfusion.report.blocks import Block, Cell, Code, Facts, Heading, References, Table, Text
from radfusion.report.index import Index
from radfusion.report.references import cited
from radfusion.report.sections.base import SECTIONS, Section

__all__ = ["build"]


def build(index: Index) -> list[Block]:
    """Everything that is needed to get the same numbers again."""
    results = index.results
    blocks: list[Block] = [_provenance(index), Heading("Running the study again"), Text(_again(index))]
    blocks.append(Code("radfusion check study.resolved.yaml\nradfusion run study.resolved.yaml"))
    if results.provenance.packages:
        blocks += [Heading("Package versions"), _packages(index)]
    if results.study.settings:
        blocks += [
            Heading("Settings, all resolved"),
            Code(json.dumps(results.study.settings, indent=2, ensure_ascii=False)),
        ]
    if any(_of_run(each.path) for each in results.files):
        blocks += [Heading("Files of the run"), _files(index)]
    return [*blocks, Heading("References"), References(cited(results))]


def _again(index: Index) -> str:
    return (
        "`study.resolved.yaml` of the run is the study file that was given, with every default spelled out. Its paths "
        "start where that file lay: put it there, beside the cohort folder, and run the commands below in that folder. "
        "This report is rendered from `results.json` alone. With the "
        f"same cohort, {_inputs(index)} and package versions the study gives the same numbers (seed "
        f"{index.results.study.seed}); "
        "another processor or device can change the last digits."
    )


def _inputs(index: Index) -> str:
    """What features came of: images, or only tables."""
    there = [each for each in index.results.sources if each.available]
    of_images = [each for each in there if not each.imported and each.kind != "clinical"]
    return "images" if of_images or not any(each.imported for each in there) else "imported tables"


def _provenance(index: Index) -> Facts:
    found = index.results.provenance
    pairs = (
        ("radfusion", found.radfusion, "radfusion"),
        ("Python", found.python, "python"),
        ("Platform", found.platform, "platform"),
        ("Processor", found.processor, "processor"),
        ("Device", found.device, "device"),
        ("Study settings SHA-256", found.study_sha256, "study_sha256"),
        ("Cohort table SHA-256", found.cohort_sha256, "cohort_sha256"),
        (f"{_inputs(index).capitalize()} SHA-256", found.images_sha256, "images_sha256"),
    )
    rows = tuple((name, Cell(value or "not recorded", f"/provenance/{key}")) for name, value, key in pairs)
    return Facts((*rows, ("Seed", Cell(str(index.results.study.seed), "/study/seed"))))


def _packages(index: Index) -> Table:
    rows = tuple(
        (Cell(name), Cell(version, f"/provenance/packages/{name}"))
        for name, version in index.results.provenance.packages.items()
    )
    return Table("packages", "Versions of the packages that may change a number.", ("Package", "Version"), rows)


def _of_run(path: str) -> bool:
    """Whether a file is not one of this report's own, whose hashes cannot stand in it."""
    return path.split("/")[0] not in {"report.html", "methods.md", "tables", "figures"}


def _files(index: Index) -> Table:
    rows = tuple(
        (Cell(each.path), Cell(each.sha256, f"/files/{at}/sha256"))
        for at, each in enumerate(index.results.files)
        if _of_run(each.path)
    )
    return Table(
        "files", "Files of the run with their SHA-256, without those of this report.", ("File", "SHA-256"), rows
    )


SECTIONS.add("reproducibility", Section("Reproducibility", 100, build))
