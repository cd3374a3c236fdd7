"""``edge-all account``: who may work with a station that others than its own machine can reach."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from edge_all.cli.json_output import JsonOption, print_json
from edge_all.cli.options import StationOption, offers
from edge_all.cli.station_folder import station_folder
from edge_all.cli.station_page import require_page

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the verb."""
    account = typer.Typer(help="Say who may work with a station that other machines can reach.", no_args_is_help=True)
    account.command("put")(put)
    account.command("list")(list_accounts)
    account.command("remove")(remove)
    app.add_typer(account, name="account", rich_help_panel="Station")


_NameArgument = Annotated[str, typer.Argument(help="Under which decisions stand.")]


def put(
    name: _NameArgument,
    role: Annotated[
        str,
        typer.Option("--role", help="reviewer or administrator.", autocompletion=offers("reviewer", "administrator")),
    ] = "reviewer",
    station: StationOption = None,
) -> None:
    """Give somebody an account, or another password or role. The password is asked for, or read from a pipe."""
    require_page()
    from edge_all.station.web.accounts import AccountBook

    if sys.stdin.isatty():
        password = typer.prompt("Password", hide_input=True, confirmation_prompt=True)
    else:
        password = sys.stdin.readline().rstrip("\n")
    AccountBook(station_folder(station)).put(name, password, role)  # type: ignore[arg-type]  # looked at there
    typer.echo(f"{name} may work with the station ({role}).")


def list_accounts(station: StationOption = None, as_json: JsonOption = False) -> None:
    """Say who has an account."""
    require_page()
    from edge_all.station.web.accounts import AccountBook

    people = AccountBook(station_folder(station)).people()
    if as_json:
        print_json([{"name": person.name, "role": person.role} for person in people])
        return
    for person in people:
        typer.echo(f"{person.name}  {person.role}")


def remove(name: _NameArgument, station: StationOption = None) -> None:
    """Take an account away. What was decided under it stays; sessions end when the station is started again."""
    require_page()
    from edge_all.station.web.accounts import AccountBook

    AccountBook(station_folder(station)).remove(name)
    typer.echo(f"{name} has no account any more.")
