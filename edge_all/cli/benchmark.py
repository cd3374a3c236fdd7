"""``edge-all benchmark``: where the time goes on this machine."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edge_all.cli.options import ModelOption
from edge_all.cli.process import lean_process

if TYPE_CHECKING:
    from edge_all.benchmark.measuring import Plan
    from edge_all.benchmark.report import BenchmarkReport

__all__ = ["register"]

JSON_FILE = "benchmark.json"
CHART_FILE = "benchmark.svg"


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("benchmark")(benchmark)


def benchmark(
    paths: Annotated[
        list[str] | None,
        typer.Argument(metavar="[PATH]...", help="Your own fields: images, folders or globs; rendered ones if none."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--output", "-o", help=f"Folder for {JSON_FILE} and {CHART_FILE}; made if need be.")
    ] = None,
    model: ModelOption = None,
    variant: Annotated[
        list[str] | None, typer.Option(help="fp32, fp16 or int8; repeat to compare. The best for the device if none.")
    ] = None,
    device: Annotated[list[str] | None, typer.Option(help="As for screen; repeat to compare.")] = None,
    threads: Annotated[list[int] | None, typer.Option(min=1, help="Of the network; repeat to compare.")] = None,
    batch: Annotated[
        list[int] | None,
        typer.Option(
            min=1, help="Batch size of the bare network; repeat to compare. The pipeline keeps its own sizes."
        ),
    ] = None,
    rounds: Annotated[int, typer.Option(min=1, help="How often whole runs are repeated.")] = 3,
    compare: Annotated[Path | None, typer.Option(help="An earlier benchmark.json of this machine.")] = None,
    fail_over: Annotated[str, typer.Option(help="With --compare: how much slower is too slow.")] = "10%",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")] = False,
) -> None:
    """Say where the time goes on this machine, beside what ONNX Runtime alone needs.

    Exit status: 0 measured, 1 slower than the benchmark that was compared, 2 wrong usage or nothing to compare.
    """
    lean_process()
    from edge_all.benchmark.compare import compare_reports, share_of
    from edge_all.benchmark.measuring import Plan
    from edge_all.benchmark.report import read_report, write_report_json

    # What would fail at the end fails now.
    allowed = share_of(fail_over)
    earlier = None if compare is None else read_report(compare)
    plan = Plan(
        model=model,
        variants=tuple(variant or ()),
        devices=tuple(device or ("auto",)),
        threads=tuple(threads or ()),
        batches=tuple(batch or ()),
        rounds=rounds,
    )
    if out is None:
        report = _measured(paths, plan)
    else:
        from edge_all.benchmark.chart import write_chart
        from edge_all.outputs.run_folder import claimed_folder

        with claimed_folder(out, marker=JSON_FILE, resume=False):
            report = _measured(paths, plan)
            write_chart(out / CHART_FILE, report)
            write_report_json(out / JSON_FILE, report)
    if as_json:
        typer.echo(json.dumps(report.to_json(), indent=2))
    else:
        from edge_all.cli.benchmark_tables import print_report

        print_report(report)
    if earlier is not None:
        from edge_all.cli.benchmark_tables import print_changes

        changes = compare_reports(earlier, report.to_json(), allowed)
        print_changes(changes, allowed)
        raise typer.Exit(1 if any(change.slower for change in changes) else 0)


def _measured(paths: list[str] | None, plan: Plan) -> BenchmarkReport:
    from rich.console import Console

    from edge_all.benchmark.measuring import run_benchmark
    from edge_all.benchmark.workload import own_images, rendered_images

    with (
        tempfile.TemporaryDirectory(prefix="edge-all-benchmark-") as scratch,
        Console(stderr=True).status("") as status,
    ):
        status.update("rendering fields")
        images = own_images(paths) if paths else rendered_images(Path(scratch))
        return run_benchmark(images, plan, on_step=status.update)
