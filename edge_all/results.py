"""The values that flow through the pipeline, and their JSON form.

Every stage takes frozen dataclasses and returns frozen dataclasses; nothing is changed in place.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias

from edge_all.errors import UsageError

if TYPE_CHECKING:
    # For types alone: loading NumPy is a fifth of what `edge-all --help` takes.
    import numpy as np
    from numpy.typing import NDArray

__all__ = [
    "INTENDED_USE",
    "BoundingBox",
    "Cell",
    "CellKind",
    "CellLabel",
    "CellSummary",
    "FieldPictures",
    "FieldResult",
    "FieldStatus",
    "FieldSummary",
    "LabelImage",
    "Mask",
    "ModelIdentity",
    "Point",
    "ProviderReport",
    "Quality",
    "RgbImage",
    "Segmentation",
    "SegmentationWay",
    "SlideResult",
    "Verdict",
    "roundness_of",
]

INTENDED_USE = "For Research Use Only. Not for use in diagnostic procedures."
"""The sentence that every report, page, banner and card carries (21 CFR 809.10(c))."""

RgbImage: TypeAlias = "NDArray[np.uint8]"
"""``uint8 [height, width, 3]``, RGB."""
LabelImage: TypeAlias = "NDArray[np.uint16]"
"""``uint16 [height, width]``: 0 is ground, n is the cell with ``id == n``."""
Mask: TypeAlias = "NDArray[np.uint8]"
"""``uint8 [height, width]``: 1 where something is, else 0."""
Point = tuple[float, float]
"""x, y in pixels of the input image."""
BoundingBox = tuple[int, int, int, int]
"""x, y, width, height in pixels of the input image."""

CellKind = Literal["candidate", "rejected"]
CellLabel = Literal["ALL", "non-ALL", "indeterminate"]
SegmentationWay = Literal["learned", "colour"]
"""What decides where a cell ends: a network that learned it, or colours and necks alone."""
FieldStatus = Literal["ok", "error", "unusable"]
Verdict = Literal["suspicious", "not detected", "indeterminate"]


@dataclass(frozen=True, slots=True)
class Quality:
    """Can this field be judged at all?

    Attributes:
        usable: False sends the field to ``unusable``.
        reasons: why it is not usable; empty when it is.
        warnings: what a reader should know although the field was judged.
        metrics: the measured figures by name (focus, exposure, clipping, stain), see ``edge_all.quality``.
    """

    usable: bool
    reasons: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    metrics: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CellSummary:
    """One segmented object of a field, without its outline: what verdicts, tables and the report need of it.

    Attributes:
        id: its number in the label images, from 1.
        bbox: box of the whole cell.
        centroid: centroid of the whole cell.
        area: area of the whole cell in pixels.
        nucleus_bbox: box of the nucleus.
        nucleus_centroid: centroid of the nucleus.
        nucleus_area: area of the nucleus in pixels.
        kind: ``candidate`` is classified, ``rejected`` is reported and not classified.
        reason: why it was rejected; None for a candidate.
        probability: calibrated probability of ALL; None until classified.
        label: the decision; None until classified.
        out_of_distribution: how unlike the training cells it is, 1.0 being the limit above which a cell is
            sent to review; None where the model package offers no such score.
        roundness: of the outline, see `roundness_of`; None where it encloses nothing.
        outline_unsure: whether the outline of the whole cell could as well lie elsewhere, or ends where the field does;
            None where colour alone decided, which does not know.
    """

    id: int
    bbox: BoundingBox
    centroid: Point
    area: int
    nucleus_bbox: BoundingBox
    nucleus_centroid: Point
    nucleus_area: int
    kind: CellKind
    reason: str | None = None
    probability: float | None = None
    label: CellLabel | None = None
    out_of_distribution: float | None = None
    roundness: float | None = None
    outline_unsure: bool | None = None

    @property
    def nucleus_to_cytoplasm(self) -> float | None:
        """Area of the nucleus over that of the rest of the cell; None where no cytoplasm was found."""
        return self.nucleus_area / (self.area - self.nucleus_area) if self.area > self.nucleus_area else None


@dataclass(frozen=True, slots=True)
class Cell(CellSummary):
    """One segmented object of a field.

    Attributes:
        contour: outline of the whole cell, a closed polygon whose first point is not repeated.
        glass: red, green and blue of the empty glass where the cell lies, which tell the light and the camera's white
            balance; None in a cell that was not segmented by this version.
    """

    contour: tuple[tuple[int, int], ...] = field(kw_only=True, repr=False)
    glass: tuple[float, float, float] | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        # The outline alone says it, whatever was given; 10 microseconds.
        object.__setattr__(self, "roundness", roundness_of(self.contour))

    def summary(self) -> CellSummary:
        """The cell without its outline."""
        return CellSummary(**{one.name: getattr(self, one.name) for one in dataclasses.fields(CellSummary)})

    def to_json(self) -> dict[str, Any]:
        """The cell as JSON-ready values; floats are rounded to what they are worth."""
        # Field by field: `dataclasses.asdict` copies every point of the outline, seven times as slow.
        record = {name: getattr(self, name) for name in self.__dataclass_fields__ if name != "roundness"}
        record["bbox"] = list(self.bbox)
        record["centroid"] = [round(value, 2) for value in self.centroid]
        record["nucleus_bbox"] = list(self.nucleus_bbox)
        record["nucleus_centroid"] = [round(value, 2) for value in self.nucleus_centroid]
        record["contour"] = [list(point) for point in self.contour]
        record["glass"] = None if self.glass is None else list(self.glass)
        for name in ("probability", "out_of_distribution"):
            if record[name] is not None:
                record[name] = round(record[name], 6)
        return record

    @classmethod
    def from_json(cls, record: dict[str, Any]) -> Cell:
        """The inverse of `to_json`; keys it does not know are passed over."""
        known = {f.name: record[f.name] for f in dataclasses.fields(cls) if f.name in record}
        for name in ("bbox", "centroid", "nucleus_bbox", "nucleus_centroid"):
            known[name] = tuple(known[name])
        known["contour"] = tuple((int(x), int(y)) for x, y in known["contour"])
        if known.get("glass") is not None:
            known["glass"] = tuple(known["glass"])
        return cls(**known)


def _counted(cells: Sequence[CellSummary]) -> str:
    """How many cells there are, by what became of them: ``5 ALL, 2 non-ALL, 1 rejected``."""
    kinds = Counter(cell.label or cell.kind for cell in cells)
    return ", ".join(f"{number} {kind}" for kind, number in sorted(kinds.items())) or "no cells"


def roundness_of(contour: Sequence[tuple[int, int]]) -> float | None:
    """4 pi area / perimeter^2 of a closed polygon: 1 for a circle, less the more it is drawn out or frayed.

    Args:
        contour: x, y of its corners, the first not repeated.

    Returns:
        0 to 1; None where it encloses nothing.
    """
    doubled, perimeter = 0, 0.0
    x0, y0 = contour[0] if contour else (0, 0)
    for x, y in (*contour[1:], *contour[:1]):
        doubled += x0 * y - x * y0
        perimeter += math.hypot(x - x0, y - y0)
        x0, y0 = x, y
    area = abs(doubled) / 2
    return 4 * math.pi * area / perimeter**2 if area else None


@dataclass(frozen=True, repr=False)
class Segmentation:
    """What `edge_all.segmentation.segment` found in one field.

    Attributes:
        shape: height and width of the field.
        cells: all objects, candidates and rejected, ``cells[i].id == i + 1``.
        cell_masks: of each cell, ``uint8`` in its ``bbox``: 1 on the whole cell. They do not overlap.
        nucleus_masks: the same of its nucleus, in its ``nucleus_bbox``.
        red_cell_radius: radius of a red cell in pixels, the yardstick of all sizes; 0 where nothing was measured.
        red_cell_error: standard error of its logarithm (0.1: about a tenth of it); 0 where the pixel size was given.
        nucleus_hue: median angle of the nuclei's colour from magenta (0) towards blue, in radians; None without nuclei.
    """

    shape: tuple[int, int]
    cells: tuple[Cell, ...] = ()
    cell_masks: tuple[Mask, ...] = ()
    nucleus_masks: tuple[Mask, ...] = ()
    red_cell_radius: float = 0.0
    red_cell_error: float = 0.0
    nucleus_hue: float | None = None

    def __repr__(self) -> str:
        """One line, without the masks."""
        height, width = self.shape
        return f"<Segmentation {width} x {height}: {_counted(self.cells)}>"

    # Painted when first asked for: at 5 megapixels the two take 20 MB, and screening seldom needs them.
    @functools.cached_property
    def cell_labels(self) -> LabelImage:
        """``uint16 [height, width]`` whole cells."""
        return _paint_labels(self.shape, [cell.bbox for cell in self.cells], self.cell_masks)

    @functools.cached_property
    def nucleus_labels(self) -> LabelImage:
        """``uint16 [height, width]`` nuclei, same numbers."""
        return _paint_labels(self.shape, [cell.nucleus_bbox for cell in self.cells], self.nucleus_masks)

    @property
    def outlines(self) -> tuple[tuple[tuple[int, int], ...], ...]:
        """Of each cell the closed polygon around it, whose first point ``(x, y)`` is not repeated."""
        return tuple(cell.contour for cell in self.cells)


def _paint_labels(shape: tuple[int, int], boxes: Sequence[BoundingBox], masks: Sequence[Mask]) -> LabelImage:
    import numpy as np

    labels: LabelImage = np.zeros(shape, np.uint16)
    for number, ((x, y, width, height), mask) in enumerate(zip(boxes, masks, strict=True), start=1):
        np.copyto(labels[y : y + height, x : x + width], np.uint16(number), where=mask.view(np.bool_))
    return labels


@dataclass(frozen=True, slots=True)
class ModelIdentity:
    """Which network judged, and by which thresholds.

    Attributes:
        name, version, variant: of the model package.
        sha256: of the network's file.
        card_sha256: of what the package's card says, in which the thresholds stand: a name and a network alone do not
            say what was decided by.
    """

    name: str
    version: str
    variant: str
    sha256: str
    card_sha256: str


@dataclass(frozen=True, slots=True)
class ProviderReport:
    """Which execution provider judged.

    Attributes:
        requested: what the user asked for (``auto``, ``cpu``, ``cuda`` ...).
        obtained: the provider that the session itself reports, for example ``CPUExecutionProvider``.
        reason: why this one.
        threads: that compute the network.
    """

    requested: str
    obtained: str
    reason: str
    threads: int


class FieldPictures(Protocol):
    """Makes pictures of a field from its image, which is read again for each call."""

    def overlay(self, field: FieldResult) -> RgbImage:
        """See `FieldResult.overlay`."""

    def crops(self, field: FieldResult, cells: Sequence[Cell]) -> RgbImage:
        """``uint8 [cells, size, size, 3]`` RGB, see `FieldResult.crop`."""

    def label_image(self, field: FieldResult, of: Literal["cells", "nuclei"]) -> LabelImage:
        """See `FieldResult.label_image`."""

    def html(self, field: FieldResult) -> str:
        """The field for a notebook."""

    def png(self, field: FieldResult) -> bytes:
        """The overlay as a PNG file."""


@dataclass(frozen=True, slots=True, repr=False)
class FieldSummary:
    """What was found in one field, without the outlines of its cells.

    A run keeps this of each field that is on disk: 17 kB a field of 17 cells, and 111 with the outlines (four fields of
    ALL-IDB1, so 34 and 222 MB for 2,000 fields).

    Attributes:
        image: the name of the image, as the user gave it.
        slide: the slide it belongs to.
        status: ``ok``, ``error`` (could not be read or judged) or ``unusable`` (read, but not fit to be judged).
        error: what went wrong and what to do; None when ok.
        width, height: size in pixels; 0 where the image could not be read.
        quality: None where the image could not be read.
        cells: candidates and rejected objects.
        timings_ms: milliseconds by stage.
        model, provider: None where nothing was classified.
        microns_per_pixel: physical size of a pixel that was used; None where none was known.
        microns_per_pixel_from: who says so: ``given`` for the user, else what in the file, for example ``ImageJ``.
        fingerprint: perceptual hash by which the same picture is known again, see `edge_all.imaging.fingerprints`; None
            where the image could not be read.
        red_cell_radius: of a red cell in pixels, by which everything else is large or small; None where nothing was
            measured.
        red_cell_error: standard error of its logarithm (0.1: about a tenth of it), 0 where the size of a pixel says it;
            from 0.22 it rests on the nuclei (`edge_all.segmentation.doubts.UNCERTAIN`).
    """

    image: str
    slide: str
    status: FieldStatus
    error: str | None = None
    width: int = 0
    height: int = 0
    quality: Quality | None = None
    cells: tuple[CellSummary, ...] = ()
    timings_ms: dict[str, float] = field(default_factory=dict)
    model: ModelIdentity | None = None
    provider: ProviderReport | None = None
    microns_per_pixel: float | None = None
    microns_per_pixel_from: str | None = None
    fingerprint: str | None = None
    red_cell_radius: float | None = None
    red_cell_error: float | None = None

    def __repr__(self) -> str:
        """One line: all that a field holds would fill pages. `rows` makes a table of its cells."""
        found = f"{self.width} x {self.height}, {_counted(self.cells)}" if self.status == "ok" else self.error
        return f"<{type(self).__name__} {self.image}: {self.status}, {found}>"

    @property
    def candidates(self) -> tuple[CellSummary, ...]:
        """The cells that are, or are to be, classified."""
        return tuple(cell for cell in self.cells if cell.kind == "candidate")

    def rows(self) -> list[dict[str, Any]]:
        """One flat row for each cell, candidates and rejected, for a data frame: ``pandas.DataFrame(field.rows())``.

        Positions and sizes are in pixels of the image, or in the unit that a name ends with, where the size of a pixel
        is known; what is not known is None.
        """
        return [self._row(cell) for cell in self.cells]

    def _row(self, cell: CellSummary) -> dict[str, Any]:
        micron = self.microns_per_pixel
        boxes = {
            f"{start}bbox_{name}": value
            for start, box in (("", cell.bbox), ("nucleus_", cell.nucleus_bbox))
            for name, value in zip(("x", "y", "width", "height"), box, strict=True)
        }
        return {
            "slide": self.slide,
            "image": self.image,
            "id": cell.id,
            "kind": cell.kind,
            "reason": cell.reason,
            "label": cell.label,
            "probability": cell.probability,
            "out_of_distribution": cell.out_of_distribution,
            "centroid_x": cell.centroid[0],
            "centroid_y": cell.centroid[1],
            "area": cell.area,
            "area_um2": None if micron is None else cell.area * micron**2,
            "diameter_um": None if micron is None else math.sqrt(4 * cell.area / math.pi) * micron,
            "roundness": cell.roundness,
            "nucleus_centroid_x": cell.nucleus_centroid[0],
            "nucleus_centroid_y": cell.nucleus_centroid[1],
            "nucleus_area": cell.nucleus_area,
            "nucleus_area_um2": None if micron is None else cell.nucleus_area * micron**2,
            "nucleus_to_cytoplasm": cell.nucleus_to_cytoplasm,
            "outline_unsure": None if cell.outline_unsure is None else int(cell.outline_unsure),
            **boxes,
            "microns_per_pixel": micron,
            "red_cell_radius": self.red_cell_radius,
            "red_cell_error": self.red_cell_error,
            **self.judged_by(),
        }

    def judged_by(self) -> dict[str, str | None]:
        """What judged it, as the columns of every table have it; all None where nothing did."""
        model, provider = self.model, self.provider
        return {
            "model": None if model is None else model.name,
            "model_version": None if model is None else model.version,
            "model_variant": None if model is None else model.variant,
            "card_sha256": None if model is None else model.card_sha256,
            "provider": None if provider is None else provider.obtained,
        }


@dataclass(frozen=True, slots=True, repr=False)
class FieldResult(FieldSummary):
    """One field: what was found in it, as one line of ``fields.jsonl`` and, where its image is at hand, as pictures.

    Attributes:
        cells: candidates and rejected objects, with their outlines.
        pictures: makes pictures of the field; no part of its JSON form, and None where it was read from that. It holds
            the path of the image, or, where there is none, its bytes or a copy of its pixels (15 MB at 5 megapixels).
    """

    cells: tuple[Cell, ...] = ()
    pictures: FieldPictures | None = field(default=None, compare=False)

    @property
    def candidates(self) -> tuple[Cell, ...]:
        """The cells that are, or are to be, classified."""
        return tuple(cell for cell in self.cells if cell.kind == "candidate")

    def summary(self) -> FieldSummary:
        """The field without outlines and pictures."""
        known = {one.name: getattr(self, one.name) for one in dataclasses.fields(FieldSummary)}
        return FieldSummary(**{**known, "cells": tuple(cell.summary() for cell in self.cells)})

    def overlay(self) -> RgbImage:
        """The field with its cells drawn in, at the size that people are shown, and a legend below it.

        It is not of the field's own size, and coordinates of cells are not its own: `label_image` has those.

        Returns:
            ``uint8 [h, w, 3]`` RGB: the field shrunk until its longer side is at most 1400 pixels, or enlarged where
            that has fewer than 640, and below it a strip with legend and intended use; the same picture as in a run's
            ``overlays``.

        Raises:
            UsageError: the result has no image at hand.
            ImageError: the image cannot be read, or is not the one any more that was judged.
        """
        return self._with_image.overlay(self)

    def crop(self, cell: Cell | int) -> RgbImage:
        """What the network was given of a cell, one way up where the model asks for that.

        Args:
            cell: one of ``cells``, or its ``id``; a rejected one is cut alike.

        Returns:
            ``uint8 [size, size, 3]`` RGB, ``size`` being the network's own.

        Raises:
            UsageError: there is no such cell, or the result has no image at hand.
            ImageError: as for `overlay`.
        """
        # Whatever counts as a number: data frames hold NumPy's.
        number = cell.id if isinstance(cell, CellSummary) else cell
        for own in self.cells:
            if own.id == number:
                picture: RgbImage = self._with_image.crops(self, [own])[0]
                return picture
        raise UsageError(f"{self.image} has no cell {number!r}.", f"It has {len(self.cells)}, numbered from 1.")

    def crops(self) -> dict[int, RgbImage]:
        """`crop` of all candidates by their ``id``, for which the image is read once.

        Raises:
            UsageError, ImageError: as for `overlay`.
        """
        cells = self.candidates
        return {cell.id: crop for cell, crop in zip(cells, self._with_image.crops(self, cells), strict=True)}

    def label_image(self, of: Literal["cells", "nuclei"] = "cells") -> LabelImage:
        """Which pixel belongs to which cell; the field is segmented again for it.

        Args:
            of: whole cells, or their nuclei.

        Returns:
            ``uint16 [height, width]``: 0 is ground, n is the cell with ``id == n``.

        Raises:
            UsageError, ImageError: as for `overlay`.
            UsageError: there is no image of such labels.
        """
        if of not in ("cells", "nuclei"):
            raise UsageError(f"There is no label image of {of!r}.", "Choose 'cells' or 'nuclei'.")
        return self._with_image.label_image(self, of)

    @property
    def _with_image(self) -> FieldPictures:
        if self.pictures is None:
            raise UsageError(
                f"The result of {self.image} has no image at hand: it comes out of a file of results.",
                "Screen the image again to have its pictures.",
            )
        return self.pictures

    def _repr_html_(self) -> str | None:
        """What a notebook shows."""
        return None if self.pictures is None else self.pictures.html(self)

    def _repr_png_(self) -> bytes | None:
        """What a notebook shows where it shows no HTML."""
        return None if self.pictures is None or self.status == "error" else self.pictures.png(self)

    def to_json(self) -> dict[str, Any]:
        """The line as JSON-ready values."""
        return {
            "image": self.image,
            "slide": self.slide,
            "status": self.status,
            "error": self.error,
            "width": self.width,
            "height": self.height,
            "quality": None if self.quality is None else dataclasses.asdict(self.quality),
            "cells": [cell.to_json() for cell in self.cells],
            "timings_ms": {stage: round(value, 3) for stage, value in self.timings_ms.items()},
            "model": None if self.model is None else dataclasses.asdict(self.model),
            "provider": None if self.provider is None else dataclasses.asdict(self.provider),
            "microns_per_pixel": None if self.microns_per_pixel is None else round(self.microns_per_pixel, 6),
            "microns_per_pixel_from": self.microns_per_pixel_from,
            "fingerprint": self.fingerprint,
            "red_cell_radius": self.red_cell_radius,
            "red_cell_error": self.red_cell_error,
        }

    @classmethod
    def from_json(cls, record: dict[str, Any]) -> FieldResult:
        """The inverse of `to_json`; keys it does not know are passed over."""
        quality = record.get("quality")
        if quality is not None:
            quality = Quality(
                usable=quality["usable"],
                reasons=tuple(quality["reasons"]),
                warnings=tuple(quality["warnings"]),
                metrics=dict(quality["metrics"]),
            )
        model = record.get("model")
        provider = record.get("provider")
        return cls(
            image=record["image"],
            slide=record["slide"],
            status=record["status"],
            error=record["error"],
            width=record["width"],
            height=record["height"],
            quality=quality,
            cells=tuple(Cell.from_json(cell) for cell in record["cells"]),
            timings_ms=dict(record["timings_ms"]),
            model=None if model is None else ModelIdentity(**model),
            provider=None if provider is None else ProviderReport(**provider),
            microns_per_pixel=record.get("microns_per_pixel"),
            microns_per_pixel_from=record.get("microns_per_pixel_from"),
            fingerprint=record.get("fingerprint"),
            red_cell_radius=record.get("red_cell_radius"),
            red_cell_error=record.get("red_cell_error"),
        )


@dataclass(frozen=True, slots=True)
class SlideResult:
    """One entry of ``slides.json``: the fields of a slide taken together.

    Attributes:
        slide: its name.
        fields: number of fields by status (``ok``, ``error``, ``unusable``).
        cells: number of candidates by label (``ALL``, ``non-ALL``, ``indeterminate``) and of ``rejected`` objects.
        all_fraction: ALL / (ALL + non-ALL + indeterminate); None where no cell was judged.
        all_fraction_interval: its 95 % Wilson interval; None where no cell was judged.
        verdict: ``suspicious``, ``not detected`` or ``indeterminate``.
        reason: why, in one sentence for the technician.
        warnings: what a reader should know before trusting the verdict.
        images_not_looked_at: number of images that were left out because the verdict was settled before.
        repeated_fields: images of fields that show the same picture as one before, each with the image of that one;
            their cells are in none of the counts above.
    """

    slide: str
    fields: dict[str, int]
    cells: dict[str, int]
    all_fraction: float | None
    all_fraction_interval: tuple[float, float] | None
    verdict: Verdict
    reason: str
    warnings: tuple[str, ...] = ()
    images_not_looked_at: int = 0
    repeated_fields: dict[str, str] = field(default_factory=dict)

    @property
    def stopped_early(self) -> bool:
        """Whether images were left out because the verdict was settled."""
        return self.images_not_looked_at > 0

    def to_json(self) -> dict[str, Any]:
        """The entry as JSON-ready values."""
        record = dataclasses.asdict(self)
        record["stopped_early"] = self.stopped_early
        record["warnings"] = list(self.warnings)
        if self.all_fraction is not None and self.all_fraction_interval is not None:
            record["all_fraction"] = round(self.all_fraction, 4)
            record["all_fraction_interval"] = [round(bound, 4) for bound in self.all_fraction_interval]
        return record
