"""The worker of an archive: takes a slide, puts its results in place, and answers with a few numbers.

It is the same whoever hands it slides: processes on one machine, the tasks of a job array, or actors of Ray. It fetches
the next images while earlier ones are judged; nothing but the results of one slide is kept.
"""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from edge_all.api.screener import Screener
from edge_all.errors import EdgeAllError, InputNotFoundError, UnreadableImageError
from edge_all.files.naming import image_name
from edge_all.imaging import OpenedImage, open_image
from edge_all.imaging.pages import pages_of_bytes
from edge_all.imaging.sources import ReadableImage
from edge_all.inputs import pictures_of
from edge_all.results import FieldResult
from edge_all.runs.run_record import Conditions
from edge_all.slide_archive.addresses import ResultsFolder, fetch, is_remote, local_path, results_folder
from edge_all.slide_archive.manifest import ArchiveImage, ArchiveSlide
from edge_all.slide_archive.slide_results import JudgedSlide, claim_conditions, read_slide, result_name

__all__ = ["ENVIRONMENT", "MOST_ATTEMPTS", "Outcome", "Settings", "SlideWorker"]

MOST_ATTEMPTS = 5
"""Workers that may die over one slide in one run. After that it is the slide that kills them."""
_BEGUN = "begun"
ENVIRONMENT = {"OPENBLAS_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "1"}
"""What a worker's process is begun with, where the user has not set it: as every command is (`edge_all.cli.process`).
With more threads OpenBLAS adds in another order: of 116 cells one had another last digit in ``out_of_distribution``."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What a worker is told before its first slide.

    Attributes:
        out: address of the output folder.
        model, variant, device, threads: as for `edge_all.Screener`.
        microns_per_pixel: physical size of a pixel, where it is known.
        run: name of this run, by which its attempts are told from those of others; given by who starts it.
    """

    out: str
    model: str | None = None
    variant: str | None = None
    device: str = "auto"
    threads: int | None = None
    microns_per_pixel: float | None = None
    run: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a slide.

    Attributes:
        slide: its name.
        state: ``judged`` now, ``kept`` from before, or ``failed``: nothing could be put in place.
        fields: number of its fields by status.
        unread: images that could not be fetched or opened; the slide is judged again another time.
        error: why it failed; None where it did not.
        seconds: that it took.
    """

    slide: str
    state: str
    fields: Mapping[str, int]
    unread: int = 0
    error: str | None = None
    seconds: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """The outcome as JSON-ready values."""
        return dataclasses.asdict(self)


class SlideWorker:
    """Judges slides, one after the other.

    Args:
        settings: see `Settings`.

    Raises:
        ModelError, RuntimeSetupError, UsageError: as for `edge_all.Screener`.
        OutputError: the output holds the results of another model or other settings, or cannot be written.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._folder: ResultsFolder = results_folder(settings.out)
        self._screener = Screener(settings.model, settings.variant, settings.device, settings.threads)
        self._conditions = Conditions(
            self._screener.model, settings.microns_per_pixel, outlines=self._screener.outlines
        )
        claim_conditions(self._folder, self._conditions, settings.out)

    def judge(self, slide: ArchiveSlide) -> Outcome:
        """Judge a slide whose results are not there yet, or not whole."""
        started = time.perf_counter()
        try:
            earlier = read_slide(self._folder, slide, self._conditions)
            if earlier is not None and not earlier.unread:
                return Outcome(slide.slide, "kept", dict(earlier.result.fields))
            begun = f"{_BEGUN}/{PurePosixPath(result_name(slide, self._conditions)).name}.json"
            attempts = self._attempts(begun)
            if attempts >= MOST_ATTEMPTS:
                return Outcome(slide.slide, "failed", {}, error=f"{attempts} workers died while they judged it.")
            note = {"run": self._settings.run, "attempts": attempts + 1}
            self._folder.write(begun, json.dumps(note).encode("ascii"))
            judged = self._judged(slide)
            self._folder.write(result_name(slide, self._conditions), judged.to_bytes())
            self._folder.remove(begun)
        except EdgeAllError as error:
            return Outcome(slide.slide, "failed", {}, error=str(error), seconds=time.perf_counter() - started)
        return Outcome(
            slide.slide, "judged", dict(judged.result.fields), judged.unread, seconds=time.perf_counter() - started
        )

    def _attempts(self, begun: str) -> int:
        """How many workers of this run have begun the slide and not come to its end."""
        content = self._folder.read(begun)
        try:
            note = json.loads(content or b"{}")
            return int(note["attempts"]) if note.get("run") == self._settings.run else 0
        except (ValueError, TypeError, KeyError):
            return 0

    def _judged(self, slide: ArchiveSlide) -> JudgedSlide:
        """The slide's results.

        Raises:
            ModelError: the network failed.
        """
        pictures: list[int] = []
        fields: list[FieldResult] = []
        unread = 0
        with closing(
            self._screener.screen_with_pictures(
                _pictures(slide, pictures), microns_per_pixel=self._settings.microns_per_pixel
            )
        ) as screened:
            for field in screened:
                unread += isinstance(field.failure, UnreadableImageError | InputNotFoundError)
                fields.append(field.result)
        result = self._screener.judge_slide([field.summary() for field in fields], slide=slide.slide)
        return JudgedSlide(slide, self._conditions, result, tuple(pictures), tuple(fields), unread)


@dataclass(frozen=True, slots=True)
class _FetchedImage:
    """An image of an object store, a `ReadableImage`.

    Attributes:
        image, slide: its names.
        content: its bytes, or why there are none.
        page: number of its page, where it has several.
    """

    image: str
    slide: str
    address: str
    content: bytes | None = None
    page: int | None = None

    def opened(self) -> OpenedImage:
        """As `ReadableImage.opened`."""
        content = fetch(self.address) if self.content is None else self.content
        return open_image(content, name=self.address, page=self.page)


def _pictures(slide: ArchiveSlide, counts: list[int]) -> Iterator[ReadableImage]:
    """The pictures of a slide's images; how many each image holds is added to ``counts``."""
    for one in slide.images:
        number = 0
        for picture in _pictures_of(one, slide.slide):
            number += 1
            yield picture
        counts.append(number)


def _pictures_of(one: ArchiveImage, slide: str) -> Iterator[ReadableImage]:
    if not is_remote(one.address):
        yield from pictures_of(local_path(one.address), slide, image=one.image)
        return
    if PurePosixPath(one.address).suffix.lower() not in (".tif", ".tiff"):
        # Fetched when its turn has come, on the threads that decode: several at once.
        yield _FetchedImage(one.image, slide, one.address)
        return
    try:
        content = fetch(one.address)
    except EdgeAllError:
        yield _FetchedImage(one.image, slide, one.address)  # whose turn to say so will come
        return
    pages = pages_of_bytes(content)
    if pages is None or len(pages.pictures) == 1:
        yield _FetchedImage(one.image, slide, one.address, content)
        return
    for picture in pages.pictures:
        yield _FetchedImage(image_name(one.image, picture.page), slide, one.address, content, picture.page)
