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
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from edge_all.api.screener import Screener
from edge_all.errors import OutputError, UsageError
from edge_all.files.folder_claim import claimed_folder, refuse_folder_of_images
from edge_all.files.run_folder import FIELDS_FILE, RunFolder
from edge_all.inputs import FoundImages, ImageSource
from edge_all.outputs.formats import write_field, write_run
from edge_all.outputs.jsonl import FieldsWriter, each_field, keep_fields
from edge_all.outputs.overlay import load_font
from edge_all.outputs.parquet import require_parquet
from edge_all.outputs.run_summary import RunSummary
from edge_all.results import FieldResult, FieldSummary, SegmentationWay
from edge_all.runs.run_record import RECORD_FILE, BegunImage, Conditions, RunRecord, RunRecordWriter, read_record
from edge_all.runs.suspects import images_that_kill
from edge_all.screening.field_screening import ScreenedField
from edge_all.slides.settling import SettledSlides

__all__ = ["refuse_run_of_other_images", "screen_to_folder", "summarise", "warm_up", "write_pictures"]

FIELDS_BEING_DRAWN = 2
"""Fields whose pictures are written behind the network's back at a time; one takes up to 15 MB."""


def warm_up() -> None:
    """Load OpenCV's type, as it does once a process (20 ms), on a thread; for the time in which the network is opened.

    Nothing waits for it: the first overlay takes as much longer where it is not called.
    """
    # Not a daemon: Python must not end while OpenCV still computes.
    threading.Thread(target=load_font, name="edge-all-warm-up").start()


def screen_to_folder(
    sources: Sequence[ImageSource],
    screener: Screener,
    out: Path,
    *,
    resume: bool = False,
    stop_when_settled: bool = False,
    microns_per_pixel: float | None = None,
    activations: bool = False,
    parquet: bool = False,
    notice: str | None = None,
    on_field: Callable[[FieldSummary], None] = lambda _: None,
    on_notice: Callable[[str], None] = lambda _: None,
) -> RunSummary:
    """Judge images and write everything about them into a folder.

    Args:
        sources: the images, from `edge_all.inputs.find_images`.
        screener: judges the fields.
        out: the folder, see `edge_all.outputs.formats` for what goes into it.
        resume: go on with the run that the folder holds.
        stop_when_settled: whether to leave out what is left of a slide once its verdict is settled; cells that an
            earlier run judged count. What is left out is looked at when the run is resumed without this.
        microns_per_pixel: physical size of a pixel, where it is known.
        activations: whether to show, with each cell, where the network saw what speaks for ALL. Fields that a resumed
            run takes from an earlier one keep the maps that they have, or have none.
        parquet: whether to write the table of cells as Parquet, too.
        notice: what everyone who sees the results must be told; stands in the report and in ``slides.json``.
        on_field: called with each result, those of an earlier run included, as soon as it is on disk.
        on_notice: told, in a sentence, what is judged again although it was judged before, and where there is no run to
            go on with.

    Raises:
        OutputError: the folder is in use, holds another run or the images themselves, was begun under other conditions
            (model, thresholds, pixel size, version, slide names), was moved meanwhile, or cannot be written. What was
            judged before stays.
        ModelError: the network fails.
        MissingPackageError: Parquet is wanted and pyarrow is not installed.
        UsageError: activation maps are wanted of a package that computes none, or a resumed run is given its images
            under other paths.
    """
    if activations:
        screener.classifier.require_activations()
    if parquet:
        require_parquet()
    refuse_folder_of_images(out, (source.path for source in sources))
    # Whether what lies there may be gone on with depends on what it is.
    with claimed_folder(out, marker=FIELDS_FILE, resume=True):
        settled = SettledSlides(screener.classifier.thresholds if stop_when_settled else None)
        conditions = Conditions(
            screener.model, microns_per_pixel, segmentation=screener.segmentation, outlines=screener.outlines
        )
        record = read_record(out) if (out / FIELDS_FILE).exists() else None
        if resume and not (out / FIELDS_FILE).exists():
            on_notice(f"There is no run in {out} to go on with: this one begins anew.")
        results = _earlier_results(out, conditions, record, sources, settled, resume=resume, on_notice=on_notice)
        for result in results.values():
            on_field(result)
        remaining = [source for source in sources if source.image not in results]
        folder = RunFolder.for_images(
            out,
            [*results, *(source.image for source in remaining)],
            kept=None if record is None else {begun.image: begun.stem for begun in record.images.values()},
        )
        killers = _killers(remaining, record, microns_per_pixel, screener.segmentation)
        with (
            FieldsWriter(folder.fields) as fields_file,
            RunRecordWriter(out, conditions, anew=record is None) as record_file,
            contextlib.closing(
                screener.screen_with_pictures(
                    _noted(_of_open_slides(remaining, settled, killers), folder, record_file),
                    microns_per_pixel=microns_per_pixel,
                    activations=activations,
                )
            ) as screened,
        ):
            drawn = _with_pictures(_until_settled(screened, settled), folder, screener.classifier.spec.factor)
            # Written after its pictures, so that a line in the file means that these are there too.
            for result in itertools.chain(_set_aside(remaining, killers, record_file), drawn):
                fields_file.write(result)
                results[result.image] = result.summary()
                on_field(results[result.image])
            fields_file.require_place()
        not_looked_at = Counter(source.slide for source in remaining if source.image not in results)
        summary = summarise(list(results.values()), screener, not_looked_at, with_maps=activations)
        passed_over = sources.in_other_formats if isinstance(sources, FoundImages) else ()
        summary = dataclasses.replace(summary, passed_over=passed_over, with_parquet=parquet, notice=notice)
        write_run(folder, summary)
    return summary


