"""How fractions are written wherever people read them."""

from __future__ import annotations

__all__ = ["percent", "percent_range"]


def percent(fraction: float, digits: int = 1) -> str:
    """A fraction as every table, report and reason writes it: ``59.8 %``."""
    return f"{100 * fraction:.{digits}f} %"


def percent_range(low: float, high: float) -> str:
    """The bounds of an interval, likewise: ``50.1 to 68.9 %``."""
    return f"{100 * low:.1f} to {percent(high)}"
