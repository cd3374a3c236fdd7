"""One version everywhere, and distributions that are the same whenever they are built."""

from __future__ import annotations

import gzip
import io
import os
import subprocess
import sys
import tarfile
import tomllib
from pathlib import Path

import pytest

from edge_all import __version__

ROOT = Path(__file__).parents[2]
PROJECTS = [ROOT / "pyproject.toml", ROOT / "calibration" / "pyproject.toml", ROOT / "export" / "pyproject.toml"]


@pytest.mark.parametrize("project", PROJECTS, ids=lambda path: path.parent.name)
def test_all_distributions_have_one_version_and_fit_each_other(project: Path) -> None:
    table = tomllib.loads(project.read_text(encoding="utf-8"))["project"]
    assert table["version"] == __version__
    own = [one for one in table["dependencies"] if one.startswith("edge-all")]
    assert all(one.endswith(f"=={__version__}") for one in own)
    assert table["readme"] == "README.md"
    assert (project.parent / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()


def test_the_changes_name_the_version() -> None:
    assert f"\n## {__version__}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_a_source_distribution_keeps_no_times_owners_and_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "deploy" / "bundle"))
    from building import _without_times

    def packed(names: list[str], time: int, mode: int) -> bytes:
        content = io.BytesIO()
        with tarfile.open(fileobj=content, mode="w:gz") as file:
            for name in names:
                member = tarfile.TarInfo(name)
                member.size, member.mtime, member.mode, member.uname = len(name), time, mode, f"user{time}"
                file.addfile(member, io.BytesIO(name.encode()))
        return content.getvalue()

    first = _without_times(packed(["a/b", "a/c"], 1, 0o644))
    assert first == _without_times(packed(["a/c", "a/b"], 2_000_000_000, 0o600))
    assert first != _without_times(packed(["a/c"], 1, 0o644))
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(first))) as file:
        assert {member.name: file.extractfile(member).read() for member in file} == {"a/b": b"a/b", "a/c": b"a/c"}  # type: ignore[union-attr]


@pytest.mark.deploy
def test_building_twice_gives_the_same_and_passes_twine(tmp_path: Path) -> None:
    pytest.importorskip("build")
    pytest.importorskip("twine")
    sums = []
    for name, umask in (("first", 0o022), ("second", 0o077)):
        command = [sys.executable, str(ROOT / "deploy" / "release.py"), "-o", str(tmp_path / name)]
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=False,
            umask=umask,
            env={**os.environ, "TZ": f"UTC{umask % 9}"},
        )
        assert done.returncode == 0, done.stderr
        sums.append((tmp_path / name / "SHA256SUMS").read_text())
    assert sums[0] == sums[1]
    assert sums[0].count("\n") == 6


@pytest.mark.parametrize(
    ("answer", "status", "words"),
    [
        ("", 0, "NOT CHECKED: no network"),
        ('{"dependencies": [{"name": "numpy", "skip_reason": "not found"}]}', 0, "NOT CHECKED: no service answered"),
        (
            '{"dependencies": [{"name": "numpy", "version": "2", "vulns": [{"id": "X-1", "fix_versions": ["3"]}]}]}',
            1,
            "X-1",
        ),
        (
            '{"dependencies": [{"name": "pytest", "version": "2", "vulns": [{"id": "X-2", "fix_versions": []}]}]}',
            0,
            "nowhere",
        ),
    ],
)
def test_known_weaknesses_fail_for_what_a_station_gets(
    answer: str, status: int, words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "deploy"))
    import known_weaknesses

    done = subprocess.CompletedProcess([], 1, answer, "no network")
    monkeypatch.setattr(known_weaknesses.subprocess, "run", lambda *_, **__: done)
    assert known_weaknesses.main() == status
    assert words in capsys.readouterr().out
