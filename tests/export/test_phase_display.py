"""How far long work is, on a pipe: plain lines with a rate."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_all_calibration.cli.left_out import say_left_out
from edge_all_export.cli import phase_display
from edge_all_export.cli.phase_display import PhaseDisplay
from edge_all_export.datasets.samples import collect, told_of_images


def test_a_pipe_gets_a_line_at_the_begin_at_the_end_and_now_and_then(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter([0.0, 0.0, *(float(second) for second in range(1, 41))])
    monkeypatch.setattr(phase_display.time, "monotonic", lambda: next(clock))
    with PhaseDisplay() as display:
        display.say("Beginning.")
        for done in range(1, 41):
            display.advance("Cutting", done, 40)
    lines = capsys.readouterr().err.splitlines()
    assert lines[:2] == ["Beginning.", "Cutting: 1 of 40"]
    assert lines[2].startswith("Cutting: ")
    assert lines[2].endswith("1 a second")
    assert lines[-1] == "Cutting: 40 of 40, 1 a second"
    assert 4 <= len(lines) <= 7


def test_each_phase_begins_with_a_line_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    with PhaseDisplay() as display:
        for task, total in (("Reading", 3), ("Judging", 5)):
            for done in range(total + 1):
                display.advance(task, done, total)
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(",")[0] for line in lines] == [
        "Reading: 0 of 3",
        "Reading: 3 of 3",
        "Judging: 0 of 5",
        "Judging: 5 of 5",
    ]
    assert "a second" in lines[1]


def test_images_are_told_of_one_by_one_and_stay_in_their_order() -> None:
    images = [Path(f"{number}.png") for number in range(50)]
    told: list[tuple[int, int]] = []
    with told_of_images(lambda done, total: told.append((done, total))):
        found = collect(images, lambda image: [image] if image.stem != "7" else [])  # type: ignore[list-item,return-value]
    assert told == [(done, 50) for done in range(1, 51)]
    assert list(found.samples) == [image for image in images if image.stem != "7"]
    assert [skipped.image for skipped in found.skipped] == [Path("7.png")]
    collect(images, lambda image: [image])  # type: ignore[list-item]
    assert len(told) == 50, "nobody is told any more"


def test_many_images_left_out_for_one_reason_take_four_lines(capsys: pytest.CaptureFixture[str]) -> None:
    skipped = [(Path(f"{n}.png"), f"{n}.png is empty (0 bytes).") for n in range(55)]
    say_left_out([*skipped, (Path("x.png"), "no labelled cell was found in it")])
    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        *(f"Left out {n}.png: {n}.png is empty (0 bytes)." for n in range(3)),
        "Left out x.png: no labelled cell was found in it",
        "... and 52 more: the image is empty (0 bytes).",
    ]
