"""The one door through which everything reaches the terminal: control characters are shown, not obeyed.

Names of files and slides come from elsewhere and may hold escape sequences, which would move the cursor, rename the
window or hide a line. What is written is filtered in the streams themselves, so that it holds for tables, messages,
error texts, warnings of Python and whatever a library prints from Python.
"""

from __future__ import annotations

import errno
import io
import os
import re
import sys
from pathlib import Path
from typing import Any, TextIO

__all__ = ["end_of_output", "guard_standard_streams", "harmless"]

_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
"""All but tab and line feed: C0, DEL, C1 (0x9b alone begins a sequence), and what turns the order of letters."""
_OF_RICH = re.compile(r"(\x1b\[[0-9;]*[mAK]|\x1b\[[0-9]*[GHJ]|\x1b\[\?25[hl]|\r(?!\n)|\r\n)")
"""What colours and progress bars are made of; Rich alone writes them, to terminals."""
_COLOURED = re.compile(r"(?s)((?:\x1b\[\d+m)*)(.*)(\x1b\[0m\n?)")
"""A message that is coloured as a whole, or not, as `typer.secho` writes it: it ends with a reset either way."""


def harmless(text: str, *, terminal: bool) -> str:
    """Text in which control characters are written out, as JSON escapes them, so that it stays readable there.

    Args:
        text: anything.
        terminal: whether colours and the cursor movements of progress bars may pass.
    """
    if not terminal:
        return _CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
    pieces = _OF_RICH.split(text)
    return "".join(piece if number % 2 else harmless(piece, terminal=False) for number, piece in enumerate(pieces))


class _GuardedStream(io.TextIOWrapper):
    """A standard stream that writes only what is harmless, and swallows everything once it cannot be written.

    Results lie in files: that a pipe is closed or a disk is full must not end the run that writes them.

    Attributes:
        failure: why nothing is written any more; None as long as all is well.
    """

    failure: OSError | None = None

    def write(self, text: str) -> int:
        """Write what is harmless of a text: no sequence passes but the colour of a whole message."""
        coloured = _COLOURED.fullmatch(text) if self.isatty() else None
        if coloured is None:
            return self.write_as_it_is(harmless(text, terminal=False))
        start, message, end = coloured.groups()
        return self.write_as_it_is(start + harmless(message, terminal=False) + end)

    def write_as_it_is(self, text: str) -> int:
        """Write a text that is harmless already."""
        try:
            super().write(text)
        except OSError as error:
            self._give_up(error)
        return len(text)

    @property
    def rich_proxied_file(self) -> _RichStream:
        """Where Rich writes: it looks for this name in a stream that stands for another."""
        return _RichStream(self)

    def flush(self) -> None:
        """Write what is waiting."""
        try:
            super().flush()
        except OSError as error:
            self._give_up(error)

    def _give_up(self, error: OSError) -> None:
        self.failure = self.failure or error
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self.fileno())
        os.close(nowhere)


class _RichStream:
    """A guarded stream as Rich sees it, whose colours and cursor movements may pass.

    A name that is shown by Rich has to be made harmless before.
    """

    def __init__(self, stream: _GuardedStream) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever a stream has
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write what is harmless of a text that Rich has rendered."""
        return self._stream.write_as_it_is(harmless(text, terminal=self._stream.isatty()))


def guard_standard_streams() -> None:
    """Put guarded streams in the place of standard output and standard error."""
    _fill_closed_places()
    sys.stdout = _guarded(sys.stdout)
    sys.stderr = _guarded(sys.stderr)


def _fill_closed_places() -> None:
    """Where a service or a shell (``>&-``) closed a standard stream, nothing is written.

    Left free, its number would go to the next file that is opened, and what a library prints into that file.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest free number


def _guarded(stream: TextIO | None) -> TextIO:
    if stream is None:
        return Path(os.devnull).open("w", encoding="utf-8")
    if not isinstance(stream, io.TextIOWrapper):
        return stream  # a program without a console, or a test's own stream
    return _GuardedStream(
        stream.buffer,
        encoding=stream.encoding,
        errors="backslashreplace",
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )


def end_of_output(status: int) -> int:
    """Write what is left, and say so where it could not be written.

    Args:
        status: exit status of the command.

    Returns:
        The same; 2 where standard output was lost, unless whoever read it has gone (``| head``).
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOBase):
            stream.flush()
    failure = getattr(sys.stdout, "failure", None)
    if failure is None or failure.errno == errno.EPIPE:
        return status
    sys.stderr.write(
        f"Error: standard output cannot be written ({failure.strerror}).\n"
        "What a command writes into its output folder is there all the same.\n"
    )
    sys.stderr.flush()
    return 2
