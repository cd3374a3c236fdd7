"""The station's page as part of a verb, and what is said where its packages are not installed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from edge_all.errors import MissingPackageError, UsageError
from edge_all.wording.extras import install_words

if TYPE_CHECKING:
    from edge_all.station.desk import Station

__all__ = ["DEFAULT_HOST", "DEFAULT_PORT", "page_of"]

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 8470


@contextmanager
def page_of(station: Station, host: str, port: int, watched: tuple[Path, ...] = ()) -> Iterator[None]:
    """Serve the page and the API of a station as long as the block lasts, and say where.

    Raises:
        MissingPackageError: the extra ``station`` is not installed.
        UsageError: nothing can listen there, or others than this machine could.
    """
    try:
        from edge_all.station.web.application import THIS_MACHINE, web_application
        from edge_all.station.web.serving import served
    except ImportError as error:
        raise MissingPackageError(
            f"The station's page needs packages that are not installed ({error}).",
            f"Run, {install_words('cpu,station')}.",
        ) from error
    if host not in THIS_MACHINE:
        raise UsageError(
            f"Whoever reaches {host} could decide under any name.", f"Listen at {DEFAULT_HOST}.", settings=("host",)
        )
    with served(web_application(station, watched=tuple(str(folder) for folder in watched)), host, port) as address:
        typer.echo(f"The station's page: {address}  (Ctrl-C ends it)")
        yield
