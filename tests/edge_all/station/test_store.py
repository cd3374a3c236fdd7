"""The store: opened by one, whole or not at all, proven by its chain, copied and put back."""

from __future__ import annotations

import shutil
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from edge_all.errors import (
    OutputError,
    StoreDamagedError,
    StoreError,
    StoreInUseError,
    StoreTooNewError,
)
from edge_all.results import FieldResult
from edge_all.station.desk import Station
from edge_all.station.review.settings import StationSettings
from edge_all.station.storage import chain, database
from edge_all.station.storage.backup import back_up, examine_store, restore
from edge_all.station.storage.chain import append_event
from edge_all.station.storage.database import STORE_FILE, Database, store_version
from edge_all.station.storage.found_fields import ImageFile, JudgingModel, record_finding
from edge_all.station.storage.slide_records import SlideRecord, find_or_add_slide, forget_name

PRAGMAS = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "secure_delete": 1}
UNTRIGGERED = ("events_stay", "events_are_kept", "findings_stay", "findings_are_kept", "cells_stay", "cells_are_kept")


def tamper(station: Station, *statements: str) -> None:
    """What somebody with another tool can do to the file."""
    station.close()
    with closing(sqlite3.connect(station.database.file)) as connection:
        for trigger in UNTRIGGERED:
            connection.execute(f"DROP TRIGGER {trigger}")
        for statement in statements:
            connection.execute(statement)
        connection.commit()


def test_a_store_is_opened_by_one_station(station: Station) -> None:
    with pytest.raises(StoreInUseError, match="in use"):
        Database(station.database.folder)
    station.close()
    Database(station.database.folder).close()


def test_migrations_are_numbered_without_a_gap_or_a_double() -> None:
    numbers = [number for number, _ in database._migrations()]
    assert numbers == list(range(1, len(numbers) + 1))


def test_an_older_store_is_brought_to_this_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    every = database._migrations()
    with monkeypatch.context() as patched:
        patched.setattr(database, "_migrations", lambda: every[:1])
        with Station(tmp_path / "old") as old:
            with old.database.write() as connection:
                append_event(connection, "settings.changed", "Curie", StationSettings().to_json())
            events = old.events_after(0)
    with Station(tmp_path / "old") as new:
        assert new.events_after(0) == events
        with new.database.read() as connection:
            assert connection.execute("PRAGMA user_version").fetchone()[0] == store_version() == len(every)


def test_a_store_of_a_newer_version_is_left_as_it_is(station: Station) -> None:
    station.close()
    with closing(sqlite3.connect(station.database.file)) as connection:
        connection.execute(f"PRAGMA user_version = {store_version() + 1}")
    before = station.database.file.read_bytes()
    with pytest.raises(StoreTooNewError, match="newer edge-all"):
        Database(station.database.folder)
    with pytest.raises(StoreTooNewError):
        examine_store(station.database.file)
    assert station.database.file.read_bytes() == before


@pytest.mark.parametrize(
    "content", [b"no database at all, but long enough to be read as one " * 40, b"SQLite format 3\0" * 90]
)
def test_a_file_that_is_no_store_is_said_to_be_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / STORE_FILE).write_bytes(content)
    with pytest.raises(StoreDamagedError, match="restore"):
        Database(tmp_path)
    assert (tmp_path / STORE_FILE).read_bytes() == content


def test_a_damaged_store_names_the_last_backup(station: Station, slide: SlideRecord) -> None:
    backup = station.back_up()
    station.close()
    content = bytearray(station.database.file.read_bytes())
    content[100:4000] = b"\xff" * 3900
    station.database.file.write_bytes(content)
    with pytest.raises(StoreDamagedError) as caught:
        Database(station.database.folder)
    assert str(backup.file) in caught.value.remedy
    restore(station.database.folder, backup.file)
    with Station(station.database.folder) as again:
        assert again.slides("Curie")[0].slide == slide


