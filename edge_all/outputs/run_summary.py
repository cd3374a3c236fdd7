"""What a run came to: what the outputs about all fields together are made from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edge_all.model.card import ModelCard
from edge_all.results import FieldSummary, SlideResult

__all__ = ["RunSummary"]


@dataclass(frozen=True, slots=True)
class RunSummary:
    """What a run came to.

    Attributes:
        fields: every field, in the order in which they were judged.
        slides: every slide, in the order of its first field.
        card: of the model that judged; None where it is not known.
        passed_over: pictures among the images in formats that are not read, and named folders without images.
        with_maps: whether activation maps were asked for; where there is none, the report then says so.
        with_parquet: whether the table of cells is wanted as Parquet, too.
        notice: what everyone who sees the results must be told, in English; None for nothing.
    """

    fields: tuple[FieldSummary, ...]
    slides: tuple[SlideResult, ...]
    card: ModelCard | None = None
    with_maps: bool = False
    passed_over: tuple[Path, ...] = ()
    with_parquet: bool = False
    notice: str | None = None

    @property
    def all_judged(self) -> bool:
        """Whether every image that was looked at could be judged."""
        return all(field.status == "ok" for field in self.fields)

    @property
    def images_not_looked_at(self) -> int:
        """Number of images that were left out, the verdict of their slide being settled."""
        return sum(slide.images_not_looked_at for slide in self.slides)
