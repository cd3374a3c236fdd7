"""Accounts: who is let in, how often a password may be tried, and what others than this machine can reach."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from edge_all.cli.main import build_app
from edge_all.errors import StoreDamagedError, UsageError
from edge_all.station.desk import Station
from edge_all.station.web.accounts import ACCOUNTS_FILE, AccountBook, AccountHolders
from edge_all.station.web.application import web_application
from edge_all.station.web.serving import served

PASSWORD = "correct horse"  # noqa: S105 - of a made-up person


class Clock:
    """A clock that is set by hand."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def door(tmp_path: Path, clock: Clock) -> Iterator[httpx.Client]:
    book = AccountBook(tmp_path / "station")
    book.put("Ada", PASSWORD, "reviewer")
    with (
        Station(tmp_path / "station") as station,
        served(web_application(station, visitors=AccountHolders(book, clock)), "127.0.0.1", 0) as address,
        httpx.Client(base_url=address) as client,
    ):
        yield client


def enter(client: httpx.Client, name: str = "Ada", password: str = PASSWORD) -> int:
    return client.post("/api/v1/session", json={"name": name, "password": password}).status_code


def test_only_who_has_an_account_is_let_in(door: httpx.Client) -> None:
    refused = door.get("/api/v1/slides", headers={"Edge-All-Reader": "Ada"})
    assert refused.status_code == 401
    assert "POST /api/v1/session" in refused.json()["remedy"]
    assert "Edge-All-Reader" not in refused.json()["remedy"], "which lets nobody in here"
    assert [enter(door, "Ada", "wrong horse"), enter(door, "Eve")] == [401, 401]
    assert enter(door) == 200
    cookie = next(iter(door.cookies.jar))
    assert cookie.has_nonstandard_attr("HttpOnly")
    assert PASSWORD not in (cookie.value or "")
    assert door.get("/api/v1/session").json() == {"name": "Ada", "role": "reviewer"}
    assert "Password" in door.get("/who").text
    door.delete("/api/v1/session").raise_for_status()
    assert door.get("/api/v1/slides").status_code == 401


def test_a_session_ends_with_the_day_and_when_nobody_works(door: httpx.Client, clock: Clock) -> None:
    enter(door)
    for _ in range(11):
        clock.now += 3500
        assert door.get("/api/v1/session").status_code == 200
    clock.now += 3700
    assert door.get("/api/v1/session").status_code == 401
    enter(door)
    for _ in range(13):
        clock.now += 3500
        ended = door.get("/api/v1/session").status_code
    assert ended == 401


def test_passwords_cannot_be_guessed_one_after_the_other(door: httpx.Client, clock: Clock) -> None:
    tries = [enter(door, "Ada", f"wrong horse {number}") for number in range(8)]
    assert tries == [401] * 5 + [429] * 3
    assert enter(door) == 429, "nor the right one while it has to wait"
    clock.now += 3
    assert enter(door) == 200
    assert enter(door, "Ada", "wrong horse") == 401, "counted anew"


def test_passwords_are_kept_as_hashes_that_only_the_station_reads(tmp_path: Path) -> None:
    book = AccountBook(tmp_path)
    book.put("Ada", PASSWORD, "reviewer")
    file = tmp_path / ACCOUNTS_FILE
    assert PASSWORD not in file.read_text()
    assert "argon2id" in file.read_text()
    assert file.stat().st_mode & 0o077 == 0
    for name, password in (("Bob", "short"), ("  ", PASSWORD), ("x" * 200, PASSWORD)):
        with pytest.raises(UsageError):
            book.put(name, password, "reviewer")
    book.remove("Ada")
    with pytest.raises(UsageError, match="no account"):
        book.remove("Ada")
    file.write_text('{"accounts": {"Ada": 1}}')
    with pytest.raises(StoreDamagedError):
        book.people()


def run(*words: str, typed: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "edge_all", *words]
    return subprocess.run(command, input=typed, capture_output=True, text=True, check=False, timeout=60)


def test_other_machines_are_let_in_by_account_alone(tmp_path: Path) -> None:
    refused = run("serve", str(tmp_path), "--host", "0.0.0.0", "--port", "0")  # noqa: S104 - which is refused
    assert refused.returncode == 2
    assert f"edge-all account put NAME --role administrator --station {tmp_path}" in refused.stderr.replace("\n", " ")
    made = run("account", "put", "Ada", "--role", "administrator", "--station", str(tmp_path), typed=f"{PASSWORD}\n")
    assert (made.returncode, made.stderr) == (0, "")
    assert "$argon2id$v=19$m=65536,t=3,p=4$" in (tmp_path / ACCOUNTS_FILE).read_text(), "as RFC 9106 recommends"
    here = ("--station", str(tmp_path))
    assert CliRunner().invoke(build_app(), ["account", "list", *here]).stdout == "Ada  administrator\n"
    listed = CliRunner().invoke(build_app(), ["account", "list", *here, "--json"]).stdout
    assert json.loads(listed) == [{"name": "Ada", "role": "administrator"}]
    king = CliRunner().invoke(build_app(), ["account", "put", "Bob", "--role", "king", *here], input="x" * 20)
    assert isinstance(king.exception, UsageError)
