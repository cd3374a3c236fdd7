"""`Intake`: folders are watched, and what is complete in them is judged, until it is told to stop."""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from edge_all.errors import StoreError, StoreInUseError
from edge_all.files.folder_claim import held_file
from edge_all.model.user_folder import user_folder
from edge_all.results import FieldResult
from edge_all.station.intake.folder_watch import Arrival, FolderWatch
from edge_all.station.intake.judging import Judge, judge_queue
from edge_all.station.intake.slide_names import SlideNames
from edge_all.station.intake.station_log import StationLog
from edge_all.station.storage.database import Database
from edge_all.station.storage.image_queue import add_to_queue, known_files, release_leases
from edge_all.station.storage.slide_records import DEMO_FOLDER, find_or_add_slide

__all__ = ["Intake"]

_LOOK_SECONDS = 0.2
"""Between two looks at a folder, or three times as long as a look takes where that is longer: a share with thousands of
files is not to be kept busy by us."""
_ROUND = 500
"""Files that enter the queue in one transaction."""


class Intake:
    """Watched folders and a judge."""

    def __init__(
        self,
        database: Database,
        folders: Sequence[Path],
        judge: Judge,
        names: SlideNames | None = None,
        on_field: Callable[[FieldResult], None] = lambda _: None,
    ) -> None:
        """Look whether the folders are there; nothing is judged yet.

        Args:
            database: the store.
            folders: to be watched, with those below them; none where only what waits is to be judged.
            judge: who judges.
            names: which slide an image belongs to; each folder is one where None.
            on_field: called with each result that is on disk.

        Raises:
            InputError: a folder is not there.
        """
        self._database, self._judge, self._on_field = database, judge, on_field
        self._failure: Exception | None = None
        # As a watch names its folder.
        self._demo_folder = os.path.abspath(database.folder / DEMO_FOLDER)  # noqa: PTH100
        with database.read() as connection:
            known = known_files(connection)
        self._watches = [FolderWatch(folder, names or SlideNames(), known) for folder in folders]

    def run(self, stop: threading.Event) -> None:
        """Watch and judge until it is told to stop; what is under way is finished.

        Args:
            stop: set when it is to end.

        Raises:
            StoreInUseError: another station on this machine watches one of the folders.
            ModelError: the network failed; what waits is judged at the next start.
            Exception: a fault of ours while looking at a folder; a station that looks no more must not seem to work.
        """
        log = StationLog(self._database.folder)
        looking = threading.Thread(target=self._look_again_and_again, args=(log, stop), name="edge-all-look")
        with ExitStack() as held:
            held.callback(log.close)
            for watch in self._watches:
                held.enter_context(_watched_by_us(watch.folder))
            with self._database.write() as connection:
                released = release_leases(connection)
            log.write("intake.started", folders=len(self._watches), taken_up_again=released)
            looking.start()
            held.callback(looking.join)
            held.callback(stop.set)
            judge_queue(self._database, self._judge, log, stop, self._on_field)
            log.write("intake.stopped")
        if self._failure is not None:
            raise self._failure

    def _look_again_and_again(self, log: StationLog, stop: threading.Event) -> None:
        unreachable: set[Path] = set()
        try:
            while not stop.is_set():
                started = time.monotonic()
                for watch in self._watches:
                    self._look(watch, log, unreachable)
                stop.wait(max(_LOOK_SECONDS, 3 * (time.monotonic() - started)))
        except Exception as error:  # noqa: BLE001 - raised again where the intake ends
            self._failure = error
            log.write("look.failed", error=f"{type(error).__name__}: {error}")
            stop.set()

    def _look(self, watch: FolderWatch, log: StationLog, unreachable: set[Path]) -> None:
        """One look at a folder. A share that is gone for a while is no reason to end, and is said once."""
        try:
            arrivals = watch.look()
        except OSError as error:
            if watch.folder not in unreachable:
                unreachable.add(watch.folder)
                log.write("folder.unreachable", error=error.strerror or str(error))
            return
        if watch.folder in unreachable:
            unreachable.remove(watch.folder)
            log.write("folder.reachable")
        for start in range(0, len(arrivals), _ROUND):
            self._enqueue(watch, arrivals[start : start + _ROUND], log)

    def _enqueue(self, watch: FolderWatch, arrivals: Sequence[Arrival], log: StationLog) -> None:
        try:
            with self._database.write() as connection:
                source = str(watch.folder)
                for one in arrivals:
                    slide = find_or_add_slide(connection, source, one.slide, synthetic=source == self._demo_folder)
                    for page in one.pages:
                        add_to_queue(connection, slide.id, str(one.path), page, one.size_bytes, one.modified_ns)
        except StoreError as error:
            watch.forget(arrivals)
            log.write("store.failed", error=str(error))
            return
        log.write("images.found", images=len(arrivals))


@contextmanager
def _watched_by_us(folder: Path) -> Iterator[None]:
    """Keep other stations on this machine from watching a folder. Nothing is written into the folder itself.

    Raises:
        StoreInUseError: one does.
        StoreError: the user's folder, in which the lock lies, cannot be written.
    """
    digest = hashlib.sha256(os.path.realpath(folder).encode()).hexdigest()[:32]
    place = user_folder() / "watched" / f"{digest}.lock"
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        lock = held_file(place)
    except OSError as error:
        raise StoreError(
            f"{place} cannot be written ({error.strerror or error}).", "Give this user a home folder to write into."
        ) from error
    if lock is None:
        raise StoreInUseError(
            f"The folder {folder} is watched by another station already.", "Stop that one, or watch another folder."
        )
    with lock:
        yield
