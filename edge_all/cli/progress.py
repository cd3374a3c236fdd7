"""A progress display for runs over many fields, on standard error so that results can be piped."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from edge_all.results import FieldResult

__all__ = ["field_progress"]


@contextmanager
def field_progress(total: int, *, quiet: bool) -> Iterator[Callable[[FieldResult], None]]:
    """Show how many of ``total`` fields are judged; failures are named as they happen, also when ``quiet``."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
    from rich.text import Text

    console = Console(stderr=True)
    columns = (TextColumn("[progress.description]{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeRemainingColumn(), console=console, transient=True, disable=quiet) as progress:
        task = progress.add_task("Fields", total=total)

        def on_field(result: FieldResult) -> None:
            if result.status != "ok":
                console.print(Text(f"{result.image}: {result.status}: {result.error}", style="yellow"))
            progress.advance(task)

        yield on_field
