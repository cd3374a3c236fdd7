from __future__ import annotations

import errno
import os
import sys
from pathlib import Path

import pytest

from edge_all.errors import OutputError
from edge_all.files.atomic import atomic_file, atomic_path, clear_parts, write_atomically


def test_makes_folders_and_leaves_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "a.txt"
    write_atomically(path, b"content")
    assert path.read_bytes() == b"content"
    assert [entry.name for entry in path.parent.iterdir()] == ["a.txt"]


def write_half(path: Path, interruption: type[BaseException]) -> None:
    with atomic_file(path) as file:
        file.write(b"half of")
        raise interruption


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, ValueError])
def test_an_interrupted_write_leaves_the_file_as_it_was(tmp_path: Path, interruption: type[BaseException]) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"before")
    with pytest.raises(interruption):
        write_half(path, interruption)
    assert path.read_bytes() == b"before"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.txt"]


def test_a_full_disk_names_the_file_and_the_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError) as caught:
        write_atomically(tmp_path / "a.txt", b"content")
    assert str(tmp_path / "a.txt") in caught.value.problem
    assert "Free space" in caught.value.remedy
    assert not list(tmp_path.iterdir())


def test_a_file_in_the_place_of_a_folder_is_an_output_error(tmp_path: Path) -> None:
    (tmp_path / "folder").write_bytes(b"a file")
    with pytest.raises(OutputError, match="folder"):
        write_atomically(tmp_path / "folder" / "a.txt", b"content")
    assert (tmp_path / "folder").read_bytes() == b"a file"


def write_half_by_name(path: Path, interruption: type[BaseException]) -> None:
    with atomic_path(path) as name:
        assert name.suffix == path.suffix
        name.write_bytes(b"half of")
        raise interruption


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, ValueError])
def test_so_does_one_that_is_written_by_name(tmp_path: Path, interruption: type[BaseException]) -> None:
    path = tmp_path / "a.keras"
    path.write_bytes(b"before")
    with pytest.raises(interruption):
        write_half_by_name(path, interruption)
    assert path.read_bytes() == b"before"
    with atomic_path(path) as name:
        name.write_bytes(b"after")
    assert path.read_bytes() == b"after"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.keras"]


def test_only_what_was_left_half_written_is_cleared(tmp_path: Path) -> None:
    (tmp_path / "fold-0").mkdir()
    parts = ".0123456789abcdef.part", ".0123456789abcdef.part.keras", "fold-0/.fedcba9876543210.part"
    kept = "notes.part", ".mine.part", ".0123456789abcdef.party", "a.csv"
    for name in (*parts, *kept):
        (tmp_path / name).write_bytes(b"")
    clear_parts(tmp_path)
    assert {path.name for path in tmp_path.rglob("*") if path.is_file()} == set(kept)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such modes")
@pytest.mark.parametrize(("private", "others"), [(True, 0), (False, 0o044)])
def test_a_private_file_is_so_from_its_first_byte(tmp_path: Path, private: bool, others: int) -> None:
    mask = os.umask(0o022)
    try:
        with atomic_file(tmp_path / "secret", private=private) as file:
            assert os.fstat(file.fileno()).st_mode & 0o077 == others
    finally:
        os.umask(mask)
    assert (tmp_path / "secret").stat().st_mode & 0o077 == others
