"""What a comparison reads of a ``benchmark.json``, checked when it is read and not when it is needed."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from edge_all.benchmark.run_figures import BENCHMARK_SCHEMA, WHOLE
from edge_all.errors import InputError, InputNotFoundError

__all__ = ["Configuration", "Recorded", "Subject", "read_recorded"]

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Configuration:
    """One way in which the images were judged.

    Attributes:
        model: SHA-256 of the network.
        variant: its precision.
        provider: the execution provider that was obtained.
        threads: that compute the network.
    """

    model: str
    variant: str
    provider: str
    threads: int

    def __str__(self) -> str:
        """Without the model, which is the same in whatever is compared."""
        return f"{self.variant}, {self.provider}, {self.threads} thread" + "s" * (self.threads > 1)


@dataclass(frozen=True, slots=True)
class Subject:
    """What a benchmark is about, all of which is known before anything is measured.

    Attributes:
        hardware: from `edge_all.benchmark.machine_description.describe_machine`.
        images: SHA-256 of their contents.
        configurations: in the order of the measurement.
    """

    hardware: dict[str, Any]
    images: str
    configurations: tuple[Configuration, ...]


@dataclass(frozen=True, slots=True)
class Recorded:
    """A benchmark that was measured.

    Attributes:
        created: UTC, ISO 8601.
        subject: what it is about.
        figures: of each configuration, by what they are, in their own units; for all of them less is better.
    """

    created: str
    subject: Subject
    figures: dict[Configuration, dict[str, float]]

    @classmethod
    def of(cls, record: dict[str, Any]) -> Recorded:
        """From the JSON form of a benchmark.

        Raises:
            KeyError, TypeError, ValueError: it is not of that form.
        """
        figures = {_configuration(one): _figures(one) for one in _typed(record["configurations"], list)}
        hardware = _typed(record["machine"]["hardware"], dict)
        subject = Subject(hardware, _typed(record["images"]["sha256"], str), tuple(figures))
        return cls(_typed(record["created"], str), subject, figures)


def read_recorded(path: Path) -> Recorded:
    """An earlier ``benchmark.json``, to be compared with.

    Raises:
        InputNotFoundError: there is no such file.
        InputError: it is no benchmark, a damaged one, or one of another schema.
    """
    remedy = "Name the benchmark.json that an earlier `edge-all benchmark` wrote."
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InputNotFoundError(f"There is no file {path}.", remedy) from error
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path} cannot be read as a benchmark ({error}).", remedy) from error
    if not isinstance(record, dict) or record.get("schema") != BENCHMARK_SCHEMA:
        raise InputError(
            f"{path} is no benchmark of schema {BENCHMARK_SCHEMA}.",
            "Write one with this version of `edge-all benchmark`.",
        )
    try:
        return Recorded.of(record)
    except KeyError as error:
        raise InputError(f"{path} cannot be read as a benchmark ({error} is missing).", remedy) from error
    except (TypeError, ValueError) as error:
        raise InputError(f"{path} cannot be read as a benchmark ({error}).", remedy) from error


def _configuration(one: dict[str, Any]) -> Configuration:
    return Configuration(
        _typed(one["model"]["sha256"], str),
        _typed(one["variant"], str),
        _typed(one["provider"], str),
        _typed(one["threads"], int),
    )


def _figures(one: dict[str, Any]) -> dict[str, float]:
    """Medians of what a user waits for, and the memory where the system told it."""
    figures = {
        "whole screen, ms": one["runs_ms"][WHOLE]["p50"],
        "one image from process start to exit, ms": one["commands_ms"]["one image"]["p50"],
        "--help from process start to exit, ms": one["commands_ms"]["help"]["p50"],
        "peak memory, MB": one["peak_memory_mb"],
    }
    return {name: _positive(name, value) for name, value in figures.items() if value is not None}


def _positive(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
        raise ValueError(f"{name}: {value!r} is no duration or size")
    return float(value)


def _typed(value: object, kind: type[Value]) -> Value:
    if not isinstance(value, kind):
        raise TypeError(f"{value!r} stands where a {kind.__name__} belongs")
    return value
