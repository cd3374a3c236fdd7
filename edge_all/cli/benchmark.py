"""``edge-all benchmark``: where the time goes on this machine."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edge_all.cli.json_output import JsonOption, print_json
from edge_all.cli.options import DEVICES_OFFERED, VARIANTS_OFFERED, ModelOption
from edge_all.cli.process import lean_process

if TYPE_CHECKING:
    from edge_all.benchmark.compare import Comparison
    from edge_all.benchmark.planning import Plan, PreparedBenchmark
    from edge_all.benchmark.recorded import Recorded
    from edge_all.benchmark.run_figures import BenchmarkReport

__all__ = ["register"]

JSON_FILE = "benchmark.json"
CHART_FILE = "benchmark.svg"
ALLOWED = "10%"
"""How much slower is not yet too slow, where the user does not say."""


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
        list[str] | None,
        typer.Option(
            help="fp32, fp16 or int8; repeat to compare. The best for the device if none.",
            autocompletion=VARIANTS_OFFERED,
        ),
    ] = None,
    device: Annotated[
        list[str] | None,
        typer.Option(help="As for screen; repeat to compare.", autocompletion=DEVICES_OFFERED),
    ] = None,
    threads: Annotated[list[int] | None, typer.Option(min=1, help="Of the network; repeat to compare.")] = None,
    batch: Annotated[
        list[int] | None,
        typer.Option(
            min=1, help="Batch size of the bare network; repeat to compare. The pipeline keeps its own sizes."
        ),
    ] = None,
    rounds: Annotated[int, typer.Option(min=1, help="How often whole runs are repeated.")] = 3,
    compare: Annotated[Path | None, typer.Option(help="An earlier benchmark.json of this machine.")] = None,
    fail_over: Annotated[
        str | None, typer.Option(help="With --compare: how much slower is too slow; 10% if not given.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Say where the time goes on this machine, beside what ONNX Runtime alone needs.

    Exit status: 0 measured, 1 slower than the benchmark that was compared, 2 wrong usage or nothing to compare.
    """
    lean_process()
    from edge_all.benchmark.compare import compare_benchmarks, refuse_unlike
    from edge_all.benchmark.measuring import run_benchmark
    from edge_all.benchmark.planning import Plan
    from edge_all.benchmark.recorded import Recorded
    from edge_all.cli.benchmark_tables import print_report

    # What would fail at the end fails now.
    earlier, allowed = _compared_with(compare, fail_over)
    plan = Plan(
        model=model,
        variants=tuple(variant or ()),
        devices=tuple(device or ("auto",)),
        threads=tuple(threads or ()),
        batches=tuple(batch or ()),
        rounds=rounds,
    )
    with _claimed(out), _prepared(paths, plan) as (prepared, on_step):
        if earlier is not None:
            refuse_unlike(earlier.subject, prepared.subject)
        report = run_benchmark(prepared, on_step=on_step)
        record = report.to_json()
        comparison = None if earlier is None else compare_benchmarks(earlier, Recorded.of(record), allowed)
        if comparison is not None:
            record["comparison"] = comparison.to_json()
        if out is not None:
            _write(out, report, record)
    if as_json:
        print_json(record)
    else:
        print_report(report, comparison)
    _warn(report, comparison)
    raise typer.Exit(1 if comparison is not None and comparison.slower else 0)


def _warn(report: BenchmarkReport, comparison: Comparison | None) -> None:
    """What speaks against the figures, and what became slower."""
    from edge_all.cli.benchmark_tables import disturbed_sentence, slower_sentence

    warning = disturbed_sentence(report)
    if warning is not None:
        typer.secho(warning, fg=typer.colors.YELLOW, err=True)
    if comparison is not None and comparison.slower:
        typer.echo(slower_sentence(comparison), err=True)


def _compared_with(compare: Path | None, fail_over: str | None) -> tuple[Recorded | None, float]:
    """The earlier benchmark, where one is named, and the share by which this one may be slower."""
    from edge_all.benchmark.compare import share_of
    from edge_all.benchmark.recorded import read_recorded
    from edge_all.errors import UsageError

    if fail_over is not None and compare is None:
        raise UsageError(
            "--fail-over says nothing without --compare.", "Name an earlier benchmark.json with --compare."
        )
    allowed = share_of(fail_over or ALLOWED)
    return None if compare is None else read_recorded(compare), allowed


def _claimed(out: Path | None) -> AbstractContextManager[object]:
    """The output folder held, where there is one."""
    if out is None:
        return nullcontext()
    from edge_all.files.folder_claim import claimed_folder

    return claimed_folder(out, marker=JSON_FILE, resume=False)


@contextmanager
def _prepared(paths: list[str] | None, plan: Plan) -> Iterator[tuple[PreparedBenchmark, Callable[[str], None]]]:
    """The benchmark and what is told its steps, while its images exist; says which images are left out."""
    from rich.console import Console
    from rich.text import Text

    from edge_all.benchmark.planning import prepare_benchmark
    from edge_all.benchmark.workload import own_images, rendered_images

    console = Console(stderr=True)
    with tempfile.TemporaryDirectory(prefix="edge-all-benchmark-") as scratch, console.status("") as status:
        status.update("rendering fields")
        images = own_images(paths) if paths else rendered_images(Path(scratch))
        prepared = prepare_benchmark(images, plan, on_step=status.update)
        for field in prepared.workload.left_out:
            console.print(Text(f"{field.image} is left out: {field.error}", style="yellow"), soft_wrap=True)
        yield prepared, status.update


def _write(out: Path, report: BenchmarkReport, record: dict[str, Any]) -> None:
    from edge_all.benchmark.chart import write_chart
    from edge_all.benchmark.run_figures import write_report_json

    write_chart(out / CHART_FILE, report)
    write_report_json(out / JSON_FILE, record)
