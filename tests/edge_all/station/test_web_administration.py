"""What only an administrator may do: each of it is tried by a reviewer, who is refused, and by an administrator."""

from __future__ import annotations

import os
import re
import shlex
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from html import unescape
from pathlib import Path
from typing import Any

import httpx
import pytest

from edge_all.station.desk import Station
from edge_all.station.review.settings import StationSettings
from edge_all.station.web.accounts import ACCOUNTS_FILE, AccountBook, AccountHolders
from edge_all.station.web.application import web_application
from edge_all.station.web.serving import served

PASSWORD = "correct horse battery"  # noqa: S105
SETTINGS = StationSettings(second_reader=True, forget_names_after_days=30)
ASKED: list[tuple[str, str, dict[str, Any] | None]] = [
    ("GET", "/api/v1/settings", None),
    ("PUT", "/api/v1/settings", StationSettings().to_json()),
    ("POST", "/api/v1/forget", None),
    ("GET", "/api/v1/accounts", None),
    ("PUT", "/api/v1/accounts/Bob", {"password": PASSWORD}),
    ("DELETE", "/api/v1/accounts/Bob", None),
    ("GET", "/api/v1/labelled-cells", None),
    ("POST", "/api/v1/queue/retry", {}),
]


@pytest.fixture(scope="module")
def accounts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of accounts; to hash a password takes long on purpose."""
    folder = tmp_path_factory.mktemp("accounts")
    book = AccountBook(folder)
    book.put("Ada", PASSWORD, "administrator")
    book.put("Rosa", PASSWORD, "reviewer")
    book.put("Bob", PASSWORD, "reviewer")
    return folder / ACCOUNTS_FILE


@pytest.fixture
def address(tmp_path: Path, station: Station, accounts: Path) -> Iterator[str]:
    shutil.copy(accounts, tmp_path / "station")
    book = AccountBook(tmp_path / "station")
    with served(web_application(station, visitors=AccountHolders(book)), "127.0.0.1", 0) as at:
        yield at


@contextmanager
def entered(address: str, name: str, password: str = PASSWORD) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=address) as client:
        client.post("/api/v1/session", json={"name": name, "password": password}).raise_for_status()
        yield client


@pytest.fixture
def ada(address: str) -> Iterator[httpx.Client]:
    with entered(address, "Ada") as client:
        yield client


@pytest.fixture
def rosa(address: str) -> Iterator[httpx.Client]:
    with entered(address, "Rosa") as client:
        yield client


def test_a_reviewer_is_refused_and_an_administrator_is_not(ada: httpx.Client, rosa: httpx.Client) -> None:
    for method, path, body in ASKED:
        refused = rosa.request(method, path, json=body)
        assert (refused.status_code, refused.headers["content-type"]) == (403, "application/problem+json"), path
        assert "administrator" in refused.json()["detail"]
        done = ada.request(method, path, json=body)
        assert done.status_code == (404 if "labelled" in path else 200), done.text  # no slide is signed yet


def test_what_is_not_the_administrators_alone_is_open_to_reviewers(ada: httpx.Client, rosa: httpx.Client) -> None:
    """So that a path that is added is thought about: who may, stands here or above."""
    paths = ada.get("/api/v1/openapi.json").json()["paths"]
    for path, verbs in paths.items():
        if "{" in path or "get" not in verbs or path == "/api/v1/events":
            continue
        asked = rosa.get(path).status_code
        assert asked == (403 if any(path == one[1] for one in ASKED) else 200), path


def test_the_documents_of_the_api_have_names_of_their_own(ada: httpx.Client) -> None:
    names = ada.get("/api/v1/openapi.json").json()["components"]["schemas"]
    assert [name for name in names if "__" in name] == []


def test_only_administrators_are_shown_the_way_to_the_settings(ada: httpx.Client, rosa: httpx.Client) -> None:
    assert "/settings" in ada.get("/").text
    assert "/settings" not in rosa.get("/").text
    assert "kinds" in ada.get("/settings").text
    assert rosa.get("/settings").status_code == 403


def test_settings_are_set_and_the_chain_says_by_whom(ada: httpx.Client, station: Station) -> None:
    set_so = ada.put("/api/v1/settings", json=SETTINGS.to_json())
    assert set_so.json() == ada.get("/api/v1/settings").json()
    assert station.settings() == SETTINGS
    event = station.last_event()
    assert event is not None
    assert (event.kind, event.actor) == ("settings.changed", "Ada")
    ada.put("/api/v1/settings", json=SETTINGS.to_json()).raise_for_status()
    assert station.last_event() == event, "nothing changed"
    wrong = SETTINGS.to_json() | {"kinds": [{"name": "blast", "counts_as": "ALL", "key": "a"}]}
    refused = ada.put("/api/v1/settings", json=wrong)
    assert refused.status_code == 422
    assert "counts as" in refused.json()["detail"]
    assert station.settings() == SETTINGS


def test_who_loses_an_account_or_gets_another_password_is_out_at_once(
    ada: httpx.Client, rosa: httpx.Client, address: str
) -> None:
    ada.put("/api/v1/accounts/Rosa", json={"password": "another horse battery"}).raise_for_status()
    assert rosa.get("/api/v1/session").status_code == 401
    with entered(address, "Rosa", "another horse battery") as again:
        assert ada.delete("/api/v1/accounts/Rosa").json() == {
            "accounts": [{"name": "Ada", "role": "administrator"}, {"name": "Bob", "role": "reviewer"}]
        }
        assert again.get("/api/v1/session").status_code == 401


def test_another_role_holds_from_the_next_request_on(ada: httpx.Client, address: str) -> None:
    book = ada.put("/api/v1/accounts/Cleo", json={"password": PASSWORD, "role": "administrator"})
    assert {"name": "Cleo", "role": "administrator"} in book.json()["accounts"]
    with entered(address, "Cleo") as cleo:
        cleo.get("/api/v1/accounts").raise_for_status()
        ada.put("/api/v1/accounts/Cleo", json={"password": PASSWORD, "role": "reviewer"}).raise_for_status()
    with entered(address, "Cleo") as cleo:
        assert cleo.get("/api/v1/accounts").status_code == 403


def test_an_administrator_is_left(ada: httpx.Client) -> None:
    for asked in (
        ada.delete("/api/v1/accounts/Ada"),
        ada.put("/api/v1/accounts/Ada", json={"password": PASSWORD, "role": "reviewer"}),
    ):
        assert asked.status_code == 409
    ada.put("/api/v1/accounts/Ada", json={"password": "my new horse battery", "role": "administrator"})
    assert ada.get("/api/v1/session").status_code == 401, "a new password ends the session"


def test_a_password_that_is_too_short_is_refused(ada: httpx.Client) -> None:
    assert ada.put("/api/v1/accounts/Cleo", json={"password": "short"}).status_code == 422


def seen_text(page: str) -> str:
    """What a page says, without its tags."""
    return unescape(re.sub(r"<[^>]*>", "", page))


def test_where_people_are_taken_at_their_word_there_are_no_accounts(station: Station) -> None:
    with (
        served(web_application(station), "127.0.0.1", 0) as address,
        httpx.Client(base_url=address, headers={"Edge-All-Reader": "Ada"}) as client,
    ):
        assert client.get("/api/v1/accounts").json() == {"accounts": []}
        refused = client.put("/api/v1/accounts/Ada", json={"password": PASSWORD})
        assert refused.status_code == 409
        assert "edge-all account put" in refused.json()["remedy"]
        page = seen_text(client.get("/settings").text)
        assert "What a cell may be called" in page
        # What is suggested works as it stands, in whatever folder it is typed.
        (suggested,) = re.findall(r"edge-all account put .*", page)
        folder = station.database.folder
        assert folder.is_absolute()
        assert shlex.split(suggested)[-2:] == ["--station", str(folder)]


@pytest.mark.skipif(os.name == "nt", reason="the folder cannot be left")
def test_a_station_in_a_folder_by_a_relative_path_says_where_it_lies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with (
        Station(Path("a station")) as station,
        served(web_application(station), "127.0.0.1", 0) as address,
        httpx.Client(base_url=address, headers={"Edge-All-Reader": "Ada"}) as client,
    ):
        page = seen_text(client.get("/settings").text)
        assert f"Folder of the station{tmp_path / 'a station'}" in page
        assert f"--station '{tmp_path / 'a station'}'" in page
        assert str(tmp_path / "a station") in client.get("/").text
