"""A slide's report as one HTML file: one page, then the cells. No script, nothing from elsewhere."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator
from itertools import groupby

from edge_all.outputs.report.markup import text
from edge_all.station.reports.report_words import (
    Section,
    caption,
    intended_use_words,
    notice_words,
    sections,
    title_words,
)
from edge_all.station.reports.slide_report import SlideReport
from edge_all.station.review.cells import ReviewedCell
from edge_all.wording.language import Language

__all__ = ["slide_html"]

_STYLE = """
:root { color-scheme: light dark; font: 15px/1.45 system-ui, sans-serif; }
body { max-width: 62rem; margin: 1.5rem auto; padding: 0 1rem; }
h1 { margin: 0; font-size: 1.5rem; } h2 { font-size: 1.05rem; margin: 1.1rem 0 .3rem; }
.use { font-weight: 600; border: 2px solid; padding: .35rem .6rem; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .15rem .6rem .15rem 0; border-bottom: 1px solid #8886; }
th { width: 15rem; font-weight: 500; } td { overflow-wrap: anywhere; }
.cells { display: flex; flex-wrap: wrap; gap: .5rem; }
figure { margin: 0; width: 96px; font-size: 11px; line-height: 1.25; break-inside: avoid; overflow-wrap: anywhere; }
figure img, figure div { display: block; width: 96px; height: 96px; background: #8883; }
figure div { display: grid; place-items: center; text-align: center; }
@media print { body { max-width: none; margin: 0; } h1 { break-before: avoid; } .gallery { break-before: page; } }
"""


def slide_html(report: SlideReport, cells: Iterable[tuple[ReviewedCell, bytes | None]], say: Language) -> str:
    """The report.

    Args:
        report: of the slide.
        cells: with their pictures, those that count as the same together.
        say: the language of who reads it.
    """
    return "".join(_parts(report, cells, say))


def _parts(report: SlideReport, cells: Iterable[tuple[ReviewedCell, bytes | None]], say: Language) -> Iterator[str]:
    title = text(title_words(report, say))
    said = (intended_use_words(say), notice_words(report, say))
    use = "".join(f'<p class="use">{text(one)}</p>' for one in said if one)
    yield f'<!doctype html><html lang="{say.code}"><head><meta charset="utf-8"><title>{title}</title>'
    yield '<meta name="viewport" content="width=device-width"><meta http-equiv="Content-Security-Policy" '
    yield "content=\"default-src 'none'; img-src data:; style-src 'unsafe-inline'\">"
    yield f"<style>{_STYLE}</style></head><body><h1>{title}</h1>{use}"
    for section in sections(report, say):
        yield _table(section)
    yield '<div class="gallery">'
    for label, group in groupby(cells, key=lambda one: one[0].counts_as):
        shown = list(group)
        yield f'<h2>{text(say(label))} ({len(shown)})</h2><div class="cells">'
        yield from (_figure(cell, picture, say) for cell, picture in shown)
        yield "</div>"
    yield f"</div>{use}</body></html>\n"


def _table(section: Section) -> str:
    rows = "".join(f"<tr><th scope=row>{text(name)}</th><td>{text(value)}</td></tr>" for name, value in section.rows)
    return f"<h2>{text(section.title)}</h2><table>{rows}</table>"


def _figure(cell: ReviewedCell, picture: bytes | None, say: Language) -> str:
    words = text(caption(cell, say))
    if picture is None:
        shown = f"<div>{text(say('no image'))}</div>"
    else:
        shown = f'<img alt="" src="data:image/jpeg;base64,{base64.b64encode(picture).decode()}">'
    comments = "".join(f"<br>{text(one.actor)}: {text(one.text)}" for one in cell.comments)
    return f"<figure>{shown}<figcaption>{words}{comments}</figcaption></figure>"
