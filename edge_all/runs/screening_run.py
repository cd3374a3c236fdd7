"""A screening run into a folder: what ``edge-all screen`` and ``edge-all demo`` do.

Each field is on disk as soon as it is judged. A run that was interrupted goes on with ``resume``: fields judged before
are taken from ``fields.jsonl``, those that had failed are tried again. Slides can be stopped early: the fields of each
are then taken in their order up to and including the one that settles its verdict (`edge_all.slides.settling`).
"""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from edge_all.api.screener import Screener
from edge_all.files.folder_claim import claimed_folder, refuse_folder_of_images
from edge_all.files.run_folder import FIELDS_FILE, RunFolder
from edge_all.inputs import FoundImages, ImageSource
from edge_all.outputs.jsonl import FieldsWriter
from edge_all.outputs.parquet import require_parquet
from edge_all.outputs.run_summary import RunSummary
from edge_all.results import FieldResult, FieldSummary, SegmentationWay
from edge_all.runs.earlier_run import EarlierRun, earlier_run
from edge_all.runs.run_record import BegunImage, Conditions, RunRecord, RunRecordWriter
from edge_all.runs.suspects import images_that_kill
from edge_all.screening.field_screening import ScreenedField
from edge_all.slides.settling import SettledSlides

__all__ = ["RunPlan", "screen_to_folder", "summarise", "warm_up", "write_pictures"]

FIELDS_BEING_DRAWN = 2
"""Fields whose pictures are written behind the network's back at a time; one takes up to 15 MB."""


def warm_up() -> None:
    """Load, on a thread, what is needed once the first field is judged; for the time in which the network is opened.

    That is what writes the results, and OpenCV's type, which it loads once a process (20 ms). Nothing waits for it: the
    first results take as much longer where it is not called.
    """
    # Not a daemon: Python must not end while OpenCV still computes.
    threading.Thread(target=_load_writers, name="edge-all-warm-up").start()


def _load_writers() -> None:
    from edge_all.outputs import formats  # noqa: F401 - for what it loads
    from edge_all.outputs.overlay import load_font

    load_font()


@dataclass(frozen=True, slots=True)
class RunPlan:
    """What is wanted of a run.

    Attributes:
        microns_per_pixel: physical size of a pixel, where it is known.
        stop_when_settled: whether to leave out what is left of a slide once its verdict is settled; cells that an
            earlier run judged count. What is left out is looked at when the run is resumed without this.
        activations: whether to show, with each cell, where the network saw what speaks for ALL. Fields that a resumed
            run takes from an earlier one keep the maps that they have, or have none.
        parquet: whether to write the table of cells as Parquet, too.
        notice: what everyone who sees the results must be told; stands in the report and in ``slides.json``.
    """

    microns_per_pixel: float | None = None
    stop_when_settled: bool = False
    activations: bool = False
    parquet: bool = False
    notice: str | None = None


