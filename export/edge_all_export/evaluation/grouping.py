"""One grouping of cells out of two.

Evaluations of one set can group it differently, because copies of a cell are told on crops as the model takes them: 708
blocks of the reference sets and PBC (1,834 cells) become 705 with crops of 2.5 nucleus boxes, whatever their size
(112, 160 or 299 pixels), and 702 with 2.0.
"""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["merged_groups"]


def merged_groups(first: Sequence[str], second: Sequence[str]) -> tuple[str, ...]:
    """The finest grouping that divides nothing which either of two holds together.

    Args:
        first: the group of each row.
        second: likewise, of the same rows.

    Returns:
        The group of each row, under a name that it has in ``first``; ``first`` itself where ``second`` holds nothing
        more together.
    """
    chief = {name: name for name in first}

    def find(name: str) -> str:
        while chief[name] != name:
            name = chief[name]
        return name

    seen: dict[str, str] = {}
    for one, other in zip(first, second, strict=True):
        earlier = find(seen.setdefault(other, one))
        chief[find(one)] = earlier
    return tuple(find(name) for name in first)
