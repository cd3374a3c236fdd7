"""The report: one HTML file that a haematologist reads top to bottom, without a network.

Verdict and counts come first, then the cells that the verdict rests on, then the fields, then how it was made. The file
holds its pictures and one script of its own, which filters, sorts and unfolds; by its policy it runs no other, and
connects to nothing. Everything that came from a user is escaped; of an image's name only the last part is shown, for
folders often carry names of patients.
"""

from __future__ import annotations

import base64
import dataclasses
import hashlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import datetime
from importlib.resources import files
from pathlib import Path
from typing import TypeAlias

from edge_all.files.atomic import atomic_file
from edge_all.outputs.palette import PALETTE
from edge_all.outputs.report.galleries import NumberedField, Pictures
from edge_all.outputs.report.markup import CSS_NAMES, named, text
from edge_all.outputs.report.method import how_to_read, method, model_words, models_of
from edge_all.outputs.report.slide_section import CLASSES, overview, shown_candidates, slide_section
from edge_all.outputs.report.tile_outlines import TileOutline
from edge_all.outputs.result_words import reason_words, status_words
from edge_all.outputs.run_summary import RunSummary
from edge_all.results import INTENDED_USE, SlideResult
from edge_all.slides.verdict import suspicious_first
from edge_all.wording.language import Language, language_of_environment

__all__ = ["write_report"]

MOST_NAMES = 20
OutlinesOf: TypeAlias = Callable[[Collection[tuple[str, int]]], Mapping[tuple[str, int], TileOutline]]
"""Finds outlines by the name of the image and the id of the cell."""


def write_report(
    path: Path,
    run: RunSummary,
    pictures: Pictures,
    *,
    outlines: OutlinesOf = lambda _: {},
    created: datetime | None = None,
    language: Language | None = None,
) -> None:
    """Write the report of a run as one self-contained HTML file.

    Args:
        path: the file to write.
        run: what it came to; suspicious slides come first, otherwise slides keep their order.
        pictures: files of pictures. One that is missing here, or on disk, is left out of the report.
        outlines: asked once for the outlines of the cells that are shown.
        created: date of the report; now, where none is given.
        language: the reader's; that of the environment where none is given.

    Raises:
        OutputError: the file cannot be written.
    """
    repeated = {again: first for slide in run.slides for again, first in slide.repeated_fields.items()}
    numbered = [
        NumberedField(number, field, repeated.get(field.image)) for number, field in enumerate(run.fields, start=1)
    ]
    outlined = dataclasses.replace(pictures, outlines=outlines(shown_candidates(run.slides, numbered)))
    say = language or language_of_environment()
    now = created or datetime.now().astimezone()
    with atomic_file(path) as file:
        # Piece by piece: a run of a thousand fields never has all its pictures in memory.
        for piece in _document(run, numbered, outlined, now, say):
            file.write(piece.encode("utf-8", "backslashreplace"))
            file.write(b"\n")


def _document(
    run: RunSummary, fields: Sequence[NumberedField], pictures: Pictures, created: datetime, say: Language
) -> Iterator[str]:
    """The pieces of the file."""
    slides = suspicious_first(run.slides)
    script = files("edge_all.outputs.report").joinpath("report.js").read_text("utf-8")
    yield from _head(created, script, say)
    yield f'<a class="skip" href="#slides">{say("Skip to the verdict")}</a>'
    yield _banner(say)
    yield _tools(say) if any(field.result.cells for field in fields) else ""
    yield "<main>"
    yield _heading(slides, fields, created, say)
    # What has to be read before any verdict.
    yield _notice(run.notice, say) + _not_judged(fields, say) + _passed_over(run.passed_over, say)
    yield overview(slides, say)
    yield '<div id="slides">'
    for number, slide in enumerate(slides, start=1):
        of_slide = [field for field in fields if field.result.slide == slide.slide]
        yield from slide_section(number, slide, of_slide, pictures, say, slides=len(slides), fields_in_all=len(fields))
    yield "</div>"
    yield how_to_read(
        say, with_maps=pictures.activations is not None, stopped_early=any(slide.stopped_early for slide in slides)
    )
    yield method(run.fields, run.card, say)
    yield "</main>"
    yield _banner(say)
    yield (
        f'<dialog aria-label="{text(say("The field at full resolution"))}"><p class="bar"><span></span>'
        f'<button type="button">{say("Close")}</button></p><div class="pane"><div class="stage"></div></div></dialog>'
    )
    yield f"<script>{script}</script></body></html>"


def _head(created: datetime, script: str, say: Language) -> Iterator[str]:
    style = files("edge_all.outputs.report").joinpath("report.css").read_text("utf-8")
    colours = "".join(f"--{CSS_NAMES[name]}:rgb{rgb};" for name, rgb in PALETTE.items())
    digest = base64.b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode("ascii")
    yield "<!DOCTYPE html>"
    yield f'<html lang="{say.code}"><head><meta charset="utf-8">'
    # Forbids every connection and every script but this one, whatever a name might have smuggled in.
    yield (
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; img-src data: blob:; '
        f"style-src 'unsafe-inline'; script-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'\">"
    )
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield '<meta name="color-scheme" content="light dark">'
    yield f"<title>{text(say('edge-all screening report, {date}', date=say.day(created)))}</title>"
    # On paper, every page carries the sentence.
    page = f'@page{{margin:12mm 12mm 16mm;@bottom-center{{content:"{INTENDED_USE}";font:9pt sans-serif}}}}'
    yield f"<style>:root{{{colours}}}{page}\n{style}</style></head><body>"


