"""What the software found: fields, findings and their cells, written once and read often.

A field that was taken again under its name is a further field at the same place of the slide, and one that is judged
again gets a further finding. The newest of each is in force; nothing older is lost.
"""

from __future__ import annotations

import dataclasses
import json
import sqlite3
from dataclasses import dataclass
from typing import Any

from edge_all.model.card import Thresholds
from edge_all.results import Cell, CellSummary, FieldResult, FieldSummary, ModelIdentity
from edge_all.station.storage.chain import FIELD_JUDGED, append_event, canonical_json, finding_hash, now

__all__ = [
    "CurrentField",
    "FoundField",
    "ImageFile",
    "JudgingModel",
    "current_fields",
    "found_field",
    "is_judged",
    "judging_model",
    "model_number",
    "outlines",
    "record_finding",
    "whole_cells",
]

_SUMMARY = frozenset(one.name for one in dataclasses.fields(CellSummary))
_NAMES = ("image", "slide")
"""Of a result, what names it; kept out of what the chain vouches for."""


@dataclass(frozen=True, slots=True)
class JudgingModel:
    """What decided.

    Attributes:
        identity: which network.
        thresholds: by which it decided, and its false-positive rate.
        card: what its package says about itself.
    """

    identity: ModelIdentity
    thresholds: Thresholds
    card: dict[str, Any]


@dataclass(frozen=True, slots=True)
class ImageFile:
    """An image of a slide.

    Attributes:
        slide_id: of which slide.
        path: where it lies.
        page: of a file with several pictures, from 1; else 0.
        content_sha256: of the file's bytes; None where it could not be read.
    """

    slide_id: int
    path: str
    page: int
    content_sha256: str | None


@dataclass(frozen=True, slots=True)
class CurrentField:
    """The field in force at one place of a slide.

    Attributes:
        field_id, finding_id: in the store; the newest of each.
        slide_id: of which slide.
        place: number of the field on its slide, from 1.
        path: where its image lies; None where that was forgotten.
        page: of a file with several pictures, from 1; else 0.
        content_sha256: of the image's bytes when it was judged; None where it could not be read.
        retaken: how many earlier fields of this place there are.
    """

    field_id: int
    finding_id: int
    slide_id: int
    place: int
    path: str | None
    page: int
    content_sha256: str | None
    retaken: int


@dataclass(frozen=True, slots=True)
class FoundField:
    """What was found in a field.

    Attributes:
        finding_id: in the store.
        judged_at: UTC, ISO 8601.
        model_id: in the store; None where nothing was judged.
        summary: the field as a result; its image is called ``field 3`` after its place, its slide by the code.
    """

    finding_id: int
    judged_at: str
    model_id: int | None
    summary: FieldSummary


def record_finding(
    connection: sqlite3.Connection, file: ImageFile, result: FieldResult, model: JudgingModel, actor: str = "edge-all"
) -> int:
    """Write down what was found in an image, with the event that vouches for it.

    Args:
        connection: of `Database.write`.
        file: the image.
        result: what was found.
        model: that judged, where the result has one.
        actor: who brought it in.

    Returns:
        Number of the field.
    """
    field_id, place = _field_for(connection, file)
    model_id = None if result.model is None else _model_id(connection, model)
    record = result.to_json()
    for name in (*_NAMES, "cells", "model", "status", "error"):
        del record[name]
    cursor = connection.execute(
        "INSERT INTO findings (field_id, model_id, judged_at, status, error, result) VALUES (?, ?, ?, ?, ?, ?)",
        (field_id, model_id, now(), result.status, result.error, canonical_json(record)),
    )
    finding_id = int(cursor.lastrowid or 0)
    connection.executemany(
        "INSERT INTO cells VALUES (?, ?, ?, ?)", [(finding_id, cell.id, *_cell_texts(cell)) for cell in result.cells]
    )
    payload = {
        "finding": finding_id,
        "finding_sha256": finding_hash(connection, finding_id),
        "field": field_id,
        "place": place,
        "status": result.status,
        "cells": len(result.cells),
    }
    append_event(connection, FIELD_JUDGED, actor, payload, slide_id=file.slide_id)
    return field_id


def is_judged(connection: sqlite3.Connection, file: ImageFile, model: ModelIdentity) -> bool:
    """Whether these very bytes are the image in force at their place, and this model has judged them."""
    newest = _newest_at(connection, file)
    if newest is None or newest["content_sha256"] != file.content_sha256:
        return False
    row = connection.execute(
        "SELECT identity, status FROM findings LEFT JOIN models ON models.id = model_id WHERE field_id = ?"
        " ORDER BY findings.id DESC LIMIT 1",
        (newest["id"],),
    ).fetchone()
    # An image that is not fit to be judged has no model, and will not be fit the next time.
    return row is not None and (row["status"] == "unusable" or row["identity"] == _identity_text(model))


def current_fields(connection: sqlite3.Connection, slide_id: int) -> list[CurrentField]:
    """The fields of a slide that are in force, in the order of their places."""
    rows = connection.execute(
        "SELECT max(fields.id) AS field_id,"
        " (SELECT max(findings.id) FROM findings WHERE findings.field_id = max(fields.id)) AS finding_id,"
        " slide_id, place, path, page, content_sha256, count(*) - 1 AS retaken"
        " FROM fields WHERE slide_id = ? GROUP BY place ORDER BY place",
        (slide_id,),
    )
    return [CurrentField(*row) for row in rows]


