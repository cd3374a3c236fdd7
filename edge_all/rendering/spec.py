"""What a synthetic field is to show."""

from __future__ import annotations

from dataclasses import dataclass

from edge_all.errors import UsageError
from edge_all.rendering.stain import STAINS, StainName

__all__ = ["SmearSpec"]


@dataclass(frozen=True, slots=True)
class SmearSpec:
    """One synthetic field: what lies on the slide, its stain, and the microscope that looks at it.

    Attributes:
        blasts: lymphoblasts that touch no other white cell.
        clumps: sizes of the clumps of touching lymphoblasts; ``(3, 5)`` is eight more blasts in two clumps.
        cut_blasts: lymphoblasts that the border of the image cuts.
        lymphocytes, neutrophils, monocytes: normal white cells.
        smudges: burst cells; they carry a kind and a place in the truth, but no whole cell to outline.
        platelets: platelets, likewise.
        red_cell_cover: area of all red cells over the area of the field; above 0.5 they overlap a lot.
        stain: the look of the slide, see `edge_all.rendering.stain.STAINS`.
        stain_strength: 1 is as measured; 0.6 a pale, 1.3 a heavy stain.
        microns_per_pixel: size of a pixel on the slide; 0.09 is a 100x objective with a usual camera.
        exposure: brightness of the light, 1 being that of the stain's real slides.
        vignette: how much darker the corners are than the centre, as a fraction.
        gradient: brightness difference between the left and the right border, as a fraction; may be negative.
        defocus: standard deviation of the blur in micrometres; 0.15 is a sharp oil-immersion image, 1 is unusable.
        sharpening: how strongly the camera sharpens; real cameras draw a pale halo round cells.
        noise: standard deviation of the sensor noise in grey levels.

    Raises:
        UsageError: a count is negative or a value lies outside what can be rendered.
    """

    blasts: int = 0
    clumps: tuple[int, ...] = ()
    cut_blasts: int = 0
    lymphocytes: int = 0
    neutrophils: int = 0
    monocytes: int = 0
    smudges: int = 0
    platelets: int = 0
    red_cell_cover: float = 0.4
    stain: StainName = "grey"
    stain_strength: float = 1.0
    microns_per_pixel: float = 0.09
    exposure: float = 1.0
    vignette: float = 0.06
    gradient: float = 0.03
    defocus: float = 0.15
    sharpening: float = 0.3
    noise: float = 1.6

    def __post_init__(self) -> None:
        counts = ("blasts", "cut_blasts", "lymphocytes", "neutrophils", "monocytes", "smudges", "platelets")
        for name in counts:
            if getattr(self, name) < 0:
                raise UsageError(f"SmearSpec.{name} is {getattr(self, name)}.", "Give 0 or more.")
        if any(size < 2 for size in self.clumps):
            raise UsageError(f"SmearSpec.clumps is {self.clumps}.", "A clump holds two blasts or more.")
        if self.stain not in STAINS:
            raise UsageError(f"SmearSpec.stain is {self.stain!r}.", f"Choose one of: {', '.join(STAINS)}.")
        limits = {
            "red_cell_cover": (0.0, 1.5),
            "stain_strength": (0.1, 3.0),
            "microns_per_pixel": (0.02, 1.0),
            "exposure": (0.05, 4.0),
            "vignette": (0.0, 0.9),
            "gradient": (-0.9, 0.9),
            "defocus": (0.0, 5.0),
            "sharpening": (0.0, 2.0),
            "noise": (0.0, 40.0),
        }
        for name, (low, high) in limits.items():
            if not low <= getattr(self, name) <= high:
                raise UsageError(
                    f"SmearSpec.{name} is {getattr(self, name)}.", f"Give a value from {low:g} to {high:g}."
                )
