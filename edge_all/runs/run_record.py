"""``run.jsonl``: what the results of a run depend on, so that nothing else is mixed into them when it is gone on with.

The first line has the conditions: version, model, options. Each further line is about one image, written before it is
looked at: by which bytes it is known again, and the stem of its files. An image that was begun and has no result when
the run is gone on with was under way when the process was killed, and may have been the reason.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from edge_all import __version__
from edge_all.errors import InputError, OutputError
from edge_all.files.atomic import output_error, write_atomically
from edge_all.inputs import ImageSource
from edge_all.results import ModelIdentity, SegmentationWay

__all__ = ["RECORD_FILE", "BegunImage", "Conditions", "RunRecord", "RunRecordWriter", "read_record"]

RECORD_FILE = "run.jsonl"
_ENDED: dict[str, Any] = {"ended": True}
"""The line of a process that ended by itself, be it by Ctrl-C or an error: no image is to blame."""


_SET_ASIDE = "set_aside"
"""Key of the line of an image that ended a process; its value is the image's name."""


@dataclass(frozen=True, slots=True)
class Conditions:
    """What all results of a run have in common.

    Attributes:
        model: which network judges, with the hash of its card, in which the thresholds stand.
        microns_per_pixel: as the user gave it.
        edge_all: the version that found and judged the cells.
        segmentation: what decided where a cell ends.
        outlines: SHA-256 of the network that did; None where colour decided, or an earlier version did not say.
    """

    model: ModelIdentity
    microns_per_pixel: float | None
    edge_all: str = __version__
    segmentation: SegmentationWay = "learned"
    outlines: str | None = None

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Conditions:
        """The inverse of `dataclasses.asdict`; before there was another one, colour decided all."""
        segmentation: SegmentationWay = "learned" if record.get("segmentation") == "learned" else "colour"
        model = ModelIdentity(**record["model"])
        return cls(model, record["microns_per_pixel"], record["edge_all"], segmentation, record.get("outlines"))

    def refuse_others(self, earlier: Conditions, out: Path | str) -> None:
        """Hold a run that is gone on with to the conditions under which it was begun.

        Args:
            earlier: those conditions.
            out: the run's folder.

        Raises:
            OutputError: one of them is another now.
        """
        if earlier.model != self.model:
            was, now = earlier.model, self.model
            same_name = (was.name, was.version, was.variant) == (now.name, now.version, now.variant)
            words = "another copy of it with other thresholds or another network" if same_name else "the one chosen now"
            problem = f"model {was.name} {was.version} ({was.variant}), not with {words}"
            remedy = "Go on with that model and variant, or choose another output folder."
        elif earlier.microns_per_pixel != self.microns_per_pixel:
            problem = f"{_pixel_size_words(earlier)}, not with {_pixel_size_words(self)}"
            remedy = "Give the size of a pixel as it was, or choose another output folder."
        elif earlier.edge_all != self.edge_all:
            problem = f"edge-all {earlier.edge_all}, not with {self.edge_all}, which may find other cells"
            remedy = "Choose another output folder."
        elif earlier.segmentation != self.segmentation:
            problem = f"the segmentation {earlier.segmentation}, not with {self.segmentation}"
            remedy = "Go on with that segmentation, or choose another output folder."
        elif None not in (earlier.outlines, self.outlines) and earlier.outlines != self.outlines:
            problem = "another network of outlines, which may find other cells"
            remedy = "Choose another output folder."
        else:
            return
        raise OutputError(f"The run in {out} was made with {problem}.", remedy, settings=("out",))


def _pixel_size_words(conditions: Conditions) -> str:
    size = conditions.microns_per_pixel
    return "no given pixel size" if size is None else f"a pixel size of {size:g} um"


