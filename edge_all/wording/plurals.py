"""Counted things in English sentences: ``1 folder``, ``2 folders``. What is translated has `Language.counted`."""

from __future__ import annotations

__all__ = ["counted"]


def counted(number: int, noun: str) -> str:
    """A number with its noun.

    Args:
        number: how many.
        noun: in the singular; one that takes an ``s``.
    """
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
