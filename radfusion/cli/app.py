"""The command line's root: every command module adds its commands to ``app``."""

from __future__ import annotations

from typing import Annotated

import typer

from radfusion import __version__

__all__ = ["app", "root"]

app = typer.Typer(
    name="radfusion",
    help="From a folder of images to a fusion study that survives peer review: one study file, one command.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback(invoke_without_command=True)
def root(version: Annotated[bool, typer.Option("--version", help="print the version and exit")] = False) -> None:
    """Options before the command."""
    if version:
        print(f"radfusion {__version__}")
        raise typer.Exit
