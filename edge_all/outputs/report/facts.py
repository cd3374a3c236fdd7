"""Names and values as they stand in a record, nested as they are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edge_all.model.figures import with_interval
from edge_all.outputs.report.markup import text
from edge_all.outputs.result_words import number_words

__all__ = ["facts"]


def facts(record: Mapping[str, Any]) -> str:
    """A record as a list of names and values."""
    rows = "".join(
        f"<dt>{text(str(name).replace('_', ' '))}</dt><dd>{_value(value)}</dd>" for name, value in record.items()
    )
    return f'<dl class="record">{rows}</dl>'


def _value(value: Any) -> str:  # noqa: ANN401 - a card holds whatever JSON can hold
    figure = with_interval(value)
    if figure is not None:
        return text("{} ({} to {})".format(*map(number_words, figure)))
    if isinstance(value, Mapping):
        return facts(value)
    if isinstance(value, list | tuple):
        if len(value) == 2 and all(isinstance(bound, float) for bound in value):
            return f"{number_words(value[0])} to {number_words(value[1])}"
        if any(isinstance(item, Mapping) for item in value):
            return "".join(_value(item) for item in value)
        return text(", ".join(number_words(item) for item in value))
    return text(number_words(value))
