"""The command line: the only module that prints. Heavy imports stay inside commands."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from radfusion import __version__
from radfusion.errors import UserError
from radfusion.execution.progress import Progress

if TYPE_CHECKING:
    from radfusion.core.cohort import Cohort
    from radfusion.core.results import StudyResults

FINISHED_WITH_FAILURES, MISTAKE, INTERRUPTED = 1, 2, 130

app = typer.Typer(
    name="radfusion",
    help="From a folder of images to a fusion study that survives peer review: one study file, one command.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
weights_app = typer.Typer(help="Pretrained weights: what is known, what is at hand.", no_args_is_help=True)
app.add_typer(weights_app, name="weights")

StudyFile = Annotated[Path, typer.Argument(help="study.yaml", show_default=False)]
Overrides = Annotated[list[str], typer.Option("--set", metavar="KEY=VALUE", help="change a value of the study file")]
ExecutorName = Annotated[str, typer.Option(help="where work runs; see `radfusion names executor`")]
Workers = Annotated[int | None, typer.Option(min=1, help="number of workers", show_default="processors")]
CacheFolder = Annotated[Path | None, typer.Option(help="folder of finished work", show_default="the user's cache")]
Offline = Annotated[bool, typer.Option("--offline", help="never ask the network for weights")]
WeightsName = Annotated[str, typer.Argument(help="weights source; see `radfusion weights list`", show_default=False)]
NetworkName = Annotated[str, typer.Option(help="network; see `radfusion names network`")]


class TerminalProgress(Progress):
    """Bars on a terminal, one line per tenth of a stage elsewhere."""

    def __init__(self) -> None:
        self.live = sys.stderr.isatty()
        self.stage, self.total, self.done, self.began = "", 0, 0, 0.0

    def start(self, stage: str, total: int) -> None:
        """Begin a stage."""
        self.stage, self.total, self.done, self.began = stage, total, 0, time.perf_counter()
        self._show()

    def advance(self, steps: int = 1) -> None:
        """Draw the bar anew, or print a line when another tenth is done."""
        tenth = self.done * 10 // max(1, self.total)
        self.done += steps
        if self.live or self.done * 10 // max(1, self.total) > tenth:
            self._show()

    def finish(self, note: str = "") -> None:
        """End the stage with its time."""
        seconds = time.perf_counter() - self.began
        self._line(f"{self.stage}: {note or 'done'} ({seconds:.1f} s)", last=True)

    def say(self, message: str) -> None:
        """Print a line of its own."""
        self._line(f"! {message}", last=True)

    def _show(self) -> None:
        filled = 20 * self.done // max(1, self.total)
        bar = f"[{'#' * filled}{'.' * (20 - filled)}]"
        self._line(f"{self.stage}: {bar} {self.done}/{self.total}", last=False)

    def _line(self, text: str, *, last: bool) -> None:
        end = "\n" if last or not self.live else ""
        print(f"\r\x1b[K{text}" if self.live else text, end=end, file=sys.stderr, flush=True)


@app.callback(invoke_without_command=True)
def root(version: Annotated[bool, typer.Option("--version", help="print the version and exit")] = False) -> None:
    """Options before the command."""
    if version:
        print(f"radfusion {__version__}")
        raise typer.Exit


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
    with _interruptible():
        store = Cache(cache or default_cache_folder())
        place = Place(executor_named(executor, workers), store, TerminalProgress())
        found = check_files(Study.from_yaml(study, overrides), target, place)
    _print_cohort(found.intake.cohort)
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
    with _interruptible():
        place = executor_named(executor, workers)
        work = extractions_of(target, overrides, parameters=parameters, progress=progress, offline=offline)
        exclusions = write_tables(work, out, formats=file_format, executor=place, cache=cache, progress=progress)
    print(out)
    _end_with_exclusions([(item.case, item.stage, item.reason) for item in exclusions])


@app.command()
def report(run: Annotated[Path, typer.Argument(help="run directory")]) -> None:
    """Render the report of a finished run again, from its results.json."""
    from radfusion.core.results import StudyResults
    from radfusion.report.write import write_report

    folder = run.parent if run.name == "results.json" else run
    write_report(StudyResults.read(run), folder)
    print(folder / "report.html")


@app.command()
def predict(
    run: Annotated[Path, typer.Argument(help="run directory")],
    image: Annotated[Path, typer.Argument(help="image of a new case")],
    segmentation: Annotated[Path, typer.Option(help="its segmentation")],
) -> None:
    """Apply a finished study's model to a new case; prints JSON."""
    from radfusion.pipelines.application import predict_case

    print(json.dumps(predict_case(run, image, segmentation), indent=1))


