"""Images that could not be used, on the screen: each reason a few times, and then how often."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import typer

__all__ = ["say_left_out", "saying_what_is_left_out"]

NAMED = 3
"""Images that are named for each reason; a folder of another kind of picture would fill the screen."""


@contextmanager
def saying_what_is_left_out() -> Iterator[Callable[[Path, str], None]]:
    """To be told of images and reasons; says on standard error the first of each reason, and at the end the count."""
    seen: Counter[str] = Counter()

    def tell(image: Path, reason: str) -> None:
        # Reasons begin with the name of the image where it could not be read.
        alike = reason.replace(str(image), "the image")
        seen[alike] += 1
        if seen[alike] <= NAMED:
            typer.secho(f"Left out {image}: {reason}", err=True)

    try:
        yield tell
    finally:
        for alike, count in seen.items():
            if count > NAMED:
                typer.secho(f"... and {count - NAMED} more: {alike}", err=True)


def say_left_out(images: Iterable[tuple[Path, str]]) -> None:
    """The same of images that are known already, with their reasons."""
    with saying_what_is_left_out() as tell:
        for image, reason in images:
            tell(image, reason)
