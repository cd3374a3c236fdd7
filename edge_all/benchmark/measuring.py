"""A whole benchmark: every combination of variant, device and threads that was asked for."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from edge_all.api.screener import Screener
from edge_all.benchmark.planning import Plan, PreparedBenchmark
from edge_all.benchmark.processes import measure_processes
from edge_all.benchmark.run_figures import BARE, OF_THE_RUN, WHOLE, BenchmarkReport, ConfigurationFigures
from edge_all.benchmark.timing import Samples, timed
from edge_all.benchmark.workload import Workload
from edge_all.benchmark.yardsticks import BareNetwork, other_yardsticks
from edge_all.classification.classifier import Classifier
from edge_all.files.run_folder import RunFolder
from edge_all.model.package import ModelPackage
from edge_all.outputs.formats import write_run
from edge_all.runs.screening_run import screen_to_folder, summarise, write_pictures
from edge_all.session import available_cores
from edge_all.session.providers import CPU_BATCHES, DEVICES, choose_provider

__all__ = ["run_benchmark"]


def run_benchmark(prepared: PreparedBenchmark, *, on_step: Callable[[str], None] = lambda _: None) -> BenchmarkReport:
    """Measure.

    Args:
        prepared: from `edge_all.benchmark.planning.prepare_benchmark`.
        on_step: told what is being measured now.

    Raises:
        RuntimeSetupError: a process that is timed fails.
    """
    plan, workload = prepared.plan, prepared.workload
    on_step("preparing the yardsticks")
    others, missing = other_yardsticks(workload)
    configurations: list[ConfigurationFigures] = []
    for classifier in prepared.classifiers:
        # The other ways know neither variants nor devices: once is enough, and they are slow.
        beside = {} if configurations else others
        configurations.append(_measure(workload, prepared.package, classifier, plan, beside, on_step))
    return BenchmarkReport(
        machine=prepared.machine,
        images=workload.to_json(),
        rounds=plan.rounds,
        configurations=tuple(configurations),
        missing=missing,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _measure(
    workload: Workload,
    package: ModelPackage,
    classifier: Classifier,
    plan: Plan,
    others: dict[str, Callable[[], object]],
    on_step: Callable[[str], None],
) -> ConfigurationFigures:
    variant, provider = classifier.variant, classifier.provider
    label = f"{variant}, {provider.obtained}, {provider.threads} threads"
    with tempfile.TemporaryDirectory(prefix="edge-all-benchmark-") as scratch:
        on_step(f"{label}: processes")
        processes = measure_processes(
            [source.path for source in workload.images.sources],
            package=package.path,
            variant=variant,
            device=provider.requested,
            threads=provider.threads,
        )
        on_step(f"{label}: stages")
        stages = _stages(workload, classifier, Path(scratch) / "stages")
        on_step(f"{label}: whole runs")
        bare = BareNetwork(
            package.variant_file(variant), provider.obtained, provider.threads, classifier.rule.needed_outputs
        )
        sizes = _floor_batch_sizes(provider.obtained)
        folders = (Path(scratch) / f"run{number}" for number in itertools.count())
        runs, computing = _take_turns(
            {
                WHOLE: lambda: screen_to_folder(workload.images.sources, Screener.of(classifier), next(folders)),
                BARE: bare.work(workload.crops, sizes),
                **others,
            },
            plan.rounds,
        )
        on_step(f"{label}: batch sizes")
        batches, _ = _take_turns(
            {str(size): bare.work(workload.crops, (size,)) for size in plan.batches or sizes}, plan.rounds
        )
    cells = len(workload.crops)
    return ConfigurationFigures(
        model=classifier.identity,
        provider=provider,
        processes=processes,
        stages=stages,
        runs=runs,
        computing=computing,
        batches={
            int(size): Samples.of(value / cells for value in samples.milliseconds) for size, samples in batches.items()
        },
        cores=min(provider.threads, available_cores()),
    )


def _floor_batch_sizes(provider: str) -> tuple[int, ...]:
    """Batch sizes of the bare network: the pipeline's, but on the CPU up to 8, which its threads share.

    In batches of 4 it would take a tenth longer there (see `edge_all.session.providers`), and be no floor.
    """
    device = next(name for name, candidate in DEVICES.items() if candidate == provider)
    own = choose_provider(device, [provider]).batch_sizes
    return (8, *own) if own == CPU_BATCHES else own


def _take_turns(works: dict[str, Callable[[], object]], rounds: int) -> tuple[dict[str, Samples], dict[str, Samples]]:
    """Time works side by side: what disturbs the machine for a while disturbs all of them.

    Args:
        works: by name; each is done once uncounted.
        rounds: how often each is timed.

    Returns:
        Milliseconds by the clock, and computed by all threads.
    """
    for work in works.values():
        work()
    wall: dict[str, list[float]] = {name: [] for name in works}
    computing: dict[str, list[float]] = {name: [] for name in works}
    for number in range(rounds):
        for name in reversed(works) if number % 2 else works:
            elapsed, computed = timed(works[name])
            wall[name].append(elapsed)
            computing[name].append(computed)
    return (
        {name: Samples.of(values) for name, values in wall.items()},
        {name: Samples.of(values) for name, values in computing.items()},
    )


def _stages(workload: Workload, classifier: Classifier, out: Path) -> dict[str, Samples]:
    """Every stage by itself, field by field, in the calling thread."""
    stages: dict[str, list[float]] = {}
    results = []
    folder = RunFolder.for_images(out, [source.image for source in workload.images.sources])
    screener = Screener.of(classifier)
    classifier.judge(workload.crops[: min(len(workload.crops), 15)])
    for source in (workload.images.sources[0], *workload.images.sources):
        # One field at a time leaves the pipeline nothing to overlap.
        (field,) = screener.screen_with_pictures([source])
        results.append(write_pictures(folder, field, classifier.spec.factor).summary())
    for result in results[1:]:
        for stage, milliseconds in result.timings_ms.items():
            stages.setdefault(stage, []).append(milliseconds)
    samples = {stage: Samples.of(values) for stage, values in stages.items()}
    aggregation, _ = timed(lambda: summarise(results[1:], screener))
    summary = summarise(results[1:], screener)
    tables, _ = timed(lambda: write_run(folder, summary))
    return {
        **samples,
        f"aggregation {OF_THE_RUN}": Samples((aggregation,)),
        f"tables and report {OF_THE_RUN}": Samples((tables,)),
    }
