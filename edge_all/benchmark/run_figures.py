"""The figures of a run, as values, and their JSON form."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edge_all.benchmark.processes import ProcessFigures
from edge_all.benchmark.timing import Samples
from edge_all.files.atomic import write_atomically
from edge_all.outputs.json_text import json_text
from edge_all.results import INTENDED_USE, ModelIdentity, ProviderReport
from edge_all.session.providers import DEVICES

__all__ = [
    "BARE",
    "BENCHMARK_SCHEMA",
    "CALM_SHARE",
    "OF_THE_RUN",
    "WHOLE",
    "BenchmarkReport",
    "ConfigurationFigures",
    "VariantRatio",
    "write_report_json",
]

BENCHMARK_SCHEMA = 1
"""Raised whenever a reader of the JSON form could misread a newer one."""

WHOLE = "whole screen"
"""The pipeline with all that it writes."""
BARE = "bare ONNX Runtime"
"""The floor: the same cells in the same batches, everything else done beforehand."""
OF_THE_RUN = "(run)"
"""Ends the name of a stage that sees all fields at once, and has no time of a field."""


CALM_SHARE = 0.9
"""Below this share of its cores, in the median of the rounds, other programs made the floor over a tenth slower.

On 2 cores, INT8 and FP32, 21 cells, 3 rounds, while other programs took less than 0.05 cores: 0.99 to 1.00 (n = 9, with
1 and 2 threads). With 2 threads beside a program that never rests: 0.60 to 0.75 (n = 8); beside one that computes a
quarter of the time: 0.76 to 1.00 (n = 16, 4 of them below 0.9). The longest round over the shortest tells less: up to
1.13, 1.07 to 1.22 and 1.01 to 2.59. The least share of the rounds would tell of disturbances that move no median."""


@dataclass(frozen=True, slots=True)
class ConfigurationFigures:
    """What one variant did on one device with so many threads.

    Attributes:
        model: the network that judged.
        provider: where.
        processes: from process start.
        stages: time of each stage by itself, with nothing beside it: of each field, and of the run for those stages
            that see all fields at once.
        runs: the whole work by name: `WHOLE`, `BARE`, and what others bring. One sample a round; the order of the
            names turned round in every other round.
        computing: for `WHOLE` and `BARE`, what all threads together computed in each round.
        batches: milliseconds of `BARE` a cell, by batch size.
        cores: that the threads can fill: as many as there are threads, but no more than the process may use.
    """

    model: ModelIdentity
    provider: ProviderReport
    processes: ProcessFigures
    stages: dict[str, Samples]
    runs: dict[str, Samples]
    computing: dict[str, Samples]
    batches: dict[int, Samples]
    cores: int

    @property
    def bare_share_of_cores(self) -> float | None:
        """Which share of its cores `BARE` computed on, in the median of the rounds.

        Its threads wait without sleeping, so that of an undisturbed CPU they take all. None elsewhere than on the CPU.
        """
        if self.provider.obtained != DEVICES["cpu"]:
            return None
        rounds = zip(self.computing[BARE].milliseconds, self.runs[BARE].milliseconds, strict=True)
        return statistics.median(computed / (self.cores * wall) for computed, wall in rounds)

    @property
    def disturbed(self) -> bool:
        """Whether other programs took cores from `BARE`, so that it is no floor."""
        share = self.bare_share_of_cores
        return share is not None and share < CALM_SHARE

    @property
    def segmentation_over_decoding(self) -> tuple[float, float]:
        """Time of segmentation over that of decoding: the median of the fields' ratios, and the ratio of the sums."""
        segmentation, decoding = self.stages["segmentation"], self.stages["decode"]
        ratios = (one / other for one, other in zip(segmentation.milliseconds, decoding.milliseconds, strict=True))
        return statistics.median(ratios), segmentation.total / decoding.total

    @property
    def name(self) -> str:
        """Variant, provider and threads."""
        provider = self.provider.obtained.removesuffix("ExecutionProvider")
        return f"{self.model.variant}, {provider}, {self.provider.threads} thread" + "s" * (self.provider.threads > 1)

    def to_json(self, fields: int, cells: int) -> dict[str, Any]:
        """As JSON-ready values, with the throughput and the ratios that follow.

        Args:
            fields: number of fields of the run.
            cells: number of their cells.
        """
        floor = self.runs[BARE].median
        share = self.bare_share_of_cores
        of_fields, of_sums = self.segmentation_over_decoding
        return {
            "variant": self.model.variant,
            "model": {"name": self.model.name, "version": self.model.version, "sha256": self.model.sha256},
            "device": self.provider.requested,
            "provider": self.provider.obtained,
            "threads": self.provider.threads,
            "bare_share_of_cores": None if share is None else round(share, 3),
            "disturbed": self.disturbed,
            **self.processes.to_json(),
            "segmentation_over_decoding": {"median_of_fields": round(of_fields, 3), "of_sums": round(of_sums, 3)},
            "stages_ms": {
                stage: {
                    **samples.to_json(),
                    "fields_per_s": _per_second(fields, samples.total),
                    "cells_per_s": _per_second(cells, samples.total),
                }
                for stage, samples in self.stages.items()
            },
            "runs_ms": {
                name: {
                    **samples.to_json(),
                    "fields_per_s": _per_second(fields, samples.median),
                    "cells_per_s": _per_second(cells, samples.median),
                    "times_the_floor": round(samples.median / floor, 3),
                }
                for name, samples in self.runs.items()
            },
            "computing_ms": {name: samples.to_json() for name, samples in self.computing.items()},
            "batches_ms_per_cell": {str(size): samples.to_json() for size, samples in self.batches.items()},
        }


