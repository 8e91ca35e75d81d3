"""Commands on a study: start one, check it, run it, extract its features, render its report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from radfusion.cli.app import app
from radfusion.cli.options import CacheFolder, ExecutorName, Offline, Overrides, StudyFile, Workers
from radfusion.cli.terminal import TerminalProgress, end_with_exclusions, interruptible, print_cohort, print_summary
from radfusion.errors import UserError
from radfusion.execution.progress import Progress

__all__ = ["check", "demo", "extract", "new", "report", "run"]


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="folder for cohort, study file and run")] = Path("runs/demo"),
    executor: ExecutorName = "processes",
    workers: Workers = None,
    cache: CacheFolder = None,
    offline: Offline = False,
) -> None:
    """Simulate a cohort, run the whole fusion study on it and say where the report is."""
    from radfusion.pipelines.demonstration import prepare_demo

    progress = TerminalProgress()
    study = prepare_demo(out, progress=progress)
    overrides = ["statements.data_note=This cohort is simulated; its numbers say nothing about patients"]
    _run(
        study,
        out / "run",
        overrides,
        executor=executor,
        workers=workers,
        cache=cache,
        offline=offline,
        progress=progress,
    )


@app.command()
def new(
    template: Annotated[str, typer.Argument(help="a folder of pipelines/, for example ovf-fusion")] = "ovf-fusion",
    out: Annotated[Path, typer.Option(help="folder to make")] = Path("study"),
) -> None:
    """Start a study of your own from a template."""
    from radfusion.pipelines.templates import copy_template

    target = copy_template(template, out)
    print(f"{target}: edit it, put your cohort table where cohort.table says, then: radfusion check {target}")


@app.command()
def check(
    study: StudyFile,
    out: Annotated[
        Path | None, typer.Option(help="folder for the intake's page", show_default="runs/<study>-check")
    ] = None,
    overrides: Overrides = [],  # noqa: B006 - typer copies it
    executor: ExecutorName = "processes",
    workers: Workers = None,
    cache: CacheFolder = None,
) -> None:
    """Look at every case and for everything that can fail later, before any computing."""
    from radfusion.execution.cache import Cache, default_cache_folder
    from radfusion.execution.executors import executor_named
    from radfusion.execution.work import Workers as Place
    from radfusion.pipelines.checking import check as check_files
    from radfusion.study import Study

    target = out or Path("runs") / f"{_name_of(study)}-check"
    with interruptible():
        store = Cache(cache or default_cache_folder())
        place = Place(executor_named(executor, workers), store, TerminalProgress())
        found = check_files(Study.from_yaml(study, overrides), target, place)
    print_cohort(found.intake.cohort)
    for finding in found.intake.findings:
        if finding.verdict in {"warn", "fail"}:
            print(f"{finding.verdict} {finding.code}: {finding.message}")
    for source, reason in found.missing_sources.items():
        print(f"weights source {source!r} would be left out: {reason}")
    print(f"page: {target / 'intake.html'}")
    if found.problems:
        listed = "\n  - ".join(found.problems)
        count = len(found.intake.exclusions)
        unusable = f": {count} cases cannot be used; a run excludes them by name" if count else ""
        raise UserError(f"{study}{unusable}:\n  - {listed}")
    print("ready: radfusion run", study)


@app.command()
def run(
    study: StudyFile,
    out: Annotated[Path | None, typer.Option(help="run directory", show_default="runs/<study>")] = None,
    overrides: Overrides = [],  # noqa: B006
    executor: ExecutorName = "processes",
    workers: Workers = None,
    cache: CacheFolder = None,
    offline: Offline = False,
) -> None:
    """Run a study and write its report."""
    target = out or Path("runs") / _name_of(study)
    progress = TerminalProgress()
    _run(study, target, overrides, executor=executor, workers=workers, cache=cache, offline=offline, progress=progress)


@app.command()
def extract(
    target: Annotated[Path, typer.Argument(help="study.yaml, or a table with images and segmentations")],
    out: Annotated[Path, typer.Option(help="folder for the feature tables")] = Path("features"),
    file_format: Annotated[str, typer.Option("--format", help="parquet, csv or both")] = "both",
    parameters: Annotated[Path | None, typer.Option(help="parameter file of PyRadiomics")] = None,
    overrides: Overrides = [],  # noqa: B006
    executor: ExecutorName = "processes",
    workers: Workers = None,
    cache: CacheFolder = None,
    offline: Offline = False,
) -> None:
    """Extract feature tables only, each with its provenance and a dictionary of the features."""
    from radfusion.execution.executors import executor_named
    from radfusion.pipelines.extraction import extractions_of, write_tables

    progress = TerminalProgress()
    with interruptible():
        place = executor_named(executor, workers)
        work = extractions_of(target, overrides, parameters=parameters, progress=progress, offline=offline)
        exclusions = write_tables(work, out, formats=file_format, executor=place, cache=cache, progress=progress)
    print(out)
    end_with_exclusions([(item.case, item.stage, item.reason) for item in exclusions])


@app.command()
def report(run: Annotated[Path, typer.Argument(help="run directory")]) -> None:
    """Render the report of a finished run again, from its results.json."""
    from radfusion.core.results import StudyResults
    from radfusion.report.write import write_report

    folder = run.parent if run.name == "results.json" else run
    write_report(StudyResults.read(run), folder)
    print(folder / "report.html")


def _run(study: Path, out: Path, overrides: list[str], *, progress: Progress, **options: Any) -> None:
    from radfusion.execution.executors import executor_named
    from radfusion.pipelines import fusion
    from radfusion.study import Study

    with interruptible():
        results = fusion.run(
            Study.from_yaml(study, overrides),
            out,
            executor=executor_named(options["executor"], options["workers"]),
            cache=options["cache"],
            progress=progress,
            offline=options["offline"],
        )
    print_summary(results)
    print(f"report: {out / 'report.html'}")
    end_with_exclusions([(item.case, item.stage, item.reason) for item in results.exclusions])


def _name_of(study: Path) -> str:
    return study.parent.resolve().name if study.stem == "study" else study.stem
