"""Samples of a duration, and what is said of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["Samples", "timed"]

PERCENTILES = (50, 90, 95, 99)


@dataclass(frozen=True, slots=True)
class Samples:
    """Measured durations of one thing.

    Attributes:
        milliseconds: in the order in which they were measured; at least one.
    """

    milliseconds: tuple[float, ...]

    @classmethod
    def of(cls, milliseconds: Iterable[float]) -> Samples:
        """From any iterable."""
        return cls(tuple(milliseconds))

    @property
    def median(self) -> float:
        """The middle one, which a disturbance by another program moves least."""
        return self.percentile(50)

    @property
    def total(self) -> float:
        """All together."""
        return sum(self.milliseconds)

    def percentile(self, percent: float) -> float:
        """Interpolated linearly between neighbours; of few samples, high percentiles are close to the largest."""
        return float(np.percentile(self.milliseconds, percent))

    def to_json(self) -> dict[str, Any]:
        """Number of samples, extremes, mean and percentiles, in milliseconds."""
        return {
            "n": len(self.milliseconds),
            "min": round(min(self.milliseconds), 3),
            "mean": round(self.total / len(self.milliseconds), 3),
            **{f"p{percent}": round(self.percentile(percent), 3) for percent in PERCENTILES},
            "max": round(max(self.milliseconds), 3),
        }


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Do something once.

    Returns:
        Milliseconds by the clock, and milliseconds that all threads of this process spent computing meanwhile.
    """
    wall, computing = time.perf_counter(), time.process_time()
    work()
    return (time.perf_counter() - wall) * 1e3, (time.process_time() - computing) * 1e3
