"""Which laboratories labelled cells come from, and how one is left out."""

from __future__ import annotations

from collections.abc import Sequence

from edge_all.errors import UsageError
from edge_all.wording.laboratories import laboratory_name
from edge_all_export.datasets.samples import ALL, NON_ALL, Sample

__all__ = ["LEFT_OUT", "laboratories_of", "without_laboratory"]

LEFT_OUT = "left_out"
"""Entry of a card's training that names the laboratory which the run never saw."""
_NAMES = {ALL: "ALL", NON_ALL: "non-ALL"}


def laboratories_of(samples: Sequence[Sample]) -> tuple[str, ...]:
    """The names of the laboratories, sorted."""
    return tuple(sorted({sample.laboratory for sample in samples}))


def without_laboratory(samples: Sequence[Sample], laboratory: str) -> tuple[Sample, ...]:
    """The cells of all other laboratories.

    Args:
        samples: labelled cells.
        laboratory: to leave out.

    Raises:
        UsageError: there is no such laboratory, or it alone has cells of a class, so that nothing could be learned
            without it.
    """
    known = laboratories_of(samples)
    if laboratory not in known:
        raise UsageError(f"No cell is of a laboratory {laboratory!r}.", f"There are: {', '.join(known)}.")
    rest = tuple(sample for sample in samples if sample.laboratory != laboratory)
    for label, name in _NAMES.items():
        if all(sample.label != label for sample in rest):
            raise UsageError(
                f"{laboratory_name(laboratory)} is the only laboratory with {name} cells: without it there is "
                "nothing to learn from.",
                f"Add a laboratory with {name} cells, or leave out another one.",
            )
    return rest
