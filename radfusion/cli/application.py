"""The command that applies a finished study's model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from radfusion.cli.app import app

__all__ = ["predict"]


@app.command()
def predict(
    run: Annotated[Path, typer.Argument(help="run directory")],
    image: Annotated[Path, typer.Argument(help="image of a new case")],
    segmentation: Annotated[Path, typer.Option(help="its segmentation")],
) -> None:
    """Apply a finished study's model to a new case; prints JSON."""
    from radfusion.pipelines.application import predict_case

    print(json.dumps(predict_case(run, image, segmentation), indent=1))
