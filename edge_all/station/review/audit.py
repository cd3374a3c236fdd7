"""The whole proof of a store: its file, its chain, and that the index of decisions is what the events say."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from edge_all.station.review.decisions import decisions_of_slide, replayed
from edge_all.station.storage.backup import examine_store
from edge_all.station.storage.chain import ChainReport, events_of_slide
from edge_all.station.storage.database import reading
from edge_all.station.storage.slide_records import all_slides

__all__ = ["audit_store"]


def audit_store(file: Path, *, containing: str | None = None) -> ChainReport:
    """Look through a store, also while a station works with it.

    Args:
        file: the SQLite file.
        containing: a hash that was noted down, which must be in its chain.

    Raises:
        StoreError: there is none; damaged, or of a newer version.
    """
    report = examine_store(file, containing=containing)
    if report.problem is not None:
        return report
    with reading(file) as connection:
        for slide in all_slides(connection):
            said = replayed(events_of_slide(connection, slide.id))
            if said != decisions_of_slide(connection, slide.id):
                problem = f"what is in force on slide {slide.code} is not what the events say"
                return dataclasses.replace(report, problem=problem)
    return report
