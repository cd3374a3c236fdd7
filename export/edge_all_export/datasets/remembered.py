"""Segmentations of images, kept between commands: ``train``, ``evaluate`` and ``export`` look at the same ones.

A file an image in the user's cache, under the hash of the image's bytes, of how it is enlarged, and of the code that
segments: where any of them is another, it is segmented anew. It is a convenience: what is missing, damaged or cannot be
written is computed, and is the same to the bit.
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import platform
import time
import zipfile
from collections.abc import Callable
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_all.errors import OutputError
from edge_all.files.atomic import write_atomically
from edge_all.files.cache_folder import cache_folder
from edge_all.results import Cell, Segmentation

__all__ = ["remembered"]

FOLDER = "segmented"
KEPT_DAYS = 60
"""Entries that nobody asked for so long are removed."""
SOURCES = ("edge_all/imaging", "edge_all/segmentation", "edge_all/specimen", "edge_all/results")
"""What a segmentation depends on: rooms, whether they are folders or files."""


def remembered(image: Path, field_size: tuple[int, int] | None, compute: Callable[[], Segmentation]) -> Segmentation:
    """The segmentation of an image: kept, or computed and kept.

    Args:
        image: its file.
        field_size: what it is enlarged to before.
        compute: segments it.

    Raises:
        ImageError: from `compute`.
    """
    entry = _entry(image, field_size)
    if entry is None:
        return compute()
    try:
        found = _loaded(entry)
        # Used: it stays.
        entry.touch()
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile):
        found = compute()
        _keep(entry, found)
    return found


def _entry(image: Path, field_size: tuple[int, int] | None) -> Path | None:
    folder = cache_folder()
    if folder is None:
        return None
    try:
        content = image.read_bytes()
    except OSError:  # reading it says what is wrong
        return None
    key = hashlib.sha256(f"{_code()} {field_size} ".encode() + content).hexdigest()
    return folder / FOLDER / f"{key}.npz"


@cache
def _code() -> str:
    """What the results depend on beside the image."""
    digest = hashlib.sha256(f"{cv2.__version__} {np.__version__} {platform.machine()}".encode())
    root = Path(str(files("edge_all"))).parent
    for source in SOURCES:
        path = root / source
        for file in sorted(path.rglob("*.py")) or [path.with_suffix(".py")]:
            digest.update(file.read_bytes())
    return digest.hexdigest()


def _loaded(entry: Path) -> Segmentation:
    with np.load(io.BytesIO(entry.read_bytes())) as archive:
        record: dict[str, Any] = json.loads(str(archive["record"]))
        cells = tuple(Cell.from_json(cell) for cell in record["cells"])
        height, width = record.pop("shape")
        return Segmentation(
            **record
            | {
                "shape": (int(height), int(width)),
                "cells": cells,
                "cell_masks": _unpacked(archive["cell_masks"], [cell.bbox[2:] for cell in cells]),
                "nucleus_masks": _unpacked(archive["nucleus_masks"], [cell.nucleus_bbox[2:] for cell in cells]),
            }
        )


def _keep(entry: Path, found: Segmentation) -> None:
    # Not `Cell.to_json`, which rounds.
    cells = [{name: getattr(cell, name) for name in Cell.__dataclass_fields__} for cell in found.cells]
    known = [field.name for field in dataclasses.fields(found) if not field.name.endswith("_masks")]
    record = {name: getattr(found, name) for name in known} | {"cells": cells}
    file = io.BytesIO()
    np.savez(
        file,
        record=np.array(json.dumps(record)),
        cell_masks=_packed(found.cell_masks),
        nucleus_masks=_packed(found.nucleus_masks),
    )
    try:
        _clear_old(entry.parent)
        write_atomically(entry, file.getvalue(), durable=False)
    except OutputError:
        return


@cache
def _clear_old(folder: Path) -> None:
    """Once a process."""
    oldest = time.time() - KEPT_DAYS * 86400
    for entry in folder.glob("*.npz"):
        try:
            if entry.stat().st_mtime < oldest:
                entry.unlink()
        except OSError:  # another process was there first
            continue


def _packed(masks: tuple[NDArray[np.uint8], ...]) -> NDArray[np.uint8]:
    """All masks one after another, a bit a pixel."""
    return np.packbits(np.concatenate([mask.ravel() for mask in masks] or [np.zeros(0, np.uint8)]))


def _unpacked(bits: NDArray[np.uint8], sizes: list[tuple[int, int]]) -> tuple[NDArray[np.uint8], ...]:
    pixels = np.unpackbits(bits, count=sum(width * height for width, height in sizes))
    masks, start = [], 0
    for width, height in sizes:
        masks.append(pixels[start : start + width * height].reshape(height, width))
        start += width * height
    return tuple(masks)
