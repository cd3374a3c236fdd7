"""A new output format comes in by the one door: a function and a line in the list."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import pytest

from edge_all.api.screener import Screener
from edge_all.files.run_folder import RunFolder
from edge_all.inputs import find_images
from edge_all.outputs import formats
from edge_all.outputs.run_summary import RunSummary
from edge_all.rendering import SmearSpec, render_field
from edge_all.results import RgbImage
from edge_all.runs.screening_run import screen_to_folder
from edge_all.screening.field_screening import ScreenedField


def write_tally(folder: RunFolder, field: ScreenedField, picture: RgbImage, factor: float) -> None:
    """A toy format about one field."""
    stem = folder.stems[field.result.image]
    record = {"cells": len(field.result.cells), "shown": list(picture.shape), "factor": factor}
    (folder.path / f"{stem}.tally").write_text(json.dumps(record))


def write_total(folder: RunFolder, run: RunSummary) -> None:
    """A toy format about all fields together."""
    (folder.path / "total.txt").write_text(str(sum(len(field.cells) for field in run.fields)))


def test_a_run_writes_a_format_that_was_added(
    tiny_package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slide = tmp_path / "slide"
    slide.mkdir()
    pixels = render_field(1, width=400, height=400, spec=SmearSpec(blasts=2, lymphocytes=1, platelets=1)).pixels
    cv2.imwrite(str(slide / "a.png"), pixels[..., ::-1])
    (slide / "b.png").write_bytes(b"no image")
    monkeypatch.setattr(formats, "FIELD_FORMATS", (*formats.FIELD_FORMATS, write_tally))
    monkeypatch.setattr(formats, "RUN_FORMATS", (*formats.RUN_FORMATS, write_total))
    out = tmp_path / "out"
    summary = screen_to_folder(find_images([slide]), Screener(tiny_package), out)
    cells = len(summary.fields[0].cells)
    assert cells >= 2
    assert json.loads((out / "a.tally").read_text()) == {"cells": cells, "shown": [400, 400, 3], "factor": 1.75}
    assert not (out / "b.tally").exists(), "of an image that cannot be read there is nothing to write"
    assert (out / "total.txt").read_text() == str(cells)
    assert (out / "report.html").exists(), "the others are written all the same"
