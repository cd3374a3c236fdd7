"""The project's own wheels and source distributions: the same source gives the same bytes.

They are built from a clean copy, so that neither an earlier build nor a file of the user's gets into them.
"""

from __future__ import annotations

import gzip
import io
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

__all__ = ["DISTRIBUTIONS", "SOURCE", "BuildError", "build"]

SOURCE = Path(__file__).resolve().parents[2]
DISTRIBUTIONS = {
    "edge-all": SOURCE,
    "edge-all-calibration": SOURCE / "calibration",
    "edge-all-export": SOURCE / "export",
}
"""Where each stands."""
EPOCH = 1577836800
"""The time that all files bear, 2020-01-01; when a version was made stands in CHANGELOG.md."""
_BESIDE = ("pyproject.toml", "README.md", "LICENSE", "py.typed")


class BuildError(Exception):
    """A distribution cannot be built; says why."""


def build(distribution: str, out: Path, *, wheel_only: bool = False) -> list[Path]:
    """Build a distribution.

    Args:
        distribution: one of `DISTRIBUTIONS`.
        out: folder for the files.
        wheel_only: without its source.

    Returns:
        The files.

    Raises:
        BuildError: it cannot be built.
    """
    with tempfile.TemporaryDirectory() as temporary:
        copy, built = Path(temporary) / distribution, Path(temporary) / "built"
        built.mkdir()
        _copy(DISTRIBUTIONS[distribution], copy)
        if wheel_only:
            _run(["pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(built), str(copy)])
        else:
            _run(["build", "--outdir", str(built), str(copy)])
        out.mkdir(parents=True, exist_ok=True)
        for path in built.glob("*.tar.gz"):
            path.write_bytes(_without_times(path.read_bytes()))
        return [Path(shutil.copy(path, out)) for path in sorted(built.iterdir())]


def _copy(source: Path, copy: Path) -> None:
    """What belongs to a distribution, with the modes that it has everywhere."""
    copy.mkdir(mode=0o755)
    for name in _BESIDE:
        if (source / name).is_file():
            shutil.copyfile(source / name, copy / name)
    for package in source.glob("edge_all*"):
        if (package / "__init__.py").is_file():
            shutil.copytree(package, copy / package.name, ignore=shutil.ignore_patterns("__pycache__"))
    for path in copy.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)


def _run(command: list[str]) -> None:
    environment = {**os.environ, "SOURCE_DATE_EPOCH": str(EPOCH)}
    done = subprocess.run(
        [sys.executable, "-m", *command], env=environment, capture_output=True, text=True, check=False, umask=0o022
    )
    if done.returncode:
        raise BuildError(f"{command[-1]} cannot be built:\n{done.stderr or done.stdout}")


def _without_times(content: bytes) -> bytes:
    """A source distribution without what differs from one building to the next: times, owners, order."""
    packed = io.BytesIO()
    with (
        tarfile.open(fileobj=io.BytesIO(content)) as before,
        gzip.GzipFile(filename="", mode="wb", fileobj=packed, mtime=EPOCH) as compressed,
        tarfile.open(fileobj=compressed, mode="w", format=tarfile.PAX_FORMAT) as after,
    ):
        for member in sorted(before.getmembers(), key=lambda one: one.name):
            plain = tarfile.TarInfo(member.name)
            plain.size, plain.type, plain.mtime = member.size, member.type, EPOCH
            plain.mode = 0o755 if member.isdir() else 0o644
            after.addfile(plain, before.extractfile(member) if member.isfile() else None)
    return packed.getvalue()
