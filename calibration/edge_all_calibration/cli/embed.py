"""``edge-all embed``: the package that travels inside the runtime, from a released one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edge_all.cli.options import VARIANTS_OFFERED
from edge_all_calibration.cli.options import PackageArgument
from edge_all_calibration.cli.paths import existing

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("embed", rich_help_panel="Training side")(embed)


def embed(
    model: PackageArgument,
    output: Annotated[Path, typer.Option("-o", "--output", help="New folder of the package.", show_default=False)],
    variant: Annotated[
        str, typer.Option("--variant", help="The precision to keep.", autocompletion=VARIANTS_OFFERED)
    ] = "int8",
    outlines: Annotated[
        Path | None,
        typer.Option(
            "--outlines",
            callback=existing,
            help="Run of `edge-all train-outlines`, or a package, whose network of outlines it is to have; its own if "
            "left out.",
        ),
    ] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Replace the package at the target.")] = False,
) -> None:
    """Copy a model package with one precision alone, small enough to travel inside the runtime.

    Exit status: 0 done, 2 nothing was published.
    """
    from edge_all.errors import UsageError
    from edge_all.model.card import VARIANTS
    from edge_all.model.store import find_package
    from edge_all_calibration.releasing.publishing import EMBEDDED_LIMIT, embed_package

    kept = next((name for name in VARIANTS if name == variant), None)
    if kept is None:
        raise UsageError(f"There is no variant {variant!r}.", f"Choose one of: {', '.join(VARIANTS)}.")
    package = find_package(model)
    embed_package(package.path, output, kept, outlines=outlines, replace=replace)
    size = sum(file.stat().st_size for file in output.iterdir())
    typer.echo(
        f"{package.card.name} {package.card.version}, {kept} alone: {output} "
        f"({size / 1e6:.1f} of at most {EMBEDDED_LIMIT / 1e6:.0f} MB)"
    )
