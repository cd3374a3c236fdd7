"""One benchmark against an earlier one, like with like."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from edge_all.benchmark.report import WHOLE
from edge_all.errors import UsageError

__all__ = ["Change", "compare_reports", "share_of"]


@dataclass(frozen=True, slots=True)
class Change:
    """One figure then and now; for all of them less is better.

    Attributes:
        configuration: variant, provider and threads.
        figure: what it is.
        before, now: in the figure's own unit.
        slower: whether the change exceeds what is allowed.
    """

    configuration: str
    figure: str
    before: float
    now: float
    slower: bool

    @property
    def ratio(self) -> float:
        """Now to before."""
        return self.now / self.before if self.before else 1.0


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
        raise UsageError(f"{text!r} is no share to compare by.", "Give for example --fail-over 10%.")
    return percent / 100


def compare_reports(before: dict[str, Any], now: dict[str, Any], fail_over: float) -> tuple[Change, ...]:
    """Compare medians of what a user waits for, and the memory.

    Args:
        before: an earlier ``benchmark.json``.
        now: a later one.
        fail_over: by which share a figure may grow.

    Returns:
        Every figure that both have.

    Raises:
        UsageError: the two are not about the same machine, images, model and configuration.
    """
    differences = [
        f"{key.replace('_', ' ')} was {before['machine']['hardware'].get(key)!r} and is {value!r}"
        for key, value in now["machine"]["hardware"].items()
        if before["machine"]["hardware"].get(key) != value
    ]
    if before["images"]["sha256"] != now["images"]["sha256"]:
        differences.append("the images are others")
    earlier = {_key(one): one for one in before["configurations"]}
    pairs = [(earlier[_key(one)], one) for one in now["configurations"] if _key(one) in earlier]
    if not pairs:
        differences.append("no model, variant, provider and number of threads is in both")
    if differences:
        raise UsageError(
            f"The earlier benchmark cannot be compared: {'; '.join(differences)}.",
            "Make a new one to compare with, on this machine, with these images and this model.",
        )
    changes = []
    for old, new in pairs:
        name = f"{new['variant']}, {new['provider']}, {new['threads']} threads"
        then, today = _figures(old), _figures(new)
        changes += [
            Change(name, figure, then[figure], value, slower=value > then[figure] * (1 + fail_over))
            for figure, value in today.items()
            if figure in then
        ]
    return tuple(changes)


def _key(configuration: dict[str, Any]) -> tuple[Any, ...]:
    return (
        configuration["model"]["sha256"],
        configuration["variant"],
        configuration["provider"],
        configuration["threads"],
    )


def _figures(configuration: dict[str, Any]) -> dict[str, float]:
    commands = configuration["commands_ms"]
    figures = {
        "whole screen, ms": configuration["runs_ms"][WHOLE]["p50"],
        "one image from process start to exit, ms": commands["one image"]["p50"],
        "--help from process start to exit, ms": commands["help"]["p50"],
        "peak memory, MB": configuration["peak_memory_mb"],
    }
    return {name: value for name, value in figures.items() if value is not None}
