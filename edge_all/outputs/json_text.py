"""JSON that every reader accepts."""

from __future__ import annotations

import json
import math
from typing import Any

__all__ = ["json_text"]


def json_text(record: Any, *, indent: int | None = None) -> str:  # noqa: ANN401 - whatever JSON can hold
    """A record as strict JSON in ASCII.

    Python would write ``NaN`` and ``Infinity``, which JSON does not have and other readers refuse; they become
    ``null``. ASCII keeps file names whose bytes are no valid text readable and restorable.
    """
    separators = None if indent else (",", ":")
    try:
        return json.dumps(record, indent=indent, allow_nan=False, separators=separators)
    except ValueError:
        # Rare, and looking for it beforehand took five times as long as writing.
        return json.dumps(_finite(record), indent=indent, allow_nan=False, separators=separators)


def _finite(value: Any) -> Any:  # noqa: ANN401 - walks whatever JSON can hold
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value
