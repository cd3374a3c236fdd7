"""Where the images and results of an archive lie: paths, ``file://`` and ``s3://``, by one interface.

A network file system is a path. Object stores are reached by fsspec, which is loaded only where one is named; their
credentials and their endpoint come from the environment (``AWS_ACCESS_KEY_ID``, ``AWS_ENDPOINT_URL`` ...).
"""

from __future__ import annotations

import functools
import os
from pathlib import Path, PurePath, PurePosixPath
from typing import Any, Protocol
from urllib.parse import unquote, urlsplit

from edge_all.errors import (
    ImageTooLargeError,
    InputNotFoundError,
    MissingPackageError,
    OutputError,
    UnreadableImageError,
    UsageError,
)
from edge_all.files.atomic import clear_old_parts, output_error, write_atomically
from edge_all.time_limit import within_time
from edge_all.wording.extras import install_words

__all__ = [
    "LocalFolder",
    "ObjectFolder",
    "ResultsFolder",
    "fetch",
    "folder_of",
    "is_remote",
    "joined",
    "local_path",
    "object_store",
    "results_folder",
]

PATIENCE_SECONDS = 180.0
"""For one object, its client's own retries included; a store that drips its answer never ends by itself."""
MOST_BYTES = 6_400_000_000
"""An object larger than any image that is read (`edge_all.imaging.reading`) is not fetched."""
_CLIENT = {"connect_timeout": 10, "read_timeout": 60, "retries": {"max_attempts": 4, "mode": "standard"}}
_PROTOCOLS = ("file", "s3")


def is_remote(address: str) -> bool:
    """Whether it lies in an object store.

    Raises:
        UsageError: it has another scheme than those that were tried.
    """
    scheme, mark, _ = address.partition("://")
    if not mark or scheme == "file":
        return False
    if scheme not in _PROTOCOLS:
        raise UsageError(
            f"{address} begins with {scheme}://, which is not read.",
            "Name a path, or what begins with file:// or s3://.",
        )
    return True


def local_path(address: str) -> Path:
    """The path of an address that is not remote; ``file://`` is taken off."""
    if address.startswith("file://"):
        return Path(unquote(urlsplit(address).path))
    return Path(address)


def joined(folder: str, address: str) -> str:
    """An address as it stands in a manifest: what is relative begins in the manifest's folder."""
    if "://" in address or os.path.isabs(address):  # noqa: PTH117 - a Path knows only the separators of its own system
        return address
    return f"{folder}/{address}" if "://" in folder else os.path.join(folder, address)  # noqa: PTH118 - keeps the text


def folder_of(address: str) -> PurePath:
    """The folder that an address lies in, from its root on, to name slides after."""
    if is_remote(address):
        return PurePosixPath(address.partition("://")[2]).parent
    return Path(os.path.abspath(local_path(address))).parent  # noqa: PTH100 - resolve() would replace a link's name


@functools.cache
def object_store() -> Any:  # noqa: ANN401 - fsspec has no types
    """The client of ``s3://``, one a process.

    Raises:
        MissingPackageError: it is not installed.
    """
    try:
        import fsspec

        return fsspec.filesystem("s3", config_kwargs=_CLIENT, use_listings_cache=False)
    except ImportError as error:
        raise MissingPackageError(
            f"Addresses that begin with s3:// need fsspec and s3fs ({error}).",
            f"Install edge-all with its extra, {install_words('archive')}.",
        ) from error


def fetch(address: str) -> bytes:
    """The bytes of an object.

    Raises:
        InputNotFoundError: there is none.
        ImageTooLargeError: it is larger than any image.
        UnreadableImageError: the store refuses it, does not answer, or not in time.
    """
    store = object_store()

    def read() -> bytes:
        size = store.info(address)["size"]
        if size > MOST_BYTES:
            raise ImageTooLargeError(
                f"{address} has {size / 1e9:.1f} GB, too much for one image.", "Export single fields of view."
            )
        content: bytes = store.cat_file(address)
        return content

    try:
        return within_time(PATIENCE_SECONDS, read)
    except ImageTooLargeError:
        raise
    except FileNotFoundError as error:
        raise InputNotFoundError(f"{address} does not exist.", "Check its spelling in the manifest.") from error
    except PermissionError as error:
        raise UnreadableImageError(
            f"{address} may not be read ({error}).", "Check the credentials of the object store."
        ) from error
    except Exception as error:  # whatever the client of a store raises, from a refused connection to bad XML
        raise UnreadableImageError(
            f"{address} cannot be read ({type(error).__name__}: {error}).", "Run again when the object store answers."
        ) from error


