"""The sample slides of the demonstration."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import pytest

from edge_all import Screener
from edge_all.errors import OutputError
from edge_all.rendering import demo_fields
from edge_all.rendering.demo_fields import DEMO_NOTICE, demo_slides, write_demo_fields
from edge_all.slides.verdict import DEFINING_BLAST_SHARE, decide, wilson_interval
from edge_all.wording.language import Language


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, tuple[Path, ...]]:
    folder = tmp_path_factory.mktemp("demo") / "fields"
    return folder, write_demo_fields(folder)


def test_each_field_is_written_into_the_folder_of_its_slide(written: tuple[Path, tuple[Path, ...]]) -> None:
    folder, paths = written
    expected = [folder / slide.name / f"{field.name}.jpg" for slide in demo_slides() for field in slide.fields]
    assert list(paths) == expected
    assert sorted(path for path in folder.rglob("*") if path.is_file()) == sorted(expected)
    assert all(cv2.imread(str(path)).shape == (1368, 1712, 3) for path in paths)


def test_writing_again_changes_nothing(written: tuple[Path, tuple[Path, ...]], monkeypatch: pytest.MonkeyPatch) -> None:
    folder, paths = written
    times = [path.stat().st_mtime_ns for path in paths]
    some = (*demo_slides()[1:2], *demo_slides()[3:])
    monkeypatch.setattr(demo_fields, "demo_slides", lambda: some)
    assert set(write_demo_fields(folder)) == {path for path in paths if path.parent.name in {one.name for one in some}}
    assert [path.stat().st_mtime_ns for path in paths] == times


def test_a_file_of_the_user_is_not_overwritten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (first, *_) = demo_slides()
    monkeypatch.setattr(demo_fields, "demo_slides", lambda: (replace(first, fields=first.fields[:1]),))
    mine = tmp_path / "demo-healthy" / "healthy-1.jpg"
    mine.parent.mkdir()
    mine.write_bytes(b"mine")
    with pytest.raises(OutputError, match="healthy-1"):
        write_demo_fields(tmp_path)
    assert mine.read_bytes() == b"mine"


def test_the_slides_hold_what_their_names_say() -> None:
    healthy, few, leukaemic, blurred = demo_slides()
    for field in (*healthy.fields, *few.fields):
        assert field.spec.blasts == 0
        assert field.spec.clumps == ()
        assert field.spec.cut_blasts == 0
    assert all(field.spec.blasts + sum(field.spec.clumps) >= 5 for field in leukaemic.fields)
    assert all(field.spec.defocus >= 1.0 for field in blurred.fields)


def test_the_slides_earn_one_of_each_verdict_of_the_embedded_model(written: tuple[Path, tuple[Path, ...]]) -> None:
    screener = Screener(device="cpu")
    fields = list(screener.screen_many(written[1]))
    verdicts = {
        slide.name: screener.judge_slide([field for field in fields if field.slide == slide.name])
        for slide in demo_slides()
    }
    assert {name: slide.verdict for name, slide in verdicts.items()} == {
        "demo-healthy": "not detected",
        "demo-too-few-cells": "indeterminate",
        "demo-leukaemia": "suspicious",
        "demo-out-of-focus": "indeterminate",
    }
    # Not just so: with two more cells that the model is unsure of, or six fewer that it calls ALL, they are the same.
    healthy, leukaemic = verdicts["demo-healthy"].cells, verdicts["demo-leukaemia"].cells
    judged = sum(healthy[label] for label in ("ALL", "non-ALL", "indeterminate"))
    unsure = healthy["ALL"] + healthy["indeterminate"] + 2
    assert wilson_interval(unsure, judged)[1] <= DEFINING_BLAST_SHARE
    judged = sum(leukaemic[label] for label in ("ALL", "non-ALL", "indeterminate"))
    rate = screener.classifier.thresholds.false_positive_rate
    assert decide(leukaemic["ALL"] - 6, judged, leukaemic["indeterminate"], rate)[0] == "suspicious"


def test_the_notice_says_what_the_demonstration_does_not_show() -> None:
    assert "synthetic" in DEMO_NOTICE
    assert "no evidence" in DEMO_NOTICE
    assert Language("de").sentence(DEMO_NOTICE).startswith("Diese Gesichtsfelder sind künstlich")
