"""Images that wait become fields with findings: taken, read once, judged, written down in one transaction.

An image is read, hashed and judged from the same bytes, so that a file that changes meanwhile is noticed. What was
found and the end of its turn are one transaction: killed at any moment, an image is either judged or waits, and nothing
is there twice.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from edge_all.api.screener import Screener
from edge_all.errors import EdgeAllError, StoreError
from edge_all.files.naming import image_name
from edge_all.imaging import OpenedImage, open_image
from edge_all.imaging.sources import ReadableImage
from edge_all.results import FieldResult
from edge_all.station.intake.station_log import StationLog
from edge_all.station.storage.database import Database
from edge_all.station.storage.found_fields import ImageFile, JudgingModel, is_judged, record_finding
from edge_all.station.storage.image_queue import (
    MOST_LEASES,
    Outcome,
    QueuedImage,
    finish,
    is_due,
    lease_next,
    postpone,
)
from edge_all.station.storage.kept_pictures import keep_picture

__all__ = ["Judge", "judge_of", "judge_queue"]

_IDLE_SECONDS = 0.2
"""Between two looks at an empty queue; a file that arrives is looked at sooner."""
_STORE_SECONDS = 2.0
"""Until a store that could not be written, for want of room on its disk, is tried again."""
_KILLER = "The station ended each time while this image was being judged, perhaps for want of memory."
_NAME = "The image"
"""What an image is called in results and messages: its own name may hold a person's."""


class ScreensMany(Protocol):
    """As `Screener.screen_many`."""

    def __call__(self, sources: Iterable[ReadableImage], /) -> Generator[FieldResult, None, None]:
        """A result for each image, in order; one that cannot be judged has the status ``error``."""


@dataclass(frozen=True, slots=True)
class Judge:
    """Who judges.

    Attributes:
        screen_many: fields in their order, each as soon as it has arrived.
        model: which judges.
    """

    screen_many: ScreensMany
    model: JudgingModel


def judge_of(screener: Screener) -> Judge:
    """A screener as the judge of a station."""
    classifier = screener.classifier
    return Judge(screener.screen_many, JudgingModel(screener.model, classifier.thresholds, classifier.card.to_json()))


@dataclass(frozen=True, slots=True)
class _Taken:
    """An image whose turn it is, read and not decoded."""

    queued: QueuedImage
    file: ImageFile
    content: bytes
    image: str = _NAME
    slide: str = "slide"

    def opened(self) -> OpenedImage:
        return open_image(self.content, name=_NAME, page=self.queued.page or None)


def judge_queue(
    database: Database,
    judge: Judge,
    log: StationLog,
    stop: threading.Event,
    on_field: Callable[[FieldResult], None] = lambda _: None,
) -> None:
    """Judge the images that wait, and those that come, until it is told to stop; what is under way is finished.

    Args:
        database: the store.
        judge: who judges.
        log: told of each field.
        stop: set when it is to end.
        on_field: called with each result that is on disk, under the names of its slide and its file; of an image that
            is given up unread, from the thread that reads.

    Raises:
        ModelError: the network failed.
    """
    _JudgedQueue(database, judge, log, stop, on_field).judge_all()


