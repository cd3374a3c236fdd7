"""``slides.json``: the verdict of each slide, with what it rests on."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from edge_all import __version__
from edge_all.files.atomic import write_atomically
from edge_all.outputs.json_text import json_text
from edge_all.results import INTENDED_USE, FieldSummary, SlideResult

__all__ = ["slides_document", "write_slides"]


def slides_document(slides: Sequence[SlideResult], fields: Iterable[FieldSummary]) -> dict[str, Any]:
    """The slides and what judged them, as JSON-ready values.

    Args:
        slides: the slides, in the order in which they are to appear.
        fields: their fields; only the models and execution providers are taken from them.

    Returns:
        ``intended_use``, ``edge_all_version``, ``models`` and ``providers`` (one each, unless a run was resumed with
        another model or device), and ``slides``.
    """
    fields = tuple(fields)
    models = dict.fromkeys(field.model for field in fields if field.model is not None)
    providers = dict.fromkeys(field.provider for field in fields if field.provider is not None)
    return {
        "intended_use": INTENDED_USE,
        "edge_all_version": __version__,
        "models": [dataclasses.asdict(model) for model in models],
        "providers": [dataclasses.asdict(provider) for provider in providers],
        "slides": [slide.to_json() for slide in slides],
    }


def write_slides(path: Path, slides: Sequence[SlideResult], fields: Iterable[FieldSummary]) -> None:
    """Write `slides_document` to a file.

    Raises:
        OutputError: the file cannot be written.
    """
    write_atomically(path, (json_text(slides_document(slides, fields), indent=2) + "\n").encode("ascii"))
