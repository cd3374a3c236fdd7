"""Pictures of fields for people, kept for the case that a field is taken again: its file then holds another image.

Those of fields that stand are dropped when their slide is signed: their images are still where they lie. Those of
fields that were taken again stay. No name stands in them.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from edge_all.files.atomic import write_atomically
from edge_all.imaging.display import display_size, resize_for_the_eye
from edge_all.outputs.pictures import jpeg_bytes
from edge_all.results import FieldStatus, RgbImage

__all__ = ["PICTURES_FOLDER", "EarlierField", "drop_pictures", "earlier_fields", "keep_picture", "kept_picture"]

PICTURES_FOLDER = "pictures"
_QUALITY = 85
"""Of JPEG; a field of ALL-IDB1 is 0.15 MB so, at the size at which the report shows it."""


@dataclass(frozen=True, slots=True)
class EarlierField:
    """A field that was taken again since.

    Attributes:
        field_id: in the store; names it.
        found_at: when it came; UTC, ISO 8601.
        status: of what was found in it last.
        cells: how many were judged in it.
        has_picture: whether it can still be looked at.
    """

    field_id: int
    found_at: str
    status: FieldStatus
    cells: int
    has_picture: bool


def keep_picture(folder: Path, field_id: int, pixels: RgbImage) -> None:
    """Keep how a field looks, reduced to the size at which people are shown fields.

    Args:
        folder: of the station.
        field_id: of the field.
        pixels: ``uint8 [height, width, 3]`` RGB.

    Raises:
        OutputError: it cannot be written.
    """
    size = display_size(pixels.shape[1], pixels.shape[0])
    path = _path(folder, field_id)
    path.parent.mkdir(exist_ok=True)
    write_atomically(path, jpeg_bytes(resize_for_the_eye(pixels, *size), _QUALITY), durable=False)


def kept_picture(folder: Path, field_id: int) -> bytes | None:
    """The picture of a field as JPEG; None where it was not kept."""
    try:
        return _path(folder, field_id).read_bytes()
    except OSError:
        return None


def drop_pictures(folder: Path, field_ids: Iterable[int]) -> None:
    """Drop the pictures of fields whose images are still there; one that cannot be deleted now is left."""
    for one in field_ids:
        with contextlib.suppress(OSError):  # who signs is not to be told of that
            _path(folder, one).unlink()


def earlier_fields(connection: sqlite3.Connection, folder: Path, slide_id: int, place: int) -> tuple[EarlierField, ...]:
    """The fields of a place before the one in force, the latest first."""
    rows = connection.execute(
        "SELECT fields.id, found_at, status, (SELECT count(*) FROM cells WHERE cells.finding_id = findings.id"
        " AND json_extract(record, '$.kind') = 'candidate')"
        " FROM fields JOIN findings ON findings.id = (SELECT max(id) FROM findings WHERE field_id = fields.id)"
        " WHERE slide_id = ? AND place = ? ORDER BY fields.id DESC LIMIT -1 OFFSET 1",
        (slide_id, place),
    )
    return tuple(
        EarlierField(number, found_at, status, cells, _path(folder, number).is_file())
        for number, found_at, status, cells in rows
    )


def _path(folder: Path, field_id: int) -> Path:
    return folder / PICTURES_FOLDER / f"field-{field_id}.jpg"
