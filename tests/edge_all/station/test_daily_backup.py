"""A copy a day by the station itself: made when it is due, said when it fails, and put back."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import numpy as np
import pytest

from edge_all.cli.main import main
from edge_all.cli.station import _demonstration
from edge_all.errors import StoreInUseError
from edge_all.outputs.pictures import png_bytes
from edge_all.rendering.demo_fields import DEMO_NOTICE, demo_files
from edge_all.station.desk import Station
from edge_all.station.storage.backup import examine_store, restore
from edge_all.station.storage.daily_backup import DailyBackup
from edge_all.station.storage.slide_records import SlideRecord
from edge_all.station.web.application import web_application
from edge_all.station.web.serving import served

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)


@pytest.fixture
def daily(station: Station, tmp_path: Path) -> DailyBackup:
    return DailyBackup(station.database.folder, tmp_path / "copies")


def test_a_copy_is_made_once_a_day_and_none_is_deleted(daily: DailyBackup) -> None:
    made = [daily.copy_if_due(NOON + timedelta(hours=hours)) for hours in (0, 1, 23, 24, 25, 60)]
    assert made == [True, False, False, True, False, True]
    assert len(list(daily.folder.iterdir())) == 3
    assert daily.failure is None


def test_a_copy_of_the_future_holds_none_up(daily: DailyBackup) -> None:
    assert daily.copy_if_due(NOON + timedelta(days=400))
    assert daily.copy_if_due(NOON), "the clock was set right"
    (daily.folder / "monday.sqlite3").write_text("of somebody else")
    assert not daily.copy_if_due(NOON)


def test_a_copy_is_the_store_and_is_put_back(daily: DailyBackup, station: Station, slide: SlideRecord) -> None:
    review = station.review(slide.code, "Curie")
    review.reclassify({review.view().cells[0].id: 0}, "smudge")
    daily.copy_if_due(NOON)
    review.reclassify({review.view().cells[1].id: 0}, "smudge")
    (copy,) = daily.folder.iterdir()
    assert examine_store(copy).problem is None
    restored = daily.folder / "restored"
    restore(restored, copy)
    with Station(restored) as again:
        assert again.review(slide.code, "Curie").view().tally.kinds["smudge"] == 1


def test_what_fails_is_said_on_the_page_until_a_copy_was_made(daily: DailyBackup, station: Station) -> None:
    daily.folder.write_text("a file, no folder")
    with (
        served(web_application(station, backups=daily), "127.0.0.1", 0) as address,
        httpx.Client(base_url=address, headers={"Edge-All-Reader": "Ada"}) as client,
    ):
        assert not daily.copy_if_due(NOON)
        assert "The last backup failed" in client.get("/").text
        daily.folder.unlink()
        assert daily.copy_if_due(NOON)
        assert "The last backup failed" not in client.get("/").text
        assert "2026-03-04 12:00 UTC" in client.get("/settings").text


def test_the_station_copies_by_itself_and_says_where_it_lies(tmp_path: Path, tiny_package: Path) -> None:
    (tmp_path / "images").mkdir()
    command = [sys.executable, "-m", "edge_all", "station", str(tmp_path / "images"), "--port", "0", "--device", "cpu"]
    command += ["--station", str(tmp_path / "station"), "--back-up-to", str(tmp_path / "copies")]
    with subprocess.Popen(
        [*command, "--model", str(tiny_package)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "XDG_DATA_HOME": str(tmp_path / "home")},
    ) as process:
        deadline = time.monotonic() + 60
        while not list((tmp_path / "copies").glob("*.sqlite3")):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        process.terminate()
        said, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    assert str(tmp_path / "station") in said


def test_the_demonstration_says_where_it_lies_and_how_to_begin_anew(
    tmp_path: Path, tiny_package: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = tmp_path / "edge-all" / "demo-station"
    for file in demo_files(place / "demo-images"):  # as if drawn by an earlier start, which takes long
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(png_bytes(np.zeros((9, 9, 3), np.uint8)))
    with _demonstration(place):
        said = capsys.readouterr().out
        assert str(place) in said
        assert "begin anew" not in said
        with pytest.raises(StoreInUseError), _demonstration(place):
            pass
        assert not capsys.readouterr().out
    command = [sys.executable, "-m", "edge_all", "station", "--demo", "--port", "0", "--model", str(tiny_package)]
    home = {**os.environ, "XDG_DATA_HOME": str(tmp_path), "EDGE_ALL_LANGUAGE": "en"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=home) as process:
        assert process.stdout is not None
        lines = []
        while not any("http://" in line for line in lines):
            lines.append(process.stdout.readline())
        address = next(word for word in lines[-1].split() if word.startswith("http://"))
        deadline = time.monotonic() + 60
        while DEMO_NOTICE not in (page := httpx.get(address, headers={"Edge-All-Reader": "Ada"}).text):
            assert time.monotonic() < deadline, "nothing says that the slides are synthetic"
            time.sleep(0.1)
        process.terminate()
        rest, errors = process.communicate(timeout=120)
    assert (process.returncode, errors) == (0, "")
    assert str(place) in "".join(lines) + rest
    assert "begin anew" in "".join(lines) + rest
    assert 'class="synthetic"' in page


def test_without_the_package_of_the_page_no_demonstration_is_begun(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["edge-all", "station", "--demo", "--station", str(tmp_path / "demo")])
    monkeypatch.setitem(sys.modules, "edge_all.station.web.application", None)
    with pytest.raises(SystemExit) as ended:
        main()
    said = capsys.readouterr()
    assert ended.value.code == 2
    assert "packages that are not installed" in said.err
    assert "kept" not in said.out
    assert not (tmp_path / "demo").exists()
