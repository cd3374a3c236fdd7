"""How a package gets its final name in the store, so that a kill at any moment leaves a model and no litter."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from edge_all.errors import OutputError
from edge_all.files.folder_claim import held_file

__all__ = ["finish_replacements", "replace", "staging_folder", "store_alone"]

_STAGING = ".staging-"
_LOCK = ".edge-all.lock"
_READY = ".ready"
"""Ends the name of a complete copy that is about to take its place: ``.1.0.ready`` for version 1.0."""


def staging_folder(place: Path) -> tempfile.TemporaryDirectory[str]:
    """A folder that nobody looks into, removed at the end.

    Args:
        place: the folder to make it in: the store, for what moves there in one step.
    """
    return tempfile.TemporaryDirectory(prefix=_STAGING, dir=place)


@contextlib.contextmanager
def store_alone(store: Path) -> Iterator[None]:
    """Hold the store against other installs, and clear what killed ones left in it.

    Raises:
        OutputError: another install is under way.
        OSError: the store cannot be written.
    """
    store.mkdir(parents=True, exist_ok=True)
    lock = held_file(store / _LOCK)
    if lock is None:
        raise OutputError(f"Another install into {store} is under way.", "Wait for it to end, and try again.")
    with lock:
        try:
            finish_replacements(store)
            for left in (*store.glob(f"{_STAGING}*"), *store.glob(f"*/.*{_READY}")):
                if left.is_dir() and not left.is_symlink():
                    shutil.rmtree(left, ignore_errors=True)
            yield
        finally:
            with contextlib.suppress(OSError):  # Windows keeps an open file; the empty one holds nobody up
                (store / _LOCK).unlink()


def replace(copy: Path, target: Path, aside: Path, staging: Path) -> None:
    """Give a verified copy its final name; the damaged one that has it goes aside, and comes back where that fails.

    No operating system swaps two folders in one step everywhere. So the copy first lies beside the target, complete,
    under the name by which `finish_replacements` knows it: killed between the two renames, there is still a model.
    """
    ready = target.with_name(f".{target.name}{_READY}")
    copy.rename(ready)
    try:
        target.rename(aside)
    except OSError:
        ready.rename(staging / "not needed")
        raise
    try:
        _give_final_name(ready)
    except OSError:
        aside.rename(target)
        ready.rename(staging / "not needed")
        raise


def _give_final_name(ready: Path) -> None:
    with contextlib.suppress(FileNotFoundError):  # another process looked in between and finished it
        ready.rename(ready.with_name(ready.name.removeprefix(".").removesuffix(_READY)))


def finish_replacements(store: Path) -> None:
    """Finish what installs that were killed in `replace` had begun: a complete copy gets the name that is free now.

    It was verified before it lay there, and is verified again as every package is.
    """
    for ready in store.glob(f"*/.*{_READY}"):
        if ready.is_dir() and not ready.with_name(ready.name.removeprefix(".").removesuffix(_READY)).exists():
            with contextlib.suppress(OSError):  # a store that may only be read: nothing is lost
                _give_final_name(ready)
