"""``edge-all store`` and ``audit`` as a user types them."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner

from edge_all.cli.main import build_app
from edge_all.errors import EdgeAllError
from edge_all.station.desk import Station
from edge_all.station.storage.slide_records import SlideRecord


@pytest.fixture
def folder(station: Station, slide: SlideRecord) -> Path:
    """Of a station that is not running, with a slide that is signed."""
    review = station.review(slide.code, "Curie")
    review.sign("reviewed", "routine", review.mark_seen({one.id: 0 for one in review.view().cells}).view.last_seq)
    station.close()
    return station.database.folder


def run(*words: str, status: int = 0) -> str:
    """What the command says; an error of ours, which `main` puts into words, has status 2."""
    done = CliRunner().invoke(build_app(), words)
    if isinstance(done.exception, EdgeAllError):
        assert status == 2
        return str(done.exception)
    assert done.exit_code == status, done.output
    return done.output


def test_a_backup_is_made_and_put_back(folder: Path, tmp_path: Path) -> None:
    noted = run("audit", "verify", "--station", str(folder)).split()[-1]
    said = run("store", "backup", "--station", str(folder), "-o", str(tmp_path / "copy.sqlite3"))
    assert noted in said
    assert noted in run("audit", "verify", "--store", str(tmp_path / "copy.sqlite3"), "--expect", noted)
    assert "What was there before" in run("store", "restore", str(tmp_path / "copy.sqlite3"), "--station", str(folder))
    run("audit", "verify", "--station", str(folder), "--expect", noted)


def test_a_broken_chain_is_said_with_its_place(folder: Path) -> None:
    with closing(sqlite3.connect(folder / "station.sqlite3")) as connection:
        connection.execute("DROP TRIGGER events_stay")
        connection.execute("UPDATE events SET actor = 'Hess' WHERE kind = 'slide.signed'")
        connection.commit()
    said = run("audit", "verify", "--station", str(folder), status=1)
    assert "event 4 was changed" in said
    assert "3 events before it are in order" in said


def test_decisions_that_the_events_do_not_say_are_found(folder: Path) -> None:
    with closing(sqlite3.connect(folder / "station.sqlite3")) as connection:
        connection.execute("DELETE FROM decisions WHERE cell = '1-1'")
        connection.commit()
    assert "is not what the events say" in run("audit", "verify", "--station", str(folder), status=1)


def test_a_store_that_is_none_is_said_to_be(tmp_path: Path) -> None:
    assert "There is no store" in run("audit", "verify", "--station", str(tmp_path), status=2)
    (tmp_path / "station.sqlite3").write_bytes(b"x" * 5000)
    assert "is no store" in run("audit", "verify", "--station", str(tmp_path), status=2)
    assert "is no store" in run("store", "backup", "--station", str(tmp_path), status=2)


def test_a_station_is_set_and_says_how(folder: Path, tmp_path: Path) -> None:
    before = json.loads(run("store", "settings", "--station", str(folder)))
    assert (before["second_reader"], before["forget_names_after_days"]) == (False, None)
    before["kinds"].append({"name": "prolymphocyte", "counts_as": "non-ALL", "key": "p"})
    (tmp_path / "kinds.json").write_text(json.dumps(before))
    after = json.loads(
        run("store", "settings", "--station", str(folder), "--readers", "2", "--kinds", str(tmp_path / "kinds.json"))
    )
    assert after == {**before, "second_reader": True}
    assert json.loads(run("store", "settings", "--station", str(folder))) == after
    with Station(folder) as station:
        assert [event.kind for event in station.events_after(0)].count("settings.changed") == 1
    for wrong in ("[]", "{", '[{"name": 1, "counts_as": "ALL", "key": "a"}]', '[{"nom": "x"}]', "7"):
        (tmp_path / "kinds.json").write_text(wrong)
        run("store", "settings", "--station", str(folder), "--kinds", str(tmp_path / "kinds.json"), status=2)


def test_names_are_forgotten_only_by_a_policy(folder: Path) -> None:
    assert "Nobody has set a policy" in run("store", "forget", "--station", str(folder))
    run("store", "settings", "--station", str(folder), "--forget-names-after", "30")
    assert "Forgotten: 0" in run("store", "forget", "--station", str(folder))
    after = json.loads(run("store", "settings", "--station", str(folder), "--forget-names-after", "0"))
    assert after["forget_names_after_days"] is None
