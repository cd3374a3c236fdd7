"""The outcome of all changes as two tables, for the terminal and for the documentation."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from edge_all_export.robustness.measuring import ChangeOutcome

__all__ = ["HEADINGS", "PATIENT_HEADINGS", "markdown_table", "patient_row", "row_of"]

HEADINGS = ("change", "cells", "lost / new", "labels", "negated", "ALL", "said", "patients", "healthy")
"""Of each column: what was changed; cells in view; of these lost, and new ones; labels changed, and of these
from ALL to non-ALL; cells called ALL afterwards; fields that are unusable or bear a new warning; either slide's
verdict."""
PATIENT_HEADINGS = ("change", "cells", "lost / new", "labels", "ALL", "goal")
"""The same of the patients' fields alone, and whether the goal is met."""
ONE_IN = 30
"""At most one cell in so many is to be lost or new, and at most one label in so many changed."""


def row_of(outcome: ChangeOutcome) -> tuple[str, ...]:
    """One line, by `HEADINGS`."""
    survivals = outcome.survivals
    return (
        _name(outcome),
        str(sum(one.cells for one in survivals)),
        f"{sum(one.lost for one in survivals)} / {sum(one.new for one in survivals)}",
        str(sum(one.relabelled for one in survivals)),
        str(sum(one.negated for one in survivals)),
        str(sum(one.all_cells for one in survivals)),
        f"{sum(outcome.said)} of {len(outcome.said)}",
        outcome.verdicts["patients"],
        outcome.verdicts["healthy"],
    )


def patient_row(outcome: ChangeOutcome) -> tuple[str, ...]:
    """One line, by `PATIENT_HEADINGS`."""
    fields = [
        (one, said)
        for one, slide, said in zip(outcome.survivals, outcome.slides, outcome.said, strict=True)
        if slide == "patients"
    ]
    cells = sum(one.cells for one, _ in fields)
    lost, new, labels = (sum(getattr(one, name) for one, _ in fields) for name in ("lost", "new", "relabelled"))
    if ONE_IN * max(lost + new, labels) <= cells:
        goal = "met"
    elif not outcome.change.mild and all(said for one, said in fields if one.lost + one.new + one.relabelled):
        # Beyond what a field has to bear, it is enough that it says so.
        goal = "said"
    else:
        goal = "missed"
    return (
        _name(outcome),
        str(cells),
        f"{lost} / {new}",
        str(labels),
        str(sum(one.all_cells for one, _ in fields)),
        goal,
    )


def markdown_table(
    outcomes: Sequence[ChangeOutcome],
    headings: Sequence[str] = HEADINGS,
    row: Callable[[ChangeOutcome], tuple[str, ...]] = row_of,
) -> str:
    """All lines as a table in Markdown."""
    lines = [headings, ("---",) * len(headings), *(row(outcome) for outcome in outcomes)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def _name(outcome: ChangeOutcome) -> str:
    return f"{outcome.change.kind}, {outcome.change.name}".rstrip(", ")
