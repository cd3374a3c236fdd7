"""The figures of a run, as values, and their JSON form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edge_all.benchmark.processes import ProcessFigures
from edge_all.benchmark.timing import Samples
from edge_all.outputs.atomic import write_atomically
from edge_all.outputs.json_text import json_text
from edge_all.results import INTENDED_USE, ModelIdentity, ProviderReport

__all__ = [
    "BARE",
    "BENCHMARK_SCHEMA",
    "WHOLE",
    "BenchmarkReport",
    "ConfigurationFigures",
    "write_report_json",
]

BENCHMARK_SCHEMA = 1
"""Raised whenever a reader of the JSON form could misread a newer one."""

WHOLE = "whole screen"
"""The pipeline with all that it writes."""
BARE = "bare ONNX Runtime"
"""The floor: the same cells in the same batches, everything else done beforehand."""


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
    """

    model: ModelIdentity
    provider: ProviderReport
    processes: ProcessFigures
    stages: dict[str, Samples]
    runs: dict[str, Samples]
    computing: dict[str, Samples]
    batches: dict[int, Samples]

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
        return {
            "variant": self.model.variant,
            "model": {"name": self.model.name, "version": self.model.version, "sha256": self.model.sha256},
            "device": self.provider.requested,
            "provider": self.provider.obtained,
            "threads": self.provider.threads,
            **self.processes.to_json(),
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
class BenchmarkReport:
    """A whole run.

    Attributes:
        machine: from `edge_all.benchmark.machine.describe_machine`.
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
