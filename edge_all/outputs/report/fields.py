"""The report's fields: each with its overlay, its warnings and how good it is, folded under one line."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from urllib.parse import quote

from edge_all.files.naming import image_file_name
from edge_all.imaging.display import display_scale
from edge_all.outputs.report.embedding import embedded_overlay
from edge_all.outputs.report.galleries import NumberedField, Pictures
from edge_all.outputs.report.markup import named, text
from edge_all.outputs.result_words import (
    counts_words,
    likeness_words,
    number_words,
    probability_words,
    reason_words,
    status_words,
)
from edge_all.quality import quality_words
from edge_all.results import CellSummary, FieldSummary
from edge_all.wording.language import Language

__all__ = ["field_article"]


def field_article(
    field: NumberedField, pictures: Pictures, tiles: Collection[str], say: Language, *, embed: bool, unfold: bool
) -> Iterator[str]:
    """One field: overlay, warnings, figures.

    Args:
        field: the field.
        pictures: of the run.
        tiles: anchors of the cells that stand in a gallery, to which their frames lead back.
        say: the reader's language.
        embed: whether its overlay has room in the report.
        unfold: whether it is shown whole at first. A field that could not be judged always is.

    Yields:
        HTML.
    """
    result = field.result
    judged = result.status == "ok"
    summary = counts_words(result.cells, say) if judged else status_words(result, say)
    quality = ", ".join(map(say, quality_words(result.quality.metrics))) if judged and result.quality else ""
    yield (
        f'<details class="field {result.status}" id="f{field.number}"{" open" * (unfold or not judged)} '
        f'data-image="{text(image_file_name(result.image))}" data-slide="{text(image_file_name(result.slide))}" '
        f'data-size="{result.width} {result.height}"><summary><h4>{field.name}</h4> '
        f'<span class="summary">{text(summary)}</span><span class="quality">{text(quality)}</span></summary>'
    )
    if field.repeats is not None:
        words = say(
            "Shows the same picture as {image}: its cells are in no count.", image=named(image_file_name(field.repeats))
        )
        yield f'<p class="left-out">{words}</p>'
    if not judged:
        yield f'<p class="problem">{text(reason_words(result, say))}</p>'
    if result.quality is not None and result.quality.warnings:
        items = "".join(f"<li>{text(say.sentence(warning))}</li>" for warning in result.quality.warnings)
        yield f'<ul class="warnings" aria-label="{text(say("Quality warnings"))}">{items}</ul>'
    yield from _picture(field, pictures, tiles, say, embed=embed)
    facts = _field_facts(result, say)
    if facts:
        yield f'<details class="measured"><summary>{say("Measurements")}</summary>'
        yield f'<dl class="figures">{facts}</dl></details>'
    yield "</details>"


def _picture(
    field: NumberedField, pictures: Pictures, tiles: Collection[str], say: Language, *, embed: bool
) -> Iterator[str]:
    overlay = pictures.overlays.get(field.result.image)
    if embed:
        yield _figure(field, pictures, tiles, say)
        return
    yield _anchors(field)
    if overlay is not None:
        # Beside the report; its name is made of the image's, without folders.
        place = f"overlays/{overlay.name}"
        words = text(say("Left out here to keep the report small:"))
        yield f'<p class="left-out">{words} <a href="{text(quote(place))}">{text(place)}</a></p>'


def _figure(field: NumberedField, pictures: Pictures, tiles: Collection[str], say: Language) -> str:
    """The overlay; a frame lies over each object, which a link from a gallery lights up, and which leads back there."""
    overlay = embedded_overlay(pictures.overlays, field.result.image)
    if overlay is None:
        return _anchors(field)
    address, width, height = overlay
    result = field.result
    # Large frames first: a small one inside stays within reach of the pointer.
    frames = "".join(_frame(field, cell, tiles, say) for cell in sorted(result.cells, key=lambda cell: -cell.area))
    image = image_file_name(result.image)
    description = text(say("Overlay of {image}: outlines, numbers and probabilities of its cells", image=image))
    return (
        f'<figure><img src="{address}" width="{width}" height="{height}" alt="{description}" decoding="async">'
        f'<svg viewBox="0 0 {result.width} {result.height}">{frames}</svg></figure>'
        f'<button type="button" class="look" hidden>{say("Look at it at full resolution")}</button>'
    )


def _frame(field: NumberedField, cell: CellSummary, tiles: Collection[str], say: Language) -> str:
    """The frame of one cell, which says what it is under the pointer."""
    margin = 6 / display_scale(field.result.width, field.result.height)
    x, y, width, height = cell.bbox
    rectangle = (
        f'<rect id="{field.anchor(cell)}" x="{x - margin:.1f}" y="{y - margin:.1f}" width="{width + 2 * margin:.1f}" '
        f'height="{height + 2 * margin:.1f}"><title>{text(_frame_words(cell, say))}</title></rect>'
    )
    tile = field.tile(cell)
    return f'<a href="#{tile}">{rectangle}</a>' if tile in tiles else rectangle


def _frame_words(cell: CellSummary, say: Language) -> str:
    if cell.kind == "rejected":
        reason = say.sentence(cell.reason) if cell.reason else say("no reason given")
        return say("{id}: rejected, {reason}", id=cell.id, reason=reason)
    label = say(cell.label) if cell.label else say("not classified")
    probability = say.figure(probability_words(cell))
    words = say("{id}: {label}, probability {probability}", id=cell.id, label=label, probability=probability)
    likeness = likeness_words(cell, say)
    return f"{words}, {likeness}" if likeness else words


def _anchors(field: NumberedField) -> str:
    """Where there is no picture, the links from the galleries still need somewhere to go."""
    return "".join(f'<span id="{field.anchor(cell)}"></span>' for cell in field.result.cells)


def _field_facts(result: FieldSummary, say: Language) -> str:
    facts = []
    if result.width:
        facts.append((say("size"), f"{result.width} x {result.height} px"))
    if result.microns_per_pixel is not None:
        origin = result.microns_per_pixel_from or say("origin not known")
        facts.append(
            (say("size of a pixel"), f"{say.figure(number_words(result.microns_per_pixel))} \u00b5m ({origin})")
        )
    if result.quality is not None:
        facts += [
            (say(name.replace("_", " ")), say.figure(number_words(value)))
            for name, value in result.quality.metrics.items()
        ]
    if result.timings_ms:
        facts.append((say("time"), f"{sum(result.timings_ms.values()):.0f} ms"))
    return "".join(f"<div><dt>{text(name)}</dt><dd>{text(value)}</dd></div>" for name, value in facts)
