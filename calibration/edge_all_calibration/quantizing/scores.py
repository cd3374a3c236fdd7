"""How far a precision variant is from FP32, while variants are being made."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Score"]


@dataclass(frozen=True, slots=True, order=True)
class Score:
    """How far a quantised network is from FP32; smaller is better.

    Attributes:
        disagreement: share of cells decided otherwise.
        difference: mean absolute difference of calibrated probability.
    """

    disagreement: float
    difference: float