@app.command()
def simulate(
    out: Annotated[Path, typer.Argument(help="folder to make")] = Path("cohort"),
    seed: Annotated[int | None, typer.Option(help="seed", show_default="the default cohort's")] = None,
    file_format: Annotated[str, typer.Option("--format", help="png or dicom")] = "png",
    training: Annotated[int | None, typer.Option(help="cases of the training set", show_default="150")] = None,
    internal: Annotated[int | None, typer.Option(help="of the internal validation set", show_default="60")] = None,
    external: Annotated[int | None, typer.Option(help="of the external validation set", show_default="50")] = None,
    prospective: Annotated[int | None, typer.Option(help="of the prospective set", show_default="40")] = None,
    rows: Annotated[int | None, typer.Option(help="rows of a film", show_default="384")] = None,
    columns: Annotated[int | None, typer.Option(help="columns of a film", show_default="208")] = None,
    readers: Annotated[int | None, typer.Option(help="persons who outline each vertebra", show_default="1")] = None,
) -> None:
    """Make a simulated cohort of lateral spine radiographs with known achievable AUC."""
    from radfusion.pipelines.demonstration import simulate

    sizes = {"training": training, "internal": internal, "external": external, "prospective": prospective}
    asked = {"seed": seed, "format": file_format, "rows": rows, "columns": columns, "readers": readers, "sizes": sizes}
    print(simulate(out, asked, progress=TerminalProgress()))


@app.command()
def names(kind: Annotated[str | None, typer.Argument(help="one kind only")] = None) -> None:
    """List every name that a study file may use."""
    from radfusion.pipelines.names import registered_names

    for heading, listed in registered_names(kind).items():
        print(f"{heading}: {', '.join(listed)}")


@app.command()
def schema(what: Annotated[str, typer.Argument(help="study or results")] = "study") -> None:
    """Print the JSON Schema of study.yaml (for editors) or of results.json."""
    from radfusion.pipelines.names import json_schema

    print(json.dumps(json_schema(what), indent=1))


@weights_app.command("list")
def weights_list(name: Annotated[str | None, typer.Argument(help="one source, with all that is known")] = None) -> None:
    """List the weights sources: networks, what they learned from, licence, at hand or how to get."""
    from radfusion.networks.catalogue import describe_source, list_sources

    print(describe_source(name) if name else list_sources())


@weights_app.command("fetch")
def weights_fetch(name: WeightsName, network: NetworkName = "resnet50") -> None:
    """Fetch weights that have a public address, checked by hash; goes on where a download broke off."""
    from radfusion.networks.weights import WEIGHTS, fetch_weights

    print(fetch_weights(WEIGHTS[name], network, progress=TerminalProgress()))


@weights_app.command("import")
def weights_import(
    name: WeightsName,
    file: Annotated[Path, typer.Argument(help="the file, in any form that its publisher gives it")],
    network: NetworkName = "resnet50",
) -> None:
    """Check a weights file that you brought and keep it for later studies."""
    from radfusion.networks.weights import WEIGHTS, import_weights

    print(import_weights(WEIGHTS[name], file, network, progress=TerminalProgress()))