class ResultsFolder(Protocol):
    """Where results go: small files under names with ``/``, each there whole or not at all."""

    def read(self, name: str) -> bytes | None:
        """The content; None where there is no such file.

        Raises:
            OutputError: it cannot be read.
        """

    def write(self, name: str, content: bytes) -> None:
        """Put a file in place of what has the name, in one step.

        Raises:
            OutputError: it cannot be written.
        """

    def remove(self, name: str) -> None:
        """Remove a file; nothing where there is none.

        Raises:
            OutputError: it cannot be removed.
        """

    def names(self, folder: str) -> list[str]:
        """All files in a folder and those below it, sorted; none where there is no such folder.

        Raises:
            OutputError: it cannot be listed.
        """

    def clear(self, folder: str) -> None:
        """Remove from the folders in a folder what workers that died had begun to write, and nobody writes any more."""


class LocalFolder:
    """Results on a disk or a network file system; by rename."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self, name: str) -> bytes | None:
        """See `ResultsFolder`."""
        try:
            return (self.path / name).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise output_error(self.path / name, error) from error

    def write(self, name: str, content: bytes) -> None:
        """See `ResultsFolder`."""
        write_atomically(self.path / name, content)

    def remove(self, name: str) -> None:
        """See `ResultsFolder`."""
        try:
            (self.path / name).unlink(missing_ok=True)
        except OSError as error:
            raise output_error(self.path / name, error) from error

    def names(self, folder: str) -> list[str]:
        """See `ResultsFolder`."""
        found = (path for path in (self.path / folder).rglob("*") if path.is_file() and not path.name.startswith("."))
        return sorted(path.relative_to(self.path).as_posix() for path in found)

    def clear(self, folder: str) -> None:
        """See `ResultsFolder`."""
        for path in (self.path / folder).glob("*/"):
            clear_old_parts(path)


class ObjectFolder:
    """Results in an object store, where one upload is one step and there is no rename."""

    def __init__(self, address: str) -> None:
        self.address = address.rstrip("/")
        self._store = object_store()

    def read(self, name: str) -> bytes | None:
        """See `ResultsFolder`."""
        try:
            content: bytes = within_time(PATIENCE_SECONDS, lambda: self._store.cat_file(self._at(name)))
        except FileNotFoundError:
            return None
        except Exception as error:
            raise self._error("read", name, error) from error
        return content

    def write(self, name: str, content: bytes) -> None:
        """See `ResultsFolder`."""
        try:
            within_time(PATIENCE_SECONDS, lambda: self._store.pipe_file(self._at(name), content))
        except Exception as error:
            raise self._error("write", name, error) from error

    def remove(self, name: str) -> None:
        """See `ResultsFolder`."""
        try:
            within_time(PATIENCE_SECONDS, lambda: self._store.rm_file(self._at(name)))
        except FileNotFoundError:
            pass
        except Exception as error:
            raise self._error("remove", name, error) from error

    def names(self, folder: str) -> list[str]:
        """See `ResultsFolder`."""
        root = self.address.partition("://")[2]
        try:
            found: list[str] = self._store.find(self._at(folder))
        except FileNotFoundError:
            return []
        except Exception as error:
            raise self._error("list", folder, error) from error
        return sorted(path.removeprefix(f"{root}/") for path in found)

    def clear(self, folder: str) -> None:
        """See `ResultsFolder`: an upload that was not finished leaves nothing."""

    def _at(self, name: str) -> str:
        return f"{self.address}/{name}"

    def _error(self, verb: str, name: str, error: Exception) -> OutputError:
        return OutputError(
            f"Cannot {verb} {self._at(name)} ({type(error).__name__}: {error}).",
            "Check the credentials and the object store, or choose another output folder.",
            settings=("out",),
        )


def results_folder(address: str) -> ResultsFolder:
    """The folder at an address.

    Raises:
        UsageError: it has a scheme that is not read.
        MissingPackageError: what its scheme needs is not installed.
    """
    return ObjectFolder(address) if is_remote(address) else LocalFolder(local_path(address))
