"""The command that applies a finished study's model."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from radfusion.cli.app import app
from radfusion.cli.options import CacheFolder, ExecutorName, Workers
from radfusion.cli.terminal import TerminalProgress, end_with_exclusions, interruptible
from radfusion.errors import UserError

__all__ = ["predict"]


@app.command()
def predict(
    run: Annotated[Path, typer.Argument(help="run directory, or its folder `model`", show_default=False)],
    image: Annotated[Path | None, typer.Argument(help="image of a new case", show_default=False)] = None,
    segmentation: Annotated[Path | None, typer.Option(help="its segmentation")] = None,
    segmentation_label: Annotated[
        str | None, typer.Option(help="value or name of its region in the segmentation", show_default="the only one")
    ] = None,
    centre: Annotated[str | None, typer.Option(help="its centre, for models that adjust for it")] = None,
    covariates: Annotated[
        list[str], typer.Option("--covariate", metavar="NAME=VALUE", help="for models that ask for it: age=63")
    ] = [],  # noqa: B006 - typer copies it
    cohort: Annotated[Path | None, typer.Option(help="table of new cases, instead of an image")] = None,
    features: Annotated[
        list[Path], typer.Option(help="feature table of these cases: its sources are not extracted")
    ] = [],  # noqa: B006
    out: Annotated[
        Path | None, typer.Option(help="where the answers of a table are written", show_default="predictions.csv")
    ] = None,
    executor: ExecutorName = "processes",
    workers: Workers = None,
    cache: CacheFolder = None,
) -> None:
    """Apply a finished study's model: to a new case (prints JSON) or a table of cases (writes CSV and JSON lines)."""
    if (image is None) == (cohort is None):
        raise UserError("give an image with --segmentation, or a table of cases with --cohort")
    alone = {"segmentation": segmentation, "segmentation-label": segmentation_label, "centre": centre}
    if image is None:
        _refuse(alone | {"covariate": covariates}, "is of a single image; the table of cases has columns for it")
    else:
        _refuse({"features": features, "out": out}, "is of a table of cases (--cohort); one case is answered here")
    if image is not None:
        facts = {} if centre is None else {"centre": centre}
        _print_case(run, image, segmentation, label=segmentation_label, facts=facts | _named(covariates))
        return
    from radfusion.execution.cache import Cache, default_cache_folder
    from radfusion.execution.executors import executor_named
    from radfusion.execution.work import Workers as Place
    from radfusion.pipelines.application import predict_table, write_answers

    assert cohort is not None
    with interruptible():
        place = Place(executor_named(executor, workers), Cache(cache or default_cache_folder()), TerminalProgress())
        applied = predict_table(run, cohort, features=features, place=place)
        print(*write_answers(applied, out or Path("predictions.csv")), sep="\n")
    end_with_exclusions([(item.case, item.stage, item.reason) for item in applied.exclusions])


def _refuse(options: Mapping[str, object], reason: str) -> None:
    """Options that would be passed over are mistakes."""
    for name, value in options.items():
        if value:
            raise UserError(f"--{name} {reason}")


def _print_case(run: Path, image: Path, segmentation: Path | None, *, label: str | None, facts: dict[str, str]) -> None:
    from radfusion.pipelines.application import predict_case

    if segmentation is None:
        raise UserError(f"{image.name}: --segmentation FILE says where the region is")
    stated = int(label) if label is not None and label.isdecimal() else label
    print(predict_case(run, image, segmentation, label=stated, facts=facts).model_dump_json(indent=1, by_alias=True))


def _named(covariates: list[str]) -> dict[str, str]:
    parts = [each.partition("=") for each in covariates]
    for name, equals, _ in parts:
        if not (name and equals):
            raise UserError(f"--covariate {name!r}: write NAME=VALUE, for example age=63")
    return {name: value for name, _, value in parts}
