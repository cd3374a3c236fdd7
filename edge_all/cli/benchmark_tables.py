"""The figures of a benchmark as tables in the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from edge_all.benchmark.compare import Comparison
from edge_all.benchmark.run_figures import BARE, OF_THE_RUN, WHOLE, BenchmarkReport, ConfigurationFigures, VariantRatio
from edge_all.benchmark.timing import Samples
from edge_all.cli.tables import ReadableTable, output_console
from edge_all.results import INTENDED_USE
from edge_all.wording.percentages import percent

__all__ = ["disturbed_sentence", "print_report", "slower_sentence"]

_LEGEND = {
    WHOLE: "all that `edge-all screen` does with these images, files included",
    BARE: "the network alone on the same cells, all else done beforehand: the floor below any pipeline",
    # A yardstick of the training side.
    "plain": "the plain way to do it, full-pixel k-means and one Keras prediction a cell, nothing written",
    "x the floor": f"median time, divided by that of {BARE}",
    "computed": "processor time of all threads together",
}
"""What the words of the first table mean; names of other yardsticks explain themselves."""


def print_report(report: BenchmarkReport, comparison: Comparison | None = None) -> None:
    """Print the machine, and for each configuration whole runs, stages, processes and batch sizes.

    Args:
        report: the run.
        comparison: with an earlier one, which is printed below.
    """
    console = output_console()
    hardware, software, images = report.machine["hardware"], report.machine["software"], report.images
    vnni = {True: "VNNI", False: "no VNNI", None: "VNNI unknown"}[hardware["vnni"]]
    console.print(Text(f"{hardware['processor']}, {hardware['cores_usable']} usable cores, {vnni}", style="bold"))
    console.print(Text(", ".join(f"{name.replace('_', ' ')} {version}" for name, version in software.items())))
    console.print(
        Text(f"{images['fields']} {images['kind']} fields, {images['megapixels']} megapixels, {images['cells']} cells")
    )
    for number, figures in enumerate(report.configurations):
        console.print(Text(f"\n{figures.model.name} {figures.model.version}: {figures.name}", style="bold"))
        _print_runs(figures, images["fields"], images["cells"])
        if number == 0:
            _print_legend(console, figures)
        _print_samples("stages by themselves, ms", figures.stages, images["fields"], images["cells"])
        of_fields, of_sums = figures.segmentation_over_decoding
        console.print(Text(f"segmentation over decoding: {of_fields:.2f} (median of the fields), {of_sums:.2f} (sums)"))
        _print_samples("start of a process, ms", figures.processes.startup)
        _print_samples("commands from process start to exit, ms", figures.processes.commands)
        batches = {f"batches of {size}": samples for size, samples in figures.batches.items()}
        _print_samples("bare ONNX Runtime, ms a cell", batches)
        memory = figures.processes.peak_memory_mb
        console.print(Text(f"peak memory over all images: {'unknown' if memory is None else f'{memory:.0f} MB'}"))
    if report.fp32_over_int8:
        _print_ratios(report.fp32_over_int8)
    for name, reason in report.missing.items():
        console.print(Text(f"Not measured: {name} ({reason})"))
    if comparison is not None:
        _print_comparison(comparison)
    console.print(Text(INTENDED_USE, style="bold"))


def disturbed_sentence(report: BenchmarkReport) -> str | None:
    """Which configurations shared the machine with other programs, in one sentence; None if none did."""
    shares = [
        f"{percent(one.bare_share_of_cores or 0.0, 0)} ({one.name})" for one in report.configurations if one.disturbed
    ]
    if not shares:
        return None
    return (
        f"The machine was busy with other programs: of its cores {BARE} got only {', '.join(shares)}. "
        "Its times, x the floor and any comparison say little then; measure again when nothing else runs."
    )


def slower_sentence(comparison: Comparison) -> str:
    """Which figures are slower than allowed, in one sentence."""
    by_configuration: dict[str, list[str]] = {}
    for change in comparison.slower:
        words = f"{change.figure}: {change.before:.1f} before, {change.now:.1f} now"
        by_configuration.setdefault(str(change.configuration), []).append(words)
    figures = "; ".join(f"{name}: {'; '.join(words)}" for name, words in by_configuration.items())
    return f"Slower than allowed ({_growth(comparison)}): {figures}."


def _growth(comparison: Comparison) -> str:
    """What is allowed, with as many digits as the user gave: ``+2.5 %``."""
    return f"+{100 * comparison.allowed:g} %"


def _print_comparison(comparison: Comparison) -> None:
    table = ReadableTable(
        "configuration",
        "figure",
        "before",
        "now",
        "change",
        fold=("configuration", "figure"),
        title=f"against the benchmark of {comparison.earlier}; allowed: {_growth(comparison)}",
    )
    for change in comparison.changes:
        words = Text(f"{100 * (change.ratio - 1):+.1f} %", style="bold red" if change.slower else "")
        table.add_row(str(change.configuration), change.figure, f"{change.before:.1f}", f"{change.now:.1f}", words)
    table.print()


def _print_ratios(ratios: Sequence[VariantRatio]) -> None:
    table = ReadableTable("FP32 over INT8, median times", BARE, WHOLE, fold=("FP32 over INT8, median times",))
    for ratio in ratios:
        place = f"{ratio.provider.removesuffix('ExecutionProvider')}, {ratio.threads} thread{'s' * (ratio.threads > 1)}"
        table.add_row(place, f"{ratio.bare:.2f}", f"{ratio.whole:.2f}")
    table.print()


def _print_runs(figures: ConfigurationFigures, fields: int, cells: int) -> None:
    table = ReadableTable(
        "all images",
        "median\ns",
        "range\ns",
        "fields\n/s",
        "cells\n/s",
        "x the\nfloor",
        "computed\ns",
        fold=("all images",),
    )
    floor = figures.runs[BARE].median
    for name, samples in figures.runs.items():
        values = samples.milliseconds
        table.add_row(
            name,
            f"{samples.median / 1e3:.2f}",
            f"{min(values) / 1e3:.2f} to {max(values) / 1e3:.2f}",
            f"{fields / samples.median * 1e3:.2f}",
            _short(cells / samples.median * 1e3),
            f"{samples.median / floor:.2f}",
            f"{figures.computing[name].median / 1e3:.2f}",
        )
    table.print()


def _print_legend(console: Console, figures: ConfigurationFigures) -> None:
    """Say what the words of the table of whole runs mean, those that it has."""
    for word, meaning in _LEGEND.items():
        if word in figures.runs or word in ("x the floor", "computed"):
            console.print(Text(f"{word}: {meaning}"))


def _print_samples(title: str, rows: dict[str, Samples], fields: int | None = None, cells: int | None = None) -> None:
    rates = () if fields is None else ("fields\n/s", "cells\n/s")
    table = ReadableTable(title, "n", "p50", "p90", "p95", "p99", *rates, fold=(title,))
    for name, samples in rows.items():
        n = len(samples.milliseconds)
        # One sample is its own percentiles: saying it once is enough.
        figures = [_short(samples.percentile(rank)) for rank in ((50, 90, 95, 99) if n > 1 else (50,))]
        if fields is not None and cells is not None and not name.endswith(OF_THE_RUN):
            figures += [""] * (4 - len(figures))
            figures += [_short(number / max(samples.total, 1e-6) * 1e3) for number in (fields, cells)]
        table.add_row(name, str(n), *figures)
    table.print()


def _short(value: float) -> str:
    """A tenth, but not of thousands: a table has 80 columns."""
    return f"{value:.1f}" if value < 1000 else f"{value:.0f}"
