"""Commands that need no study: simulate a cohort, list names, print schemas."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from radfusion.cli.app import app
from radfusion.cli.terminal import TerminalProgress

__all__ = ["names", "schema", "simulate"]


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
