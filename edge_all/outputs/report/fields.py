"""The report's cells and fields: galleries of single cells, and each field with its overlay."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from edge_all.files.naming import image_file_name
from edge_all.imaging.display import display_scale
from edge_all.outputs.palette import PALETTE, cell_class
from edge_all.outputs.report.embedding import embedded_file, embedded_overlay, embedded_pieces
from edge_all.outputs.report.markup import CSS_NAMES, named, text
from edge_all.outputs.result_words import (
    STATUS_WORDS,
    is_unlike,
    number_words,
    probability_words,
    reason_words,
    rejection_words,
)
from edge_all.results import CellLabel, CellSummary, FieldSummary

__all__ = ["GALLERIES", "Gallery", "NumberedField", "Pictures", "field_article", "gallery", "rejected_gallery"]


@dataclass(frozen=True, slots=True)
class Gallery:
    """Cells of one label.

    Attributes:
        label: theirs.
        title: of the gallery, HTML.
        explanation: what the reader should know, HTML.
    """

    label: CellLabel
    title: str
    explanation: str


GALLERIES = (
    Gallery("ALL", "Called ALL", "Highest probability first."),
    Gallery(
        "indeterminate",
        "Indeterminate: please review",
        "The probability lies between the thresholds, or the cell is unlike those that the model knows.",
    ),
    Gallery("non-ALL", "Called non-ALL", "Highest probability of ALL first."),
)
"""The galleries of a slide, in the order in which they are read."""


@dataclass(frozen=True, slots=True)
class Pictures:
    """Files by what they show; the activation maps are None where none are to be shown."""

    overlays: Mapping[str, Path]
    thumbnails: Mapping[tuple[str, int], Path]
    activations: Mapping[tuple[str, int], Path] | None


@dataclass(frozen=True, slots=True)
class NumberedField:
    """A field and its number in the report, which its anchors are made of."""

    number: int
    result: FieldSummary

    @property
    def name(self) -> str:
        """How the report calls it, escaped."""
        return named(image_file_name(self.result.image))

    def anchor(self, cell: CellSummary) -> str:
        """Of one cell in this field's picture."""
        return f"f{self.number}c{cell.id}"


def gallery(kind: Gallery, fields: Iterable[NumberedField], pictures: Pictures, limit: int) -> Iterator[str]:
    """The cells of one label, sorted by probability, each linked to its place in its field.

    Args:
        kind: which cells.
        fields: of one slide.
        pictures: of the run.
        limit: how many cells are shown; how many are left out is said.

    Yields:
        HTML, nothing where there is no such cell.
    """
    cells = [(field, cell) for field in fields for cell in field.result.candidates if cell.label == kind.label]
    if not cells:
        return
    cells.sort(key=lambda pair: pair[1].probability or 0.0, reverse=True)
    left_out = len(cells) - limit
    yield f'<details class="gallery {CSS_NAMES[kind.label]}" open>'
    yield f"<summary><h3>{kind.title} ({len(cells)})</h3></summary><p>{kind.explanation}</p>"
    if pictures.activations is not None:
        yield '<p>Below each cell its <a href="#maps">class activation map</a>.</p>'
    if left_out > 0:
        yield (
            f'<p class="left-out">The first {limit} are shown; {left_out} more are left out here. '
            "All are in cells.csv and in crops/.</p>"
        )
    yield '<ul class="tiles">'
    for field, cell in cells[:limit]:
        yield _tile(field, cell, pictures)
    yield "</ul></details>"


def _tile(field: NumberedField, cell: CellSummary, pictures: Pictures) -> str:
    words = f"cell {cell.id} of {image_file_name(field.result.image)}"
    thumbnail = embedded_file(pictures.thumbnails, field.result.image, cell)
    images = _thumbnail(thumbnail, f"Picture of {words}", "no picture")
    if pictures.activations is not None:
        # Said where one is missing: a resumed run may have judged some fields without maps.
        activation = embedded_file(pictures.activations, field.result.image, cell)
        images += _thumbnail(activation, f"Class activation map of {words}", "no map")
    unlike = ' <em title="Unlike the cells that the model was trained on">unlike training</em>' * is_unlike(cell)
    return (
        f'<li><a href="#{field.anchor(cell)}">{images}<span class="probability">{text(probability_words(cell))}</span>'
        f'<span class="where">{field.name} <span class="id">#{cell.id}</span>{unlike}</span></a></li>'
    )


