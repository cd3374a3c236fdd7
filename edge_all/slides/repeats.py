"""Fields of a slide that show the same picture as one before: copies, turned or not, brighter or saved again.

The cells of a slide are counted as independent draws, so that a field that was copied into its folder twice would make
its verdict surer than it is.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

import numpy as np

from edge_all.imaging.fingerprints import SAME, from_text, least_distances, packed
from edge_all.results import FieldSummary

__all__ = ["SeenFields", "repeated_fields"]


class SeenFields:
    """The pictures of each slide so far."""

    def __init__(self) -> None:
        self._images: defaultdict[str, list[str]] = defaultdict(list)
        self._hashes: defaultdict[str, list[np.ndarray[tuple[int], np.dtype[np.uint64]]]] = defaultdict(list)

    def first_of(self, field: FieldSummary) -> str | None:
        """The image of the same slide that showed the same picture before; None where this one is the first.

        Only fields that were judged are compared.
        """
        if field.status != "ok" or field.fingerprint is None:
            return None
        square = from_text(field.fingerprint)
        known = self._hashes[field.slide]
        if known:
            distances = least_distances(np.stack(known), square)
            nearest = int(distances.argmin())
            if distances[nearest] <= SAME:
                return self._images[field.slide][nearest]
        known.append(packed(square))
        self._images[field.slide].append(field.image)
        return None


def repeated_fields(fields: Iterable[FieldSummary]) -> dict[str, str]:
    """By image, which image of its slide each repeated field shows again; fields in the order of the run."""
    seen = SeenFields()
    return {field.image: first for field in fields if (first := seen.first_of(field)) is not None}
