"""Commands on pretrained weights."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from radfusion.cli.app import app
from radfusion.cli.options import NetworkName, WeightsName
from radfusion.cli.terminal import TerminalProgress

__all__ = ["weights_app", "weights_fetch", "weights_import", "weights_list", "weights_verify"]

weights_app = typer.Typer(help="Pretrained weights: what is known, what is at hand.", no_args_is_help=True)
app.add_typer(weights_app, name="weights")


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
