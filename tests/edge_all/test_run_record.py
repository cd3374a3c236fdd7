"""A run that is gone on with is held to what it was begun with, and to the very files that it judged."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import pytest

from edge_all.api.screener import Screener
from edge_all.errors import OutputError
from edge_all.inputs import ImageSource, find_images
from edge_all.rendering import SmearSpec, render_field
from edge_all.results import FieldResult, ModelIdentity
from edge_all.runs.run_record import RECORD_FILE, BegunImage, Conditions, RunRecordWriter, read_record
from edge_all.runs.screening_run import RunPlan, screen_to_folder
from edge_all.runs.suspects import images_that_kill

TENTH = RunPlan(microns_per_pixel=0.1)


def draw(file: Path, seed: int, blasts: int = 2) -> Path:
    file.parent.mkdir(exist_ok=True)
    pixels = render_field(seed, width=360, height=360, spec=SmearSpec(blasts=blasts)).pixels
    assert cv2.imwrite(str(file), pixels[..., ::-1])
    return file


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("drawn")
    for seed in range(2):
        draw(folder / f"field{seed}.png", seed)
    return folder


@pytest.fixture
def slide(drawn: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(drawn, tmp_path / "slide"))


@pytest.fixture
def screener(tiny_package: Path) -> Screener:
    return Screener(tiny_package)


def lines(out: Path) -> dict[str, dict[str, object]]:
    records = [json.loads(line) for line in (out / "fields.jsonl").read_text().splitlines()]
    return {Path(record["image"]).name: record for record in records}


@pytest.mark.parametrize("first", ["blurred", "sharp"])
def test_a_field_that_was_taken_again_is_judged_again_and_that_is_said(
    slide: Path, screener: Screener, tmp_path: Path, first: str
) -> None:
    out, field = tmp_path / "out", slide / "field0.png"
    if first == "blurred":
        cv2.imwrite(str(field), cv2.GaussianBlur(cv2.imread(str(field)), (0, 0), 15))
    screen_to_folder(find_images([slide]), screener, out)
    before = lines(out)
    assert before["field0.png"]["status"] == ("unusable" if first == "blurred" else "ok")
    draw(field, 7, blasts=1)
    said: list[str] = []
    screen_to_folder(find_images([slide]), screener, out, resume=True, on_notice=said.append)
    after = lines(out)
    assert after["field0.png"]["status"] == "ok"
    assert after["field0.png"]["cells"] != before["field0.png"]["cells"]
    assert after["field1.png"] == before["field1.png"]
    assert len(said) == 1
    assert "field0.png is judged again" in said[0]
    screen_to_folder(find_images([slide]), screener, out, resume=True, on_notice=said.append)
    assert len(said) == 1


def test_a_file_that_was_only_copied_is_not_judged_again(slide: Path, screener: Screener, tmp_path: Path) -> None:
    out = tmp_path / "out"
    screen_to_folder(find_images([slide]), screener, out)
    before = (out / "fields.jsonl").read_bytes()
    os.utime(slide / "field0.png", (1, 1))
    screen_to_folder(find_images([slide]), screener, out, resume=True)
    assert (out / "fields.jsonl").read_bytes() == before


def test_other_conditions_are_refused_and_nothing_is_touched(
    slide: Path, screener: Screener, tmp_path: Path, tiny_package: Path, edit_card: Callable[..., None]
) -> None:
    out = tmp_path / "out"
    screen_to_folder(find_images([slide]), screener, out, TENTH)
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    again = {"plan": TENTH, "resume": True}
    with pytest.raises(OutputError, match=r"pixel size of 0\.1 um, not with no given pixel size"):
        screen_to_folder(find_images([slide]), screener, out, resume=True)
    with pytest.raises(OutputError, match="belongs to slide slide, and now to other"):
        screen_to_folder(find_images([slide], slide="other"), screener, out, **again)
    edit_card(tiny_package, lambda card: card["variants"]["fp32"]["thresholds"].update(all_from=0.9))
    with pytest.raises(OutputError, match="other thresholds"):
        screen_to_folder(find_images([slide]), Screener(tiny_package), out, **again)
    record = (out / "run.jsonl").read_text()
    (out / "run.jsonl").write_text(record.replace('"edge_all": "', '"edge_all": "0.0.', 1))
    with pytest.raises(OutputError, match=r"edge-all 0\.0\."):
        screen_to_folder(find_images([slide]), screener, out, **again)
    (out / "run.jsonl").write_text(record.replace('"outlines": "', '"outlines": "0', 1))
    with pytest.raises(OutputError, match="another network of outlines"):
        screen_to_folder(find_images([slide]), screener, out, **again)
    (out / "run.jsonl").unlink()
    with pytest.raises(OutputError, match=r"has lost its run\.jsonl"):
        screen_to_folder(find_images([slide]), screener, out, **again)
    (out / "run.jsonl").write_text(record)
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before


def test_a_folder_with_the_same_file_names_takes_no_pictures_away(
    slide: Path, screener: Screener, tmp_path: Path
) -> None:
    out, other = tmp_path / "out", tmp_path / "other"
    screen_to_folder(find_images([slide]), screener, out)
    for number in range(2):
        draw(other / f"field{number}.png", 7, blasts=1)
    summary = screen_to_folder(find_images([slide, other]), screener, out, resume=True)
    assert len(summary.fields) == 4
    assert len(list((out / "overlays").iterdir())) == 4
    assert "not found" not in (out / "report.html").read_text(encoding="utf-8")
    shown = (out / "report.html").read_text(encoding="utf-8").count("data:image/jpeg")
    fresh = screen_to_folder(find_images([slide, other]), screener, tmp_path / "fresh")
    assert shown == (tmp_path / "fresh" / "report.html").read_text(encoding="utf-8").count("data:image/jpeg")
    assert len(fresh.fields) == 4


@pytest.mark.parametrize("what", ["fields.jsonl removed", "folder moved"])
def test_results_that_are_taken_away_meanwhile_end_the_run(
    slide: Path, screener: Screener, tmp_path: Path, what: str
) -> None:
    out = tmp_path / "out"

    def take_away(_: FieldResult) -> None:
        if what == "folder moved":
            if out.exists():
                shutil.move(out, tmp_path / "elsewhere")
        else:
            (out / "fields.jsonl").unlink(missing_ok=True)

    with pytest.raises(OutputError, match=r"moved, removed or replaced|No such file"):
        screen_to_folder(find_images([slide]), screener, out, on_field=take_away)


KILLED_AT = """
import os, signal, sys
from pathlib import Path
from edge_all.api.screener import Screener
from edge_all.inputs import ImageSource, find_images
from edge_all.runs.screening_run import screen_to_folder

