"""What each constant of the segmentation is worth: the scores with it a fifth smaller, and a fifth larger.

What was computed from a constant when its module was loaded stays as it was. A constant that can be changed by a fifth
without anything to be seen was not tuned to anything; one whose change costs much needs its measurement beside it.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

import edge_all.segmentation
from edge_all_export.evaluation.segmentation_scores import ScoreRow, evaluate_segmentation

__all__ = ["Constant", "ConstantEffect", "constants_of", "measure_effects"]

FACTORS = (0.8, 1.2)
BUDGETS = (
    "GROUND_LEVEL",
    "PIXELS",
    "SAMPLE",
    "SIDE",
    "BATCH",
    "TOGETHER",
    "LEAST_WEIGHT",
    "MAX_OBJECTS",
    "WINDOW",
    "CHANNELS",
    "BITS",
    "BINS",
    "SCHEMA",
    "GRID",
    "GOLDEN",
    "MOST_ROUNDS",
    "OUTLINE_TOLERANCE",
    "TILES",
)
"""Parts of names of what bounds effort, keeps a sum solvable or fixes a format; it is nobody's threshold."""


@dataclass(frozen=True, slots=True)
class Constant:
    """One number of the segmentation, a tuple of numbers, or the named weights of a rule that was fitted.

    Attributes:
        module: in which it is defined, without the package.
        name: what it is called there.
        value: what it is.
    """

    module: str
    name: str
    value: float | tuple[float, ...] | dict[str, float]

    @property
    def numbers(self) -> tuple[float, ...]:
        """The number, or the numbers."""
        return _numbers_of(self.value)

    def times(self, factor: float) -> Any:  # noqa: ANN401 - of the kind that the constant is
        """The constant multiplied; whole numbers stay whole."""
        if isinstance(self.value, dict):
            return {name: factor * one for name, one in self.value.items()}
        if isinstance(self.value, tuple):
            return tuple(factor * one for one in self.value)
        return max(1, round(factor * self.value)) if isinstance(self.value, int) else factor * self.value


@dataclass(frozen=True, slots=True)
class ConstantEffect:
    """What a change of a constant does.

    Attributes:
        constant: which.
        factor: by which it was multiplied.
        mean: change of the mean over all scores, in which more is better.
        worst: the largest loss of one score.
        where: that score.
    """

    constant: Constant
    factor: float
    mean: float
    worst: float
    where: str

    def to_json(self) -> dict[str, Any]:
        """The effect as JSON-ready values."""
        return {
            "constant": f"{self.constant.module}.{self.constant.name}",
            "value": list(self.constant.numbers),
            "factor": self.factor,
            "mean": self.mean,
            "worst": self.worst,
            "where": self.where,
        }


def constants_of(modules: Sequence[ModuleType] | None = None) -> tuple[Constant, ...]:
    """The constants that decide something, in the order of their modules.

    Args:
        modules: to look in; all of the segmentation's where None.
    """
    found = []
    for module in _modules() if modules is None else modules:
        source = inspect.getsource(module)
        for name, value in vars(module).items():
            numbers = _numbers_of(value)
            is_numeric = bool(numbers) and all(type(one) in (int, float) for one in numbers)
            # What a module takes from another one is that one's constant.
            is_own = re.search(rf"^[A-Z_, ]*\b{name}\b[^=\n]*= ", source, re.MULTILINE) is not None
            decides = name.isupper() and not name.startswith("_") and not any(part in name for part in BUDGETS)
            if is_numeric and is_own and decides:
                found.append(Constant(module.__name__.removeprefix("edge_all.segmentation."), name, value))
    return tuple(found)


def measure_effects(
    data_root: Path,
    constants: Sequence[Constant],
    *,
    every: int,
    on_constant: Callable[[Constant], None] = lambda _: None,
) -> Iterator[ConstantEffect]:
    """Score the segmentation with each constant changed, one at a time.

    Args:
        data_root: folder of the reference sets.
        constants: from `constants_of`.
        every: one image in so many is scored.
        on_constant: called before each constant.

    Yields:
        Two effects for each constant, as soon as they are known.
    """
    usual = _shares(evaluate_segmentation(data_root, every=every).rows)
    for constant in constants:
        on_constant(constant)
        for factor in FACTORS:
            with changed(constant, constant.times(factor)):
                scores = _shares(evaluate_segmentation(data_root, every=every).rows)
            losses = {name: usual[name] - value for name, value in scores.items()}
            where = max(losses, key=lambda name: losses[name])
            yield ConstantEffect(constant, factor, -float(np.mean(list(losses.values()))), losses[where], where)


@contextmanager
def changed(constant: Constant, value: Any) -> Iterator[None]:  # noqa: ANN401 - of the kind that the constant is
    """Give a constant another value, wherever in the segmentation it is known by its name."""
    holders = [module for module in _modules() if vars(module).get(constant.name) == constant.value]
    for module in holders:
        setattr(module, constant.name, value)
    try:
        yield
    finally:
        for module in holders:
            setattr(module, constant.name, constant.value)


def _numbers_of(value: Any) -> tuple[Any, ...]:  # noqa: ANN401 - whatever a module holds
    if isinstance(value, dict):
        return tuple(value.values())
    return value if isinstance(value, tuple) else (value,)


def _modules() -> list[ModuleType]:
    # All are loaded with the room itself.
    prefix = f"{edge_all.segmentation.__name__}."
    return [sys.modules[name] for name in sorted(sys.modules) if name.startswith(prefix)]


def _shares(rows: Sequence[ScoreRow]) -> dict[str, float]:
    """The scores between 0 and 1 in which more is better."""
    return {f"{row.measure}, {row.dataset}": row.value for row in rows if row.is_share}
