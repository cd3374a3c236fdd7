"""Kills a station at random moments under load, as often as one likes, and counts what is there afterwards::

    python tests/edge_all/station/killing.py 300

A child watches a folder with a judge that is fast and knows nothing, while a person in it decides on cells and says on
its standard output what was acknowledged. The parent writes images, kills it with SIGKILL, starts it again. At the end
each image must have been judged once, each gesture that was acknowledged must be there once, and the audit must find
nothing: nothing lost, nothing doubled, nothing half there.
"""

# ruff: noqa: T201, S311 - what it says is for a terminal, and chance is no secret
from __future__ import annotations

import contextlib
import hashlib
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Generator, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_all.errors import EdgeAllError, StoreError
from edge_all.model.card import Thresholds
from edge_all.results import Cell, FieldResult, ModelIdentity, ProviderReport
from edge_all.station.desk import Station
from edge_all.station.intake.judging import Judge
from edge_all.station.intake.watching import Intake
from edge_all.station.review.audit import audit_store
from edge_all.station.storage.database import STORE_FILE, reading
from edge_all.station.storage.found_fields import JudgingModel

READY = "ready"
"""What a child says when its station is open: most kills come after it, the others while it starts."""
MODEL = JudgingModel(ModelIdentity("fast", "1", "fp32", "a" * 64, "b" * 64), Thresholds(0.3, 0.7, None, 0.05), {})


def know_nothing(sources: Iterable[Any]) -> Generator[FieldResult, None, None]:
    """A judge that finds in each image as many cells as its content says by chance; one that does not decode fails."""
    for source in sources:
        try:
            source.opened()
        except EdgeAllError as error:
            yield FieldResult(source.image, source.slide, "error", str(error))
            continue
        number = hashlib.sha256(source.content).digest()[0] % 20 + 1
        cells = tuple(
            Cell(one, (0, 0, 9, 9), (4, 4), 80, (2, 2, 5, 5), (4, 4), 20, "candidate", None, 0.5, "indeterminate",
                 contour=((0, 0), (8, 0), (8, 8)))
            for one in range(1, number + 1)
        )  # fmt: skip
        provider = ProviderReport("cpu", "CPUExecutionProvider", "a test", 1)
        yield FieldResult(source.image, source.slide, "ok", None, 64, 64, None, cells, {}, MODEL.identity, provider)


def work(folder: Path, watched: Path) -> None:
    """The child: judges, and decides on cells, until it is killed or told to end on its standard input."""
    stop = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.readline(), stop.set()), daemon=True).start()
    with Station(folder) as station:
        print(READY, flush=True)
        person = threading.Thread(target=decide, args=(station, stop), daemon=True)
        person.start()
        Intake(station.database, [watched], Judge(know_nothing, MODEL)).run(stop)
        person.join()


def decide(station: Station, stop: threading.Event) -> None:
    """Decide on cells as fast as possible, and say each gesture that is acknowledged."""
    chance = random.Random()
    while not stop.is_set():
        for overview in station.slides("Curie"):
            review = station.review(overview.slide.code, "Curie")
            cells = review.view().cells
            if cells and not stop.is_set():
                name = f"{os.getpid()}-{time.monotonic_ns()}"
                chosen = {cell.id: cell.version for cell in chance.sample(cells, min(3, len(cells)))}
                review.reclassify(chosen, chance.choice(["ALL", "smudge", "lymphocyte"]), gesture=name)
                print(name, flush=True)
        stop.wait(0.01)


@dataclass(frozen=True, slots=True)
class Count:
    """What is there afterwards."""

    images: int
    judged_once: int
    gestures_acknowledged: int
    gestures_there: int
    gestures_twice: int
    problem: str | None

    @property
    def all_well(self) -> bool:
        return (
            self.judged_once == self.images
            and self.gestures_there == self.gestures_acknowledged
            and not self.gestures_twice
            and self.problem is None
        )


class Child:
    """A station in a process of its own."""

    def __init__(self, folder: Path, watched: Path) -> None:
        self.acknowledged: list[str] = []
        self.ready = threading.Event()
        self.process = subprocess.Popen(
            [sys.executable, __file__, "--work", str(folder), str(watched)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "XDG_DATA_HOME": str(folder.parent / "home")},
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        # A line that the kill has cut short was not acknowledged.
        with self.process.stdout as lines:
            for line in lines:
                if line == f"{READY}\n":
                    self.ready.set()
                elif line.endswith("\n"):
                    self.acknowledged.append(line[:-1])

    def kill(self) -> None:
        assert self.process.stdin is not None
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self._reader.join()

    def end(self) -> int:
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.close()
        status = self.process.wait(60)
        self._reader.join()
        return status


def kill_again_and_again(moments: int, seed: int, place: Path) -> Count:
    """Kill a station at so many moments, let the last one finish, and count."""
    import numpy as np

    from edge_all.outputs.pictures import png_bytes

    chance = random.Random(seed)
    folder, watched = place / "station", place / "watched"
    images = 0
    acknowledged: list[str] = []
    for moment in range(moments):
        for _ in range(3):
            slide = watched / f"slide {images % 5}"
            slide.mkdir(parents=True, exist_ok=True)
            pixels = np.random.default_rng(images).integers(0, 255, (64, 64, 3), np.uint8)
            (slide / f"{images}.png").write_bytes(png_bytes(pixels))
            images += 1
        child = Child(folder, watched)
        if chance.random() < 0.8:
            child.ready.wait(30)
        time.sleep(chance.uniform(0.0, 1.5))
        child.kill()
        acknowledged += child.acknowledged
        print(f"\r{moment + 1} of {moments}, {len(acknowledged)} gestures", end="", file=sys.stderr, flush=True)
    child = Child(folder, watched)
    try:
        wait_for_all(folder, images)
        time.sleep(1)
        status = child.end()
    finally:
        child.process.kill()
    assert status == 0
    acknowledged += child.acknowledged
    return count(folder, images, acknowledged)


def wait_for_all(folder: Path, images: int) -> None:
    """Wait until as many images are judged as there are, or it takes too long."""
    deadline = time.monotonic() + 60 + images / 20
    done = 0
    while done < images and time.monotonic() < deadline:
        time.sleep(0.3)
        with contextlib.suppress(StoreError), reading(folder / STORE_FILE) as connection:
            (done,) = connection.execute("SELECT count(*) FROM queue WHERE state = 'done'").fetchone()


def count(folder: Path, images: int, acknowledged: list[str]) -> Count:
    """Look through a store."""
    with Station(folder) as station:
        with station.database.read() as connection:
            judged = Counter(
                path for (path,) in connection.execute("SELECT path FROM findings JOIN fields ON fields.id = field_id")
            )
        there = Counter(event.gesture for event in station.events_after(0, most=10**9) if event.gesture)
        problem = audit_store(station.database.file).problem
    return Count(
        images,
        sum(number == 1 for number in judged.values()),
        len(acknowledged),
        sum(name in there for name in acknowledged),
        sum(number > 1 for number in there.values()),
        problem,
    )


if __name__ == "__main__":
    if sys.argv[1] == "--work":
        work(Path(sys.argv[2]), Path(sys.argv[3]))
    else:
        with tempfile.TemporaryDirectory() as temporary:
            counted = kill_again_and_again(
                int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 1, Path(temporary)
            )
        print(f"\n{counted}")
        sys.exit(0 if counted.all_well else 1)