real = Path.read_bytes
def read_bytes(path):
    if path.name == "field1.png":
        os.kill(os.getpid(), signal.SIGKILL)
    return real(path)
Path.read_bytes = read_bytes
screen_to_folder(find_images([sys.argv[1]]), Screener(sys.argv[2]), Path(sys.argv[3]), resume=True)
"""


def test_images_under_way_when_a_run_was_killed_are_judged_where_they_are_not_to_blame(
    slide: Path, screener: Screener, tmp_path: Path, tiny_package: Path
) -> None:
    out = tmp_path / "out"
    arguments = [sys.executable, "-c", KILLED_AT, str(slide), str(tiny_package), str(out)]
    assert subprocess.run(arguments, check=False).returncode == -signal.SIGKILL
    summary = screen_to_folder(find_images([slide]), screener, out, resume=True)
    assert summary.all_judged
    assert len(summary.fields) == 2


def test_an_image_that_kills_is_set_aside_and_named(
    slide: Path, screener: Screener, tmp_path: Path, tiny_package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    arguments = [sys.executable, "-c", KILLED_AT, str(slide), str(tiny_package), str(out)]
    assert subprocess.run(arguments, check=False).returncode == -signal.SIGKILL
    asked: list[set[str]] = []

    def kills(suspects: dict[str, Path], _: float | None, _segmentation: str) -> set[str]:
        asked.append({Path(image).name for image in suspects})
        return {image for image in suspects if "field1" in image}

    monkeypatch.setattr("edge_all.runs.screening_run.images_that_kill", kills)
    for _ in range(2):
        summary = screen_to_folder(find_images([slide]), screener, out, resume=True)
        assert {Path(field.image).name: field.status for field in summary.fields} == {
            "field0.png": "ok",
            "field1.png": "error",
        }
        assert "field1.png is set aside" in str(lines(out)["field1.png"]["error"])
    # The second time, the first field is no suspect any more, and the killer still is.
    assert "field1.png" in asked[0]
    assert asked[1] == {"field1.png"}


def test_a_file_is_known_by_its_bytes_and_not_by_their_number(tmp_path: Path) -> None:
    file = tmp_path / "a.png"
    file.write_bytes(b"sharp")
    source = ImageSource(file, "a.png", "S")
    begun = BegunImage.look_at(source, "a")
    assert not begun.changed(source)
    assert begun.same_bytes(source)
    file.write_bytes(b"blurs")
    assert begun.changed(source)
    assert not begun.same_bytes(source)
    file.unlink()
    assert not begun.changed(source)
    assert not begun.same_bytes(source)
    assert not BegunImage.look_at(source, "a").same_bytes(source), "two that cannot be read are not the same"


def test_an_image_is_suspected_until_a_process_has_looked_at_it_and_ended_by_itself(tmp_path: Path) -> None:
    conditions = Conditions(ModelIdentity("m", "1", "int8", "0" * 64, "1" * 64), None)

    def suspects() -> frozenset[str]:
        record = read_record(tmp_path)
        assert record is not None
        assert record.conditions == conditions
        return record.suspects

    with RunRecordWriter(tmp_path, conditions, anew=True) as file:
        file.begin(BegunImage("whole.png", "S", "whole"))
    assert suspects() == set()
    # Killed: nothing says that it ended.
    with (tmp_path / RECORD_FILE).open("a") as lines_of_killed:
        lines_of_killed.write(json.dumps(dataclasses.asdict(BegunImage("killer.png", "S", "killer"))) + "\n")
    assert suspects() == {"killer.png"}
    with RunRecordWriter(tmp_path, conditions, anew=False) as file:
        file.set_aside("killer.png")
    assert suspects() == {"killer.png"}
    with RunRecordWriter(tmp_path, conditions, anew=False) as file:
        file.begin(BegunImage("killer.png", "S", "killer"))
    assert suspects() == set()


@pytest.mark.skipif(sys.platform == "win32", reason="limits by the system")
def test_the_process_that_tries_suspects_may_die_of_them(
    slide: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A module of the name that the process loads first stands in for memory that runs out.
    (tmp_path / "sitecustomize.py").write_text(
        "import os, signal\n"
        "from pathlib import Path\n"
        "real = Path.read_bytes\n"
        "def read_bytes(path):\n"
        "    if path.name == 'field0.png':\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "    return real(path)\n"
        "Path.read_bytes = read_bytes\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    files = {name: slide / name for name in ("field0.png", "field1.png")}
    assert images_that_kill({name: (path, None) for name, path in files.items()}, None) == {"field0.png"}
