"""One benchmark against an earlier one, like with like."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from edge_all.benchmark.recorded import Configuration, Recorded, Subject
from edge_all.errors import UsageError

__all__ = ["Change", "Comparison", "compare_benchmarks", "refuse_unlike", "share_of"]


@dataclass(frozen=True, slots=True)
class Change:
    """One figure then and now; for all of them less is better.

    Attributes:
        configuration: variant, provider and threads.
        figure: what it is.
        before, now: in the figure's own unit.
        slower: whether the change exceeds what is allowed.
    """

    configuration: Configuration
    figure: str
    before: float
    now: float
    slower: bool

    @property
    def ratio(self) -> float:
        """Now to before."""
        return self.now / self.before


@dataclass(frozen=True, slots=True)
class Comparison:
    """What became of the figures of an earlier benchmark.

    Attributes:
        earlier: when that was made; UTC, ISO 8601.
        allowed: by which share a figure may grow.
        changes: every figure that both have.
    """

    earlier: str
    allowed: float
    changes: tuple[Change, ...]

    @property
    def slower(self) -> tuple[Change, ...]:
        """Those that grew by more than is allowed."""
        return tuple(change for change in self.changes if change.slower)

    def to_json(self) -> dict[str, Any]:
        """The key ``comparison`` of ``benchmark.json``."""
        return {
            "earlier": self.earlier,
            "allowed": self.allowed,
            "slower": bool(self.slower),
            "changes": [
                {
                    "variant": change.configuration.variant,
                    "provider": change.configuration.provider,
                    "threads": change.configuration.threads,
                    "figure": change.figure,
                    "before": change.before,
                    "now": change.now,
                    "ratio": round(change.ratio, 3),
                    "slower": change.slower,
                }
                for change in self.changes
            ],
        }


def share_of(text: str) -> float:
    """``10%`` or ``10`` as 0.1.

    Raises:
        UsageError: it is no share.
    """
    try:
        percent = float(text.strip().removesuffix("%"))
    except ValueError:
        percent = -1.0
    if not 0 <= percent < 1000:
        raise UsageError(f"{text!r} is no share to compare by.", "Give for example 10%.", settings=("fail_over",))
    return percent / 100


def refuse_unlike(before: Subject, now: Subject) -> None:
    """Refuse a comparison of unlike things; nothing needs to be measured to tell.

    Raises:
        UsageError: the two are not about the same machine, images, model and configuration.
    """
    differences = [
        f"{key.replace('_', ' ')} was {before.hardware.get(key)!r} and is {value!r}"
        for key, value in now.hardware.items()
        if before.hardware.get(key) != value
    ]
    if before.images != now.images:
        differences.append("the images are others")
    if not set(before.configurations) & set(now.configurations):
        differences.append("no model, variant, provider and number of threads is in both")
    if differences:
        raise UsageError(
            f"The earlier benchmark cannot be compared: {'; '.join(differences)}.",
            "Make a new one to compare with, on this machine, with these images and this model.",
        )


def compare_benchmarks(before: Recorded, now: Recorded, allowed: float) -> Comparison:
    """Compare medians of what a user waits for, and the memory.

    Args:
        before: an earlier benchmark.
        now: a later one.
        allowed: by which share a figure may grow.

    Raises:
        UsageError: see `refuse_unlike`.
    """
    refuse_unlike(before.subject, now.subject)
    return Comparison(
        before.created,
        allowed,
        tuple(
            Change(one, figure, then[figure], value, slower=value > then[figure] * (1 + allowed))
            for one, figures in now.figures.items()
            if (then := before.figures.get(one)) is not None
            for figure, value in figures.items()
            if figure in then
        ),
    )
