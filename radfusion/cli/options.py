"""Arguments and options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["CacheFolder", "ExecutorName", "NetworkName", "Offline", "Overrides", "StudyFile", "WeightsName", "Workers"]

StudyFile = Annotated[Path, typer.Argument(help="study.yaml", show_default=False)]
Overrides = Annotated[list[str], typer.Option("--set", metavar="KEY=VALUE", help="change a value of the study file")]
ExecutorName = Annotated[str, typer.Option(help="where work runs; see `radfusion names executor`")]
Workers = Annotated[int | None, typer.Option(min=1, help="number of workers", show_default="processors")]
CacheFolder = Annotated[Path | None, typer.Option(help="folder of finished work", show_default="the user's cache")]
Offline = Annotated[bool, typer.Option("--offline", help="never ask the network for weights")]
WeightsName = Annotated[str, typer.Argument(help="weights source; see `radfusion weights list`", show_default=False)]
NetworkName = Annotated[str, typer.Option(help="network; see `radfusion names network`")]