def rejected_gallery(fields: Iterable[NumberedField], pictures: Pictures, limit: int) -> Iterator[str]:
    """The objects of a slide that were not classified, each with its reason: a blast among them would be missed.

    Args:
        fields: of one slide.
        pictures: of the run.
        limit: how many objects are shown; how many are left out is said.

    Yields:
        HTML, nothing where there is no such object.
    """
    objects = [(field, cell) for field in fields for cell in field.result.cells if cell.kind == "rejected"]
    if not objects:
        return
    # The larger a nucleus, the sooner the object is a white cell after all.
    objects.sort(key=lambda pair: -pair[1].nucleus_area)
    left_out = len(objects) - limit
    yield '<details class="gallery rejected" open>'
    yield f"<summary><h3>Rejected, not classified ({len(objects)})</h3></summary>"
    yield "<p>Largest nucleus first, cut out of the overlays. A whole white cell among them is not in any count.</p>"
    if left_out > 0:
        yield (
            f'<p class="left-out">The first {limit} are shown; {left_out} more are left out here. '
            "All are in cells.csv and in the overlays.</p>"
        )
    by_field: dict[int, list[CellSummary]] = {}
    for field, cell in objects[:limit]:
        by_field.setdefault(field.number, []).append(cell)
    results = {field.number: field.result for field, _ in objects[:limit]}
    pieces = {number: embedded_pieces(pictures.overlays, results[number], cells) for number, cells in by_field.items()}
    yield '<ul class="tiles">'
    for field, cell in objects[:limit]:
        words = f"Picture of rejected object {cell.id} of {image_file_name(field.result.image)}"
        image = _thumbnail(pieces[field.number].get(cell.id), words, "no picture")
        yield (
            f'<li><a href="#{field.anchor(cell)}">{image}<span class="reason">{text(cell.reason or "no reason given")}'
            f'</span><span class="where">{field.name} <span class="id">#{cell.id}</span></span></a></li>'
        )
    yield "</ul></details>"


def _thumbnail(address: str | None, description: str, missing: str) -> str:
    if address is None:
        return f'<span class="no-picture">{missing}</span>'
    return f'<img src="{address}" alt="{text(description)}" width="112" height="112">'


def field_article(field: NumberedField, pictures: Pictures, *, embed: bool) -> Iterator[str]:
    """One field: overlay, warnings, figures.

    Args:
        field: the field.
        pictures: of the run.
        embed: whether its overlay has room in the report.

    Yields:
        HTML.
    """
    result = field.result
    labels = Counter(cell_class(cell) for cell in result.cells)
    found = ", ".join(f"{labels[name]} {name}" for name in PALETTE if labels[name]) or "no white cell found"
    if labels["rejected"]:
        found += f": {rejection_words(result.cells)}"
    summary = found if result.status == "ok" else STATUS_WORDS[result.status]
    yield (
        f'<article class="field {result.status}" id="f{field.number}"><h4>{field.name} '
        f'<span class="summary">{text(summary)}</span></h4>'
    )
    if result.status != "ok":
        yield f'<p class="problem">{text(reason_words(result))}</p>'
    if result.quality is not None and result.quality.warnings:
        items = "".join(f"<li>{text(warning)}</li>" for warning in result.quality.warnings)
        yield f'<ul class="warnings" aria-label="Quality warnings">{items}</ul>'
    if embed:
        yield _figure(field, pictures)
    else:
        yield _anchors(field)
        overlay = pictures.overlays.get(result.image)
        if overlay is not None:
            yield f'<p class="left-out">Left out here to keep the report small: {text(f"overlays/{overlay.name}")}</p>'
    facts = _field_facts(result)
    if facts:
        yield f'<dl class="figures">{facts}</dl>'
    yield "</article>"


def _figure(field: NumberedField, pictures: Pictures) -> str:
    """The overlay; a frame lies over each candidate, which a link from a gallery lights up."""
    overlay = embedded_overlay(pictures.overlays, field.result.image)
    if overlay is None:
        return _anchors(field)
    address, width, height = overlay
    result = field.result
    # Large frames first: a small one inside stays within reach of the pointer.
    frames = "".join(_frame(field, cell) for cell in sorted(result.cells, key=lambda cell: -cell.area))
    description = text(f"Overlay of {image_file_name(result.image)}: outlines, numbers and probabilities of its cells")
    return (
        f'<figure><img src="{address}" width="{width}" height="{height}" alt="{description}">'
        f'<svg viewBox="0 0 {result.width} {result.height}">{frames}</svg></figure>'
    )


def _frame(field: NumberedField, cell: CellSummary) -> str:
    """The frame of one cell, which says what it is under the pointer."""
    margin = 6 / display_scale(field.result.width, field.result.height)
    x, y, width, height = cell.bbox
    if cell.kind == "rejected":
        words = f"{cell.id}: rejected, {cell.reason or 'no reason given'}"
    else:
        words = f"{cell.id}: {cell.label or 'not classified'}, probability {probability_words(cell)}"
        words += ", unlike training" * is_unlike(cell)
    return (
        f'<rect id="{field.anchor(cell)}" x="{x - margin:.1f}" y="{y - margin:.1f}" width="{width + 2 * margin:.1f}" '
        f'height="{height + 2 * margin:.1f}"><title>{text(words)}</title></rect>'
    )


def _anchors(field: NumberedField) -> str:
    """Where there is no picture, the links from the galleries still need somewhere to go."""
    return "".join(f'<span id="{field.anchor(cell)}"></span>' for cell in field.result.cells)


def _field_facts(result: FieldSummary) -> str:
    facts = []
    if result.width:
        facts.append(("size", f"{result.width} x {result.height} px"))
    if result.microns_per_pixel is not None:
        size = (
            f"{number_words(result.microns_per_pixel)} \u00b5m ({result.microns_per_pixel_from or 'origin not known'})"
        )
        facts.append(("size of a pixel", size))
    if result.quality is not None:
        facts += [(name.replace("_", " "), number_words(value)) for name, value in result.quality.metrics.items()]
    if result.timings_ms:
        facts.append(("time", f"{sum(result.timings_ms.values()):.0f} ms"))
    return "".join(f"<div><dt>{text(name)}</dt><dd>{text(value)}</dd></div>" for name, value in facts)
