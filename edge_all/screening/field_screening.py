"""The pipeline: fields go in, judged fields come out. The one place where the stages meet.

The next fields are decoded and segmented on background threads while the cells of earlier ones are inferred, and the
cells of fields that are there together share a batch. Neither changes a result: fields come out in the order in which
they went in, and a cell's probability does not depend on its batch.
"""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, nullcontext
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_all.classification.classifier import Classifier, Judgement
from edge_all.errors import EdgeAllError, internal_error
from edge_all.imaging import DecodedImage
from edge_all.imaging.display import CELL_SIDE, resize_for_the_eye
from edge_all.imaging.sources import ReadableImage
from edge_all.preprocessing import Crops, PreprocessingSpec, crop_window, cut_cells
from edge_all.results import Cell, FieldResult, RgbImage
from edge_all.screening.rounds import prepared_in_rounds
from edge_all.screening.seen_field import see_field
from edge_all.segmentation.learned_outlines import Outlines
from edge_all.session import available_cores

__all__ = ["PreparedField", "ScreenedField", "judge_prepared", "prepare_field", "screen_fields"]

CELLS_PER_ROUND = 32
"""Fields that are there are judged together until this many cells have come together ..."""
FIELDS_PER_ROUND = 3
"""... or this many fields, which bounds the memory: the picture of a field takes up to 15 MB."""
READY_AHEAD = 2
"""Fields that may wait, prepared, besides: those who prepare then have work while cells are inferred. 1.44 s instead of
1.50 for 20 real fields (2 cores, INT8, medians of 5, taking turns), for 18 MB."""
MOST_AHEAD = 4
"""Fields that are prepared at once, however many cores there are: each takes 55 MB at 5 megapixels."""

LARGE_BYTES = 250_000_000
"""Images that take more memory to decode are prepared one at a time, however many fields are prepared at once."""
_one_at_a_time = threading.Lock()


@dataclass(frozen=True, slots=True)
class ScreenedField:
    """A judged field.

    Attributes:
        result: what was found.
        picture: ``uint8 [h, w, 3]`` RGB, the field shrunk by its `whole_reduction`, which is all that people are shown;
            None where the image could not be read.
        squares: ``uint8 [candidates, side, side, 3]`` RGB, the square that the network saw of each of
            ``result.candidates``, at least `CELL_SIDE` wide and with its neighbours.
        activations: class activation map ``float32 [h, w]`` of each candidate by its id, as its square lies; empty
            unless asked for.
        failure: what was raised where ``result.status`` is ``error``.
    """

    result: FieldResult
    picture: RgbImage | None
    squares: RgbImage
    activations: Mapping[int, NDArray[np.float32]] = dataclasses.field(default_factory=dict)
    failure: EdgeAllError | None = None


@dataclass(frozen=True, slots=True)
class PreparedField:
    """A field with its cells cut out, before any of them is classified.

    Attributes:
        result: the field with its cells, none of them judged.
        picture, squares, failure: as in `ScreenedField`.
        crops: in the order of ``result.candidates``.
    """

    result: FieldResult
    picture: RgbImage | None
    crops: Crops
    squares: RgbImage
    failure: EdgeAllError | None = None


def screen_fields(
    sources: Iterable[ReadableImage],
    classifier: Classifier,
    *,
    microns_per_pixel: float | None = None,
    activations: bool = False,
    outlines: Outlines = "learned",
) -> Generator[ScreenedField, None, None]:
    """Judge fields one after the other, in their order, each as soon as it has arrived.

    A field that cannot be read or judged yields a result that says so; it never ends the iteration.

    Args:
        sources: the images; see `edge_all.screening.rounds.prepared_in_rounds` for how they are gone through.
        classifier: judges the cells.
        microns_per_pixel: physical size of a pixel, where it is known.
        activations: whether class activation maps are wanted too.
        outlines: as for `edge_all.segmentation.segment`.
    """

    def prepare(source: ReadableImage) -> PreparedField:
        return prepare_field(source, classifier.spec, microns_per_pixel=microns_per_pixel, outlines=outlines)

    def is_full(fields: Sequence[PreparedField]) -> bool:
        return sum(len(field.squares) for field in fields) >= CELLS_PER_ROUND or len(fields) >= FIELDS_PER_ROUND

    # As many as there are cores, although the network wants these as well: 3 % faster than one fewer (2 cores, 20 real
    # fields, INT8, median of 5), because whoever waits for a disk leaves its core to the others.
    workers = min(available_cores(), MOST_AHEAD)
    with closing(prepared_in_rounds(sources, prepare, is_full, workers=workers, ahead=READY_AHEAD)) as rounds:
        for together in rounds:
            yield from judge_prepared(together, classifier, activations=activations)