def refuse_run_of_other_images(out: Path, images: Iterable[Path]) -> None:
    """Refuse to add images to a run of others.

    Args:
        out: the run's folder; one without a run is in order.
        images: in folders of slides below it, and known by where they lie there: the folder itself may have been called
            by another path before.

    Raises:
        OutputError: the run has seen other images.
        InputError: its `fields.jsonl` is damaged.
    """
    file = out / FIELDS_FILE
    own = {image.parts[-3:] for image in images}
    if file.exists() and not own.issuperset(Path(result.image).parts[-3:] for result in each_field(file)):
        raise OutputError(
            f"The output folder {out} already holds the results of a run over other images.",
            "Choose another folder.",
            settings=("out",),
        )


def _earlier_results(
    out: Path,
    conditions: Conditions,
    record: RunRecord | None,
    sources: Sequence[ImageSource],
    settled: SettledSlides,
    *,
    resume: bool,
    on_notice: Callable[[str], None],
) -> dict[str, FieldSummary]:
    """What an earlier run judged, which may settle slides.

    What it could not judge is taken out of the file where it is tried again, and so is what has another file now. A
    failure stays where it was not named this time, and in a settled slide, of which nothing more is looked at.
    """
    file = out / FIELDS_FILE
    if not file.exists():
        return {}
    earlier = [result.summary() for result in each_field(file)]
    _refuse_to_go_on(earlier, out, resume=resume)
    if record is None and earlier:
        raise OutputError(
            f"The run in {out} has lost its {RECORD_FILE}, so that nobody can tell what it was made with.",
            "Choose another output folder.",
            settings=("out",),
        )
    if record is not None and earlier:
        conditions.refuse_others(record.conditions, out)
    _refuse_other_slides(earlier, sources, out)
    _refuse_other_spelling(earlier, sources, out)
    changed = _changed(earlier, record, sources)
    for image in changed:
        on_notice(f"{image} is judged again: its file has changed since it was looked at.")
    unchanged = [result for result in earlier if result.image not in changed]
    for result in unchanged:
        settled.add(result)
    given = {source.image for source in sources}
    kept = [
        result
        for result in unchanged
        if result.status != "error" or result.image not in given or result.slide in settled
    ]
    if len(kept) < len(earlier):
        keep_fields(file, {result.image for result in kept})
    return {result.image: result for result in kept}