@dataclass(frozen=True, slots=True)
class _JudgedQueue:
    """The images that wait, who judges them, and who is told: the arguments of `judge_queue`."""

    database: Database
    judge: Judge
    log: StationLog
    stop: threading.Event
    on_field: Callable[[FieldResult], None]

    def judge_all(self) -> None:
        """Judge them until it is told to stop."""
        under_way: deque[_Taken] = deque()
        with closing(self.judge.screen_many(self._sources(under_way))) as results:
            for result in results:
                self._write_down(under_way.popleft(), result)

    def _sources(self, under_way: deque[_Taken]) -> Iterator[_Taken]:
        """The images whose turn it is, as long as it goes on; runs on the pipeline's own thread."""
        while not self.stop.is_set():
            commits = self.database.commits
            try:
                taken = self._next_to_judge()
            except StoreError as error:
                self.log.write("store.failed", error=str(error))
                self.stop.wait(_STORE_SECONDS)
                continue
            if taken is None:
                self.database.wait_for_commit(commits, _IDLE_SECONDS)
                continue
            under_way.append(taken)
            yield taken

    def _next_to_judge(self) -> _Taken | None:
        """Take images until one has to be judged; None where none waits."""
        while True:
            with self.database.read() as connection:
                if not is_due(connection, time.time()):
                    return None
            with self.database.write() as connection:
                queued = lease_next(connection, time.time())
            if queued is None:
                return None
            if queued.attempt > MOST_LEASES:
                self._fail(queued, _KILLER, None)
                continue
            try:
                content = _read_unchanged(queued)
            except OSError as error:
                self._fail(queued, f"{_NAME} cannot be read: {error.strerror or error}.", None)
                continue
            if content is None:
                # Another file stands under its name, which the next look at the folder finds.
                self._end(queued, "replaced")
                continue
            file = ImageFile(queued.slide_id, queued.path, queued.page, hashlib.sha256(content).hexdigest())
            with self.database.read() as connection:
                known = is_judged(connection, file, self.judge.model.identity)
            if known:
                self._end(queued, "done")
                continue
            return _Taken(queued, file, content)

    def _write_down(self, taken: _Taken, result: FieldResult) -> None:
        """Write down what was found; where the store cannot be written, try until it can or all is to end."""
        while True:
            try:
                if result.status == "error":
                    self._fail(taken.queued, result.error or "", taken.file)
                    return
                field_id = None
                with self.database.write() as connection:
                    if finish(connection, taken.queued, "done"):
                        field_id = record_finding(connection, taken.file, result, self.judge.model)
            except StoreError as error:
                self.log.write("store.failed", error=str(error))
                if self.stop.wait(_STORE_SECONDS):
                    return  # it waits in the queue, and is judged again at the next start
                continue
            self._log("field.judged", taken.queued, status=result.status, cells=len(result.cells))
            if field_id is not None:
                self._keep_picture(taken, field_id)
                self._tell(taken.queued, result)
            return

    def _keep_picture(self, taken: _Taken, field_id: int) -> None:
        """Keep how a field looks. What was found is on disk by then: a full disk costs the picture alone."""
        try:
            keep_picture(self.database.folder, field_id, taken.opened().decode().pixels)
        except (EdgeAllError, OSError) as error:
            self._log("picture.failed", taken.queued, error=str(error))

    def _fail(self, queued: QueuedImage, error: str, file: ImageFile | None) -> None:
        """Let an image wait for another attempt, or give it up and say so on its slide."""
        result = FieldResult(_NAME, "slide", "error", error)
        with self.database.write() as connection:
            if postpone(connection, queued, error, time.time()):
                dead = False
            else:
                dead = finish(connection, queued, "dead", error)
                if dead:
                    unread = file or ImageFile(queued.slide_id, queued.path, queued.page, None)
                    record_finding(connection, unread, result, self.judge.model)
        self._log("image.dead" if dead else "image.postponed", queued, error=error)
        if dead:
            self._tell(queued, result)

    def _end(self, queued: QueuedImage, outcome: Outcome) -> None:
        with self.database.write() as connection:
            finish(connection, queued, outcome)
        self._log(f"image.{outcome}", queued)

    def _log(self, event: str, queued: QueuedImage, **values: Any) -> None:  # noqa: ANN401
        self.log.write(
            event, image=queued.id, slide=queued.slide_id, page=queued.page, attempt=queued.attempt, **values
        )

    def _tell(self, queued: QueuedImage, result: FieldResult) -> None:
        named = dataclasses.replace(result, image=image_name(queued.path, queued.page), slide=queued.slide)
        self.on_field(named)


def _read_unchanged(queued: QueuedImage) -> bytes | None:
    """The bytes of an image; None where another file stands under its name, or it is being written.

    Raises:
        OSError: it cannot be read.
    """
    version = (queued.size_bytes, queued.modified_ns)
    with Path(queued.path).open("rb") as file:
        before = os.fstat(file.fileno())
        content = file.read() if (before.st_size, before.st_mtime_ns) == version else b""
        after = os.fstat(file.fileno())
    if (after.st_size, after.st_mtime_ns) != version or len(content) != queued.size_bytes:
        return None
    return content
