"""A station in figures for Prometheus; extra ``station``.

The form: https://prometheus.io/docs/instrumenting/exposition_formats/. No name, path or code of a slide is among them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING

from edge_all import __version__
from edge_all.errors import MissingPackageError
from edge_all.station.desk import Station
from edge_all.station.reports.monitoring import monitor
from edge_all.wording.extras import install_words

if TYPE_CHECKING:
    from prometheus_client.core import GaugeMetricFamily

__all__ = ["metrics_text"]


def metrics_text(station: Station) -> bytes:
    """All figures as the text that Prometheus reads.

    Args:
        station: its store.

    Raises:
        MissingPackageError: prometheus-client is not installed.
    """
    try:
        from prometheus_client import CollectorRegistry, generate_latest
    except ImportError as error:
        raise MissingPackageError(
            "Figures for Prometheus need prometheus-client, which is not installed.",
            f"Run, {install_words('station')}.",
        ) from error

    class Figures:
        def collect(self) -> Iterator[GaugeMetricFamily]:
            return _figures(station)

    registry = CollectorRegistry()
    registry.register(Figures())
    return generate_latest(registry)


def _figures(station: Station) -> Iterator[GaugeMetricFamily]:
    from prometheus_client.core import GaugeMetricFamily

    def labelled(name: str, what: str, label: str, values: dict[str, float]) -> GaugeMetricFamily:
        family = GaugeMetricFamily(f"edge_all_{name}", what, labels=[label])
        for key, value in sorted(values.items()):
            family.add_metric([key], value)
        return family

    yield labelled("version", "The version of edge-all.", "version", {__version__: 1})
    queue = station.queue()
    waiting = {"waiting": queue.waiting, "leased": queue.leased, "done": queue.done, "dead": len(queue.dead)}
    yield labelled("images", "Images by where they are in the queue.", "state", dict(waiting))
    stages = Counter("two others" if one.state is None else one.state.stage for one in station.slides("Prometheus"))
    yield labelled("slides", "Slides by how far their review is.", "stage", dict(stages))
    found = monitor(station)
    fields: Counter[str] = Counter()
    cells: Counter[str] = Counter()
    for week in found.weeks:
        fields.update(week.fields)
        cells.update(week.cells)
    yield labelled("fields", "Fields by status.", "status", dict(fields))
    yield labelled("cells", "Cells by what the software called them.", "label", dict(cells))
    yield GaugeMetricFamily("edge_all_notices", "Things that have changed this week.", value=len(found.notices))
    if found.weeks:
        last = found.weeks[-1]
        share = last.unlike / last.judged if last.judged else 0.0
        yield GaugeMetricFamily("edge_all_unlike_share", "Share of cells unlike the model's, this week.", value=share)
        yield labelled("quality", "Median of the fields of this week.", "measure", dict(last.metrics))
        if last.agreement is not None and last.agreement.kappa is not None:
            kappa = last.agreement.kappa
            yield GaugeMetricFamily("edge_all_agreement_kappa", "Software and readers, this week.", value=kappa)
    event = station.last_event()
    if event is not None:
        at = datetime.fromisoformat(event.at).timestamp()
        yield GaugeMetricFamily("edge_all_last_event_seconds", "When something happened last.", value=at)
    yield GaugeMetricFamily("edge_all_store_bytes", "Size of the store.", value=station.database.file.stat().st_size)
