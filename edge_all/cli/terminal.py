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
from typing import TextIO

__all__ = ["end_of_output", "guard_standard_streams", "harmless"]

_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
"""All but tab and line feed: C0, DEL, C1 (0x9b alone begins a sequence), and what turns the order of letters."""
_OF_RICH = re.compile(r"(\x1b\[[0-9;]*[mAK]|\x1b\[[0-9]*[GHJ]|\x1b\[\?25[hl]|\r(?!\n)|\r\n)")
"""What colours and progress bars are made of; they are written to terminals alone."""


def harmless(text: str, *, terminal: bool) -> str:
    """Text in which control characters are written out, as JSON escapes them, so that it stays readable there.

    Args:
        text: anything.
        terminal: whether colours and the cursor movements of progress bars may pass.
    """
    if not terminal:
        return _written_out(text)
    pieces = _OF_RICH.split(text)
    return "".join(piece if number % 2 else _written_out(piece) for number, piece in enumerate(pieces))


def _written_out(text: str) -> str:
    return _CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


class _GuardedStream(io.TextIOWrapper):
    """A standard stream that writes only what is harmless, and swallows everything once it cannot be written.

    Results lie in files: that a pipe is closed or a disk is full must not end the run that writes them.

    Attributes:
        failure: why nothing is written any more; None as long as all is well.
    """

    failure: OSError | None = None

    def write(self, text: str) -> int:
        """Write what is harmless of a text."""
        try:
            super().write(harmless(text, terminal=self.isatty()))
        except OSError as error:
            self._give_up(error)
        return len(text)

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
