"""An archive comes to what ``screen`` comes to, line by line, whoever dies on the way."""

from __future__ import annotations

import gzip
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from edge_all.cli.main import build_app
from edge_all.errors import MissingPackageError, ModelError, OutputError, UsageError
from edge_all.files.folder_claim import held_file
from edge_all.outputs.jsonl import each_field
from edge_all.slide_archive import archive_run, worker_crew
from edge_all.slide_archive.addresses import LocalFolder
from edge_all.slide_archive.archive_run import Crew, screen_part
from edge_all.slide_archive.manifest import ArchiveImage, ArchiveSlide, read_manifest
from edge_all.slide_archive.reconciliation import Reconciliation, _twice
from edge_all.slide_archive.slide_results import read_conditions, read_slide, result_name
from edge_all.slide_archive.worker import MOST_ATTEMPTS, Outcome, Settings, SlideWorker

pytest.importorskip("pyarrow")
pytestmark = pytest.mark.usefixtures("slides")
Run = Callable[..., Reconciliation]
Lines = dict[str, dict[str, Any]]


def test_an_archive_comes_to_what_screen_comes_to(
    run_archive: Run, lines_of_screen: Callable[[], Lines], lines_of_results: Callable[[Path], Lines]
) -> None:
    account = run_archive(crew=Crew(2))
    assert lines_of_results(Path("out")) == lines_of_screen()
    assert account.accounted
    assert not account.all_judged
    assert (account.complete, account.fields["ok"], account.fields["error"]) == (4, 8, 1)
    assert account.to_json() == json.loads(Path("out/reconciliation.json").read_text())
    # The torn file was read and is no image, which another run would not change.
    assert account.unread == {}
    states: list[str] = []
    again = run_archive(on_slide=lambda outcome: states.append(outcome.state))
    assert states == ["kept"] * 4
    assert again == account


def test_the_tables_say_what_the_results_say(run_archive: Run, lines_of_results: Callable[[Path], Lines]) -> None:
    import pyarrow.dataset as ds
    import pyarrow.parquet as pq

    run_archive()
    tables = {name: ds.dataset(f"out/tables/{name}").to_table() for name in ("cells", "fields", "slides")}
    lines = lines_of_results(Path("out"))
    cells = [(line["image"], cell["id"], cell["probability"]) for line in lines.values() for cell in line["cells"]]
    assert sorted(cells) == [(row["image"], row["id"], row["probability"]) for row in tables["cells"].to_pylist()]
    assert {row["image"]: row["status"] for row in tables["fields"].to_pylist()} == {
        image: line["status"] for image, line in lines.items()
    }
    assert tables["fields"].column("error").null_count == 8
    assert [row["slide"] for row in tables["slides"].to_pylist()] == [f"S-{number:02d}" for number in range(4)]
    assert all((Path("out") / row["results"]).is_file() for row in tables["slides"].to_pylist())
    schema = pq.read_schema("out/tables/cells/00000.parquet")
    assert b"For Research Use Only" in schema.metadata[b"intended_use"]


