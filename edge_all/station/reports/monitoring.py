"""Is the station still what it was? Counts, stain and agreement week by week, held against the model's card.

Two references: what the model's card says of its test cells, and the station's own first weeks with enough fields. A
change is said only where chance does not explain it. Rendered slides, of the demonstration, are
shown and compared with nothing.
"""

from __future__ import annotations

import json
import sqlite3
import statistics
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from edge_all.model.figures import variant_figures
from edge_all.slides.verdict import SLIDE_LIMIT, UNKNOWN_SHARE, wilson_interval
from edge_all.station.desk import Station
from edge_all.station.review.tally import Agreement, Tally, merged
from edge_all.wording.percentages import percent, percent_range

__all__ = ["Monitoring", "Week", "monitor"]

FEWEST_FIELDS = 20
"""Fields of a week under which its stain is compared with nothing: the median of so few wanders by itself."""
DEVIATIONS = 4.0
"""Median absolute deviations of the first week's fields by which a later median has to differ. In normal noise one
field in 140 lies beyond, and the median of 20 fields practically never."""
_RENDERED = (
    "There are slides here that edge-all has rendered itself. They are compared with nothing, for they say nothing "
    "about a laboratory's stain, lamp or camera."
)
_METRICS = ("stain", "cast", "exposure", "edge_width")
"""Of `edge_all.quality`: how strong the nuclei are stained, the tint of the glass, the light, and the sharpness."""


@dataclass(frozen=True, slots=True)
class Week:
    """What came in one week.

    Attributes:
        begins: its Monday.
        fields: number of fields by status.
        cells: number of cells by what the software called them.
        unlike: of them, those rather unlike what the model has learned.
        metrics: the median of each measure of quality over the fields that were judged.
        signed: slides that were signed, by the last signature.
        agreement: of software and readers on these slides; None where none was signed.
        settled: cells on these slides that the software had left undecided, and that a person has decided.
        seen_only: cells on them that the software judged and that a person has looked at, but not decided.
    """

    begins: date
    fields: Mapping[str, int]
    cells: Mapping[str, int]
    unlike: int
    metrics: Mapping[str, float]
    signed: int
    agreement: Agreement | None
    settled: int
    seen_only: int

    @property
    def judged(self) -> int:
        """Cells that the software judged."""
        return sum(self.cells.values())


@dataclass(frozen=True, slots=True)
class Monitoring:
    """The weeks of a station, and what has changed.

    Attributes:
        weeks: those in which something came, the first one first.
        notices: what has changed in the last one, a sentence each, and first that rendered slides are compared with
            nothing; empty where there is nothing to say.
    """

    weeks: tuple[Week, ...]
    notices: tuple[str, ...]


@dataclass(slots=True)
class _Sum:
    """A week while it is added up."""

    fields: Counter[str] = field(default_factory=Counter)
    cells: Counter[str] = field(default_factory=Counter)
    unlike: int = 0
    metrics: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    signed: list[Tally] = field(default_factory=list)


_Sums = defaultdict[date, _Sum]


def monitor(station: Station) -> Monitoring:
    """Look over all that a station has judged and signed.

    Args:
        station: its store.
    """
    everything: _Sums = defaultdict(_Sum)
    compared: _Sums = defaultdict(_Sum)
    with station.database.read() as connection:
        rendered = connection.execute("SELECT 1 FROM slides WHERE synthetic").fetchone() is not None
        _add_findings(connection, lambda synthetic: (everything,) if synthetic else (everything, compared))
        tested = _last_test_figures(connection)
    notices = [_RENDERED] if rendered else []
    if compared:
        last = max(compared)
        notices += _against_card(_week(last, compared[last]), tested)
        notices += _against_first([compared[begins] for begins in sorted(compared)])
    for _, view in station.signed_reviews():
        if view.state.signature is not None:
            everything[_monday(view.state.signature.at)].signed.append(view.tally)
    return Monitoring(tuple(_week(begins, everything[begins]) for begins in sorted(everything)), tuple(notices))