def screen_to_folder(
    sources: Sequence[ImageSource],
    screener: Screener,
    out: Path,
    plan: RunPlan | None = None,
    *,
    resume: bool = False,
    on_field: Callable[[FieldSummary], None] = lambda _: None,
    on_notice: Callable[[str], None] = lambda _: None,
) -> RunSummary:
    """Judge images and write everything about them into a folder.

    Args:
        sources: the images, from `edge_all.inputs.find_images`.
        screener: judges the fields.
        out: the folder, see `edge_all.outputs.formats` for what goes into it.
        plan: what is wanted; the usual where None.
        resume: go on with the run that the folder holds.
        on_field: called with each result, those of an earlier run included, as soon as it is on disk.
        on_notice: told, in a sentence, what is judged again although it was judged before, what came by another path
            before, and where there is no run to go on with.

    Raises:
        OutputError: the folder is in use, holds another run or the images themselves, was begun under other conditions
            (model, thresholds, pixel size, version, slide names), was moved meanwhile, or cannot be written. What was
            judged before stays.
        ModelError: the network fails.
        MissingPackageError: Parquet is wanted and pyarrow is not installed.
        UsageError: activation maps are wanted of a package that computes none, or a resumed run is given other images
            under the names of those that it has seen.
    """
    plan = plan or RunPlan()
    _require_what_is_wanted(plan, screener)
    refuse_folder_of_images(out, (source.path for source in sources))
    # Whether what lies there may be gone on with depends on what it is.
    with claimed_folder(out, marker=FIELDS_FILE, resume=True):
        settled = SettledSlides(screener.classifier.thresholds if plan.stop_when_settled else None)
        conditions = Conditions(
            screener.model, plan.microns_per_pixel, segmentation=screener.segmentation, outlines=screener.outlines
        )
        earlier = earlier_run(out, conditions, sources, settled, resume=resume, on_notice=on_notice)
        results = dict(earlier.results)
        for result in results.values():
            on_field(result)
        names = [*results, *(source.image for source in earlier.remaining)]
        folder = RunFolder.for_images(out, names, kept=earlier.stems)
        with (
            RunRecordWriter(out, conditions, anew=earlier.record is None) as record_file,
            contextlib.closing(_judged(earlier, folder, screener, plan, settled, record_file)) as judged,
        ):
            for result in judged:
                results[result.image] = result
                on_field(result)
        passed_over = sources.not_judged if isinstance(sources, FoundImages) else ()
        not_looked_at = Counter(source.slide for source in earlier.remaining if source.image not in results)
        summary = summarise(list(results.values()), screener, plan, passed_over, not_looked_at)
        from edge_all.outputs.formats import write_run  # loaded by `warm_up`

        write_run(folder, summary)
    return summary


def _require_what_is_wanted(plan: RunPlan, screener: Screener) -> None:
    """Refuse before the first image what could not be made at the end.

    Raises:
        MissingPackageError, UsageError: as `screen_to_folder`.
    """
    if plan.activations:
        screener.classifier.require_activations()
    if plan.parquet:
        require_parquet()


def _judged(
    earlier: EarlierRun,
    folder: RunFolder,
    screener: Screener,
    plan: RunPlan,
    settled: SettledSlides,
    record_file: RunRecordWriter,
) -> Generator[FieldSummary, None, None]:
    """What is still to be judged, each as soon as it is on disk."""
    killers = _killers(earlier.remaining, earlier.record, plan.microns_per_pixel, screener.segmentation)
    with (
        FieldsWriter(folder.fields) as fields_file,
        contextlib.closing(
            screener.screen_with_pictures(
                _noted(_of_open_slides(earlier.remaining, settled, killers), folder, record_file),
                microns_per_pixel=plan.microns_per_pixel,
                activations=plan.activations,
            )
        ) as screened,
    ):
        drawn = _with_pictures(_until_settled(screened, settled), folder, screener.classifier.spec.factor)
        # Written after its pictures, so that a line in the file means that these are there too.
        for result in itertools.chain(_set_aside(earlier.remaining, killers, record_file), drawn):
            fields_file.write(result)
            yield result.summary()
        fields_file.require_place()


def _killers(
    remaining: Sequence[ImageSource],
    record: RunRecord | None,
    microns_per_pixel: float | None,
    segmentation: SegmentationWay,
) -> set[str]:
    """Images that were under way when an earlier process was killed, and of which another one dies, too."""
    if record is None:
        return set()
    suspects = {source.image: (source.path, source.page) for source in remaining if source.image in record.suspects}
    return images_that_kill(suspects, microns_per_pixel, segmentation) if suspects else set()


def _set_aside(
    sources: Iterable[ImageSource], killers: Collection[str], record_file: RunRecordWriter
) -> Iterator[FieldResult]:
    """Results of the images that killed a process, which stands on record before anybody is told."""
    for source in sources:
        if source.image in killers:
            record_file.set_aside(source.image)
            problem = (
                f"{source.image} is set aside: the run was killed while it was being looked at, and a process that "
                "looked at it alone was killed, too, probably for want of memory. Export it smaller or with 8 bits a "
                "channel; it is tried again when the run is gone on with."
            )
            yield FieldResult(source.image, source.slide, "error", error=problem)


