"""What the files and folders of a run are called, and where they lie."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from edge_all.files.naming import unique_stems

__all__ = ["FIELDS_FILE", "RunFolder", "run_that_wrote"]

FIELDS_FILE = "fields.jsonl"
"""Every run, of ``screen`` and of ``segment``, writes it first; by it its folder is known."""
_OVERLAYS = "overlays"
_CROPS = "crops"
_GEOJSON = "geojson"
_REJECTED = "rejected"
_ACTIVATION = ".activation.jpg"
_CELL_LABELS = ".cells.png"
_NUCLEUS_LABELS = ".nuclei.png"


@dataclass(frozen=True, slots=True)
class RunFolder:
    """The folder of a run: the one owner of the names within it.

    Attributes:
        path: where it is.
        stems: stem of the output files by the name of each image, from `for_images`.
    """

    path: Path
    stems: Mapping[str, str]

    @classmethod
    def for_images(cls, path: Path, images: Iterable[str], *, kept: Mapping[str, str] | None = None) -> RunFolder:
        """The folder of a run over these images, named as results report them.

        Args:
            path: where it is.
            images: all images of the run.
            kept: stems by name of the images that have files there.
        """
        return cls(path, unique_stems(images, kept=kept))

    @property
    def fields(self) -> Path:
        """A line for each field, ``fields.jsonl``."""
        return self.path / FIELDS_FILE

    @property
    def cells(self) -> Path:
        """A row for each cell."""
        return self.path / "cells.csv"

    @property
    def spreadsheet(self) -> Path:
        """The same rows, for Excel and LibreOffice in any language."""
        return self.path / "cells.xlsx"

    @property
    def parquet(self) -> Path:
        """The same rows with typed columns, where asked for."""
        return self.path / "cells.parquet"

    @property
    def slides(self) -> Path:
        """The verdict of each slide."""
        return self.path / "slides.json"

    @property
    def report(self) -> Path:
        """What people read."""
        return self.path / "report.html"

    def overlay(self, image: str) -> Path:
        """An image with its cells drawn in."""
        return self.path / _OVERLAYS / f"{self.stems[image]}.jpg"

    def crop(self, image: str, cell: int) -> Path:
        """The picture of a cell of ``screen``, by its ``id``."""
        return self.path / self.crop_within(image, cell)

    def crop_within(self, image: str, cell: int) -> str:
        """Its name within the folder, with ``/`` on every system; tables hold thousands, for which paths are slow."""
        return f"{_CROPS}/{self.stems[image]}.{cell:04d}.jpg"

    def activation_map(self, image: str, cell: int) -> Path:
        """Where in a cell the network saw what speaks for ALL."""
        return self._of_cell(image, cell, _ACTIVATION)

    @property
    def has_maps(self) -> bool:
        """Whether there is any `activation_map`: one look, where asking for each cell takes 20 µs."""
        return next((self.path / _CROPS).glob(f"*{_ACTIVATION}"), None) is not None

    def lossless_crop(self, image: str, cell: int) -> Path:
        """The picture of a cell of ``segment``, by its ``id``."""
        return self._of_cell(image, cell, ".png")

    def rejected(self, image: str) -> Path:
        """Pictures of what was rejected in an image, on one sheet."""
        return self.path / _REJECTED / f"{self.stems[image]}.jpg"

    def geojson(self, image: str) -> Path:
        """The outlines of an image, for QuPath."""
        return self.path / _GEOJSON / f"{self.stems[image]}.geojson"

    def cell_labels(self, image: str) -> Path:
        """The label image of whole cells."""
        return self.path / f"{self.stems[image]}{_CELL_LABELS}"

    def nucleus_labels(self, image: str) -> Path:
        """The label image of nuclei."""
        return self.path / f"{self.stems[image]}{_NUCLEUS_LABELS}"

    def _of_cell(self, image: str, cell: int, suffix: str) -> Path:
        return self.path / _CROPS / f"{self.stems[image]}.{cell:04d}{suffix}"


def run_that_wrote(file: Path, folder: Path) -> tuple[Path | None, bool]:
    """Which run wrote a picture, as far as its name and place tell.

    Args:
        file: the picture.
        folder: in which it lies.

    Returns:
        The run's folder, None where no run wrote it; and whether the picture shows a single cell.
    """
    run = None
    if folder.name in {_CROPS, _OVERLAYS, _REJECTED, _GEOJSON}:
        run = folder.parent
    elif file.name.endswith((_CELL_LABELS, _NUCLEUS_LABELS)):
        run = folder
    return run if run is not None and _holds_a_run(run) else None, folder.name == _CROPS


def _holds_a_run(folder: Path) -> bool:
    try:
        return (folder / FIELDS_FILE).is_file()
    except OSError:  # a folder that may not be entered
        return False
