"""Tables for the terminal of which nothing is cut: 80 columns are usual, and a pipe has no more."""

from __future__ import annotations

from collections.abc import Collection

from rich.table import Table

__all__ = ["readable_table"]


def readable_table(
    *headings: str, fold: Collection[str], title: str | None = None, caption: str | None = None
) -> Table:
    """A table that gives way in some columns and keeps the others on one line.

    Args:
        headings: of the columns; those that would be wider than what stands below them break with a newline.
        fold: the headings of the columns with names, paths and sentences, which go on in further lines where the
            terminal is narrow. The others hold figures and fixed words, of which every digit must be seen; they must
            leave the folding ones room within 80 columns.
        title: above the table.
        caption: below it.
    """
    table = Table(title=title, caption=caption)
    for heading in headings:
        table.add_column(heading, overflow="fold" if heading in fold else "ellipsis", no_wrap=heading not in fold)
    return table
