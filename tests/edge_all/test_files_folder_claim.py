"""One run at a time holds a folder, and what killed runs left half written goes."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from edge_all.errors import OutputError
from edge_all.files import folder_claim
from edge_all.files.folder_claim import claimed_folder


@pytest.mark.skipif(sys.platform == "win32", reason="Windows keeps an open file")
def test_a_lock_on_a_file_that_is_gone_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = folder_claim.hold
    tries = []

    def hold(file: object) -> bool:
        held = real(file)  # type: ignore[arg-type]
        tries.append(file)
        if len(tries) == 1:  # the run before ends between our opening and our locking
            (tmp_path / folder_claim.LOCK_NAME).unlink()
        return held

    monkeypatch.setattr(folder_claim, "hold", hold)
    with claimed_folder(tmp_path, marker="x", resume=False):
        assert len(tries) == 2
        with (
            pytest.raises(OutputError, match="in use by another run"),
            claimed_folder(tmp_path, marker="x", resume=False),
        ):
            pass


def test_half_written_files_of_killed_runs_go_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "crops").mkdir()
    stale = [tmp_path / ".0123456789abcdef.part", tmp_path / "crops" / ".fedcba9876543210.part"]
    others = [tmp_path / ".mine.part", tmp_path / "crops" / "a.part", tmp_path / "crops" / "0123456789abcdef.part"]
    for file in (*stale, *others):
        file.write_bytes(b"")
    with claimed_folder(tmp_path, marker="x", resume=False):
        assert not any(file.exists() for file in stale)
    assert all(file.exists() for file in others)
