"""Words as HTML: escaped, and the classes that the style sheet knows."""

from __future__ import annotations

import html

from edge_all.outputs.palette import CellClass

__all__ = ["CSS_NAMES", "named", "text"]

CSS_NAMES: dict[CellClass, str] = {
    "ALL": "all",
    "indeterminate": "indeterminate",
    "non-ALL": "non-all",
    "candidate": "candidate",
    "rejected": "rejected",
}


def named(name: str) -> str:
    """A name from outside: escaped, and kept from turning the text around it right to left."""
    return f"<bdi>{text(name)}</bdi>"


def text(words: str) -> str:
    """Words from anywhere, safe between tags and inside quoted attributes."""
    return html.escape(words, quote=True)