def _add_findings(connection: sqlite3.Connection, sums_of: Callable[[bool], Iterable[_Sums]]) -> None:
    """Add each finding to the sums that it belongs to, being of a synthetic slide or not."""
    fields = connection.execute(
        "SELECT judged_at, status, result, synthetic FROM findings"
        " JOIN fields ON fields.id = field_id JOIN slides ON slides.id = slide_id"
    )
    for row in fields:
        quality = json.loads(row["result"]).get("quality")
        for sums in sums_of(bool(row["synthetic"])):
            week = sums[_monday(row["judged_at"])]
            week.fields[row["status"]] += 1
            if row["status"] == "ok" and quality is not None:
                for name in _METRICS:
                    if name in quality["metrics"]:
                        week.metrics[name].append(quality["metrics"][name])
    cells = connection.execute(
        "SELECT judged_at, synthetic, json_extract(record, '$.label') AS label, count(*) AS number,"
        " sum(coalesce(json_extract(record, '$.out_of_distribution') > ?, 0)) AS unlike"
        " FROM cells JOIN findings ON findings.id = finding_id"
        " JOIN fields ON fields.id = field_id JOIN slides ON slides.id = slide_id"
        " WHERE label IS NOT NULL GROUP BY finding_id, label",
        (SLIDE_LIMIT,),
    )
    for row in cells:
        for sums in sums_of(bool(row["synthetic"])):
            week = sums[_monday(row["judged_at"])]
            week.cells[row["label"]] += row["number"]
            week.unlike += row["unlike"]


def _last_test_figures(connection: sqlite3.Connection) -> Mapping[str, Any]:
    """What the card of the latest model says of the variant that judges here."""
    row = connection.execute("SELECT identity, card FROM models ORDER BY id DESC LIMIT 1").fetchone()
    return {} if row is None else variant_figures(json.loads(row["card"]), json.loads(row["identity"])["variant"])


def _week(begins: date, one: _Sum) -> Week:
    return Week(
        begins,
        dict(one.fields),
        dict(one.cells),
        one.unlike,
        {name: statistics.median(values) for name, values in one.metrics.items()},
        len(one.signed),
        merged(tally.agreement for tally in one.signed) if one.signed else None,
        sum(tally.settled for tally in one.signed),
        sum(tally.seen_only for tally in one.signed),
    )


def _against_card(last: Week, tested: Mapping[str, Any]) -> Iterable[str]:
    """What of the last week is not as with the cells that the model was tested on."""
    if not last.judged:
        return
    figures = tested.get("indeterminate")
    unsure = last.cells.get("indeterminate", 0)
    low, high = wilson_interval(unsure, last.judged)
    if figures is not None and low > figures["high"]:
        yield (
            f"More cells are indeterminate than the model's test cells were: {percent_range(low, high)} this week "
            f"({unsure} of {last.judged}), {percent_range(figures['low'], figures['high'])} then. "
            "Look at stain and focus; a model adapted to this laboratory may be needed."
        )
    if wilson_interval(last.unlike, last.judged)[0] > UNKNOWN_SHARE:
        yield (
            f"Most cells of this week ({percent(last.unlike / last.judged)}) look rather unlike those that the model "
            "has learned. Do not rely on it for this stain or camera."
        )


def _against_first(weeks: Sequence[_Sum]) -> Iterable[str]:
    """Which measures of the last week's fields are not as in the first week with enough of them."""
    for name in _METRICS:
        enough = [one.metrics[name] for one in weeks if len(one.metrics[name]) >= FEWEST_FIELDS]
        if len(enough) < 2 or weeks[-1].metrics[name] is not enough[-1]:
            continue
        first, last = enough[0], enough[-1]
        usual = statistics.median(first)
        deviation = statistics.median(abs(value - usual) for value in first)
        now = statistics.median(last)
        if abs(now - usual) > DEVIATIONS * max(deviation, 1e-6):
            yield (
                f"The fields' {name.replace('_', ' ')} has changed: {now:.3g} this week, {usual:.3g} in the first "
                "week. Look at the stain, the lamp and the camera's settings."
            )


def _monday(at: str) -> date:
    day = datetime.fromisoformat(at).date()
    return day - timedelta(days=day.weekday())
