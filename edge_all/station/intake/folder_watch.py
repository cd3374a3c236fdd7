"""A periodic look at a folder finds the files that are complete: what they are about is the truth, not change events.

Network shares send none (watchdog #409, #944), and no event says that a file is closed. A file is complete when its
size and time have not changed for a while; whether it decodes shows when its turn comes, and where it does not, it is
tried again later. So is an empty one, which a program may have made and not yet filled.
"""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from edge_all.errors import InputError
from edge_all.files.atomic import is_part
from edge_all.files.run_folder import run_that_wrote
from edge_all.imaging import IMAGE_SUFFIXES
from edge_all.imaging.pages import pages_of_file
from edge_all.station.intake.slide_names import SlideNames
from edge_all.station.storage.image_queue import FORGOTTEN

__all__ = ["Arrival", "FolderWatch"]

SETTLED_SECONDS = 0.8
"""For so long size and time stay the same before a file counts as complete. A copy that stalls for longer is tried too
early, does not decode, and is tried again."""
ENDED_SECONDS = 0.15
"""The same for a file that has its end: JPEG and PNG say where they end, and whoever copies writes that last."""
_ENDS = {".jpg": b"\xff\xd9", ".jpeg": b"\xff\xd9", ".png": b"IEND\xaeB`\x82"}


@dataclass(frozen=True, slots=True)
class Arrival:
    """A complete file.

    Attributes:
        path: where it lies.
        slide: the name of its slide.
        size_bytes, modified_ns: by which it is told from another file under its name.
        pages: of a file with several pictures, from 1; ``(0,)`` where it holds one.
    """

    path: Path
    slide: str
    size_bytes: int
    modified_ns: int
    pages: tuple[int, ...]


_Version = tuple[int, int]
"""Size and time of a file."""


class FolderWatch:
    """What lies in a folder and those below it, look by look.

    Attributes:
        folder: the watched folder.
        passed_over: images whose names do not fit the pattern of slides, or that a run of edge-all wrote.
    """

    def __init__(self, folder: Path, names: SlideNames, known: Collection[tuple[str, int, int]] = ()) -> None:
        """Begin to watch.

        Args:
            folder: the watched folder.
            names: which slide an image belongs to.
            known: path, size and time of files that came earlier.

        Raises:
            InputError: there is no such folder.
        """
        self.folder = Path(os.path.abspath(folder))  # noqa: PTH100 - resolve() would replace the name of a linked folder
        if not self.folder.is_dir():
            raise InputError(f"{folder} is no folder.", "Name the folder into which the microscope's camera writes.")
        self.passed_over: set[Path] = set()
        self._names = names
        self._handed_over: dict[str, _Version] = {}
        self._earlier = set(known)
        self._seen: dict[str, tuple[_Version, float]] = {}

    def look(self) -> list[Arrival]:
        """The files that have become complete since the last look, folder by folder, in the order of their names.

        Raises:
            OSError: the folder cannot be listed now; what lies below it is passed over where it cannot be.
        """
        moment = time.monotonic()
        seen: dict[str, tuple[_Version, float]] = {}
        complete = []
        for path, version in self._files():
            if self._handed_over.get(path) == version or {(path, *version), (FORGOTTEN, *version)} & self._earlier:
                continue
            before = self._seen.get(path)
            since = before[1] if before is not None and before[0] == version else moment
            seen[path] = (version, since)
            settled = moment - since
            if settled >= SETTLED_SECONDS or (settled >= ENDED_SECONDS and _has_its_end(path, version[0])):
                complete.append((path, version))
        self._seen = seen
        arrivals = []
        for path, version in complete:
            try:
                arrival = self._arrival(Path(path), version)
            except OSError:
                continue  # it cannot be looked into now; the next look finds it again
            self._handed_over[path] = version
            del self._seen[path]
            if arrival is not None:
                arrivals.append(arrival)
        return arrivals

    def forget(self, arrivals: Iterable[Arrival]) -> None:
        """Take arrivals as not handed over, because they could not be written down; the next looks find them again."""
        for one in arrivals:
            self._handed_over.pop(str(one.path), None)

    def _arrival(self, path: Path, version: _Version) -> Arrival | None:
        """A complete file; None where it is no image of a slide.

        Raises:
            OSError: it cannot be looked into.
        """
        slide = self._names.slide_of(self.folder, path)
        if slide is None or run_that_wrote(path, path.parent)[0] is not None:
            self.passed_over.add(path)
            return None
        found = pages_of_file(path) if path.suffix.lower() in (".tif", ".tiff") else None
        several = found is not None and len(found.pictures) > 1
        pages = tuple(picture.page for picture in found.pictures) if found is not None and several else (0,)
        return Arrival(path, slide, *version, pages)

    def _files(self) -> Iterator[tuple[str, _Version]]:
        with os.scandir(self.folder):
            pass  # os.walk says nothing of a folder that cannot be listed
        for folder, folders, names in os.walk(self.folder):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            for name in sorted(names):
                if name.startswith(".") or is_part(name) or Path(name).suffix.lower() not in IMAGE_SUFFIXES:
                    continue
                path = os.path.join(folder, name)  # noqa: PTH118 - thousands a look; a Path takes five times as long
                try:
                    status = os.stat(path)  # noqa: PTH116 - as above
                    path.encode()  # a name that is no text, which SQLite does not take
                except (OSError, UnicodeEncodeError):
                    continue  # gone again, or not to be read yet
                yield path, (status.st_size, status.st_mtime_ns)


def _has_its_end(path: str, size: int) -> bool:
    """Whether a file ends as files of its kind do; unknown of kinds that do not say where they end."""
    end = _ENDS.get(Path(path).suffix.lower())
    if end is None or size < len(end):
        return False
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - as above
            file.seek(size - len(end))
            return file.read() == end
    except OSError:
        return False
