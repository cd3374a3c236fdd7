"""What the verbs of this side and ``edge-all export`` share: steps shown, reports printed."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import typer

if TYPE_CHECKING:
    from edge_all.model.card import VariantName
    from edge_all_calibration.figures.intervals import Estimate
    from edge_all_calibration.gating.release_gate import GateReport
    from edge_all_calibration.releasing.release import Release

__all__ = [
    "end_with",
    "gate_json",
    "print_figures",
    "print_gate",
    "print_release",
    "release_json",
    "step_progress",
]


@contextmanager
def step_progress() -> Iterator[Callable[[str], None]]:
    """Show each step with the seconds since the start, on standard error."""
    from rich.console import Console
    from rich.text import Text

    console = Console(stderr=True)
    start = time.monotonic()
    with console.status("Starting") as status:

        def step(text: str) -> None:
            console.print(Text(f"{time.monotonic() - start:6.0f} s  {text}"), soft_wrap=True)
            status.update(Text(text))

        yield step


def print_gate(reports: Sequence[GateReport]) -> None:
    """Print the gate's reports as one table a variant."""
    from edge_all.cli.tables import ReadableTable, output_console
    from edge_all.results import INTENDED_USE

    console = output_console()
    for report in reports:
        outcome = "passed" if report.passed else "REJECTED"
        counts = report.cells
        table = ReadableTable(
            "figure",
            "value",
            "95 % interval",
            "limit",
            "",
            fold=("figure",),
            title=f"{report.variant} {outcome}: {counts['cells']} cells, {counts['ALL']} of them ALL",
            caption=INTENDED_USE,
        )
        for check in report.checks:
            table.add_row(
                check.name,
                f"{check.figure.value:.4f}",
                check.figure.interval,
                f"{'±' if check.either_way else ''}{check.limit:g}",
                "ok" if check.passed else "FAILED",
            )
        table.print()
        for line in report.differing:
            console.print(f"  verdict differs on {line}", markup=False)


def gate_json(reports: Sequence[GateReport]) -> dict[str, Any]:
    """The gate's reports by variant, JSON-ready."""
    return {report.variant: report.to_json() for report in reports}


def end_with(path: Path, release: Release, *, as_json: bool) -> NoReturn:
    """Print what came of a release, and end: with status 1 where a precision was rejected."""
    from edge_all.cli.json_output import print_json

    if as_json:
        print_json(release_json(path, release))
    else:
        print_release(path, release)
    raise typer.Exit(1 if release.rejected else 0)


def release_json(package: Path, release: Release) -> dict[str, Any]:
    """What a release made, JSON-ready: what `print_release` prints."""
    return {
        "name": release.card.name,
        "version": release.card.version,
        "path": str(package),
        "variants": {
            name: {
                "file": variant.file,
                "bytes": (package / variant.file).stat().st_size,
                "temperature": variant.temperature,
                "non_all_below": variant.thresholds.non_all_below,
                "all_from": variant.thresholds.all_from,
            }
            for name, variant in release.card.variants.items()
        },
        "gate": gate_json(release.reports),
        "rejected": [report.variant for report in release.rejected],
        "limitations": list(release.card.limitations),
    }


def print_figures(figures: Mapping[VariantName, Mapping[str, Estimate]], cells: dict[str, int], reason: str) -> None:
    """Print figures that were held against nothing, and why they were not."""
    from edge_all.cli.tables import ReadableTable, output_console
    from edge_all.results import INTENDED_USE

    console = output_console()
    for variant, found in figures.items():
        table = ReadableTable(
            "figure",
            "value",
            "95 % interval",
            fold=("figure",),
            title=f"{variant}, not gated: {cells['cells']} cells, {cells['ALL']} of them ALL",
            caption=INTENDED_USE,
        )
        for name, figure in found.items():
            table.add_row(
                name.replace("_", " "),
                "unknown" if math.isnan(figure.value) else f"{figure.value:.4f}",
                figure.interval,
            )
        table.print()
    console.print(reason, style="yellow", markup=False)


def print_release(package: Path, release: Release) -> None:
    """Print what a release made."""
    from edge_all.cli.tables import ReadableTable, output_console
    from edge_all.results import INTENDED_USE

    print_gate(release.reports)
    table = ReadableTable("variant", "MB", "temperature", "non-ALL below", "ALL from", fold=(), caption=INTENDED_USE)
    for name, variant in release.card.variants.items():
        table.add_row(
            name,
            f"{(package / variant.file).stat().st_size / 1e6:.1f}",
            f"{variant.temperature:.3f}",
            f"{variant.thresholds.non_all_below:.3f}",
            f"{variant.thresholds.all_from:.3f}",
        )
    table.print()
    console = output_console()
    console.print(f"{release.card.name} {release.card.version}: {package}", markup=False)
    for limitation in release.card.limitations:
        console.print(f"Note: {limitation}", style="yellow", markup=False)
    for report in release.rejected:
        console.print(
            f"{report.variant} was rejected ({'; '.join(report.reasons)}); it lies in {package / 'rejected'}",
            style="red",
            markup=False,
        )