def _changed(
    earlier: Sequence[FieldSummary], record: RunRecord | None, sources: Sequence[ImageSource]
) -> dict[str, None]:
    """The images, in their order, whose files hold other bytes than those that were judged; not those that failed."""
    if record is None:
        return {}
    paths = {source.image: source.path for source in sources}
    return {
        result.image: None
        for result in earlier
        if result.status != "error"
        and result.image in paths
        and (begun := record.images.get(result.image)) is not None
        and begun.changed(paths[result.image])
    }


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


def _refuse_other_slides(earlier: Iterable[FieldSummary], sources: Sequence[ImageSource], out: Path) -> None:
    """An image stays with the slide under which it was judged.

    Raises:
        OutputError: it belongs to another one now.
    """
    slides = {source.image: source.slide for source in sources}
    for result in earlier:
        now = slides.get(result.image, result.slide)
        if now != result.slide:
            raise OutputError(
                f"In the run in {out}, {result.image} belongs to slide {result.slide}, and now to {now}.",
                "Give the slide's name as it was; folders of one name, which add to the names of their slides, need an "
                "output folder of their own.",
                settings=("out",),
            )


def _refuse_to_go_on(earlier: Sequence[FieldSummary], out: Path, *, resume: bool) -> None:
    """Only the results of a screening are gone on with, and only where that is asked for.

    Raises:
        OutputError: it is not so.
    """
    if any(result.status == "ok" and result.model is None for result in earlier):
        raise OutputError(
            f"The output folder {out} holds a segmentation, in which nothing was classified.",
            "Choose another folder.",
            settings=("out",),
        )
    if not resume:
        raise OutputError(
            f"The output folder {out} already holds the results of a run.",
            "Choose another folder, or go on with that run.",
            settings=("out", "resume"),
        )


def _refuse_other_spelling(earlier: Iterable[FieldSummary], sources: Sequence[ImageSource], out: Path) -> None:
    """A resumed run tells its images by their paths as typed; under another spelling each would count twice.

    Raises:
        UsageError: an image has slide and file name of one that was judged under a path that is not given now.
    """
    given = {source.image for source in sources}
    judged = {(one.slide, Path(one.image).name): one.image for one in earlier if one.image not in given}
    for source in sources:
        before = judged.get((source.slide, Path(source.image).name))
        if before is not None:
            raise UsageError(
                f"{source.image} seems to be {before}, which the run in {out} has seen; it would count twice.",
                "Resume from the same folder with the same paths, or choose another output folder.",
            )


def _of_open_slides(
    sources: Iterable[ImageSource], settled: SettledSlides, killers: Collection[str]
) -> Iterator[ImageSource]:
    """What is still to be looked at, asked anew for each image when the pipeline has room for it."""
    return (source for source in sources if source.slide not in settled and source.image not in killers)


def _noted(sources: Iterable[ImageSource], folder: RunFolder, record_file: RunRecordWriter) -> Iterator[ImageSource]:
    """The sources, each on record before anybody looks at it."""
    for source in sources:
        stem = folder.stems[source.image]
        record_file.begin(BegunImage.look_at(source.path, source.image, source.slide, stem))
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
    started = time.perf_counter()
    write_field(folder, field, factor)
    timings = {**field.result.timings_ms, "outputs": (time.perf_counter() - started) * 1e3}
    return dataclasses.replace(field.result, timings_ms=timings)


def summarise(
    fields: Sequence[FieldSummary],
    screener: Screener,
    not_looked_at: Mapping[str, int] | None = None,
    *,
    with_maps: bool = False,
) -> RunSummary:
    """The verdict of each slide that the fields belong to.

    Args:
        fields: of all slides.
        screener: the one that judged.
        not_looked_at: number of images by slide that were left out, their slide being settled.
        with_maps: whether activation maps were asked for.
    """
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
        with_maps=with_maps,
    )
