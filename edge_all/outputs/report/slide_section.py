"""The report's slides: the overview of all, and each with its verdict, what that rests on, its cells and its fields."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from edge_all.outputs.palette import CellClass
from edge_all.outputs.report.embedding import cells_per_gallery, chosen_fields
from edge_all.outputs.report.fields import field_article
from edge_all.outputs.report.galleries import (
    GALLERIES,
    NumberedField,
    Pictures,
    cells_shown,
    gallery,
    rejected_gallery,
)
from edge_all.outputs.report.interval_bar import interval_bar
from edge_all.outputs.report.markup import CSS_NAMES, named, text
from edge_all.outputs.result_words import rejection_words
from edge_all.results import SlideResult, Verdict
from edge_all.slides.verdict import DEFINING_BLAST_SHARE
from edge_all.wording.language import Language

__all__ = ["overview", "shown_candidates", "slide_section"]

SHOWN_WHOLE = 6
"""Fields of a report up to which they are shown unfolded."""
ON_PAPER = "On paper the first cells of each kind only; all, and the fields, are in the report on the screen."
CLASSES: tuple[CellClass, ...] = (*GALLERIES, "rejected")
_VERDICT_CSS: dict[Verdict, str] = {"suspicious": "suspicious", "indeterminate": "unclear", "not detected": "clear"}


def shown_candidates(slides: Sequence[SlideResult], fields: Sequence[NumberedField]) -> set[tuple[str, int]]:
    """Name of the image and id of each cell that stands in a gallery of the report."""
    limit = cells_per_gallery(len(slides))
    by_slide: dict[str, list[NumberedField]] = {}
    for field in fields:
        by_slide.setdefault(field.result.slide, []).append(field)
    return {
        (field.result.image, cell.id)
        for of_slide in by_slide.values()
        for kind in GALLERIES
        for field, cell in cells_shown(of_slide, kind, limit).cells
    }


def overview(slides: Sequence[SlideResult], say: Language) -> str:
    """One line per slide, where there are several."""
    if len(slides) < 2:
        return ""
    rows = "".join(
        f'<tr><th scope="row"><a href="#s{number}">{named(slide.slide)}</a></th><td>{_badge(slide, say)}</td>'
        f"<td>{_fraction(slide, say)}</td><td>{slide.cells['ALL']}</td><td>{slide.cells['indeterminate']}</td>"
        f"<td>{slide.cells['non-ALL']}</td><td>{_fields_judged(slide, say)}</td></tr>"
        for number, slide in enumerate(slides, start=1)
    )
    headings = (
        say("Slide"),
        say("Verdict"),
        say("ALL fraction (95 % interval)"),
        say("ALL"),
        say("Indeterminate"),
        say("non-ALL"),
        say("Fields judged"),
    )
    heading = "".join(f'<th scope="col">{text(words)}</th>' for words in headings)
    return (
        f'<nav aria-label="{text(say("Slides"))}"><table class="overview"><thead><tr>{heading}</tr></thead>'
        f"<tbody>{rows}</tbody></table></nav>"
    )


def slide_section(
    number: int,
    slide: SlideResult,
    fields: Sequence[NumberedField],
    pictures: Pictures,
    say: Language,
    *,
    slides: int,
    fields_in_all: int,
) -> Iterator[str]:
    """One slide.

    Args:
        number: of the slide in the report, from 1.
        slide: its verdict.
        fields: its fields.
        pictures: of the run.
        say: the reader's language.
        slides: number of slides in the report, which share its room.
        fields_in_all: number of fields in the report.

    Yields:
        HTML.
    """
    yield f'<section class="slide" id="s{number}"><div class="finding"><h2>{say("Slide")} {named(slide.slide)}</h2>'
    yield f'<p class="verdict">{_badge(slide, say)} <span>{text(say.sentence(slide.reason))}</span></p>'
    yield f'<p class="fraction">{say("ALL fraction")}: {_fraction(slide, say, of_level=True)}</p>'
    if slide.all_fraction is not None and slide.all_fraction_interval is not None:
        yield interval_bar(slide.all_fraction, slide.all_fraction_interval, say)
        customary = say("{share}, the customary share of blasts", share=say.percent(DEFINING_BLAST_SHARE, 0))
        yield (
            f'<p class="key"><span class="mark point"></span>{say("ALL fraction: ALL cells among all judged cells")} '
            f'<span class="mark band"></span>{say("the interval: what this count leaves open")} '
            f'<span class="mark customary"></span>{customary}</p>'
        )
    yield _counts(slide, fields, say)
    warnings = "".join(f"<li>{text(say.sentences(warning))}</li>" for warning in slide.warnings)
    if warnings:
        yield f'<ul class="warnings" aria-label="{text(say("Warnings"))}">{warnings}</ul>'
    yield "</div>"
    limit = cells_per_gallery(slides)
    for kind in GALLERIES:
        yield from gallery(kind, fields, pictures, limit, say)
    yield from rejected_gallery(fields, pictures, limit, say)
    yield f'<p class="on-paper">{say(ON_PAPER)}</p>'
    tiles = {field.tile(cell) for kind in CLASSES for field, cell in cells_shown(fields, kind, limit).cells}
    chosen = chosen_fields([field.result for field in fields], slides)
    yield f'<div class="fields"><h3>{say("Fields")}</h3>'
    for field in fields:
        yield from field_article(
            field,
            pictures,
            tiles,
            say,
            embed=field.result.image in chosen,
            unfold=fields_in_all <= SHOWN_WHOLE,
        )
    yield "</div></section>"


def _fields_judged(slide: SlideResult, say: Language) -> str:
    judged = f"{slide.fields['ok']} / {sum(slide.fields.values())}"
    if not slide.stopped_early:
        return judged
    return f"{judged}, {say('{n} not looked at', n=slide.images_not_looked_at)}"


def _counts(slide: SlideResult, fields: Iterable[NumberedField], say: Language) -> str:
    tiles = "".join(
        f'<li class="{CSS_NAMES[name]}"><b>{slide.cells.get(name, 0)}</b> {text(say(name))}</li>' for name in CLASSES
    )
    counted = (field.result for field in fields if field.repeats is None)
    detail = rejection_words((cell for field in counted for cell in field.cells), say)
    rejected = ""
    if detail:
        rejected = f'<p class="detail">{text(say("Rejected objects, not classified: {reasons}.", reasons=detail))}</p>'
    return f'<ul class="counts" aria-label="{text(say("Cells by label"))}">{tiles}</ul>{rejected}'


def _badge(slide: SlideResult, say: Language) -> str:
    return f'<strong class="badge {_VERDICT_CSS[slide.verdict]}">{text(say(slide.verdict))}</strong>'


def _fraction(slide: SlideResult, say: Language, *, of_level: bool = False) -> str:
    """The fraction with its interval; never one without the other. The level is named where no heading names it."""
    if slide.all_fraction is None or slide.all_fraction_interval is None:
        return say("none, no cell was judged")
    judged = sum(slide.cells.get(label, 0) for label in ("ALL", "non-ALL", "indeterminate"))
    interval = say.percent_range(*slide.all_fraction_interval)
    if of_level:
        interval = say("95 % interval {interval}", interval=interval)
    of_cells = say.counted("{blasts} of {n} cell", "{blasts} of {n} cells", judged, blasts=slide.cells["ALL"])
    return f"<b>{say.percent(slide.all_fraction)}</b> ({interval}), {of_cells}"