def test_another_database_is_no_store(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "other.sqlite3")) as connection:
        connection.execute("CREATE TABLE t (x)")
    with pytest.raises(StoreDamagedError, match="no store"):
        examine_store(tmp_path / "other.sqlite3")
    with pytest.raises(StoreError, match="There is no store"):
        examine_store(tmp_path / "none.sqlite3")


def test_what_is_acknowledged_is_on_disk(station: Station) -> None:
    """Which a test can only see by what SQLite was told: it takes a power cut to see more."""
    with station.database.write() as connection:
        pragmas = {name: connection.execute(f"PRAGMA {name}").fetchone()[0] for name in PRAGMAS}
    assert pragmas == PRAGMAS


def test_a_transaction_that_raises_leaves_nothing(station: Station) -> None:
    def fail_halfway() -> None:
        with station.database.write() as connection:
            find_or_add_slide(connection, "/x", "y")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_halfway()
    assert station.slides("Curie") == ()
    assert station.events_after(0) == ()
    with station.database.write() as connection:
        find_or_add_slide(connection, "/x", "y")
    assert len(station.slides("Curie")) == 1


def _fill(station: Station, add_field: Callable[..., int]) -> None:
    for number in range(50):
        add_field(station, ["ALL"] * 200, path=f"/images/more{number}.jpg")


def test_a_full_disk_changes_nothing_and_is_said(
    station: Station, slide: SlideRecord, add_field: Callable[..., int]
) -> None:
    before = station.review(slide.code, "Curie").view()
    with station.database.write() as connection:
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(StoreError, match=r"disk of .* is full"):
        _fill(station, add_field)
    with station.database.write() as connection:
        connection.execute("PRAGMA max_page_count = 1000000")
    view = station.review(slide.code, "Curie").view()
    assert view.cells[: len(before.cells)] == before.cells
    assert {len(found.summary.cells) for _, found in view.fields[1:]} <= {200}
    assert examine_store(station.database.file).problem is None


