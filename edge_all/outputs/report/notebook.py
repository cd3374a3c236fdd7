"""One field for a notebook, in HTML that holds its picture."""

from __future__ import annotations

import base64

from edge_all.outputs.pictures import jpeg_bytes
from edge_all.outputs.report.markup import named, text
from edge_all.outputs.result_words import counts_words, reason_words, status_words
from edge_all.results import INTENDED_USE, FieldSummary, RgbImage
from edge_all.wording.language import language_of_environment

__all__ = ["field_html"]

JPEG_QUALITY = 85


def field_html(field: FieldSummary, overlay: RgbImage | None) -> str:
    """The overlay, and in words what was found; a notebook holds it without a file beside it.

    Args:
        field: the field.
        overlay: `edge_all.outputs.overlay.draw_overlay` of it, which carries the intended use; None where it could not
            be read.
    """
    say = language_of_environment()
    found = counts_words(field.cells, say)
    if field.status != "ok":
        found = f"{status_words(field, say)}: {reason_words(field, say)}"
    words = f"<p><strong>{named(field.image)}</strong>: {text(found)}</p>"
    if overlay is None:
        return f"<div>{words}<p>{text(INTENDED_USE)}</p></div>"
    picture = base64.b64encode(jpeg_bytes(overlay, JPEG_QUALITY)).decode("ascii")
    return (
        f'<figure>{words}<img style="max-width: 100%" alt="The field with its cells drawn in" '
        f'src="data:image/jpeg;base64,{picture}"></figure>'
    )
