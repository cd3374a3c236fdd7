"""``slides.json``: the verdict of each slide, with what it rests on."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from edge_all import __version__
from edge_all.files.atomic import write_atomically
from edge_all.outputs.json_text import json_text
from edge_all.results import INTENDED_USE, FieldSummary, SlideResult

__all__ = ["slides_document", "write_slides"]


def slides_document(
    slides: Sequence[SlideResult],
    fields: Iterable[FieldSummary],
    passed_over: Sequence[Path] = (),
    notice: str | None = None,
) -> dict[str, Any]:
    """The slides and what judged them, as JSON-ready values.

    Args:
        slides: the slides, in the order in which they are to appear.
        fields: their fields; the models, execution providers, sizes of a pixel and notes are taken from them.
        passed_over: as of `edge_all.outputs.run_summary.RunSummary`.
        notice: what everyone who sees the results must be told.

    Returns:
        ``intended_use``, ``notice`` (null for none), ``edge_all_version``, ``models`` and ``providers`` (one each,
        unless a run was resumed with another model or device), ``passed_over``, and ``slides``, each with
        ``pixel_sizes`` (``microns_per_pixel``, where it is ``from``, and of how many ``fields``)
        and ``field_warnings`` (what is said of how many).
    """
    fields = tuple(fields)
    models = dict.fromkeys(field.model for field in fields if field.model is not None)
    providers = dict.fromkeys(field.provider for field in fields if field.provider is not None)
    return {
        "intended_use": INTENDED_USE,
        "notice": notice,
        "edge_all_version": __version__,
        "models": [dataclasses.asdict(model) for model in models],
        "providers": [dataclasses.asdict(provider) for provider in providers],
        "passed_over": [str(path) for path in passed_over],
        "slides": [
            slide.to_json() | _of_fields([one for one in fields if one.slide == slide.slide]) for slide in slides
        ],
    }


def _of_fields(fields: Sequence[FieldSummary]) -> dict[str, Any]:
    """What is said of a slide's fields, counted."""
    sizes = Counter((one.microns_per_pixel, one.microns_per_pixel_from) for one in fields if one.status == "ok")
    warnings = Counter(words for one in fields if one.quality is not None for words in one.quality.warnings)
    return {
        "pixel_sizes": [
            {"microns_per_pixel": microns, "from": origin, "fields": count}
            for (microns, origin), count in sizes.most_common()
        ],
        "field_warnings": [{"warning": words, "fields": count} for words, count in warnings.most_common()],
    }


def write_slides(
    path: Path,
    slides: Sequence[SlideResult],
    fields: Iterable[FieldSummary],
    passed_over: Sequence[Path] = (),
    notice: str | None = None,
) -> None:
    """Write `slides_document` to a file.

    Raises:
        OutputError: the file cannot be written.
    """
    write_atomically(
        path, (json_text(slides_document(slides, fields, passed_over, notice), indent=2) + "\n").encode("ascii")
    )