def _of_open_slides(
    sources: Iterable[ImageSource], settled: SettledSlides, killers: Collection[str]
) -> Iterator[ImageSource]:
    """What is still to be looked at, asked anew for each image when the pipeline has room for it."""
    return (source for source in sources if source.slide not in settled and source.image not in killers)


def _noted(sources: Iterable[ImageSource], folder: RunFolder, record_file: RunRecordWriter) -> Iterator[ImageSource]:
    """The sources, each on record before anybody looks at it."""
    for source in sources:
        record_file.begin(BegunImage.look_at(source, folder.stems[source.image]))
        yield source


def _until_settled(screened: Iterable[ScreenedField], settled: SettledSlides) -> Iterator[ScreenedField]:
    """The fields of each slide up to and including the one that settles it.

    How many were under way behind that one depends on the machine; none of them is taken.
    """
    for field in screened:
        if field.result.slide not in settled:
            settled.add(field.result)
            yield field


def _with_pictures(screened: Iterable[ScreenedField], folder: RunFolder, factor: float) -> Iterator[FieldResult]:
    """The results in their order, each when its pictures are on disk; they are drawn on a background thread."""
    writer = ThreadPoolExecutor(1, thread_name_prefix="edge-all-draw")
    under_way: deque[Future[FieldResult]] = deque()
    try:
        for field in screened:
            under_way.append(writer.submit(write_pictures, folder, field, factor))
            while under_way and (len(under_way) > FIELDS_BEING_DRAWN or under_way[0].done()):
                yield under_way.popleft().result()
        while under_way:
            yield under_way.popleft().result()
    finally:
        # The picture that is being written is waited for: after this the folder belongs to nobody.
        writer.shutdown(wait=True, cancel_futures=True)


def write_pictures(folder: RunFolder, field: ScreenedField, factor: float) -> FieldResult:
    """Write all that is about one field with `edge_all.outputs.formats.write_field`.

    Args:
        folder: of the run.
        field: the judged field.
        factor: by which the model's crops are cut.

    Returns:
        The result, with the time that this took; as it is, where the field could not be read and has no pictures.

    Raises:
        OutputError: a file cannot be written.
    """
    if field.picture is None:
        return field.result
    from edge_all.outputs.formats import write_field  # loaded by `warm_up`

    started = time.perf_counter()
    write_field(folder, field, factor)
    timings = {**field.result.timings_ms, "outputs": (time.perf_counter() - started) * 1e3}
    return dataclasses.replace(field.result, timings_ms=timings)


def summarise(
    fields: Sequence[FieldSummary],
    screener: Screener,
    plan: RunPlan | None = None,
    passed_over: Sequence[Path] = (),
    not_looked_at: Mapping[str, int] | None = None,
) -> RunSummary:
    """The verdict of each slide that the fields belong to.

    Args:
        fields: of all slides.
        screener: the one that judged.
        plan: of the run; the usual where None.
        passed_over: see `edge_all.outputs.run_summary.RunSummary`.
        not_looked_at: number of images by slide that were left out, their slide being settled.
    """
    plan = plan or RunPlan()
    by_slide: dict[str, list[FieldSummary]] = {}
    for field in fields:
        by_slide.setdefault(field.slide, []).append(field)
    left_out = not_looked_at or {}
    return RunSummary(
        fields=tuple(fields),
        slides=tuple(
            screener.judge_slide(of_slide, slide=slide, not_looked_at=left_out.get(slide, 0))
            for slide, of_slide in by_slide.items()
        ),
        card=screener.classifier.card,
        with_maps=plan.activations,
        passed_over=tuple(passed_over),
        with_parquet=plan.parquet,
        notice=plan.notice,
    )
