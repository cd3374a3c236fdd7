"""An image that a program hands over: kept in the station's folder, and judged when its turn comes."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from edge_all.errors import UsageError
from edge_all.files.atomic import write_atomically
from edge_all.imaging import IMAGE_SUFFIXES, open_image
from edge_all.station.storage.database import Database
from edge_all.station.storage.image_queue import add_to_queue
from edge_all.station.storage.slide_records import find_or_add_slide

__all__ = ["POSTED_FOLDER", "PostedImage", "post_image"]

POSTED_FOLDER = "posted"
_SOURCE = "posted"
_LONGEST_NAME = 200


@dataclass(frozen=True, slots=True)
class PostedImage:
    """What became of an image that was handed over.

    Attributes:
        slide: code of its slide.
        sha256: of its bytes.
        is_new: False where the slide had these very bytes already; then nothing was done.
    """

    slide: str
    sha256: str
    is_new: bool


def post_image(database: Database, content: bytes, slide: str, suffix: str) -> PostedImage:
    """Take an image into the station's own folder, and let it wait for its turn.

    Nothing of what the sender calls it becomes part of a path: its file is named after its content.

    Args:
        database: the store.
        content: bytes of an image file.
        slide: name of its slide; one that was never posted before is a new slide.
        suffix: of the file's name, such as ``.jpg``.

    Raises:
        UsageError: no name; a suffix of no image.
        ImageError: no image, a damaged one, or too large a one.
        OutputError: it cannot be written.
    """
    slide = " ".join(slide.split())
    if not slide or len(slide) > _LONGEST_NAME or not slide.isprintable():
        raise UsageError("That is no name of a slide.", f"Give one of up to {_LONGEST_NAME} letters.")
    if suffix.lower() not in IMAGE_SUFFIXES:
        raise UsageError(f"{suffix!r} is no suffix of an image.", f"Give one of: {', '.join(sorted(IMAGE_SUFFIXES))}.")
    open_image(content, name="The posted file")
    digest = hashlib.sha256(content).hexdigest()
    with database.write() as connection:
        record = find_or_add_slide(connection, _SOURCE, slide)
    path = database.folder / POSTED_FOLDER / record.code / f"{digest}{suffix.lower()}"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, content)
    status = path.stat()
    with database.write() as connection:
        is_new = add_to_queue(connection, record.id, str(path.resolve()), 0, status.st_size, status.st_mtime_ns)
    return PostedImage(record.code, digest, is_new)
