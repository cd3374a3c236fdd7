"""What is measured: images, and the cells that the pipeline finds in them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from edge_all.errors import UsageError
from edge_all.inputs import ImageSource, find_images
from edge_all.outputs.pictures import write_jpeg
from edge_all.preprocessing import PreprocessingSpec
from edge_all.rendering import SmearSpec, render_field
from edge_all.results import FieldResult, RgbImage
from edge_all.screening.field_screening import PreparedField, prepare_field

__all__ = ["BenchmarkImages", "Workload", "own_images", "prepare_workload", "rendered_images"]

RENDERED_FIELDS = 8
RENDERED_SIZE = (2592, 1944)
"""That of the newer ALL-IDB1 fields, 5 megapixels."""


@dataclass(frozen=True, slots=True)
class BenchmarkImages:
    """The images of a run.

    Attributes:
        sources: the images.
        kind: the user's own, or rendered ones.
    """

    sources: tuple[ImageSource, ...]
    kind: Literal["own", "rendered"]


@dataclass(frozen=True, slots=True)
class Workload:
    """Images with everything that the network needs prepared.

    Attributes:
        images: the images that could be judged.
        cells_per_field: number of candidates of each.
        crops: ``uint8 [cells, size, size, 3]`` RGB of all of them, in order.
        megapixels: of all images together.
        left_out: the images that could not be, with the reason of each.
    """

    images: BenchmarkImages
    cells_per_field: tuple[int, ...]
    crops: RgbImage
    megapixels: float
    left_out: tuple[FieldResult, ...] = ()

    @property
    def sha256(self) -> str:
        """Digest of the contents of all images, in order."""
        digest = hashlib.sha256()
        for source in self.images.sources:
            digest.update(source.path.read_bytes())
        return digest.hexdigest()

    def to_json(self) -> dict[str, Any]:
        """What was measured; images appear by the digest of their contents, never by their names."""
        return {
            "kind": self.images.kind,
            "fields": len(self.cells_per_field),
            "cells": len(self.crops),
            "megapixels": round(self.megapixels, 2),
            "left_out": len(self.left_out),
            "sha256": self.sha256,
        }


def own_images(paths: Sequence[str]) -> BenchmarkImages:
    """The user's own.

    Raises:
        InputError: there is no image.
    """
    return BenchmarkImages(tuple(find_images(paths)), "own")


def rendered_images(folder: Path) -> BenchmarkImages:
    """Render fields of 5 megapixels, the same on every machine, into a folder.

    They hold 1 to 15 white cells each, as fields of real smears do.

    Raises:
        OutputError: the folder cannot be written.
    """
    width, height = RENDERED_SIZE
    for number in range(RENDERED_FIELDS):
        spec = SmearSpec(blasts=2 * number, lymphocytes=1, platelets=6)
        write_jpeg(
            folder / f"rendered-{number}.jpg", render_field(number, width=width, height=height, spec=spec).pixels, 95
        )
    return BenchmarkImages(tuple(find_images([str(folder)])), "rendered")


def prepare_workload(images: BenchmarkImages, spec: PreprocessingSpec) -> Workload:
    """Find the cells of all images.

    Images that cannot be judged are left out: their errors are no work that could be compared.

    Raises:
        UsageError: no image can be judged, or none holds a cell.
    """
    sources: list[ImageSource] = []
    fields: list[int] = []
    crops: list[RgbImage] = []
    left_out: list[FieldResult] = []
    megapixels = 0.0
    for source in images.sources:
        prepared: PreparedField = prepare_field(source, spec)
        if prepared.result.status != "ok":
            left_out.append(prepared.result)
            continue
        sources.append(source)
        fields.append(len(prepared.squares))
        crops.append(prepared.crops.pixels)
        megapixels += prepared.result.width * prepared.result.height / 1e6
    if not sources:
        first = left_out[0]
        others = f" Nor can {len(left_out) - 1} more." if len(left_out) > 1 else ""
        raise UsageError(
            f"{first.image} cannot be timed: {first.error}{others}", "Name images of stained blood smears."
        )
    if not sum(fields):
        raise UsageError(
            f"None of these images holds a cell to judge ({len(sources)} looked at, {len(left_out)} left out).",
            "Name images of stained blood smears.",
        )
    kept = BenchmarkImages(tuple(sources), images.kind)
    return Workload(kept, tuple(fields), np.concatenate(crops), megapixels, tuple(left_out))
