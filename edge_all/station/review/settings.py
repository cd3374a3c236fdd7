"""How a laboratory wants its station; changed by events like everything else, so that each report can say what held."""

from __future__ import annotations

import dataclasses
import json
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from edge_all.errors import InputError, UsageError
from edge_all.station.review.kinds import DEFAULT_KINDS, CountsAs, Kind
from edge_all.station.storage.chain import append_event, events_of_kind

__all__ = [
    "StationSettings",
    "change_settings",
    "changed_settings",
    "read_kinds",
    "reader_changes",
    "settings_in_force",
]

_CHANGED = "settings.changed"


@dataclass(frozen=True, slots=True)
class StationSettings:
    """What a laboratory decides about its station.

    Attributes:
        kinds: what a person may call a cell.
        second_reader: whether each slide is read by two people, neither of whom sees what the other decides before both
            have signed; a slide that was signed before this was set keeps the readers that it had.
        forget_names_after_days: after so many days since it was signed, the name of a slide and the paths of its images
            are forgotten; None: never, until somebody sets it.

    Raises:
        UsageError: kinds without which nobody can decide, or that share a name or a key; no number of days.
    """

    kinds: tuple[Kind, ...] = DEFAULT_KINDS
    second_reader: bool = False
    forget_names_after_days: int | None = None

    def __post_init__(self) -> None:
        if not all(isinstance(value, str) for kind in self.kinds for value in (kind.name, kind.counts_as, kind.key)):
            raise UsageError("A kind has a name, a label or a key that is no text.", "Write all three as text.")
        names = [kind.name.strip().casefold() for kind in self.kinds]
        keys = [kind.key.casefold() for kind in self.kinds]
        missing = {"ALL", "non-ALL", "indeterminate"} - {kind.counts_as for kind in self.kinds}
        if missing:
            raise UsageError(f"No kind counts as {min(missing)}.", "Name at least one kind for each label.")
        if not all(names) or len(set(names)) < len(names) or any(len(key) != 1 for key in keys):
            raise UsageError("The kinds have no names of their own, or no key of one letter.", "Name each differently.")
        if len(set(keys)) < len(keys):
            raise UsageError("Two kinds have the same key.", "Give each kind a key of its own.")
        if any(kind.counts_as not in get_args(CountsAs) for kind in self.kinds):
            raise UsageError("A kind counts as nothing known.", f"Choose one of: {', '.join(get_args(CountsAs))}.")
        if self.forget_names_after_days is not None and self.forget_names_after_days < 1:
            raise UsageError("Names cannot be forgotten after less than a day.", "Give a number of days from 1.")

    def to_json(self) -> dict[str, Any]:
        """The settings as JSON-ready values."""
        return dataclasses.asdict(self)

    def kind(self, name: str) -> Kind:
        """The kind of a name.

        Raises:
            UsageError: there is none.
        """
        for kind in self.kinds:
            if kind.name == name:
                return kind
        raise UsageError(f"There is no kind {name!r}.", f"Choose one of: {', '.join(one.name for one in self.kinds)}.")


def settings_in_force(connection: sqlite3.Connection) -> StationSettings:
    """What holds now; the usual where nobody has set anything."""
    events = events_of_kind(connection, _CHANGED)
    if not events:
        return StationSettings()
    record = dict(events[-1].payload)
    return StationSettings(**{**record, "kinds": tuple(Kind(**kind) for kind in record["kinds"])})


def reader_changes(connection: sqlite3.Connection) -> tuple[tuple[int, bool], ...]:
    """Since when each slide was to be read by two people, and since when by one: numbers of events, in their order."""
    return tuple((event.seq, event.payload["second_reader"]) for event in events_of_kind(connection, _CHANGED))


def change_settings(connection: sqlite3.Connection, settings: StationSettings, actor: str) -> None:
    """Let other settings hold from now on."""
    append_event(connection, _CHANGED, actor, settings.to_json())


def changed_settings(
    before: StationSettings,
    *,
    kinds: tuple[Kind, ...] | None = None,
    second_reader: bool | None = None,
    forget_names_after_days: int | None = None,
) -> StationSettings:
    """Settings with some of them changed; None leaves one as it is.

    Args:
        before: as they were.
        kinds: see `StationSettings`.
        second_reader: see `StationSettings`.
        forget_names_after_days: see `StationSettings`; 0 for never.

    Raises:
        UsageError: as of `StationSettings`.
    """
    days = before.forget_names_after_days if forget_names_after_days is None else forget_names_after_days or None
    return StationSettings(
        before.kinds if kinds is None else kinds,
        before.second_reader if second_reader is None else second_reader,
        days,
    )


def read_kinds(file: Path) -> tuple[Kind, ...]:
    """The kinds in a JSON file: a list of objects with ``name``, ``counts_as`` and ``key``, or settings that have one.

    Raises:
        InputError: the file cannot be read, or holds no kinds.
    """
    try:
        record = json.loads(file.read_text("utf-8"))
        return tuple(Kind(**one) for one in (record["kinds"] if isinstance(record, dict) else record))
    except OSError as error:
        raise InputError(f"{file} cannot be read ({error.strerror or error}).", "Name a JSON file.") from error
    except (ValueError, TypeError, KeyError) as error:
        raise InputError(
            f"{file} holds no kinds of cells ({error}).",
            "Begin with what `edge-all store settings` prints, and change that.",
        ) from error