def found_field(connection: sqlite3.Connection, finding_id: int) -> FoundField:
    """What was found in a field, without the outlines of its cells."""
    row = connection.execute(
        "SELECT findings.*, place, code, identity FROM findings JOIN fields ON fields.id = field_id"
        " JOIN slides ON slides.id = slide_id LEFT JOIN models ON models.id = model_id WHERE findings.id = ?",
        (finding_id,),
    ).fetchone()
    record = json.loads(row["result"]) | {
        "image": f"field {row['place']}",
        "slide": row["code"],
        "status": row["status"],
        "error": row["error"],
        "cells": [],
        "model": None if row["identity"] is None else json.loads(row["identity"]),
    }
    summary = FieldResult.from_json(record).summary()
    texts = connection.execute("SELECT record FROM cells WHERE finding_id = ? ORDER BY number", (finding_id,))
    cells = tuple(_cell(json.loads(text)) for (text,) in texts)
    return FoundField(finding_id, row["judged_at"], row["model_id"], dataclasses.replace(summary, cells=cells))


def outlines(connection: sqlite3.Connection, finding_id: int) -> dict[int, tuple[tuple[int, int], ...]]:
    """The polygons around the cells of a finding, by their numbers: points ``(x, y)``, the first not repeated."""
    rows = connection.execute("SELECT number, outline FROM cells WHERE finding_id = ? ORDER BY number", (finding_id,))
    return {number: tuple((x, y) for x, y in json.loads(text)) for number, text in rows}


def whole_cells(connection: sqlite3.Connection, finding_id: int) -> dict[int, Cell]:
    """The cells of a finding as they were found, by their numbers."""
    rows = connection.execute("SELECT number, record, outline FROM cells WHERE finding_id = ?", (finding_id,))
    return {
        number: Cell.from_json(json.loads(record) | {"contour": json.loads(outline)})
        for number, record, outline in rows
    }


def judging_model(connection: sqlite3.Connection, model_id: int) -> JudgingModel:
    """A model that judged something in this store."""
    row = connection.execute("SELECT identity, thresholds, card FROM models WHERE id = ?", (model_id,)).fetchone()
    identity, thresholds, card = map(json.loads, row)
    return JudgingModel(ModelIdentity(**identity), Thresholds(**thresholds), card)


def model_number(connection: sqlite3.Connection, identity: ModelIdentity) -> int | None:
    """Number of a model in this store; None where it has judged nothing here."""
    row = connection.execute("SELECT id FROM models WHERE identity = ?", (_identity_text(identity),)).fetchone()
    return None if row is None else int(row["id"])


def _field_for(connection: sqlite3.Connection, file: ImageFile) -> tuple[int, int]:
    """Number and place of the field of an image; a new one unless it is the newest at its place."""
    newest = _newest_at(connection, file)
    if newest is not None and newest["content_sha256"] == file.content_sha256:
        return newest["id"], newest["place"]
    if newest is not None:
        place = newest["place"]
    else:
        row = connection.execute("SELECT max(place) FROM fields WHERE slide_id = ?", (file.slide_id,)).fetchone()
        place = (row[0] or 0) + 1
    cursor = connection.execute(
        "INSERT INTO fields (slide_id, place, path, page, content_sha256, found_at) VALUES (?, ?, ?, ?, ?, ?)",
        (file.slide_id, place, file.path, file.page, file.content_sha256, now()),
    )
    return int(cursor.lastrowid or 0), place


def _newest_at(connection: sqlite3.Connection, file: ImageFile) -> sqlite3.Row | None:
    row: sqlite3.Row | None = connection.execute(
        "SELECT * FROM fields WHERE path = ? AND page = ? AND slide_id = ? ORDER BY id DESC LIMIT 1",
        (file.path, file.page, file.slide_id),
    ).fetchone()
    return row


def _model_id(connection: sqlite3.Connection, model: JudgingModel) -> int:
    known = model_number(connection, model.identity)
    if known is not None:
        return known
    cursor = connection.execute(
        "INSERT INTO models (identity, thresholds, card) VALUES (?, ?, ?)",
        (
            _identity_text(model.identity),
            canonical_json(dataclasses.asdict(model.thresholds)),
            canonical_json(model.card),
        ),
    )
    return int(cursor.lastrowid or 0)


def _identity_text(identity: ModelIdentity) -> str:
    return canonical_json(dataclasses.asdict(identity))


def _cell_texts(cell: Cell) -> tuple[str, str]:
    record = cell.to_json()
    outline = record.pop("contour")
    record["roundness"] = cell.roundness  # of its outline, which is not read with it
    return canonical_json(record), canonical_json(outline)


def _cell(record: dict[str, Any]) -> CellSummary:
    for name in ("bbox", "centroid", "nucleus_bbox", "nucleus_centroid"):
        record[name] = tuple(record[name])
    return CellSummary(**{name: value for name, value in record.items() if name in _SUMMARY})