@weights_app.command("verify")
def weights_verify(
    name: WeightsName,
    file: Annotated[Path | None, typer.Argument(help="the file", show_default="the one at hand")] = None,
    network: NetworkName = "resnet50",
    images: Annotated[Path | None, typer.Option(help="self-test on these: a cohort table, or a folder")] = None,
) -> None:
    """Say what a weights file holds and whether it is what it claims to be."""
    from radfusion.networks.catalogue import in_words
    from radfusion.networks.weights import WEIGHTS, verify_weights

    if not (WEIGHTS[name].drawn and images):
        print(in_words(verify_weights(WEIGHTS[name], file, network)))
    if images:
        from radfusion.pipelines.selftest import verify_on_images

        print(*verify_on_images(WEIGHTS[name], network, file, images=images, progress=TerminalProgress()), sep="\n")


def _run(study: Path, out: Path, overrides: list[str], *, progress: Progress, **options: Any) -> None:
    from radfusion.execution.executors import executor_named
    from radfusion.pipelines import fusion
    from radfusion.study import Study

    with _interruptible():
        results = fusion.run(
            Study.from_yaml(study, overrides),
            out,
            executor=executor_named(options["executor"], options["workers"]),
            cache=options["cache"],
            progress=progress,
            offline=options["offline"],
        )
    _print_summary(results)
    print(f"report: {out / 'report.html'}")
    _end_with_exclusions([(item.case, item.stage, item.reason) for item in results.exclusions])


def _name_of(study: Path) -> str:
    return study.parent.resolve().name if study.stem == "study" else study.stem


def _print_cohort(cohort: Cohort) -> None:
    for name in cohort.sets:
        rows = cohort.of_set(name).frame
        classes = ", ".join(f"{label}: {(rows['label'] == label).sum()}" for label in cohort.classes)
        print(f"{name}: {len(rows)} cases of {rows['patient'].nunique()} patients ({classes})")


def _print_summary(results: StudyResults) -> None:
    from radfusion.core.deep_features import only_controls

    for source in results.sources:
        if not source.available:
            print(f"LEFT OUT: weights source {source.name!r}: {source.reason}")
    if only_controls(results.sources):
        print("NO PRETRAINED NETWORK: every deep feature comes from the untrained control 'random'")
    declared = results.study.settings["evaluation"]["primary"]
    if declared and not any(item.role == "primary" and item.p is not None for item in results.comparisons):
        print(f"PRIMARY COMPARISON NOT TESTED: {' against '.join(declared['models'])}, {declared['set']} set")
    print(f"final model, chosen on training folds: {results.final_model}")
    for estimate in results.estimates:
        if estimate.metric == "macro_auc" and estimate.model == results.final_model and estimate.value is not None:
            bounds = "" if estimate.low is None else f"{estimate.low:.3f}, {estimate.high:.3f}"
            interval = f" ({estimate.level:.0%} CI: {bounds})" if bounds else ""
            where = "training, out of fold" if estimate.set == "training" else estimate.set
            print(f"  macro AUC, {where}: {estimate.value:.3f}{interval}")


def _end_with_exclusions(exclusions: list[tuple[str, str, str]]) -> None:
    if exclusions:
        print(f"{len(exclusions)} cases were excluded:", file=sys.stderr)
        for case, stage, reason in exclusions:
            print(f"  {case}: {stage}: {reason}", file=sys.stderr)
        raise typer.Exit(FINISHED_WITH_FAILURES)


@contextmanager
def _interruptible() -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        print("\ninterrupted: finished work is in the cache; the same command goes on from there", file=sys.stderr)
        raise typer.Exit(INTERRUPTED) from None


def main() -> None:
    """Entry point: a user's mistake ends with a sentence and exit code 2, never with a traceback."""
    try:
        app()
    except UserError as error:
        print(f"radfusion: {error}", file=sys.stderr)
        sys.exit(MISTAKE)
    except BrokenPipeError:  # the reader of our output went away
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        print(f"radfusion: {where}{error.strerror or error}", file=sys.stderr)
        sys.exit(MISTAKE)


if __name__ == "__main__":
    main()
