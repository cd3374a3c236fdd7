"""Values as words, the same in the report, on the overlay and in a notebook."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any, Literal

from edge_all.classification.decision_rule import is_out_of_distribution
from edge_all.files.naming import image_file_name
from edge_all.outputs.palette import PALETTE, cell_class
from edge_all.results import CellSummary, FieldSummary
from edge_all.slides.verdict import is_rather_unlike
from edge_all.wording.language import Language

__all__ = [
    "counts_words",
    "is_unlike",
    "likeness_of",
    "likeness_words",
    "number_words",
    "probability_words",
    "reason_words",
    "rejection_words",
    "status_words",
]


def number_words(value: Any) -> str:  # noqa: ANN401 - a card holds whatever JSON can hold
    """A value of a card or of the measurements."""
    if value is None:
        return "not known"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def status_words(result: FieldSummary, say: Language) -> str:
    """What became of a field."""
    return {"ok": say("judged"), "error": say("failed"), "unusable": say("unusable")}[result.status]


def counts_words(cells: Iterable[CellSummary], say: Language) -> str:
    """How many cells of which class a field has, and why objects were rejected."""
    cells = tuple(cells)
    labels = Counter(cell_class(cell) for cell in cells)
    found = ", ".join(f"{labels[name]} {say(name)}" for name in PALETTE if labels[name])
    rejected = f": {rejection_words(cells, say)}" if labels["rejected"] else ""
    return f"{found}{rejected}" or say("no white cell found")


def reason_words(result: FieldSummary, say: Language) -> str:
    """Why a field was not judged, without the folder of its image."""
    reasons = result.quality.reasons if result.quality is not None else ()
    words = result.error or " ".join(reasons)
    return say.sentences(words.replace(result.image, image_file_name(result.image))) or say("no reason was given")


def probability_words(cell: CellSummary) -> str:
    """Two digits, and never a certainty that rounding made up."""
    if cell.probability is None:
        return "none"
    if cell.probability > 0.995:
        return ">0.99"
    if cell.probability < 0.005:
        return "<0.01"
    return f"{cell.probability:.2f}"


def is_unlike(cell: CellSummary) -> bool:
    """Whether the model has not seen such cells, so that this one is indeterminate whatever its probability."""
    return cell.out_of_distribution is not None and bool(is_out_of_distribution(cell.out_of_distribution))


def likeness_of(cell: CellSummary) -> Literal["unlike", "rather unlike", ""]:
    """Whether a cell is unlike the training cells, or rather so, as tables and overlays name it."""
    if is_unlike(cell):
        return "unlike"
    return "rather unlike" if is_rather_unlike(cell) else ""


def likeness_words(cell: CellSummary, say: Language) -> str:
    """That a cell is unlike the training cells, or rather so; empty where it is neither."""
    return {"unlike": say("unlike training"), "rather unlike": say("rather unlike training"), "": ""}[likeness_of(cell)]


def rejection_words(cells: Iterable[CellSummary], say: Language) -> str:
    """Why objects were rejected, the commonest reason first; empty where none was."""
    reasons = Counter(cell.reason for cell in cells if cell.kind == "rejected")
    return "; ".join(
        f"{say.sentence(reason) if reason else say('no reason given')} ({count})"
        for reason, count in reasons.most_common()
    )