def _banner(say: Language) -> str:
    """The sentence as the regulation has it, and in the reader's language."""
    translated = say(INTENDED_USE)
    beside = f'<span lang="{say.code}">{text(translated)}</span>' if translated != INTENDED_USE else ""
    return f'<p class="banner" role="note"><span lang="en">{text(INTENDED_USE)}</span>{beside}</p>'


def _tools(say: Language) -> str:
    """What the script offers; without it, nothing is shown that would do nothing."""
    labels = "".join(
        f'<label class="{CSS_NAMES[name]}"><input type="checkbox" name="label" value="{CSS_NAMES[name]}" checked>'
        f"{text(say(name))}</label>"
        for name in CLASSES
    )
    orders = {
        "place": say("as judged"),
        "probability": say("probability"),
        "area": say("size"),
        "field": say("field"),
    }
    options = "".join(f'<option value="{value}">{text(words)}</option>' for value, words in orders.items())
    bound = '<input type="number" name="{}" min="0" step="{}" aria-label="{}">'
    low = bound.format("least-probability", 0.05, text(say("lowest probability")))
    high = bound.format("most-probability", 0.05, text(say("highest probability")))
    area = bound.format("least-area", 100, text(say("smallest area in pixels")))
    words = {
        "matching": say("{shown} of {all} match"),
        "wrong": say("This is not the image that was judged."),
        "unreadable": say("The browser does not show images of this format."),
    }
    data = " ".join(f'data-{name}="{text(value)}"' for name, value in words.items())
    inverted = text(say("The lowest probability is above the highest: no cell can match."))
    stay = text(say("Choose the folder of the images. They stay where they are; nothing is sent anywhere."))
    return (
        f'<div class="tools" role="group" aria-label="{text(say("Cells shown"))}" hidden {data}>'
        f"<span>{labels}</span><span>{say('P(ALL)')} {low} {say('to')} {high}</span>"
        f'<output class="inverted" hidden>{inverted}</output>'
        f"<span>{say('Area from')} {area} px</span>"
        f'<label>{say("Sort by")} <select name="order">{options}</select></label>'
        f'<div><label><input type="checkbox" name="outlines" checked>{say("outlines")}</label>'
        f'<button type="button" name="unfold">{say("Unfold fields")}</button>'
        f'<label class="folder" title="{stay}">{say("Full resolution …")}'
        '<input type="file" name="images" webkitdirectory></label></div></div>'
    )


def _heading(slides: Sequence[SlideResult], fields: Sequence[NumberedField], created: datetime, say: Language) -> str:
    judged = sum(field.result.status == "ok" for field in fields)
    facts = [
        say.minute(created),
        say.counted("{n} slide", "{n} slides", len(slides)),
        say.counted("{judged} of {n} field judged", "{judged} of {n} fields judged", len(fields), judged=judged),
    ]
    not_looked_at = sum(slide.images_not_looked_at for slide in slides)
    if not_looked_at:
        facts[-1] += ", " + say.counted("{n} image not looked at", "{n} images not looked at", not_looked_at)
    cells = sum(len(field.result.candidates) for field in fields)
    facts.append(say.counted("{n} white cell candidate", "{n} white cell candidates", cells))
    repeated = sum(len(field.result.candidates) for field in fields if field.repeats is not None)
    if repeated:
        facts[-1] += ", " + say("{n} of them in fields that repeat another", n=repeated)
    facts += [model_words(model) for model in models_of(field.result for field in fields)]
    return (
        f"<header><h1>{say('Blood smear screening for acute lymphoblastic leukaemia')}</h1>"
        f'<p class="facts">{"".join(f"<span>{text(fact)}</span>" for fact in facts)}</p></header>'
    )


def _notice(notice: str | None, say: Language) -> str:
    return f'<section class="alert"><p><strong>{text(say.sentence(notice))}</strong></p></section>' if notice else ""


def _not_judged(fields: Sequence[NumberedField], say: Language) -> str:
    """The fields without a result, before any result."""
    missing = [field for field in fields if field.result.status != "ok"]
    if not missing:
        return ""
    items = "".join(
        f'<li><a href="#f{field.number}">{field.name}</a> ({say("slide")} {named(field.result.slide)}), '
        f"{text(status_words(field.result, say))}: {text(reason_words(field.result, say))}</li>"
        for field in missing
    )
    count, of = len(missing), len(fields)
    heading = say.counted("{n} field of {of} was not judged", "{n} fields of {of} were not judged", count, of=of)
    meaning = say.counted(
        "Nothing is known about the cells in it; no verdict below counts them.",
        "Nothing is known about the cells in them; no verdict below counts them.",
        count,
    )
    return f'<section class="alert"><h2>{heading}</h2><p>{meaning}</p><ul>{items}</ul></section>'


def _passed_over(paths: Sequence[Path], say: Language) -> str:
    """Pictures that lay among the images and are in formats that are not read, and named folders without images."""
    if not paths:
        return ""
    shown = "".join(f"<li>{named(path.name)}</li>" for path in paths[:MOST_NAMES])
    more = len(paths) - MOST_NAMES
    rest = f"<li>{say('and {n} more, in slides.json', n=more)}</li>" if more > 0 else ""
    heading = say.counted("{n} file or folder passed over", "{n} files or folders passed over", len(paths))
    words = say("In formats that are not read, or without images; nothing is known about the cells in them.")
    return f'<section class="alert"><h2>{heading}</h2><p>{words}</p><ul>{shown}{rest}</ul></section>'
