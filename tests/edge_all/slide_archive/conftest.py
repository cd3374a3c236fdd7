"""A small archive, rendered once, and how its results are compared with those of ``edge-all screen``."""

from __future__ import annotations

import gzip
import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import pytest

from edge_all.api.screener import Screener
from edge_all.inputs import find_images
from edge_all.rendering import SmearSpec, render_field
from edge_all.runs.screening_run import screen_to_folder
from edge_all.slide_archive import archive_run
from edge_all.slide_archive.archive_run import Crew, screen_archive
from edge_all.slide_archive.manifest import ArchiveSlide, read_manifest
from edge_all.slide_archive.reconciliation import Reconciliation
from edge_all.slide_archive.worker import Outcome, Settings, SlideWorker

SLIDES = 4


@pytest.fixture(scope="session")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("archive") / "slides"
    for number in range(SLIDES):
        folder = root / f"S-{number:02d}"
        folder.mkdir(parents=True)
        for field in range(2):
            spec = SmearSpec(blasts=number % 2, lymphocytes=1, platelets=1)
            pixels = render_field(10 * number + field, width=480, height=400, spec=spec).pixels
            cv2.imwrite(str(folder / f"field{field}.png"), pixels[..., ::-1])
    return root


@pytest.fixture
def slides(rendered: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The archive in the working folder, with a file that is no image and one that is cut off."""
    shutil.copytree(rendered, tmp_path / "slides")
    (tmp_path / "slides" / "S-00" / "notes.txt").write_text("no image")
    whole = (rendered / "S-01" / "field0.png").read_bytes()
    (tmp_path / "slides" / "S-01" / "torn.png").write_bytes(whole[: len(whole) // 2])
    monkeypatch.chdir(tmp_path)
    return Path("slides")


Lines = dict[str, dict[str, Any]]


def comparable(line: str | bytes) -> dict[str, Any]:
    """A field without what differs between two runs of the same: times, and how many threads there were."""
    record = json.loads(line)
    if record["provider"] is not None:
        record["provider"] = record["provider"]["obtained"]
    return {name: value for name, value in record.items() if name != "timings_ms"}


@pytest.fixture(scope="session")
def lines_of_results() -> Callable[[Path], Lines]:
    """Every field of an archive's results by its image; fails where one is there twice."""

    def read(out: Path) -> Lines:
        found: Lines = {}
        for file in sorted((out / "results").glob("*/*.jsonl.gz")):
            for line in gzip.decompress(file.read_bytes()).splitlines()[1:]:
                field = comparable(line)
                assert field["image"] not in found
                found[field["image"]] = field
        return found

    return read


@pytest.fixture
def lines_of_screen(tiny_package: Path, tmp_path: Path) -> Callable[[], Lines]:
    """What ``screen`` writes of the archive, by image."""

    def screen() -> Lines:
        out = tmp_path / "screened"
        screen_to_folder(find_images(["slides/*"]), Screener(tiny_package), out)
        fields = [comparable(line) for line in (out / "fields.jsonl").read_text().splitlines()]
        return {field["image"]: field for field in fields}

    return screen


def judged_here(slides: Sequence[ArchiveSlide], settings: Settings, _: Crew) -> Iterator[Outcome]:
    """What a crew would do, without the second that starting a process takes."""
    worker = SlideWorker(settings)
    yield from (worker.judge(slide) for slide in slides)


@pytest.fixture(scope="session")
def here() -> Callable[..., Iterator[Outcome]]:
    """The function ``judged_here``."""
    return judged_here


@pytest.fixture
def run_archive(tiny_package: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Reconciliation]:
    """Screen a manifest with the tiny package; in this process, unless there is a crew."""

    def run(
        manifest: str = "slides",
        out: str = "out",
        crew: Crew | None = None,
        on_slide: Callable[[Outcome], None] = lambda _: None,
        model: str = str(tiny_package),
        microns_per_pixel: float | None = None,
    ) -> Reconciliation:
        settings = Settings(out, model, microns_per_pixel=microns_per_pixel)
        with monkeypatch.context() as patch:
            if crew is None:
                patch.setattr(archive_run, "_outcomes", judged_here)
            return screen_archive(read_manifest(manifest), settings, crew or Crew(), on_slide=on_slide)

    return run
