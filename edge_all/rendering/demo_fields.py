"""The sample slides of ``edge-all demo``: what they show, and how they reach the disk."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from edge_all.errors import OutputError
from edge_all.files.atomic import write_atomically
from edge_all.outputs.pictures import jpeg_bytes
from edge_all.rendering.field import RenderedField, render_field
from edge_all.rendering.spec import SmearSpec
from edge_all.session import available_cores

__all__ = ["DEMO_NOTICE", "DemoField", "DemoSlide", "demo_files", "demo_slides", "write_demo_fields"]

DEMO_NOTICE = (
    "These fields are synthetic: drawn by edge-all itself. They show how the program works. "
    "How it judges synthetic cells is no evidence of how accurately it judges real ones."
)
"""What everyone who sees the demonstration's results must be told."""

_WIDTH, _HEIGHT = 1712, 1368
"""The size of the older ALL-IDB1 fields."""
_NOISE, _SHARPENING = 3.0, 0.6
"""Like those of the camera of ALL-IDB1, looked at beside fields 1 and 8 at twice their size: with less of both,
chromatin and ground are smoother than any slide's."""
_QUALITY = 95
"""JPEG quality of the written fields: 0.4 megabytes each, without blocks that one could see."""


@dataclass(frozen=True, slots=True)
class DemoField:
    """One sample field: its file name without suffix, the seed it is rendered from and what it shows."""

    name: str
    seed: int
    spec: SmearSpec

    def render(self) -> RenderedField:
        """The field and its truth."""
        return render_field(self.seed, width=_WIDTH, height=_HEIGHT, spec=self.spec)


@dataclass(frozen=True, slots=True)
class DemoSlide:
    """One sample slide: the name of its folder, and its fields."""

    name: str
    fields: tuple[DemoField, ...]


def demo_slides() -> tuple[DemoSlide, ...]:
    """One slide for each verdict, and one whose only field is out of focus and must not be judged.

    ``not detected`` needs cells: 51, of which at most four may be ALL or indeterminate. Of rendered lymphocytes the
    network is unsure, as of many real ones, so that there are three. With ten cells nothing can be excluded.
    """
    healthy = tuple(
        SmearSpec(
            neutrophils=7,
            monocytes=1,
            lymphocytes=number % 2,
            platelets=12 + number,
            red_cell_cover=0.4 + 0.02 * (number % 3),
            gradient=0.03 - 0.02 * number,
            microns_per_pixel=0.1,
        )
        for number in range(6)
    )
    few = SmearSpec(neutrophils=2, monocytes=1, lymphocytes=1, platelets=13, red_cell_cover=0.5, exposure=0.95)
    leukaemic = (
        SmearSpec(blasts=5, clumps=(3, 4), lymphocytes=1, smudges=2, platelets=4, stain="grey", cut_blasts=1),
        SmearSpec(blasts=6, clumps=(2, 5), smudges=1, platelets=3, stain="grey", cut_blasts=2, red_cell_cover=0.46),
        SmearSpec(
            blasts=4, clumps=(6,), neutrophils=1, lymphocytes=1, smudges=1, platelets=5, stain="grey", vignette=0.14
        ),
    )
    blurred = SmearSpec(blasts=4, lymphocytes=2, platelets=4, stain="beige", defocus=1.3)
    return (
        DemoSlide("demo-healthy", _numbered("healthy", 100, healthy)),
        DemoSlide("demo-too-few-cells", _numbered("too-few-cells", 400, (few,))),
        DemoSlide("demo-leukaemia", _numbered("leukaemia", 200, leukaemic)),
        DemoSlide("demo-out-of-focus", _numbered("out-of-focus", 300, (blurred,))),
    )


def _numbered(name: str, seed: int, specs: tuple[SmearSpec, ...]) -> tuple[DemoField, ...]:
    return tuple(
        DemoField(f"{name}-{number}", seed + number, replace(spec, noise=_NOISE, sharpening=_SHARPENING))
        for number, spec in enumerate(specs, start=1)
    )


def demo_files(folder: Path) -> tuple[Path, ...]:
    """Where `write_demo_fields` puts the sample fields, slide by slide."""
    return tuple(_file(folder, slide, field) for slide in demo_slides() for field in slide.fields)


def _file(folder: Path, slide: DemoSlide, field: DemoField) -> Path:
    return folder / slide.name / f"{field.name}.jpg"


def write_demo_fields(folder: Path) -> tuple[Path, ...]:
    """Render all sample slides into ``folder/<slide>/<field>.jpg``.

    A field that is already there is left as it is.

    Args:
        folder: where to write; made with its parents.

    Returns:
        The files, slide by slide.

    Raises:
        OutputError: the folder cannot be written, or a file there bears the name of a sample field and is another.
    """
    fields = [(_file(folder, slide, field), field) for slide in demo_slides() for field in slide.fields]
    with ThreadPoolExecutor(available_cores()) as threads:
        contents = threads.map(
            lambda field: jpeg_bytes(field.render().pixels, _QUALITY), (field for _, field in fields)
        )
        try:
            for (path, _), content in zip(fields, contents, strict=True):
                _write(path, content)
        except OutputError:
            threads.shutdown(cancel_futures=True)  # nobody waits for the others to be rendered
            raise
    return tuple(path for path, _ in fields)


def _write(path: Path, content: bytes) -> None:
    if not path.exists():
        write_atomically(path, content)
    elif not path.is_file() or path.read_bytes() != content:
        raise OutputError(
            f"{path} already exists and is not the sample field of that name.",
            "Choose another output folder.",
            settings=("out",),
        )
