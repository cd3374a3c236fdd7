"""Files that appear whole or not at all, and errors of the disk in the user's words."""

from __future__ import annotations

import errno
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from edge_all.errors import OutputError

__all__ = ["atomic_file", "is_part", "output_error", "write_atomically"]

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
def atomic_file(path: Path, *, durable: bool = True) -> Iterator[BinaryIO]:
    """Write a file that other programs see only when it is complete.

    The bytes go to a hidden file in the same folder, which takes the place of ``path`` when the block ends without an
    error; after an error or Ctrl-C, ``path`` is as it was before. Missing folders are made.

    Args:
        path: the file to write.
        durable: wait until the disk holds the content, so that it survives a power cut. A run writes a picture per
            cell, and pictures are no results: for them the wait (6 ms on the SSD it was measured on) is not worth it.

    Yields:
        The open binary file.

    Raises:
        OutputError: the file cannot be written.
    """
    part = path.with_name(f".{secrets.token_hex(8)}.part")
    try:
        try:
            with _created(part) as file:
                yield file
                file.flush()
                if durable:
                    os.fsync(file.fileno())
            part.replace(path)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise output_error(path, error) from error


def is_part(name: str) -> bool:
    """Whether a file of this name is one that `atomic_file` had begun."""
    return re.fullmatch(r"\.[0-9a-f]{16}\.part", name) is not None


def _created(part: Path) -> BinaryIO:
    """A new file, open for writing; missing folders are made."""
    try:
        return part.open("xb")
    except FileNotFoundError:
        # Seldom: asking for the folder first took as long as all the rest.
        part.parent.mkdir(parents=True, exist_ok=True)
        return part.open("xb")


def write_atomically(path: Path, content: bytes, *, durable: bool = True) -> None:
    """Write all of a file's content with `atomic_file`, whose arguments it takes.

    Raises:
        OutputError: the file cannot be written.
    """
    with atomic_file(path, durable=durable) as file:
        file.write(content)
