"""A progress display for runs over many fields, on standard error so that results can be piped."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import typer

from edge_all.cli.terminal import harmless
from edge_all.results import FieldSummary

__all__ = ["field_progress"]


@contextmanager
def field_progress(total: int, *, quiet: bool) -> Iterator[Callable[[FieldSummary], None]]:
    """Show how many of ``total`` fields are judged; failures are named as they happen, also when ``quiet``."""
    # Either way on a line of its own, however long: a path can be copied out of it.
    if quiet:
        # Without Rich, which takes 30 ms to load.
        def name_failure(result: FieldSummary) -> None:
            if result.status != "ok":
                typer.secho(_failure_words(result), fg=typer.colors.YELLOW, err=True)

        yield name_failure
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
    from rich.text import Text

    console = Console(stderr=True)
    columns = (TextColumn("[progress.description]{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeRemainingColumn(), console=console, transient=True) as progress:
        task = progress.add_task("Fields", total=total)

        def on_field(result: FieldSummary) -> None:
            if result.status != "ok":
                console.print(Text(_failure_words(result), style="yellow"), soft_wrap=True)
            progress.advance(task)

        yield on_field


def _failure_words(result: FieldSummary) -> str:
    """Status, image and reason, begun as every error is; errors name their image themselves."""
    reason = result.error or "no reason was given"
    named = reason.startswith((result.image, str(Path(result.image))))
    words = reason if named else f"{result.image}: {reason}"
    return harmless(f"{result.status.capitalize()}: {words}", terminal=False)
