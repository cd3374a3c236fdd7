from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_all.files.naming import MAX_STEM, image_file_name, unique_stems

NAMES = st.text(st.characters(exclude_categories=()), min_size=1, max_size=200)


def test_an_image_keeps_its_own_stem() -> None:
    assert unique_stems(["slides/a/Im001_1.jpg", "slides/b/Im002_1.tif"]) == {
        "slides/a/Im001_1.jpg": "Im001_1",
        "slides/b/Im002_1.tif": "Im002_1",
    }


def test_equal_names_in_different_folders_do_not_collide_in_any_order() -> None:
    images = ["one/a.jpg", "two/a.jpg", "two/A.JPG", "two/a.png", "b.jpg"]
    stems = unique_stems(images)
    assert stems == unique_stems(reversed(images))
    assert len({stem.casefold() for stem in stems.values()}) == len(images)
    assert all(stem.casefold().startswith("a-") for image, stem in stems.items() if image != "b.jpg")
    assert stems["b.jpg"] == "b"


def test_a_name_that_looks_like_a_hashed_one_does_not_collide() -> None:
    stolen = unique_stems(["one/a.jpg", "two/a.jpg"])["one/a.jpg"]
    stems = unique_stems(["one/a.jpg", "two/a.jpg", f"three/{stolen}.jpg"])
    assert len(set(stems.values())) == 3


@settings(deadline=None)
@given(st.lists(NAMES, max_size=8))
def test_stems_are_unique_and_are_file_names_on_every_system(images: list[str]) -> None:
    stems = unique_stems(images)
    assert set(stems) == set(images)
    assert len({stem.casefold() for stem in stems.values()}) == len(stems)
    for stem in stems.values():
        assert 0 < len(stem) <= MAX_STEM + 65
        assert not set(stem) & set('<>:"/\\|?*\0\n')
        assert stem == stem.strip(" .")
        stem.encode("utf-8")


@pytest.mark.parametrize("image", ["CON.jpg", "nul.tif", "com1.png"])
def test_windows_devices_are_not_used_as_names(image: str) -> None:
    assert unique_stems([image])[image].lower() not in {"con", "nul", "com1"}


@pytest.mark.parametrize(
    ("image", "name"), [("a/b/c.jpg", "c.jpg"), (r"C:\patients\DOE\c.jpg", "c.jpg"), ("c.jpg", "c.jpg")]
)
def test_only_the_last_part_of_a_path_is_shown(image: str, name: str) -> None:
    assert image_file_name(image) == name