def prepare_field(
    source: ReadableImage,
    spec: PreprocessingSpec,
    *,
    microns_per_pixel: float | None = None,
    outlines: Outlines = "learned",
) -> PreparedField:
    """Decode, assess, segment and cut one field; everything but the classifier.

    Errors become the field's status: a bad image, and also a fault of ours that one image brings out.
    """
    none = Crops.none(spec)
    failed = FieldResult(source.image, source.slide, "error")
    try:
        return _prepare(source, spec, none, microns_per_pixel, outlines)
    except EdgeAllError as error:
        failure = error
    except Exception as error:  # noqa: BLE001 - one image must not end a run of thousands
        failure = internal_error(source.image, error)
    return PreparedField(dataclasses.replace(failed, error=str(failure)), None, none, none.pixels, failure)


def _prepare(
    source: ReadableImage,
    spec: PreprocessingSpec,
    none: Crops,
    microns_per_pixel: float | None,
    outlines: Outlines,
) -> PreparedField:
    watch = _Stopwatch()
    opened = source.opened()
    with _one_at_a_time if opened.working_bytes > LARGE_BYTES else nullcontext():
        image = opened.decode()
        watch.lap("decode")
        return _prepare_decoded(source, image, watch, spec, none, microns_per_pixel, outlines)


def _prepare_decoded(
    source: ReadableImage,
    image: DecodedImage,
    watch: _Stopwatch,
    spec: PreprocessingSpec,
    none: Crops,
    microns_per_pixel: float | None,
    outlines: Outlines,
) -> PreparedField:
    seen = see_field(source.image, source.slide, image, microns_per_pixel)
    watch.lap("quality")
    result = dataclasses.replace(seen.result, timings_ms=watch.laps)
    if result.quality is not None and not result.quality.usable:
        reasons = " ".join((*result.quality.reasons, *image.notes))
        return PreparedField(
            dataclasses.replace(result, status="unusable", error=reasons), seen.picture, none, none.pixels
        )
    segmentation, result = seen.segment(outlines)
    result = dataclasses.replace(result, timings_ms=watch.laps)
    watch.lap("segmentation")
    if result.status != "ok":
        return PreparedField(result, seen.picture, none, none.pixels)
    pixels = seen.pixels
    labels = segmentation.cell_labels if spec.background == "blank" else None
    crops = cut_cells(pixels, result.candidates, labels, spec)
    watch.lap("preprocessing")
    as_in_field = spec == PreprocessingSpec(max(CELL_SIDE, spec.input_size), spec.factor)
    squares = crops.pixels if as_in_field else _squares(pixels, result.candidates, spec.factor)
    return PreparedField(result, seen.picture, crops, squares)


def _squares(pixels: RgbImage, cells: Sequence[Cell], factor: float) -> RgbImage:
    """What people are shown of cells: as beside their field, in its colours, with their neighbours, not too small."""
    squares = np.empty((len(cells), CELL_SIDE, CELL_SIDE, 3), np.uint8)
    for square, cell in zip(squares, cells, strict=True):
        window = crop_window(pixels, cell.nucleus_bbox, factor)
        square[:] = resize_for_the_eye(window, CELL_SIDE, CELL_SIDE)
    return squares


def judge_prepared(
    fields: Sequence[PreparedField], classifier: Classifier, *, activations: bool = False
) -> Iterator[ScreenedField]:
    """Judge the cells of some fields together.

    Args:
        fields: at least one, from `prepare_field` with the classifier's ``spec``.
        classifier: judges the cells.
        activations: whether class activation maps are wanted too.
    """
    started = time.perf_counter()
    crops = np.concatenate([field.crops.pixels for field in fields])
    judgements = iter(classifier.judge(crops, activations=activations) if len(crops) else ())
    per_cell_ms = (time.perf_counter() - started) * 1e3 / max(1, len(crops))
    for field in fields:
        result = field.result
        own = {cell.id: next(judgements) for cell in result.candidates}
        if result.status == "ok":
            result = dataclasses.replace(
                result,
                cells=tuple(_decided(cell, own.get(cell.id)) for cell in result.cells),
                timings_ms={**result.timings_ms, "inference": per_cell_ms * len(field.squares)},
                model=classifier.identity,
                provider=classifier.provider,
            )
        maps = {
            number: turn.turned_back(judged.activation)
            for (number, judged), turn in zip(own.items(), field.crops.turns, strict=True)
            if judged.activation is not None
        }
        yield ScreenedField(result, field.picture, field.squares, maps, field.failure)


def _decided(cell: Cell, judgement: Judgement | None) -> Cell:
    if judgement is None:
        return cell
    return dataclasses.replace(
        cell,
        probability=judgement.probability,
        label=judgement.label,
        out_of_distribution=judgement.out_of_distribution,
    )


class _Stopwatch:
    """Milliseconds by stage."""

    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, stage: str) -> None:
        now = time.perf_counter()
        self.laps[stage] = (now - self._last) * 1e3
        self._last = now
