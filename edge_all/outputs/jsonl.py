"""``fields.jsonl``: one line per judged field, on disk as soon as the field is judged.

A run may end at any moment, by Ctrl-C, a full disk or a power cut. What was judged before is then on disk in whole
lines; at most the last line is torn. Reading passes over such a line, and appending removes it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from edge_all.errors import InputError, InputNotFoundError, OutputError
from edge_all.files.atomic import atomic_file, output_error
from edge_all.outputs.json_text import json_text
from edge_all.results import FieldResult

__all__ = ["FieldsWriter", "each_field", "each_record", "field_line", "keep_fields"]

Read = TypeVar("Read")


class FieldsWriter:
    """Appends results to ``fields.jsonl``, each on disk before `write` returns.

    Use it as a context manager. A file that exists is continued; a line that an earlier run left torn is
    cut off first.

    Args:
        path: the file; missing folders are made.

    Raises:
        OutputError: the file cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            # Unbuffered: the position in the file is then always known, so that half a line can be taken back.
            self._file = path.open("a+b", buffering=0)
            try:
                self._end = self._mend_tail()
            except BaseException:
                self._file.close()
                raise
        except OSError as error:
            raise output_error(path, error) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def write(self, result: FieldResult) -> None:
        """Append one result.

        Args:
            result: the field to add.

        Raises:
            OutputError: the disk did not take the line; the file then ends with the last whole line.
        """
        line = field_line(result)
        self.require_place()
        try:
            rest = memoryview(line)
            while rest:
                rest = rest[self._file.write(rest) :]
            os.fsync(self._file.fileno())
        except BaseException as error:
            self._file.truncate(self._end)
            if isinstance(error, OSError):
                raise output_error(self._path, error) from error
            raise
        self._end += len(line)

    def require_place(self) -> None:
        """See to it that what is written is what lies at the path: a file that was removed takes every line silently.

        Raises:
            OutputError: the file or its folder was moved, removed or replaced.
        """
        try:
            there = os.path.samestat(self._path.stat(), os.fstat(self._file.fileno()))
        except OSError:
            there = False
        if not there:
            raise OutputError(
                f"{self._path} was moved, removed or replaced while the run was writing it.",
                "Leave the output folder alone during a run; move it back and go on with the run, or begin anew.",
                settings=("resume",),
            )

    def close(self) -> None:
        """Close the file; nothing is lost by not calling it."""
        self._file.close()

    def _mend_tail(self) -> int:
        """Cut off what follows the last line end; its position is the end of the file from now on."""
        self._file.seek(0)
        content = self._file.read()
        end = content.rfind(b"\n") + 1
        if end < len(content):
            self._file.truncate(end)
        return end


def keep_fields(path: Path, images: Collection[str]) -> None:
    """Take all lines out of a file but those of some images.

    Args:
        path: the file.
        images: the names of those that stay.

    Raises:
        OutputError: the file cannot be written; it then stays as it was.
        InputError: it cannot be read, or a whole line is damaged.
    """
    with atomic_file(path) as file:
        for result in each_field(path):
            if result.image in images:
                file.write(field_line(result))


def each_field(path: Path) -> Iterator[FieldResult]:
    """Read ``fields.jsonl`` back, line by line: the outlines of 2,000 fields take some hundred megabytes.

    Args:
        path: the file.

    Yields:
        The results in the order in which they were written. A last line without its line end is passed over: the run
        that wrote it was cut short.

    Raises:
        InputNotFoundError: there is no such file.
        InputError: it cannot be read, or a whole line is damaged.
    """
    return _each(path, FieldResult.from_json)


def each_record(path: Path) -> Iterator[dict[str, Any]]:
    """The same, as JSON has it, for those who need little of each field: most of the time goes into its cells.

    Args:
        path: the file.

    Yields:
        What `FieldResult.to_json` gave.

    Raises:
        InputNotFoundError, InputError: as for `each_field`.
    """
    return _each(path, dict)


def _each(path: Path, made_of: Callable[[dict[str, Any]], Read]) -> Iterator[Read]:
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                if line.endswith(b"\n") and line.strip():
                    yield _read(line, number, path, made_of)
    except FileNotFoundError as error:
        raise InputNotFoundError(f"There is no file {path}.", "Begin anew, or name the folder of a run.") from error
    except OSError as error:
        raise InputError(f"Cannot read {path}: {error.strerror or error}.", "Check its permissions.") from error


def _read(line: bytes, number: int, path: Path, made_of: Callable[[dict[str, Any]], Read]) -> Read:
    try:
        return made_of(json.loads(line))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(
            f"Line {number} of {path} is damaged ({type(error).__name__}: {error}).",
            "Move the file away and run again, or choose another output folder.",
            settings=("out",),
        ) from error


def field_line(result: FieldResult) -> bytes:
    """A field as it stands in the file, with its line end."""
    return (json_text(result.to_json()) + "\n").encode("ascii")