@dataclass(frozen=True, slots=True)
class VariantRatio:
    """FP32 over INT8 where everything else is the same: above 1, INT8 is faster.

    Attributes:
        provider: the execution provider.
        threads: that compute the network.
        bare: the ratio of the medians of `BARE`.
        whole: that of `WHOLE`.
    """

    provider: str
    threads: int
    bare: float
    whole: float

    def to_json(self) -> dict[str, Any]:
        """As JSON-ready values."""
        return {
            "provider": self.provider,
            "threads": self.threads,
            "bare": round(self.bare, 3),
            "whole": round(self.whole, 3),
        }


@dataclass(frozen=True, slots=True)
class BenchmarkReport:
    """A whole run.

    Attributes:
        machine: from `edge_all.benchmark.machine_description.describe_machine`.
        images: what was measured, from `Workload.to_json`.
        rounds: how often each whole run was repeated.
        configurations: one for each combination asked for.
        missing: yardsticks that could not be used, and why.
        created: UTC, ISO 8601.
    """

    machine: dict[str, Any]
    images: dict[str, Any]
    rounds: int
    configurations: tuple[ConfigurationFigures, ...]
    created: str
    missing: Mapping[str, str] = field(default_factory=dict)

    @property
    def fp32_over_int8(self) -> tuple[VariantRatio, ...]:
        """For each provider and number of threads with which both were measured."""
        by_place: dict[tuple[str, int], dict[str, ConfigurationFigures]] = {}
        for one in self.configurations:
            by_place.setdefault((one.provider.obtained, one.provider.threads), {})[one.model.variant] = one
        return tuple(
            VariantRatio(
                *place,
                bare=both["fp32"].runs[BARE].median / both["int8"].runs[BARE].median,
                whole=both["fp32"].runs[WHOLE].median / both["int8"].runs[WHOLE].median,
            )
            for place, both in by_place.items()
            if both.keys() >= {"fp32", "int8"}
        )

    def to_json(self) -> dict[str, Any]:
        """The content of ``benchmark.json``."""
        fields, cells = self.images["fields"], self.images["cells"]
        return {
            "schema": BENCHMARK_SCHEMA,
            "intended_use": INTENDED_USE,
            "created": self.created,
            "machine": self.machine,
            "images": self.images,
            "rounds": self.rounds,
            "method": METHOD,
            "missing_yardsticks": dict(self.missing),
            "fp32_over_int8": [ratio.to_json() for ratio in self.fp32_over_int8],
            "configurations": [one.to_json(fields, cells) for one in self.configurations],
        }


METHOD = (
    "Processes: from start to exit, the first of each kind not counted, the kinds taking turns. "
    "Whole runs: after one uncounted run of each, all take turns in one process, the order turned round in every other "
    "round; a whole screen decodes, segments, judges and writes everything that the command writes. "
    "Stages: each by itself, after a warm-up, nothing beside it; in a whole screen they overlap. "
    "Batches: the bare network, whole rounds over all cells."
)


def write_report_json(path: Path, record: Mapping[str, Any]) -> None:
    """Write ``benchmark.json``.

    Args:
        path: where to.
        record: from `BenchmarkReport.to_json`, with what stands beside it.

    Raises:
        OutputError: the file cannot be written.
    """
    write_atomically(path, (json_text(record, indent=2) + "\n").encode("ascii"))


def _per_second(number: int, milliseconds: float) -> float:
    return round(number / max(milliseconds, 1e-6) * 1e3, 3)
