"""A folder that one run at a time writes into, and that no run overwrites unasked."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from edge_all.errors import OutputError
from edge_all.files.atomic import clear_parts

__all__ = ["claimed_folder", "held_file", "hold", "refuse_folder_of_images"]

LOCK_NAME = ".edge-all.lock"


@contextmanager
def claimed_folder(folder: Path, *, marker: str, resume: bool) -> Iterator[Path]:
    """Make the folder if need be, and hold it for this run alone.

    The lock is the operating system's own, so that a killed run leaves none behind.

    Args:
        folder: where to write; made with its parents.
        marker: name of the file by which an earlier run is known.
        resume: whether an earlier run's results may lie there.

    Raises:
        OutputError: the folder cannot be made or written, another run holds it, or it holds an earlier run's results
            and ``resume`` is false.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = held_file(folder / LOCK_NAME)
    except OSError as error:
        raise OutputError(
            f"The output folder {folder} cannot be written ({error.strerror or error}).",
            "Choose another folder, or ask for permission to write there.",
            settings=("out",),
        ) from error
    if lock is None:
        raise OutputError(
            f"The output folder {folder} is in use by another run.",
            "Wait for it to end, or choose another folder.",
            settings=("out",),
        )
    with lock:
        clear_parts(folder)
        try:
            if (folder / marker).exists() and not resume:
                raise OutputError(
                    f"The output folder {folder} already holds the results of a run.",
                    "Choose another folder.",
                    settings=("out",),
                )
            yield folder
        finally:
            with suppress(OSError):  # Windows keeps an open file; the empty file left there holds nobody up
                (folder / LOCK_NAME).unlink()


def held_file(path: Path) -> IO[str] | None:
    """A lock file, made if need be, open and held as long as it is open; None where another process holds it.

    Raises:
        OSError: it cannot be made.
    """
    while True:
        lock = path.open("a")
        if not hold(lock):
            lock.close()
            return None
        # Between opening and locking, a run that ended may have removed the file; the lock is then one on nothing.
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(lock.fileno()), path.stat()):
                return lock
        lock.close()


def refuse_folder_of_images(folder: Path, images: Iterable[Path]) -> None:
    """Keep results apart from the images that they are about, among which they would be taken for further ones.

    Args:
        folder: the output folder.
        images: the images of the run.

    Raises:
        OutputError: an image lies directly in the folder.
    """
    if os.path.realpath(folder) in {os.path.realpath(parent) for parent in {image.parent for image in images}}:
        raise OutputError(
            f"The output folder {folder} is a folder of the images themselves.",
            "Choose another folder.",
            settings=("out",),
        )


if sys.platform == "win32":
    import msvcrt

    def hold(file: IO[str]) -> bool:
        """Lock an open file for this process; false where another one holds it."""
        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def hold(file: IO[str]) -> bool:
        """Lock an open file for this process; false where another one holds it."""
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True