@dataclass(frozen=True, slots=True)
class BegunImage:
    """An image as it was when the run looked at it.

    Attributes:
        image, slide: its names in results.
        stem: of its files in the run's folder.
        size: of its file in bytes; None where it cannot be read, as the next two.
        modified_ns: when its file was written, in nanoseconds since 1970.
        sha256: of its bytes.
        place: where it was, as `ImageSource.place` says; None where an earlier version did not say.
    """

    image: str
    slide: str
    stem: str
    size: int | None = None
    modified_ns: int | None = None
    sha256: str | None = None
    place: str | None = None

    @classmethod
    def look_at(cls, source: ImageSource, stem: str) -> BegunImage:
        """Read the file once; one that cannot be read has no size."""
        unread = cls(source.image, source.slide, stem, place=source.place)
        try:
            with source.path.open("rb") as stream:
                status = os.fstat(stream.fileno())
                digest = hashlib.file_digest(stream, "sha256").hexdigest()
        except (OSError, ValueError):
            return unread
        return dataclasses.replace(unread, size=status.st_size, modified_ns=status.st_mtime_ns, sha256=digest)

    def same_bytes(self, source: ImageSource) -> bool:
        """Whether a file holds the bytes that this one held; not where either could not be read."""
        return self.sha256 is not None and self.look_at(source, self.stem).sha256 == self.sha256

    def changed(self, source: ImageSource) -> bool:
        """Whether the file now holds other bytes; one that is gone has not changed."""
        now = self.look_at(source, self.stem)
        return now.sha256 is not None and now.sha256 != self.sha256


@dataclass(frozen=True, slots=True)
class RunRecord:
    """What is on disk about a run.

    Attributes:
        conditions: of all its results.
        images: by name, as they were when last looked at.
        under_way: names of the images that were begun by a process that did not end by itself.
        set_aside: names of the images that ended a process.
    """

    conditions: Conditions
    images: Mapping[str, BegunImage] = dataclasses.field(default_factory=dict)
    under_way: frozenset[str] = frozenset()
    set_aside: frozenset[str] = frozenset()

    @property
    def suspects(self) -> frozenset[str]:
        """The images that must not be looked at again in this process before they were in another."""
        return self.under_way | self.set_aside


def read_record(out: Path) -> RunRecord | None:
    """Read the record of a run; None where there is none.

    A last line without its line end is passed over: the run that wrote it was cut short.

    Raises:
        InputError: it cannot be read, or is damaged.
    """
    path = out / RECORD_FILE
    try:
        *lines, _torn = path.read_bytes().split(b"\n")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise InputError(f"Cannot read {path}: {error.strerror or error}.", "Check its permissions.") from error
    try:
        first = json.loads(lines[0])
        conditions = Conditions.from_json(first)
        images: dict[str, BegunImage] = {}
        under_way: set[str] = set()
        set_aside: set[str] = set()
        for line in map(json.loads, lines[1:]):
            if line == _ENDED:
                under_way.clear()
            elif _SET_ASIDE in line:
                set_aside.add(line[_SET_ASIDE])
            else:
                begun = BegunImage(**line)
                images[begun.image] = begun
                under_way.add(begun.image)
                set_aside.discard(begun.image)
    except (ValueError, KeyError, TypeError, IndexError, RecursionError) as error:
        raise InputError(
            f"{path} is damaged ({type(error).__name__}: {error}).", "Choose another output folder.", settings=("out",)
        ) from error
    return RunRecord(conditions, images, frozenset(under_way), frozenset(set_aside))


class RunRecordWriter:
    """Adds images to the record of a run; a context manager.

    Args:
        out: the run's folder, claimed.
        conditions: of the run.
        anew: whether to begin the file with them, in place of one that is there.

    Raises:
        OutputError: the file cannot be written.
    """

    def __init__(self, out: Path, conditions: Conditions, *, anew: bool) -> None:
        self._path = out / RECORD_FILE
        try:
            if anew:
                write_atomically(self._path, _line(dataclasses.asdict(conditions)))
            self._file = self._path.open("r+b", buffering=0)
            content = self._file.read()
            self._file.truncate(content.rfind(b"\n") + 1)
            self._file.seek(0, os.SEEK_END)
        except OSError as error:
            raise output_error(self._path, error) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            self._write(_ENDED)
        except OutputError:
            # What ended the run says so already, and a few images are tried in a process of their own next time.
            if error is None:
                raise
        finally:
            self._file.close()

    def begin(self, image: BegunImage) -> None:
        """Note an image before it is looked at. The system keeps the line when the process is killed.

        Raises:
            OutputError: the disk did not take it.
        """
        self._write(dataclasses.asdict(image))

    def set_aside(self, image: str) -> None:
        """Note that an image ended a process.

        Raises:
            OutputError: the disk did not take it.
        """
        self._write({_SET_ASIDE: image})

    def _write(self, record: Mapping[str, Any]) -> None:
        try:
            self._file.write(_line(record))
        except OSError as error:
            raise output_error(self._path, error) from error


def _line(record: Mapping[str, Any]) -> bytes:
    # Bytes of a file name that are no valid text are lone surrogates here, which ASCII escapes keep.
    return (json.dumps(record) + "\n").encode("ascii")
