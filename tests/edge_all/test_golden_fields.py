"""From a file on the disk to its line in ``fields.jsonl``: what the embedded model says of rendered fields.

``golden_fields.json`` holds the answers. After a change that is meant to change them (another embedded model, another
segmentation, another renderer), write them anew and look at the difference before it is committed::

    python tests/edge_all/test_golden_fields.py
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import cv2
import pytest

from edge_all.model.card import Thresholds
from edge_all.model.store import find_package
from edge_all.rendering import SmearSpec, render_field

GOLDEN = Path(__file__).with_name("golden_fields.json")
COMMAND = str(Path(sys.executable).with_name("edge-all"))
SIDE = 720
FIELDS = {
    "blasts": (11, SmearSpec(blasts=4, clumps=(3,), cut_blasts=1, platelets=3)),
    "normal": (12, SmearSpec(neutrophils=2, lymphocytes=2, monocytes=1, platelets=4, red_cell_cover=0.5)),
    "mixed": (13, SmearSpec(blasts=2, lymphocytes=1, smudges=1, platelets=2, stain="beige", stain_strength=0.8)),
    "blurred": (14, SmearSpec(blasts=3, defocus=2.5)),
}
PIXELS = 1
"""Boxes may differ by this: k-means sums 32-bit floats, in an order that depends on the processor."""
PROBABILITY = 0.02
"""Probabilities may differ by this, out-of-distribution scores by this share. The 8-bit kernels of ONNX Runtime gave
the same bits with VNNI, AVX-512 and AVX2 alone, for no product saturates; but what is computed in floats between them
is summed in another order by other processors and versions, and a value that falls to the other side of an 8-bit step
moves the answer. `edge_all.model.golden` allows a whole package the same and more."""


def write_fields(folder: Path) -> dict[str, str]:
    """Render the fields as PNG files; the hash of the pixels of each."""
    folder.mkdir()
    hashes = {}
    for name, (seed, spec) in FIELDS.items():
        pixels = render_field(seed, width=SIDE, height=SIDE, spec=spec).pixels
        hashes[name] = hashlib.sha256(pixels.tobytes()).hexdigest()
        cv2.imwrite(str(folder / f"{name}.png"), pixels[..., ::-1])
    return hashes


def screened(folder: Path) -> dict[str, Any]:
    """What the command says of the fields, in the form of the golden file."""
    hashes = write_fields(folder / "slide")
    command = [COMMAND, "screen", str(folder / "slide"), "-o", str(folder / "out"), "--device", "cpu", "--variant"]
    done = subprocess.run([*command, "int8", "--json"], capture_output=True, text=True, check=False, timeout=240)
    # The blurred field is not judged, which the status says.
    assert done.returncode == 1, done.stderr
    lines = map(json.loads, (folder / "out" / "fields.jsonl").read_text(encoding="utf-8").splitlines())
    by_name = {Path(line["image"]).stem: line for line in lines}
    (slide,) = json.loads(done.stdout)
    kept = ("kind", "reason", "bbox", "nucleus_bbox", "label", "probability", "out_of_distribution")
    return {
        "model": {key: by_name["blasts"]["model"][key] for key in ("name", "version", "variant", "sha256")},
        "slide": {name: slide[name] for name in ("verdict", "cells", "fields")},
        "fields": {
            name: {
                "pixels_sha256": hashes[name],
                "status": line["status"],
                "cells": [{key: cell[key] for key in kept} for cell in line["cells"]],
            }
            for name, line in sorted(by_name.items())
        },
    }


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return screened(tmp_path_factory.mktemp("golden"))


@pytest.fixture(scope="module")
def golden() -> dict[str, Any]:
    return json.loads(GOLDEN.read_text(encoding="utf-8"))


def test_the_answers_are_those_of_the_embedded_model(found: dict[str, Any], golden: dict[str, Any]) -> None:
    assert found["model"] == golden["model"], f"write them anew: python {Path(__file__).name}"


@pytest.mark.parametrize("name", FIELDS)
def test_a_field_holds_the_cells_labels_and_probabilities_that_it_held(
    name: str, found: dict[str, Any], golden: dict[str, Any]
) -> None:
    now, then = found["fields"][name], golden["fields"][name]
    assert now["pixels_sha256"] == then["pixels_sha256"], "the renderer draws another picture"
    assert now["status"] == then["status"]
    thresholds = find_package(None).variant("int8").thresholds
    for cell, expected in zip(now["cells"], then["cells"], strict=True):
        assert (cell["kind"], cell["reason"]) == (expected["kind"], expected["reason"])
        for box in ("bbox", "nucleus_bbox"):
            assert cell[box] == pytest.approx(expected[box], abs=PIXELS)
        if expected["probability"] is None:
            assert (cell["probability"], cell["label"], cell["out_of_distribution"]) == (None, None, None)
            continue
        assert cell["probability"] == pytest.approx(expected["probability"], abs=PROBABILITY)
        assert cell["out_of_distribution"] == pytest.approx(expected["out_of_distribution"], rel=PROBABILITY)
        if cell["label"] != expected["label"]:
            assert is_on_the_edge(expected, thresholds)


def is_on_the_edge(cell: dict[str, Any], thresholds: Thresholds) -> bool:
    """Whether the tolerance alone may give the cell another label."""
    cuts = (thresholds.non_all_below, thresholds.all_from)
    near = min(abs(cell["probability"] - cut) for cut in cuts) < PROBABILITY
    return near or abs(cell["out_of_distribution"] - 1) < PROBABILITY


def test_the_golden_fields_show_every_kind_of_answer(golden: dict[str, Any]) -> None:
    cells = [cell for field in golden["fields"].values() for cell in field["cells"]]
    assert {cell["kind"] for cell in cells} == {"candidate", "rejected"}
    assert len({cell["label"] for cell in cells} - {None}) >= 2
    assert {field["status"] for field in golden["fields"].values()} == {"ok", "unusable"}
    assert len({cell["probability"] for cell in cells}) > 10


def test_the_slide_is_judged_as_it_was(found: dict[str, Any], golden: dict[str, Any]) -> None:
    assert found["slide"]["verdict"] == golden["slide"]["verdict"]
    assert found["slide"]["fields"] == golden["slide"]["fields"]


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        GOLDEN.write_text(json.dumps(screened(Path(scratch)), indent=1) + "\n", encoding="utf-8")
