"""The report: one HTML file that a haematologist reads top to bottom, without a network.

Verdict and counts come first, then the cells that the verdict rests on, then the fields, then how it was made. The file
holds its pictures, has no script, and forbids itself every connection. Everything that came from a user is escaped; of
an image's name only the last part is shown, for folders often carry names of patients.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from importlib.resources import files
from pathlib import Path

from edge_all.files.atomic import atomic_file
from edge_all.model.card import ModelCard
from edge_all.outputs.palette import PALETTE, CellClass
from edge_all.outputs.report.embedding import cells_per_gallery, chosen_fields
from edge_all.outputs.report.fields import GALLERIES, NumberedField, Pictures, field_article, gallery, rejected_gallery
from edge_all.outputs.report.interval_bar import interval_bar
from edge_all.outputs.report.markup import CSS_NAMES, named, text
from edge_all.outputs.report.method import how_to_read, method, model_words, models_of
from edge_all.outputs.result_words import STATUS_WORDS, counted, reason_words, rejection_words
from edge_all.results import INTENDED_USE, FieldSummary, SlideResult
from edge_all.slides.verdict import DEFINING_BLAST_SHARE
from edge_all.wording.percentages import percent, percent_range

__all__ = ["write_report"]

MOST_NAMES = 20
MOST_REJECTED = 48
"""Objects without a cell are many; the largest nuclei come first. Each may take decoding an overlay."""
_VERDICT_CSS = {"suspicious": "suspicious", "not detected": "clear", "indeterminate": "unclear"}


def write_report(
    path: Path,
    slides: Sequence[SlideResult],
    fields: Sequence[FieldSummary],
    *,
    overlays: Mapping[str, Path],
    thumbnails: Mapping[tuple[str, int], Path],
    activations: Mapping[tuple[str, int], Path] | None = None,
    card: ModelCard | None = None,
    created: datetime | None = None,
    passed_over: Sequence[Path] = (),
) -> None:
    """Write the report of a run as one self-contained HTML file.

    Args:
        path: the file to write.
        slides: verdicts, in the order in which they are to appear.
        fields: all fields of these slides, those that failed included.
        overlays: from the name of an image to its overlay, as `edge_all.outputs.overlay` makes it. A picture that is
            missing here, or on disk, is left out of the report.
        thumbnails: from the name of an image and the id of a cell to its picture.
        activations: likewise to a picture of the class activation map; where they are given, all cells have a place
            for theirs, which may say that there is none.
        card: of the model package; its figures and limitations are shown.
        created: date of the report; now, where none is given.
        passed_over: files among the images in formats that are not read.

    Raises:
        OutputError: the file cannot be written.
    """
    pictures = Pictures(overlays, thumbnails, activations)
    numbered = [NumberedField(number, field) for number, field in enumerate(fields, start=1)]
    with atomic_file(path) as file:
        # Piece by piece: a run of a thousand fields never has all its pictures in memory.
        for piece in _document(slides, numbered, pictures, card, created or datetime.now().astimezone(), passed_over):
            file.write(piece.encode("utf-8", "backslashreplace"))
            file.write(b"\n")


def _document(
    slides: Sequence[SlideResult],
    fields: Sequence[NumberedField],
    pictures: Pictures,
    card: ModelCard | None,
    created: datetime,
    passed_over: Sequence[Path],
) -> Iterator[str]:
    style = files("edge_all.outputs.report").joinpath("report.css").read_text("utf-8")
    colours = "".join(f"--{CSS_NAMES[name]}:rgb{rgb};" for name, rgb in PALETTE.items())
    yield "<!DOCTYPE html>"
    yield '<html lang="en"><head><meta charset="utf-8">'
    # Forbids every connection and every script, whatever a name might have smuggled in.
    yield (
        '<meta http-equiv="Content-Security-Policy" '
        "content=\"default-src 'none'; img-src data:; style-src 'unsafe-inline'\">"
    )
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield f"<title>edge-all screening report, {created:%Y-%m-%d}</title>"
    # On paper, every page carries the sentence.
    page = f'@page{{margin:14mm 12mm 18mm;@bottom-center{{content:"{INTENDED_USE}";font:9pt sans-serif}}}}'
    yield f"<style>:root{{{colours}}}{page}\n{style}</style></head><body>"
    yield '<a class="skip" href="#slides">Skip to the verdict</a>'
    yield f'<p class="banner" role="note">{text(INTENDED_USE)}</p>'
    yield "<main>"
    yield _heading(slides, fields, created)
    yield _not_judged(fields)
    yield _passed_over(passed_over)
    yield _overview(slides)
    yield '<div id="slides">'
    for number, slide in enumerate(slides, start=1):
        of_slide = [field for field in fields if field.result.slide == slide.slide]
        yield from _slide(number, slide, of_slide, pictures, len(slides))
    yield "</div>"
    yield how_to_read(
        with_maps=pictures.activations is not None, stopped_early=any(slide.stopped_early for slide in slides)
    )
    yield method([field.result for field in fields], card)
    yield "</main>"
    yield f'<p class="banner" role="note">{text(INTENDED_USE)}</p>'
    yield "</body></html>"


def _heading(slides: Sequence[SlideResult], fields: Sequence[NumberedField], created: datetime) -> str:
    statuses = Counter(field.result.status for field in fields)
    cells = sum(len(field.result.candidates) for field in fields)
    judged = f"{statuses['ok']} of {counted(len(fields), 'field')} judged"
    not_looked_at = sum(slide.images_not_looked_at for slide in slides)
    if not_looked_at:
        judged += f", {counted(not_looked_at, 'image')} not looked at"
    facts = [f"{created:%Y-%m-%d %H:%M}", counted(len(slides), "slide"), judged, counted(cells, "white cell candidate")]
    facts += [model_words(model) for model in models_of(field.result for field in fields)]
    return (
        "<header><h1>Blood smear screening for acute lymphoblastic leukaemia</h1>"
        f'<p class="facts">{"".join(f"<span>{text(fact)}</span>" for fact in facts)}</p></header>'
    )


def _not_judged(fields: Sequence[NumberedField]) -> str:
    """The fields without a result, before any result."""
    missing = [field for field in fields if field.result.status != "ok"]
    if not missing:
        return ""
    items = "".join(
        f"<li><b>{field.name}</b> (slide {named(field.result.slide)}), {STATUS_WORDS[field.result.status]}: "
        f"{text(reason_words(field.result))}</li>"
        for field in missing
    )
    verb, them = ("was", "it") if len(missing) == 1 else ("were", "them")
    return (
        f'<section class="alert"><h2>{counted(len(missing), "field")} of {len(fields)} {verb} not judged</h2>'
        f"<p>Nothing is known about the cells in {them}; no verdict below counts them.</p><ul>{items}</ul></section>"
    )


def _passed_over(files_passed_over: Sequence[Path]) -> str:
    """Pictures that lay among the images and are in formats that are not read."""
    if not files_passed_over:
        return ""
    shown = "".join(f"<li>{named(path.name)}</li>" for path in files_passed_over[:MOST_NAMES])
    more = len(files_passed_over) - MOST_NAMES
    rest = f"<li>and {more} more, in slides.json</li>" if more > 0 else ""
    return (
        f'<section class="alert"><h2>{counted(len(files_passed_over), "file")} passed over</h2>'
        "<p>In formats that are not read; nothing is known about the cells in them.</p>"
        f"<ul>{shown}{rest}</ul></section>"
    )


def _overview(slides: Sequence[SlideResult]) -> str:
    """One line per slide, where there are several."""
    if len(slides) < 2:
        return ""
    rows = "".join(
        f'<tr><th scope="row"><a href="#s{number}">{named(slide.slide)}</a></th><td>{_badge(slide)}</td>'
        f"<td>{_fraction(slide)}</td><td>{slide.cells['ALL']}</td><td>{slide.cells['indeterminate']}</td>"
        f"<td>{slide.cells['non-ALL']}</td><td>{_fields_judged(slide)}</td></tr>"
        for number, slide in enumerate(slides, start=1)
    )
    return (
        '<nav aria-label="Slides"><table class="overview"><thead><tr><th scope="col">Slide</th>'
        '<th scope="col">Verdict</th><th scope="col">ALL fraction (95 % interval)</th><th scope="col">ALL</th>'
        '<th scope="col">Indeterminate</th><th scope="col">non-ALL</th><th scope="col">Fields judged</th></tr></thead>'
        f"<tbody>{rows}</tbody></table></nav>"
    )


def _fields_judged(slide: SlideResult) -> str:
    judged = f"{slide.fields['ok']} / {sum(slide.fields.values())}"
    return f"{judged}, {slide.images_not_looked_at} not looked at" if slide.stopped_early else judged


def _slide(
    number: int, slide: SlideResult, fields: Sequence[NumberedField], pictures: Pictures, slides: int
) -> Iterator[str]:
    yield f'<section class="slide" id="s{number}"><h2>Slide {named(slide.slide)}</h2>'
    yield f'<p class="verdict">{_badge(slide)} <span>{text(slide.reason)}</span></p>'
    yield f'<p class="fraction">ALL fraction: {_fraction(slide)}</p>'
    if slide.all_fraction is not None and slide.all_fraction_interval is not None:
        yield interval_bar(slide.all_fraction, slide.all_fraction_interval)
        yield (
            '<p class="key"><span class="mark point"></span>ALL fraction: ALL cells among all judged cells '
            '<span class="mark band"></span>95 % Wilson interval: what this count leaves open '
            f'<span class="mark customary"></span>{percent(DEFINING_BLAST_SHARE, 0)}, the customary share of blasts</p>'
        )
    yield _counts(slide, fields)
    warnings = "".join(f"<li>{text(warning)}</li>" for warning in slide.warnings)
    if warnings:
        yield f'<ul class="warnings" aria-label="Warnings">{warnings}</ul>'
    limit = cells_per_gallery(slides)
    for kind in GALLERIES:
        yield from gallery(kind, fields, pictures, limit)
    yield from rejected_gallery(fields, pictures, min(limit, MOST_REJECTED))
    yield "<h3>Fields</h3>"
    chosen = chosen_fields([field.result for field in fields], slides)
    for field in fields:
        yield from field_article(field, pictures, embed=field.result.image in chosen)
    yield "</section>"


def _counts(slide: SlideResult, fields: Iterable[NumberedField]) -> str:
    classes: tuple[CellClass, ...] = ("ALL", "indeterminate", "non-ALL", "rejected")
    tiles = "".join(f'<li class="{CSS_NAMES[name]}"><b>{slide.cells.get(name, 0)}</b> {name}</li>' for name in classes)
    detail = rejection_words(cell for field in fields for cell in field.result.cells)
    rejected = f'<p class="detail">Rejected objects, not classified: {text(detail)}.</p>' if detail else ""
    return f'<ul class="counts" aria-label="Cells by label">{tiles}</ul>{rejected}'


def _badge(slide: SlideResult) -> str:
    return f'<strong class="badge {_VERDICT_CSS[slide.verdict]}">{text(slide.verdict)}</strong>'


def _fraction(slide: SlideResult) -> str:
    """The fraction with its interval; never one without the other."""
    if slide.all_fraction is None or slide.all_fraction_interval is None:
        return "none, no cell was judged"
    judged = sum(slide.cells.get(label, 0) for label in ("ALL", "non-ALL", "indeterminate"))
    return (
        f"<b>{percent(slide.all_fraction)}</b> (95 % interval {percent_range(*slide.all_fraction_interval)}), "
        f"{slide.cells['ALL']} of {counted(judged, 'cell')}"
    )