def test_tables_go_in_parts_and_leave_none_of_an_earlier_run(run_archive: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("edge_all.slide_archive.parquet_tables.ROWS_A_PART", 1)
        run_archive()
    assert len(list(Path("out/tables/cells").iterdir())) == 4
    run_archive()
    assert len(list(Path("out/tables/cells").iterdir())) == 1


@pytest.mark.timeout(120)
def test_workers_killed_at_random_lose_and_double_nothing(
    run_archive: Run,
    lines_of_screen: Callable[[], Lines],
    lines_of_results: Callable[[Path], Lines],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    begun: list[subprocess.Popen[bytes]] = []
    real = subprocess.Popen

    def remembered(*words: Any, **options: Any) -> subprocess.Popen[bytes]:  # noqa: ANN401 - of Popen
        begun.append(real(*words, **options))
        return begun[-1]

    monkeypatch.setattr(worker_crew.subprocess, "Popen", remembered)
    chance = random.Random(3)  # noqa: S311 - no secret
    killed = 0
    over = threading.Event()

    def kill() -> None:
        nonlocal killed
        while killed < MOST_ATTEMPTS - 1 and not over.wait(chance.uniform(0.1, 0.7)):
            alive = [process for process in begun if process.poll() is None]
            if alive:
                chance.choice(alive).kill()
                killed += 1

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        outcomes: list[Outcome] = []
        monkeypatch.setattr("edge_all.slide_archive.worker_crew._MOST_STARTS", 20)
        account = run_archive(crew=Crew(2), on_slide=outcomes.append)
    finally:
        over.set()
        killer.join()
    assert killed > 0
    assert sorted(outcome.slide for outcome in outcomes) == [f"S-{number:02d}" for number in range(4)]
    assert account.accounted
    assert lines_of_results(Path("out")) == lines_of_screen()


def test_a_run_that_was_killed_is_gone_on_with(
    run_archive: Run,
    tiny_package: Path,
    lines_of_screen: Callable[[], Lines],
    lines_of_results: Callable[[Path], Lines],
) -> None:
    words = ["-m", "edge_all", "archive", "slides", "-o", "out", "--model", str(tiny_package), "--json"]
    run = subprocess.Popen([sys.executable, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    while len(list(Path("out").glob("results/*/*.gz"))) < 2 and run.poll() is None:
        time.sleep(0.01)
    run.send_signal(signal.SIGKILL)
    run.communicate()
    states: list[str] = []
    # Its worker may still be at its last slide, and ends by itself; that does no harm.
    account = run_archive(on_slide=lambda outcome: states.append(outcome.state))
    assert states.count("kept") >= 2
    assert account.accounted
    assert lines_of_results(Path("out")) == lines_of_screen()


def test_the_parts_of_a_job_array_come_to_the_same(
    run_archive: Run,
    tiny_package: Path,
    here: Any,  # noqa: ANN401 - see conftest.py
    lines_of_screen: Callable[[], Lines],
    lines_of_results: Callable[[Path], Lines],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    manifest = read_manifest("slides")
    monkeypatch.setattr(archive_run, "_outcomes", here)
    for number in (2, 1, 3):
        assert screen_part(manifest.part(number, 3), Settings("out", str(tiny_package))) == 0
    states: list[str] = []
    assert run_archive(on_slide=lambda outcome: states.append(outcome.state)).accounted
    assert states == ["kept"] * 4
    assert lines_of_results(Path("out")) == lines_of_screen()


def test_an_image_that_cannot_be_opened_is_tried_again_and_one_that_is_none_is_not(
    slides: Path, run_archive: Run
) -> None:
    gone = slides / "S-02" / "field1.png"
    Path("m.csv").write_text(
        "image,slide\nslides/S-02/field0.png,A\nslides/S-02/field1.png,A\nslides/S-01/torn.png,B\n"
    )
    content = gone.read_bytes()
    gone.unlink()
    account = run_archive("m.csv")
    assert account.unread == {"A": 1}
    assert (account.complete, account.fields) == (1, {"ok": 1, "error": 2})
    gone.write_bytes(content)
    states: list[tuple[str, str]] = []
    account = run_archive("m.csv", on_slide=lambda outcome: states.append((outcome.slide, outcome.state)))
    assert states == [("A", "judged"), ("B", "kept")]
    assert (account.unread, account.complete, account.others) == ({}, 2, 0)


def test_another_model_and_other_settings_are_refused(
    run_archive: Run, tiny_package_factory: Callable[..., Path]
) -> None:
    run_archive()
    with pytest.raises(OutputError, match=r"tiny 1\.0"):
        run_archive(model=str(tiny_package_factory(version="2.0")))
    with pytest.raises(OutputError, match="thresholds"):
        run_archive(model=str(tiny_package_factory(all_from=0.7)))
    with pytest.raises(OutputError, match="pixel size"):
        run_archive(microns_per_pixel=0.2)
    # Whoever comes by the first check with another model cannot be found under the names of this one.
    worker = SlideWorker(Settings("elsewhere", str(tiny_package_factory(version="2.0"))))
    slide = read_manifest("slides").slides[0]
    worker._folder = LocalFolder(Path("out"))
    worker.judge(slide)
    account = run_archive()
    assert (account.complete, account.others) == (4, 1)


def test_a_model_that_is_not_there_is_said_before_anything_is_judged(run_archive: Run) -> None:
    with pytest.raises(ModelError, match="nothing-there"):
        run_archive(model="nothing-there")


def test_two_at_the_same_slides_do_no_harm(
    tiny_package: Path,
    run_archive: Run,
    lines_of_results: Callable[[Path], Lines],
    lines_of_screen: Callable[[], Lines],
) -> None:
    slides = read_manifest("slides").slides
    workers = [SlideWorker(Settings("out", str(tiny_package), run=name)) for name in ("r", "s")]
    threads = [
        threading.Thread(target=lambda worker=worker: [worker.judge(slide) for slide in slides]) for worker in workers
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert run_archive().accounted
    assert lines_of_results(Path("out")) == lines_of_screen()


def test_what_dead_workers_had_begun_goes_after_a_day(run_archive: Run) -> None:
    old, new = Path("out/results/ab/.0123456789abcdef.part"), Path("out/results/ab/.fedcba9876543210.part")
    old.parent.mkdir(parents=True)
    old.write_bytes(b"half")
    new.write_bytes(b"half")
    os.utime(old, (1, 1))
    run_archive()
    assert (old.exists(), new.exists()) == (False, True)


def test_a_second_run_of_this_machine_is_kept_out(run_archive: Run) -> None:
    Path("out").mkdir()
    lock = held_file(Path("out/.edge-all.lock"))
    assert lock is not None
    with lock, pytest.raises(OutputError, match="in use"):
        run_archive()


def test_results_that_were_damaged_are_made_again(run_archive: Run) -> None:
    run_archive()
    folder = LocalFolder(Path("out"))
    conditions = read_conditions(folder)
    assert conditions is not None
    manifest = read_manifest("slides")
    files = [Path("out") / result_name(slide, conditions) for slide in manifest.slides]
    whole = [file.read_bytes() for file in files]
    files[0].write_bytes(whole[0][:-9])
    files[1].write_bytes(b"")
    files[2].write_bytes(whole[1])
    changed = bytearray(whole[3])
    changed[len(changed) // 2] ^= 0x10
    files[3].write_bytes(changed)
    assert [read_slide(folder, slide, conditions) is None for slide in manifest.slides] == [True] * 4
    assert run_archive().complete == 4
    assert [read_slide(folder, slide, conditions) is None for slide in manifest.slides] == [False] * 4


def test_a_slide_that_kills_its_workers_is_given_up(tiny_package: Path) -> None:
    slide = read_manifest("slides").slides[0]
    settings = Settings("out", str(tiny_package), run="r")
    worker = SlideWorker(settings)
    worker._judged = _raise_as_if_killed  # type: ignore[method-assign]
    for _ in range(MOST_ATTEMPTS):
        with pytest.raises(KeyboardInterrupt):
            worker.judge(slide)
    outcome = SlideWorker(settings).judge(slide)
    assert (outcome.state, outcome.error) == ("failed", f"{MOST_ATTEMPTS} workers died while they judged it.")
    # Another run tries again.
    assert SlideWorker(Settings("out", str(tiny_package), run="s")).judge(slide).state == "judged"


def _raise_as_if_killed(_: object) -> Any:  # noqa: ANN401 - never returns
    raise KeyboardInterrupt


def test_a_full_disk_is_a_row_and_a_disk_that_takes_nothing_ends_the_run(
    tiny_package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: LocalFolder, name: str, _content: bytes) -> None:
        raise OutputError(f"Cannot write {name}: No space left on device.", "Free space.")

    worker = SlideWorker(Settings("out", str(tiny_package)))
    slide = read_manifest("slides").slides[0]
    with monkeypatch.context() as patch:
        patch.setattr(LocalFolder, "write", full)
        outcome = worker.judge(slide)
    assert outcome.state == "failed"
    assert "No space left" in str(outcome.error)
    assert worker.judge(slide).state == "judged"

    failures = [Outcome(f"S{number}", "failed", {}, error="No space left") for number in range(50)]
    taken: list[Outcome] = []

    def outcomes(*_: object) -> Any:  # noqa: ANN401 - a generator
        for one in failures:
            taken.append(one)
            yield one

    monkeypatch.setattr(archive_run, "_outcomes", outcomes)
    with pytest.raises(OutputError, match="20 slides in a row"):
        screen_part([slide], Settings("out"))
    assert len(taken) == 20


def test_the_account_names_what_is_missing(run_archive: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("m.csv").write_text("image,slide\nslides/S-02/field0.png,A\n,B\nslides/S-03/field0.png,C\n")

    def outcomes(*_: object) -> Any:  # noqa: ANN401 - a generator
        yield Outcome("A", "failed", {}, error="the reason")

    monkeypatch.setattr(archive_run, "_outcomes", outcomes)
    account = run_archive("m.csv", crew=Crew())
    assert account.missing == {"A": "the reason", "C": "It was not judged."}
    assert [bad.row for bad in account.bad_rows] == [3]
    assert not account.accounted


def test_the_command(tiny_package: Path) -> None:
    command = [sys.executable, "-m", "edge_all", "archive", "slides", "-o", "out", "--model", str(tiny_package)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    assert "Every image of the manifest is there exactly once." in done.stdout
    assert "1 that could not be judged" in done.stdout
    assert "For Research Use Only" in done.stdout


def test_the_command_judges_a_part(tiny_package: Path, here: Any, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ANN401
    monkeypatch.setattr(archive_run, "_outcomes", here)
    command = ["archive", "slides", "-o", "out", "--model", str(tiny_package)]
    done = CliRunner().invoke(build_app(), [*command, "--part", "1/2"])
    assert (done.exit_code, done.stdout) == (0, "")
    assert "2 of 2 slides" in done.stderr
    for part in ("3/2", "0/2", "x"):
        error = CliRunner().invoke(build_app(), [*command, "--part", part]).exception
        assert isinstance(error, UsageError)


def test_a_tiff_of_several_pictures_is_several_fields(slides: Path, run_archive: Run, rendered: Path) -> None:
    import cv2

    pages = [cv2.imread(str(rendered / "S-01" / f"field{number}.png")) for number in range(2)]
    (slides / "T").mkdir()
    cv2.imwritemulti(str(slides / "T" / "two.tif"), pages)
    account = run_archive()
    assert account.accounted
    assert account.fields["ok"] == 10


def test_the_lines_of_a_slide_are_a_fields_jsonl(run_archive: Run, tmp_path: Path) -> None:
    """What reads one reads the other."""
    run_archive()
    (file,) = Path("out/results").glob("*/S-01-*.gz")
    _, *lines = gzip.decompress(file.read_bytes()).splitlines(keepends=True)
    (tmp_path / "fields.jsonl").write_bytes(b"".join(lines))
    assert [field.status for field in tuple(each_field(tmp_path / "fields.jsonl"))] == ["ok", "ok", "error"]


@pytest.mark.parametrize(
    ("fields", "pictures", "wrong"),
    [
        (["a.tif#1", "a.tif#2", "b.jpg"], [2, 1], []),
        (["a.tif#1", "a.tif#1", "b.jpg"], [2, 1], ["a.tif"]),
        (["a.tif#1", "b.jpg"], [2, 1], ["a.tif", "b.jpg"]),
        (["a.tif#1", "a.tif#2"], [2, 0], ["b.jpg"]),
    ],
)
def test_an_image_that_counts_twice_or_not_at_all_is_named(
    fields: list[str], pictures: list[int], wrong: list[str]
) -> None:
    slide = ArchiveSlide("S", (ArchiveImage("a.tif", "/a.tif"), ArchiveImage("b.jpg", "/b.jpg")))
    assert _twice(slide, fields, pictures) == wrong


def test_a_field_of_one_image_is_not_counted_for_another_as_well() -> None:
    slide = ArchiveSlide("S", (ArchiveImage("a.tif", "/a.tif"), ArchiveImage("a.tif#2", "/b.tif")))
    assert _twice(slide, ["a.tif#1", "a.tif#2", "a.tif#2"], [2, 1]) == ["a.tif#2"]


def test_without_pyarrow_the_extra_of_the_archive_is_named(monkeypatch: pytest.MonkeyPatch, run_archive: Run) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(MissingPackageError, match=r"'\.\[archive\]'.*cpu,archive'"):
        run_archive()
