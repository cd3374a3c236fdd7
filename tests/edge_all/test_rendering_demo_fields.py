"""The sample slides of the demonstration."""

from __future__ import annotations

from pathlib import Path

import cv2
import pytest

from edge_all.errors import OutputError
from edge_all.rendering.demo_fields import DEMO_NOTICE, demo_slides, write_demo_fields


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


def test_writing_again_changes_nothing(written: tuple[Path, tuple[Path, ...]]) -> None:
    folder, paths = written
    times = [path.stat().st_mtime_ns for path in paths]
    assert write_demo_fields(folder) == paths
    assert [path.stat().st_mtime_ns for path in paths] == times


def test_a_file_of_the_user_is_not_overwritten(tmp_path: Path) -> None:
    mine = tmp_path / "demo-healthy" / "healthy-1.jpg"
    mine.parent.mkdir()
    mine.write_bytes(b"mine")
    with pytest.raises(OutputError, match="healthy-1"):
        write_demo_fields(tmp_path)
    assert mine.read_bytes() == b"mine"


def test_the_slides_hold_what_their_names_say() -> None:
    healthy, leukaemic, blurred = demo_slides()
    for field in healthy.fields:
        assert field.spec.blasts == 0
        assert field.spec.clumps == ()
        assert field.spec.cut_blasts == 0
    assert all(field.spec.blasts + sum(field.spec.clumps) >= 5 for field in leukaemic.fields)
    assert all(field.spec.defocus >= 1.0 for field in blurred.fields)


def test_the_notice_says_what_the_demonstration_does_not_show() -> None:
    assert "synthetic" in DEMO_NOTICE
    assert "no evidence" in DEMO_NOTICE
