"""Tables of which nothing is lost: not a figure on a narrow terminal, not a path in a pipe."""

from __future__ import annotations

import sys
from collections.abc import Collection

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from edge_all.cli.terminal import harmless

__all__ = ["ReadableTable", "output_console"]

PIPE_WIDTH = 100_000
"""Columns of a pipe or a file: lines there are as long as they are, so that a path can be copied out of them."""
TABLE_WIDTH = 100
"""Columns of a table there, where it is folded between words; wider only where a name or path is."""
LEAST_FOLDED = 12
"""Columns below which names and paths stand in scraps that nobody can read."""


def output_console() -> Console:
    """Standard output: as wide as the terminal, and where it is none, as wide as what is written."""
    return Console(width=None if sys.stdout.isatty() else PIPE_WIDTH)


class ReadableTable:
    """A table that gives way in some columns and keeps the others on one line.

    Where even that does not fit into the terminal, its rows stand one below the other, a line for each column.
    """

    def __init__(
        self, *headings: str, fold: Collection[str], title: str | None = None, caption: str | None = None
    ) -> None:
        """Begin a table.

        Args:
            headings: of the columns; those that would be wider than what stands below them break with a newline,
                between words or behind a hyphen.
            fold: the headings of the columns with names, paths and sentences, which go on in further lines where the
                terminal is narrow. The others hold figures and fixed words, of which every digit must be seen; they
                should leave the folding ones room within 80 columns.
            title: above the table.
            caption: below it.
        """
        self._headings, self._fold, self._title, self._caption = headings, fold, title, caption
        self._rows: list[tuple[Text, ...]] = []

    def add_row(self, *cells: str | Text) -> None:
        """Add a row, a cell for each heading, of which the last may be left out; text is taken as it is."""
        missing = ("",) * (len(self._headings) - len(cells))
        texts = (Text(harmless(cell, terminal=False)) if isinstance(cell, str) else cell for cell in (*cells, *missing))
        self._rows.append(tuple(texts))

    def print(self) -> None:
        """Print the table on standard output."""
        console = output_console()
        if self._least_width() <= console.width:
            console.print(self._as_table(console))
            return
        if self._title is not None:
            console.print(Text(self._title, style="italic"))
        for row in self._rows:
            for heading, cell in zip(self._headings, row, strict=True):
                if not cell.plain:
                    continue
                words = heading.replace("-\n", "-").replace("\n", " ")
                console.print(Text(f"{words}: ", style="bold").append_text(Text(" ").join(cell.split("\n"))))
            console.print()
        if self._caption is not None:
            console.print(Text(self._caption, style="italic"))

    def _least_width(self) -> int:
        """Columns of the terminal that it takes with nothing cut."""
        width = 3 * len(self._headings) + 1
        for number, heading in enumerate(self._headings):
            cells = (Text(heading), *(row[number] for row in self._rows))
            widest = max(line.cell_len for cell in cells for line in cell.split("\n"))
            width += min(widest, LEAST_FOLDED) if heading in self._fold else widest
        return width

    def _widths_in_a_pipe(self) -> tuple[int | None, ...]:
        """Columns of the folding ones, so that the table is `TABLE_WIDTH` wide, or as wide as its longest words are."""
        whole, least = [], []
        for number, heading in enumerate(self._headings):
            lines = [line for row in self._rows for line in row[number].plain.split("\n")]
            widest = [max(map(cell_len, parts), default=0) for parts in (lines, " ".join(lines).split())]
            of_heading = max(map(cell_len, heading.split("\n")))
            whole.append(max(widest[0], of_heading))
            least.append(max(widest[1], of_heading) if heading in self._fold else whole[-1])
        room = TABLE_WIDTH - 3 * len(whole) - 1
        most = max(whole)
        while most and sum(map(min, whole, (max(one, most) for one in least))) > room:
            most -= 1
        return tuple(
            min(of, max(one, most)) if heading in self._fold else None
            for of, one, heading in zip(whole, least, self._headings, strict=True)
        )

    def _as_table(self, console: Console) -> Table:
        table = Table(title=self._title, caption=self._caption)
        widths = self._widths_in_a_pipe() if console.width == PIPE_WIDTH else (None,) * len(self._headings)
        for heading, width in zip(self._headings, widths, strict=True):
            shown = Text(heading)  # not Rich's markup, which brackets would be
            table.add_column(shown, overflow="fold", no_wrap=heading not in self._fold, width=width)
        for row in self._rows:
            table.add_row(*row)
        return table
