"""What a person may call a cell, and what each kind counts as."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["DEFAULT_KINDS", "CountsAs", "Kind"]

CountsAs = Literal["ALL", "non-ALL", "indeterminate", "left out"]
"""What a cell is in the count of its slide."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of cell.

    Attributes:
        name: as people call it.
        counts_as: what such a cell is in the count of its slide.
        key: of the keyboard, by which a cell under the pointer becomes one; a single character.
    """

    name: str
    counts_as: CountsAs
    key: str


DEFAULT_KINDS = (
    Kind("ALL", "ALL", "a"),
    Kind("non-ALL", "non-ALL", "b"),
    Kind("lymphocyte", "non-ALL", "l"),
    Kind("monocyte", "non-ALL", "m"),
    Kind("neutrophil", "non-ALL", "n"),
    Kind("smudge", "left out", "s"),
    Kind("not a cell", "left out", "x"),
    Kind("cannot tell", "indeterminate", "t"),
)
"""The kinds of a station where its laboratory has named no others."""
