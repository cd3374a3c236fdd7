"""What an earlier run left in the folder, and whether this one may go on with it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from edge_all.errors import OutputError, UsageError
from edge_all.files.run_folder import FIELDS_FILE
from edge_all.inputs import ImageSource
from edge_all.outputs.jsonl import each_field, keep_fields
from edge_all.results import FieldSummary
from edge_all.runs.run_record import RECORD_FILE, BegunImage, Conditions, RunRecord, read_record
from edge_all.slides.settling import SettledSlides
from edge_all.wording.plurals import counted

__all__ = ["EarlierRun", "earlier_run", "refuse_run_of_other_images"]


@dataclass(frozen=True, slots=True)
class EarlierRun:
    """What was judged before, and what is still to do.

    Attributes:
        record: of that run; None where there is none.
        results: what it judged, by the name of the image.
        remaining: the images that are still to be looked at, under the names by which the run knows them.
    """

    record: RunRecord | None
    results: Mapping[str, FieldSummary]
    remaining: tuple[ImageSource, ...]

    @property
    def stems(self) -> Mapping[str, str] | None:
        """What the files of each image are called already."""
        return None if self.record is None else {one.image: one.stem for one in self.record.images.values()}


def earlier_run(
    out: Path,
    conditions: Conditions,
    sources: Sequence[ImageSource],
    settled: SettledSlides,
    *,
    resume: bool,
    on_notice: Callable[[str], None],
) -> EarlierRun:
    """Find what a run in the folder judged, which may settle slides.

    What it could not judge is taken out of its file where it is tried again, and so is what has another file now. A
    failure stays where it was not named this time, and in a settled slide, of which nothing more is looked at.

    Args:
        out: the folder, claimed.
        conditions: of this run.
        sources: its images.
        settled: is told what was judged.
        resume: whether an earlier run may be gone on with.
        on_notice: told, in a sentence, what the user would not expect.

    Raises:
        OutputError: there is a run and it must not be gone on with: other conditions, other slides, or nobody asked.
        UsageError: an image seems to be one that the run has seen elsewhere.
        InputError: its files are damaged.
    """
    file = out / FIELDS_FILE
    if not file.exists():
        if resume:
            on_notice(f"There is no run in {out} to go on with: this one begins anew.")
        return EarlierRun(None, {}, tuple(sources))
    record = read_record(out)
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
    if record is not None:
        sources = _by_their_names(sources, record, on_notice)
    _refuse_other_slides(earlier, sources, out)
    _refuse_what_would_count_twice(earlier, sources, out)
    kept = _kept(earlier, record, sources, settled, on_notice)
    if len(kept) < len(earlier):
        keep_fields(file, kept.keys())
    return EarlierRun(record, kept, tuple(source for source in sources if source.image not in kept))


def _kept(
    earlier: Sequence[FieldSummary],
    record: RunRecord | None,
    sources: Sequence[ImageSource],
    settled: SettledSlides,
    on_notice: Callable[[str], None],
) -> dict[str, FieldSummary]:
    """What of the earlier results stands: not those of changed files, nor failures that are tried again."""
    changed = _changed(earlier, record, sources)
    for image in changed:
        on_notice(f"{image} is judged again: its file has changed since it was looked at.")
    unchanged = [result for result in earlier if result.image not in changed]
    for result in unchanged:
        settled.add(result)
    given = {source.image for source in sources}
    return {
        result.image: result
        for result in unchanged
        if result.status != "error" or result.image not in given or result.slide in settled
    }


def _by_their_names(
    sources: Sequence[ImageSource], record: RunRecord, on_notice: Callable[[str], None]
) -> tuple[ImageSource, ...]:
    """The images under the names by which the run knows them, whatever path leads to them now.

    The same is what lies in the same place, and what has slide, file name and bytes of an image that is not given now:
    a folder may have been moved since.
    """
    given = {source.image for source in sources}
    at_place: dict[str | None, BegunImage] = {}
    alike: dict[tuple[str, str], list[BegunImage]] = {}
    for begun in record.images.values():
        if begun.image not in given:
            at_place[begun.place] = begun
            alike.setdefault((begun.slide, Path(begun.image).name), []).append(begun)
    found: dict[str, BegunImage] = {}
    for source in sources:
        if source.image not in record.images and (known := _known_as(source, at_place, alike)) is not None:
            found[source.image] = known
            # Copies of one image are several images: each is known once.
            alike[known.slide, Path(known.image).name].remove(known)
    if found:
        called, begun = next(iter(found.items()))
        on_notice(
            f"{counted(len(found), 'image')} of this run came by another path before ({called} was {begun.image}); "
            "the names stay as they were."
        )
    return tuple(_named_as(source, found.get(source.image)) for source in sources)


def _known_as(
    source: ImageSource,
    at_place: Mapping[str | None, BegunImage],
    alike: Mapping[tuple[str, str], Sequence[BegunImage]],
) -> BegunImage | None:
    begun = at_place.get(source.place)
    if begun is not None:
        return begun
    return next((one for one in alike.get((source.slide, Path(source.image).name), ()) if one.same_bytes(source)), None)


def _named_as(source: ImageSource, begun: BegunImage | None) -> ImageSource:
    if begun is None:
        return source
    # A slide that is called by its folder keeps its name, too, when a link leads there; one that was named does not.
    slide = begun.slide if source.slide == source.path.parent.name else source.slide
    return dataclasses.replace(source, image=begun.image, slide=slide)


def _changed(
    earlier: Sequence[FieldSummary], record: RunRecord | None, sources: Sequence[ImageSource]
) -> dict[str, None]:
    """The images, in their order, whose files hold other bytes than those that were judged; not those that failed."""
    if record is None:
        return {}
    now = {source.image: source for source in sources}
    return {
        result.image: None
        for result in earlier
        if result.status != "error"
        and result.image in now
        and (begun := record.images.get(result.image)) is not None
        and begun.changed(now[result.image])
    }


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


def _refuse_what_would_count_twice(earlier: Iterable[FieldSummary], sources: Sequence[ImageSource], out: Path) -> None:
    """An image that the run may know from another place, with other bytes, is not taken beside it.

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
                "Its content is another: choose another output folder, or give the image under its path of then.",
            )


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
