from __future__ import annotations

import errno
from pathlib import Path

import pytest

from edge_all.errors import OutputError, UsageError
from edge_all_calibration.releasing.publishing import published_folder


def publish_and_fail(target: Path, error: Exception, *, replace: bool = False) -> None:
    with published_folder(target, replace=replace) as stage:
        (stage / "card.json").write_text("new")
        raise error


def test_a_folder_appears_whole(tmp_path: Path) -> None:
    with published_folder(tmp_path / "deep" / "package") as stage:
        (stage / "card.json").write_text("{}")
        (stage / "rejected").mkdir()
        (stage / "rejected" / "x").write_text("x")
        assert not (tmp_path / "deep" / "package").exists()
    assert (tmp_path / "deep" / "package" / "rejected" / "x").read_text() == "x"
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["package"]


def test_an_error_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        publish_and_fail(tmp_path / "package", UsageError("Something is wrong.", "Mend it."))
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_leaves_nothing_and_says_so(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="No space left"):
        publish_and_fail(tmp_path / "package", OSError(errno.ENOSPC, "No space left on device"))
    assert list(tmp_path.iterdir()) == []


def test_what_exists_is_not_overwritten_unasked(tmp_path: Path) -> None:
    target = tmp_path / "package"
    target.mkdir()
    (target / "card.json").write_text("old")
    with pytest.raises(OutputError, match="exists already"), published_folder(target):
        pass
    with published_folder(target, replace=True) as stage:
        (stage / "card.json").write_text("new")
    assert (target / "card.json").read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["package"]


def test_what_is_no_package_is_never_replaced(tmp_path: Path) -> None:
    target = tmp_path / "thesis"
    target.mkdir()
    (target / "thesis.txt").write_text("years")
    with pytest.raises(OutputError, match="no model package"), published_folder(target, replace=True):
        pass
    assert (target / "thesis.txt").read_text() == "years"


def test_the_old_package_survives_an_error_while_it_is_replaced(tmp_path: Path) -> None:
    target = tmp_path / "package"
    target.mkdir()
    (target / "card.json").write_text("old")
    with pytest.raises(OutputError):
        publish_and_fail(target, OSError(errno.EIO, "Input/output error"), replace=True)
    assert (target / "card.json").read_text() == "old"
