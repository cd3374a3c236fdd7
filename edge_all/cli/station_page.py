"""The station's page as part of a verb, and what is said where its packages are not installed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from edge_all.errors import MissingPackageError, UsageError
from edge_all.wording.extras import install_words

if TYPE_CHECKING:
    from edge_all.classification.classifier import Classifier
    from edge_all.station.desk import Station
    from edge_all.station.storage.daily_backup import DailyBackup

__all__ = ["DEFAULT_HOST", "DEFAULT_PORT", "page_of", "require_page"]

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 8470


def require_page() -> None:
    """Look whether what the page needs is installed.

    Raises:
        MissingPackageError: the extra ``station`` is not.
    """
    try:
        import edge_all.station.web.accounts
        import edge_all.station.web.application
        import edge_all.station.web.serving  # noqa: F401
    except ImportError as error:
        raise MissingPackageError(
            f"The station's page needs packages that are not installed ({error}).",
            f"Run, {install_words('cpu,station')}.",
        ) from error


@contextmanager
def page_of(
    station: Station,
    host: str,
    port: int,
    names: Sequence[str] = (),
    watched: tuple[Path, ...] = (),
    classifier: Classifier | None = None,
    backups: DailyBackup | None = None,
) -> Iterator[None]:
    """Serve the page and the API of a station as long as the block lasts, and say where.

    Where it has accounts, only who has one is let in; without any, only its own machine can reach it.

    Args:
        station: its store.
        host: address to listen at.
        port: to listen at.
        names: by which other machines call this one.
        watched: folders that this process watches.
        classifier: see `edge_all.station.web.application.web_application`.
        backups: likewise.

    Raises:
        MissingPackageError: the extra ``station`` is not installed.
        UsageError: nothing can listen there, or others than this machine could and there is no account.
    """
    require_page()
    from edge_all.station.web.accounts import AccountBook, AccountHolders, first_account
    from edge_all.station.web.application import THIS_MACHINE, web_application
    from edge_all.station.web.serving import served

    book = AccountBook(station.database.folder)
    has_accounts = bool(book.people())
    if not has_accounts and host not in THIS_MACHINE:
        raise UsageError(
            f"Whoever reaches {host} could decide under any name: the station has no accounts.",
            f"Give people accounts ({first_account(station.database.folder)}), or listen at {DEFAULT_HOST}.",
            settings=("host",),
        )
    app = web_application(
        station,
        hosts=(*THIS_MACHINE, host, *names),
        visitors=AccountHolders(book) if has_accounts else None,
        watched=tuple(str(folder) for folder in watched),
        classifier=classifier,
        backups=backups,
    )
    with served(app, host, port) as address:
        typer.echo(f"The station's page: {address}  (Ctrl-C ends it)")
        typer.echo(f"What it knows lies in {station.database.folder}")
        yield
