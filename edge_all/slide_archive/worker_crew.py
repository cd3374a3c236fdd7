"""Slides over worker processes of this machine, any of which may die at any moment.

A process per worker speaks JSON Lines over its standard streams: the settings, then slide by slide. One that dies is
replaced, and the slide that it had is handed out again; the worker itself counts how often that happened to a slide
(`edge_all.slide_archive.worker.MOST_ATTEMPTS`). When this process dies, the workers end with the slide that they have.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Generator, Iterable, Iterator
from typing import Any

from edge_all import errors
from edge_all.errors import EdgeAllError, RuntimeSetupError
from edge_all.slide_archive.manifest import ArchiveSlide
from edge_all.slide_archive.worker import ENVIRONMENT, Outcome, Settings

__all__ = ["error_record", "judged_by_processes", "raise_recorded"]

_MOST_STARTS = 3
"""Times in a row that a worker may die before it has opened its model."""


def judged_by_processes(
    slides: Iterable[ArchiveSlide], settings: Settings, workers: int
) -> Generator[Outcome, None, None]:
    """Judge slides.

    Args:
        slides: each is handed out once, and again where its worker died.
        settings: of the workers.
        workers: number of processes.

    Yields:
        What became of each slide, as soon as it is known, in no order. Stop whenever you like.

    Raises:
        EdgeAllError: a worker could not begin; see `edge_all.slide_archive.worker.SlideWorker`.
    """
    waiting = iter(slides)
    answers: queue.SimpleQueue[Outcome | EdgeAllError | None] = queue.SimpleQueue()
    handed_out = threading.Lock()
    crew = [_Worker(settings, waiting, handed_out, answers) for _ in range(workers)]
    for worker in crew:
        worker.start()
    try:
        at_work = workers
        while at_work:
            answer = answers.get()
            if isinstance(answer, EdgeAllError):
                raise answer
            if answer is None:
                at_work -= 1
            else:
                yield answer
    finally:
        for worker in crew:
            worker.dismiss()
        for worker in crew:
            worker.join()


class _Worker(threading.Thread):
    """A thread that hands slides to one process after the other, of which each lives as long as it can."""

    def __init__(
        self,
        settings: Settings,
        waiting: Iterator[ArchiveSlide],
        handed_out: threading.Lock,
        answers: queue.SimpleQueue[Outcome | EdgeAllError | None],
    ) -> None:
        super().__init__(name="edge-all-archive", daemon=True)
        self._settings = settings
        self._waiting = waiting
        self._handed_out = handed_out
        self._answers = answers
        self._process: subprocess.Popen[bytes] | None = None
        self._dismissed = False
        self._changing = threading.Lock()

    def run(self) -> None:
        """Work until there is no slide left, or the work is called off."""
        try:
            while not self._dismissed:
                with self._handed_out:
                    slide = next(self._waiting, None)
                if slide is None:
                    break
                answer = self._asked(slide)
                while answer is None and not self._dismissed:
                    # The process died: the next one gets the slide.
                    answer = self._asked(slide)
                if answer is not None:
                    self._answers.put(answer)
        except EdgeAllError as error:
            self._answers.put(error)
        finally:
            self.dismiss()
            self._answers.put(None)

    def dismiss(self) -> None:
        """End the process, from any thread; what it has not put in place is lost."""
        with self._changing:
            self._dismissed = True
            if self._process is not None:
                _end(self._process)
                self._process = None

    def _asked(self, slide: ArchiveSlide) -> Outcome | None:
        """What the process answers; None where it died.

        Raises:
            EdgeAllError: no process can begin.
        """
        process = self._process or self._begun()
        if process is None:
            return None
        answer = _exchange(process, slide.to_json())
        if answer is None:
            with self._changing:
                if self._process is process:
                    _end(process)
                    self._process = None
            return None
        return Outcome(**answer)

    def _begun(self) -> subprocess.Popen[bytes] | None:
        """A process that has opened its model; None where the work was called off meanwhile.

        Raises:
            EdgeAllError: it cannot, and says why.
        """
        for _ in range(_MOST_STARTS):
            with self._changing:
                if self._dismissed:
                    return None
                # Our own interpreter and module, no shell.
                self._process = process = subprocess.Popen(
                    [sys.executable, "-m", "edge_all.slide_archive.worker_process"],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    env=ENVIRONMENT | os.environ,
                )
            answer = _exchange(process, dataclasses.asdict(self._settings))
            if answer is not None and "refused" in answer:
                raise_recorded(answer["refused"])
            if answer is not None:
                return process
            _end(process)
        raise RuntimeSetupError(
            f"A worker died {_MOST_STARTS} times before it had opened its model.",
            "Look at what it wrote above, and at the memory of this machine (edge-all doctor).",
        )


def _exchange(process: subprocess.Popen[bytes], message: dict[str, Any]) -> dict[str, Any] | None:
    """Say a line and read one; None where the process died."""
    if process.stdin is None or process.stdout is None:
        return None
    try:
        process.stdin.write(json.dumps(message).encode("ascii") + b"\n")
        process.stdin.flush()
        line = process.stdout.readline()
    except (OSError, ValueError):  # ValueError: closed, because the work was called off
        return None
    if not line.endswith(b"\n"):
        return None
    answer: dict[str, Any] = json.loads(line)
    return answer


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            # What was still to be written has no reader any more.
            with contextlib.suppress(OSError):
                stream.close()


def error_record(error: EdgeAllError) -> dict[str, Any]:
    """An error as JSON-ready values, to be raised in another process by `raise_recorded`."""
    return {
        "kind": type(error).__name__,
        "problem": error.problem,
        "remedy": error.remedy,
        "settings": list(error.settings),
    }


def raise_recorded(record: dict[str, Any]) -> None:
    """Raise what `error_record` has recorded.

    Raises:
        EdgeAllError: always.
    """
    kind: type[EdgeAllError] = getattr(errors, record["kind"])
    raise kind(record["problem"], record["remedy"], settings=tuple(record["settings"]))
