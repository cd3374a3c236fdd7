"""Files and folders that appear whole or not at all, and errors of the disk in the user's words."""

from __future__ import annotations

import errno
import os
import re
import secrets
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from edge_all.errors import OutputError

__all__ = [
    "atomic_file",
    "atomic_folder",
    "atomic_path",
    "clear_old_parts",
    "clear_parts",
    "is_part",
    "output_error",
    "write_atomically",
]

_OLD_SECONDS = 24 * 3600
_REMEDIES = {
    errno.ENOSPC: "Free space on that disk, or choose another output folder.",
    errno.EDQUOT: "Your quota on that disk is used up: free space, or choose another output folder.",
    errno.EACCES: "Choose an output folder that you may write to, or ask for permission.",
    errno.EPERM: "Choose an output folder that you may write to, or ask for permission.",
    errno.EROFS: "That disk is read-only: choose another output folder.",
    errno.ENOTDIR: "A file stands where a folder is needed: choose another output folder.",
    errno.EEXIST: "A file stands where a folder is needed: choose another output folder.",
    errno.EISDIR: "A folder stands where a file is to be written: choose another output folder.",
    errno.ENAMETOOLONG: "Choose an output folder with a shorter path.",
}


def output_error(path: Path, error: OSError) -> OutputError:
    """The error that tells a user why a file could not be written, and what to do."""
    remedy = _REMEDIES.get(error.errno or 0, "Check that disk, or choose another output folder.")
    return OutputError(f"Cannot write {path}: {error.strerror or error}.", remedy, settings=("out",))


@contextmanager
def atomic_file(path: Path, *, durable: bool = True, private: bool = False) -> Iterator[BinaryIO]:
    """Write a file that other programs see only when it is complete.

    The bytes go to a hidden file in the same folder, which takes the place of ``path`` when the block ends without an
    error; after an error or Ctrl-C, ``path`` is as it was before. Missing folders are made.

    Args:
        path: the file to write.
        durable: wait until the disk holds the content, so that it survives a power cut. A run writes a picture per
            cell, and pictures are no results: for them the wait (6 ms on the SSD it was measured on) is not worth it.
        private: only this user may read it, from its first byte on.

    Yields:
        The open binary file.

    Raises:
        OutputError: the file cannot be written.
    """
    part = path.with_name(f".{secrets.token_hex(8)}.part")
    with _taking_the_place(part, path), _created(part, 0o600 if private else 0o666) as file:
        yield file
        file.flush()
        if durable:
            os.fsync(file.fileno())


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """`atomic_file` for a library that opens the file itself: a name to write it under, which ends as ``path`` does.

    Args:
        path: the file to write.

    Yields:
        The name, which nothing has yet.

    Raises:
        OutputError: the file cannot be written.
    """
    part = path.with_name(f".{secrets.token_hex(8)}.part{path.suffix}")
    with _taking_the_place(part, path):
        path.parent.mkdir(parents=True, exist_ok=True)
        yield part
        _flush(part)


@contextmanager
def _taking_the_place(part: Path, path: Path) -> Iterator[None]:
    """What the block writes as ``part`` becomes ``path`` at its end; an error leaves nothing but `OutputError`."""
    try:
        try:
            yield
            part.replace(path)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise output_error(path, error) from error


@contextmanager
def atomic_folder(target: Path, require_free: Callable[[], object]) -> Iterator[Path]:
    """A folder to build in, which takes the name ``target`` when the block ends without an error.

    It stands beside the target, on the same disk, so that the last step is one renaming. An error leaves nothing, and
    what stood under the name as it was.

    Args:
        target: name of the finished folder.
        require_free: raises where what stands under the name may not be replaced. Asked before and after the building.

    Yields:
        The empty folder.

    Raises:
        OutputError: the target cannot be written.
    """
    stage = target.with_name(f".{secrets.token_hex(8)}.part")
    try:
        require_free()
        try:
            stage.mkdir(parents=True)
            yield stage
            stage.chmod(0o755)
            for path in stage.rglob("*"):
                path.chmod(0o755 if path.is_dir() else 0o644)
                _flush(path)
            _flush(stage)
            # Something may have appeared there while the folder was built.
            require_free()
            _put_in_place(stage, target)
            _flush(target.parent)
        finally:
            shutil.rmtree(stage, ignore_errors=True)
    except OSError as error:
        raise output_error(target, error) from error


def _put_in_place(stage: Path, target: Path) -> None:
    if not target.exists():
        stage.rename(target)
        return
    old = target.with_name(f".{secrets.token_hex(8)}.old")
    target.rename(old)
    try:
        stage.rename(target)
    except OSError:
        old.rename(target)
        raise
    # Only now: until the new one stands under the name, the old one is the user's.
    shutil.rmtree(old)


def _flush(path: Path) -> None:
    if path.is_dir() and os.name == "nt":
        return  # Windows cannot open a folder to flush it.
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def is_part(name: str) -> bool:
    """Whether a file of this name is one that `atomic_file` or `atomic_path` had begun."""
    return re.fullmatch(r"\.[0-9a-f]{16}\.part(\.\w+)?", name) is not None


def clear_parts(folder: Path) -> None:
    """Remove what was left half written, in a folder and those in it, where a process was killed.

    Args:
        folder: nobody else may be writing there.
    """
    for pattern in (".*.part*", "*/.*.part*"):
        _clear(folder.glob(pattern), unwritten_for=-float("inf"))


def clear_old_parts(folder: Path) -> None:
    """Remove from a folder, where others may be writing, what killed processes had begun there.

    What nobody has written to for a day is no longer being written.
    """
    with suppress(OSError):
        _clear(folder.glob(".*.part*"), unwritten_for=_OLD_SECONDS)


def _clear(parts: Iterable[Path], *, unwritten_for: float) -> None:
    for part in parts:
        if is_part(part.name) and part.is_file() and not part.is_symlink():
            with suppress(OSError):
                if time.time() - part.stat().st_mtime >= unwritten_for:
                    part.unlink()


def _created(part: Path, mode: int) -> BinaryIO:
    """A new file, open for writing, with what of the mode the user's mask leaves; missing folders are made."""

    def opened(path: str, flags: int) -> int:
        return os.open(path, flags, mode)

    try:
        return open(part, "xb", opener=opened)
    except FileNotFoundError:
        # Seldom: asking for the folder first took as long as all the rest.
        part.parent.mkdir(parents=True, exist_ok=True)
        return open(part, "xb", opener=opened)


def write_atomically(path: Path, content: bytes, *, durable: bool = True, private: bool = False) -> None:
    """Write all of a file's content with `atomic_file`, whose arguments it takes.

    Raises:
        OutputError: the file cannot be written.
    """
    with atomic_file(path, durable=durable, private=private) as file:
        file.write(content)
