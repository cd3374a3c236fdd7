"""Values as words, the same in the report, on the overlay and in a notebook."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from edge_all.classification.decision_rule import is_out_of_distribution
from edge_all.files.naming import image_file_name
from edge_all.results import CellSummary, FieldSummary

__all__ = [
    "STATUS_WORDS",
    "counted",
    "is_unlike",
    "number_words",
    "probability_words",
    "reason_words",
    "rejection_words",
]

STATUS_WORDS = {"ok": "judged", "error": "failed", "unusable": "unusable"}


def number_words(value: Any) -> str:  # noqa: ANN401 - a card holds whatever JSON can hold
    """A value of a card or of the measurements."""
    if value is None:
        return "not known"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def reason_words(result: FieldSummary) -> str:
    """Why a field was not judged, without the folder of its image."""
    reasons = result.quality.reasons if result.quality is not None else ()
    words = result.error or " ".join(reasons) or "no reason was given"
    return words.replace(result.image, image_file_name(result.image))


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
    """Whether the model has not seen such cells."""
    return cell.out_of_distribution is not None and bool(is_out_of_distribution(cell.out_of_distribution))


def rejection_words(cells: Iterable[CellSummary]) -> str:
    """Why objects were rejected, the commonest reason first; empty where none was."""
    reasons = Counter(cell.reason or "no reason given" for cell in cells if cell.kind == "rejected")
    return "; ".join(f"{reason} ({count})" for reason, count in reasons.most_common())


def counted(number: int, noun: str) -> str:
    """A number of things."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
