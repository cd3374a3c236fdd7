"""From what the user types to the images of a run."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_all.cli.found import say_what_is_left_out
from edge_all.errors import ImageError, InputError, InputNotFoundError, UsageError
from edge_all.inputs import FoundImages, find_images


def touch(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def names(found: FoundImages) -> list[str]:
    return [source.path.name for source in found]


@pytest.fixture(autouse=True)
def _inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_folder_is_a_slide_in_natural_order() -> None:
    touch(*(Path("S1") / f"Im{number}.JPG" for number in (10, 2, 1)), Path("S1/im1b.tiff"))
    found = find_images(["S1"])
    assert [source.image for source in found] == ["S1/Im1.JPG", "S1/im1b.tiff", "S1/Im2.JPG", "S1/Im10.JPG"]
    assert {source.slide for source in found} == {"S1"}


def test_what_is_no_image_is_passed_over_and_counted() -> None:
    touch(*(Path("S1") / name for name in ("a.png", "notes.txt", ".hidden.jpg", "._a.png", "Thumbs.db", "deep/b.png")))
    Path("S1/folder.jpg").mkdir()
    found = find_images(["S1"])
    assert names(found) == ["a.png"]
    passed_over = {path.name for path in found.passed_over}
    assert passed_over == {"notes.txt", ".hidden.jpg", "._a.png", "Thumbs.db", "deep", "folder.jpg"}


def test_named_files_belong_to_the_slide_of_their_folder() -> None:
    touch(Path("S1/a.png"), Path("S2/b.png"))
    found = find_images([Path("S1/a.png"), "S2"])
    assert [(source.image, source.slide) for source in found] == [("S1/a.png", "S1"), ("S2/b.png", "S2")]


def test_a_file_of_the_current_folder(tmp_path: Path) -> None:
    touch(Path("a.png"))
    assert [(source.image, source.slide) for source in find_images(["a.png"])] == [("a.png", tmp_path.name)]
    assert [source.slide for source in find_images(["."])] == [tmp_path.name]


def test_one_slide_where_told_so() -> None:
    touch(Path("S1/a.png"), Path("S2/b.png"))
    assert {source.slide for source in find_images(["S1", "S2"], slide="patient 7")} == {"patient 7"}


def test_two_folders_of_one_name_stay_two_slides() -> None:
    touch(Path("A/fields/a.png"), Path("B/fields/a.png"), Path("C/other/a.png"))
    found = find_images(["A/fields", "B/fields", "C/other"])
    assert [source.slide for source in found] == ["A/fields", "B/fields", "other"]


def test_a_linked_folder_keeps_the_name_of_the_link() -> None:
    touch(Path("store/0815/a.png"))
    Path("patient").symlink_to("store/0815", target_is_directory=True)
    assert [source.slide for source in find_images(["patient"])] == ["patient"]


def test_a_named_file_is_taken_whatever_its_suffix() -> None:
    touch(Path("S1/scan.dat"))
    cv2.imwrite("S1/scan.png", np.full((40, 40, 3), 200, np.uint8))
    Path("S1/scan.png").rename("S1/picture.dat")
    assert names(find_images(["S1/picture.dat"])) == ["picture.dat"]
    # One that is none stays beside others, and is reported with them.
    assert names(find_images(["S1/scan.dat", "S1/picture.dat"])) == ["scan.dat", "picture.dat"]


@pytest.mark.parametrize(
    "paths", [["manifest.csv"], ["manifest.csv", "notes.txt"], ["manifest.csv", "empty"], ["notes.txt", "missing.png"]]
)
def test_where_nothing_that_was_named_is_an_image_nothing_is_begun(paths: list[str]) -> None:
    Path("manifest.csv").write_text("image,slide\n")
    Path("notes.txt").write_text("notes")
    Path("empty").mkdir()
    if "missing.png" in paths:
        assert names(find_images(paths)) == paths  # that one may have been meant
        return
    with pytest.raises(ImageError, match=r"manifest\.csv is not an image"):
        find_images(paths)


def test_a_folder_of_one_folder_is_said_in_the_singular() -> None:
    Path("study/S1").mkdir(parents=True)
    with pytest.raises(InputNotFoundError, match="It holds 1 folder; to take"):
        find_images(["study"])


def test_each_image_is_judged_once() -> None:
    touch(Path("S1/a.png"), Path("S1/b.png"))
    found = find_images(["S1/b.png", "S1", "./S1/b.png", str(Path("S1/a.png").absolute())])
    assert [source.image for source in found] == ["S1/b.png", "S1/a.png"]
    assert found.repeated == 3


def test_patterns_for_files_and_folders() -> None:
    touch(Path("study/S10/a.png"), Path("study/S2/a.png"), Path("study/S2/b.txt"), Path("study/plan.md"))
    Path("study/empty").mkdir()
    found = find_images(["study/*"])
    assert [source.slide for source in found] == ["S2", "S10"]
    assert {path.name for path in found.passed_over} == {"b.txt", "plan.md", "empty"}
    assert names(find_images(["study/S?/*.png"])) == ["a.png"]


def test_a_name_with_brackets_is_a_name_first() -> None:
    touch(Path("a[1].png"), Path("a1.png"))
    assert names(find_images(["a[1].png"])) == ["a[1].png"]
    assert names(find_images(["a[12].png"])) == ["a1.png"]


@pytest.mark.parametrize(
    ("asked", "problem"),
    [
        ("gone.png", "does not exist"),
        ("-", "no images are read. Save the images as files"),
        ("empty", "holds no images"),
        ("*.bmp", "No image matches"),
        ("nul\0.png", "exist"),
    ],
)
def test_nothing_to_judge(asked: str, problem: str) -> None:
    Path("empty").mkdir()
    with pytest.raises(InputNotFoundError, match=problem) as caught:
        find_images([asked])
    assert caught.value.remedy


def test_a_folder_of_folders_says_what_to_type() -> None:
    touch(Path("study/S1/a.png"))
    with pytest.raises(InputNotFoundError) as caught:
        find_images(["study"])
    assert str(Path("study") / "*") in caught.value.remedy


@pytest.mark.parametrize("asked", ["gone.png", "*.bmp"])
def test_what_is_missing_among_others_stays_to_be_reported(asked: str) -> None:
    touch(Path("S1/a.png"))
    found = find_images([asked, "S1"])
    assert [source.image for source in found] == [asked, "S1/a.png"]


def test_an_empty_folder_among_others_is_said_and_is_no_slide(capsys: pytest.CaptureFixture[str]) -> None:
    Path("S2").mkdir()
    touch(Path("S1/a.png"))
    found = find_images(["S2", "S1", "S2"])
    assert [source.slide for source in found] == ["S1"]
    assert found.empty_folders == (Path("S2"),)
    say_what_is_left_out(found)
    assert capsys.readouterr().err == "Passed over: the folder S2 holds no images.\n"


def test_a_link_to_nowhere_is_left_to_be_reported() -> None:
    touch(Path("S1/a.png"))
    Path("S1/b.png").symlink_to("gone")
    assert names(find_images(["S1"])) == ["a.png", "b.png"]


@pytest.mark.parametrize("written", ["run/crops/a.0001.jpg", "run/overlays/a.jpg", "run/a.cells.png"])
def test_what_a_run_wrote_is_no_slide(written: str) -> None:
    touch(Path("S1/a.png"), Path(written))
    assert len(find_images(["S1", written])) == 2
    touch(Path("run/fields.jsonl"))
    for asked in (written, Path(written).parent, "run/*"):
        with pytest.raises(InputError, match="was written by a run of edge-all"):
            find_images(["S1", asked])
    assert names(find_images(["S1"])) == ["a.png"]


def test_crops_of_a_run_are_taken_where_cells_are_wanted() -> None:
    touch(Path("run/fields.jsonl"), Path("run/crops/a.0001.jpg"), Path("run/overlays/a.jpg"))
    assert names(find_images(["run/crops"], crops_of_a_run=True)) == ["a.0001.jpg"]
    with pytest.raises(InputError, match="was written by a run of edge-all"):
        find_images(["run/*"], crops_of_a_run=True)


def test_no_path_at_all() -> None:
    with pytest.raises(UsageError):
        find_images([])


def test_a_folder_that_cannot_be_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    touch(Path("S1/a.png"))

    def refuse(_: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", refuse)
    with pytest.raises(InputError, match="S1 cannot be listed: Permission denied"):
        find_images(["S1"])


@settings(max_examples=30, deadline=None)  # every example makes files
@given(order=st.permutations([f"Im{number:03}_{label}.jpg" for number in (1, 2, 11) for label in (0, 1)]))
def test_the_order_does_not_depend_on_the_file_system(
    order: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("slide")
    touch(*(folder / name for name in order))
    assert names(find_images([folder])) == sorted(order)
    os.chdir(folder)
    assert names(find_images(["*.jpg"])) == sorted(order)


def test_it_is_a_sequence() -> None:
    touch(Path("S1/a.png"), Path("S1/b.png"))
    found = find_images(["S1"])
    assert len(found) == 2
    assert found[0] == next(iter(found))
    assert found[:1] == (found[0],)