def test_a_database_that_is_locked_is_said_to_be(station: Station, slide: SlideRecord) -> None:
    with closing(sqlite3.connect(station.database.file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        station.database._writer.execute("PRAGMA busy_timeout = 50")
        with pytest.raises(StoreError, match="locked by another program"):
            station.review(slide.code, "Curie").comment("x")
        other.execute("ROLLBACK")
    station.review(slide.code, "Curie").comment("x")


def test_the_chain_of_a_station_holds(station: Station, slide: SlideRecord) -> None:
    station.review(slide.code, "Curie").comment("x")
    report = examine_store(station.database.file)
    assert (report.problem, report.events) == (None, 3)
    assert report.last_sha256 == station.events_after(0)[-1].sha256


@pytest.mark.parametrize(
    ("statement", "event"),
    [
        ("UPDATE events SET actor = 'Hess' WHERE seq = 3", 3),
        ("UPDATE events SET at = '1999-01-01' WHERE seq = 1", 1),
        ("UPDATE events SET payload = replace(payload, 'odd', 'fine') WHERE seq = 3", 3),
        ("UPDATE events SET gesture = 'g' WHERE seq = 3", 3),
        ("UPDATE events SET previous_sha256 = 'f' WHERE seq = 3", 3),
        ("DELETE FROM events WHERE seq = 3", 3),
        ("UPDATE cells SET record = replace(record, '0.9', '0.1') WHERE number = 1", 2),
        ("UPDATE cells SET outline = '[]' WHERE number = 3", 2),
        ("DELETE FROM cells WHERE number = 2", 2),
        ("INSERT INTO cells SELECT finding_id, 99, record, outline FROM cells WHERE number = 1", 2),
        ("UPDATE findings SET status = 'unusable'", 2),
        ("UPDATE models SET thresholds = replace(thresholds, '0.65', '0.99')", 2),
        ("UPDATE fields SET content_sha256 = 'f'", 2),
        ("UPDATE events SET seq = 30 WHERE seq = 4", 4),
    ],
)
def test_whatever_is_changed_breaks_the_chain_at_its_place(
    station: Station, slide: SlideRecord, statement: str, event: int
) -> None:
    review = station.review(slide.code, "Curie")
    review.comment("odd")
    review.comment("odder")
    assert examine_store(station.database.file).problem is None
    tamper(station, "DELETE FROM decisions", statement)
    report = examine_store(station.database.file)
    assert report.broken_at == event
    assert report.events == event - 1
    assert report.problem


def test_an_end_that_is_cut_off_shows_by_the_hash_that_was_noted_down(station: Station, slide: SlideRecord) -> None:
    noted = station.review(slide.code, "Curie").comment("x").seq
    sha256 = station.events_after(noted - 1)[0].sha256
    assert examine_store(station.database.file, containing=sha256).problem is None
    tamper(station, "DELETE FROM decisions", "DELETE FROM events WHERE seq = 3")
    assert noted == 3
    assert examine_store(station.database.file).problem is None
    assert "cut off" in (examine_store(station.database.file, containing=sha256).problem or "")


@pytest.mark.usefixtures("slide")
def test_a_finding_for_which_nothing_vouches_is_found(station: Station) -> None:
    tamper(
        station, "INSERT INTO findings SELECT 77, field_id, model_id, judged_at, status, error, result FROM findings"
    )
    assert "finding 77" in (examine_store(station.database.file).problem or "")


@pytest.mark.parametrize("statement", ["UPDATE events SET actor = 'x'", "DELETE FROM events", "DELETE FROM cells"])
@pytest.mark.usefixtures("slide")
def test_a_slip_of_ours_cannot_rewrite_what_happened(station: Station, statement: str) -> None:
    with pytest.raises(sqlite3.IntegrityError, match="never"), station.database.write() as connection:
        connection.execute(statement)


def test_a_clock_that_is_set_back_changes_no_order(
    station: Station, slide: SlideRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    review = station.review(slide.code, "Curie")
    review.comment("first")
    monkeypatch.setattr(chain, "now", lambda: "2001-01-01T00:00:00.000+00:00")
    review.comment("second")
    report = examine_store(station.database.file)
    assert report.problem is None
    assert report.clock_went_back == (report.events,)
    assert [event.payload["text"] for event in review.history() if event.kind == "cell.commented"] == [
        "first",
        "second",
    ]


def test_a_backup_is_the_store_and_can_be_put_back(station: Station, slide: SlideRecord, tmp_path: Path) -> None:
    review = station.review(slide.code, "Curie")
    review.comment("before")
    view = review.view()
    backup = back_up(station.database.folder, tmp_path / "copy.sqlite3")
    assert backup.chain == examine_store(backup.file)
    review.comment("after")
    with pytest.raises(StoreInUseError, match="running"):
        restore(station.database.folder, backup.file)
    station.close()
    aside = restore(station.database.folder, backup.file)
    with Station(station.database.folder) as again:
        assert again.review(slide.code, "Curie").view() == view
    assert aside is not None
    assert examine_store(aside).events == backup.chain.events + 1
    with pytest.raises(OutputError, match="already exists"):
        back_up(station.database.folder, backup.file)


def test_the_log_of_a_killed_station_is_not_applied_to_a_backup(
    station: Station, slide: SlideRecord, tmp_path: Path
) -> None:
    backup = back_up(station.database.folder, tmp_path / "copy.sqlite3")
    station.review(slide.code, "Curie").comment("after")
    killed = tmp_path / "killed"  # as a power cut leaves it, with its write-ahead log
    shutil.copytree(station.database.folder, killed)
    assert (killed / f"{STORE_FILE}-wal").stat().st_size > 0
    aside = restore(killed, backup.file)
    assert examine_store(killed / STORE_FILE) == backup.chain
    assert aside is not None
    assert examine_store(aside).events == backup.chain.events + 1


def test_a_backup_is_put_into_a_folder_of_its_own(station: Station, slide: SlideRecord, tmp_path: Path) -> None:
    backup = back_up(station.database.folder)
    assert restore(tmp_path / "new" / "station", backup.file) is None
    with Station(tmp_path / "new" / "station") as other:
        assert other.slides("Curie")[0].slide == slide


def test_a_damaged_backup_is_not_put_back(station: Station, slide: SlideRecord, tmp_path: Path) -> None:
    station.review(slide.code, "Curie").comment("x")
    backup = back_up(station.database.folder, tmp_path / "copy.sqlite3")
    station.close()
    before = shutil.copy(station.database.file, tmp_path / "before")
    with closing(sqlite3.connect(backup.file)) as connection:
        connection.execute("DROP TRIGGER events_stay")
        connection.execute("UPDATE events SET actor = 'Hess' WHERE seq = 2")
        connection.commit()
    with pytest.raises(StoreDamagedError, match="event 2 was changed"):
        restore(station.database.folder, backup.file)
    backup.file.write_bytes(backup.file.read_bytes()[:9000])
    with pytest.raises(StoreDamagedError, match=r"backup .*copy.sqlite3 is damaged.*was not touched"):
        restore(station.database.folder, backup.file)
    assert station.database.file.read_bytes() == Path(before).read_bytes()


def test_a_backup_is_taken_while_the_station_works(station: Station, slide: SlideRecord, tmp_path: Path) -> None:
    review, stop = station.review(slide.code, "Curie"), threading.Event()

    def work() -> None:
        while not stop.is_set():
            review.comment("busy")

    worker = threading.Thread(target=work)
    worker.start()
    try:
        backups = [back_up(station.database.folder, tmp_path / f"{number}.sqlite3") for number in range(3)]
    finally:
        stop.set()
        worker.join()
    assert [backup.chain.problem for backup in backups] == [None] * 3


def test_many_threads_write_without_losing_anything(station: Station, slide: SlideRecord) -> None:
    def work(name: str) -> None:
        review = station.review(slide.code, name)
        for number in range(10):
            review.comment(f"{name} {number}")

    threads = [threading.Thread(target=work, args=(f"reader {number}",)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    texts = [event.payload["text"] for event in station.events_after(0) if event.kind == "cell.commented"]
    assert sorted(texts) == sorted(f"reader {one} {number}" for one in range(6) for number in range(10))
    assert examine_store(station.database.file).problem is None


def test_names_can_be_forgotten_without_breaking_the_chain(station: Station, slide: SlideRecord) -> None:
    with station.database.write() as connection:
        forget_name(connection, slide, "Administrator", "policy")
    station.close()
    content = b"".join(path.read_bytes() for path in station.database.folder.glob("station.sqlite3*"))
    with Station(station.database.folder) as again:
        (overview,) = again.slides("Curie")
        assert (overview.slide.code, overview.slide.name, overview.slide.source) == (slide.code, None, None)
        assert overview.judged_cells == 9
        view = again.review(slide.code, "Curie").view()
        assert view.fields[0][0].path is None
    assert examine_store(station.database.file).problem is None
    assert b"Smith" not in content


def test_results_come_back_as_they_went_in(
    station: Station, judging: JudgingModel, a_field: Callable[..., FieldResult]
) -> None:
    result = a_field(["ALL", None, "indeterminate"])
    with station.database.write() as connection:
        slide = find_or_add_slide(connection, "/x", "y")
        record_finding(connection, ImageFile(slide.id, "/x/1.jpg", 0, "e" * 64), result, judging)
    view = station.review(slide.code, "Curie").view()
    ((field, found),) = view.fields
    assert found.summary.cells == result.summary().cells
    assert (found.summary.model, found.summary.provider) == (result.model, result.provider)
    assert station.outlines(field) == {cell.id: cell.contour for cell in result.cells}
    assert view.models == (judging,)


def test_who_waits_is_told_of_the_next_event(station: Station, slide: SlideRecord) -> None:
    last = station.events_after(0)[-1].seq
    assert station.events_after(last, timeout=0.01) == ()
    timer = threading.Timer(0.1, lambda: station.review(slide.code, "Curie").comment("x"))
    timer.start()
    (event,) = station.events_after(last, timeout=10)
    assert event.kind == "cell.commented"
    timer.join()
