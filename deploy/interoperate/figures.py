"""The table of ``docs/interoperate.md``: ``python deploy/interoperate/figures.py FIELDS... [--cpp PROGRAM]``.

Cuts the cells out of rendered fields and of the fields named, lets ONNX Runtime judge them, and whatever else
of OpenVINO, a browser and the compiled ``judge_crops.cpp`` is here, and prints how far their
probabilities and labels lie apart.
"""

from __future__ import annotations

import argparse
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime
from in_browser import NotHereError, judge_in_browser

from edge_all.benchmark.workload import own_images, prepare_workload, rendered_images
from edge_all.classification.decision_rule import calibrated_probability, labels_of
from edge_all.errors import EdgeAllError
from edge_all.model.card import Variant
from edge_all.model.store import find_package
from edge_all.results import RgbImage

Judged = tuple[np.ndarray, str]
"""The probabilities, and what computed them."""


def main() -> int:
    """Print the table; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("fields", nargs="*", help="images or folders of fields, beside the rendered ones")
    parser.add_argument("--cpp", help="the compiled judge_crops, and what begins it")
    options = parser.parse_args()
    package = find_package(None)
    name = next(iter(package.card.variants))
    variant = package.variant(name)
    network = package.path / variant.file
    try:
        crops, fields = cells_of(options.fields)
    except EdgeAllError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 2
    session = onnxruntime.InferenceSession(str(network), providers=["CPUExecutionProvider"])
    (expected,) = session.run(["probability"], {"image": crops})
    measured = f"{len(crops)} cells of {fields} fields, against ONNX Runtime {onnxruntime.__version__} on the CPU"
    print(f"The {name.upper()} file of package {package.card.version}, on {measured}:\n")
    print("| with | largest difference of a probability | median | labels that differ |\n|---|---|---|---|")
    ways: list[Callable[[], Judged]] = [lambda: in_openvino(network, crops), lambda: in_page(network, crops)]
    if options.cpp:
        ways.append(lambda: in_cpp(shlex.split(options.cpp), network, crops))
    for way in ways:
        try:
            found, who = way()
        except NotHereError as missing:
            print(f"Left out: {missing}.", file=sys.stderr)
            continue
        apart = np.abs(found.astype(np.float32) - expected)
        differ = np.count_nonzero(labels(found, variant) != labels(expected, variant))
        print(f"| {who} | {apart.max():.1g} | {np.median(apart):.1g} | {differ} |")
    return 0


def cells_of(named: list[str]) -> tuple[RgbImage, int]:
    """Crops ``uint8 [n, side, side, 3]`` of the cells, and of how many fields.

    Raises:
        EdgeAllError: a name leads to no image, or no image can be judged.
    """
    spec = find_package(None).card.preprocessing
    with tempfile.TemporaryDirectory() as folder:
        works = [prepare_workload(rendered_images(Path(folder)), spec)]
        works += [prepare_workload(own_images([one]), spec) for one in named]
    return np.concatenate([work.crops for work in works]), sum(len(work.cells_per_field) for work in works)


def labels(probability: np.ndarray, variant: Variant) -> np.ndarray:
    """What the thresholds say, which is all that somebody else's program knows."""
    return labels_of(calibrated_probability(probability, variant.temperature), None, variant.thresholds)


def in_openvino(network: Path, crops: RgbImage) -> Judged:
    """By OpenVINO on the CPU."""
    try:
        import openvino
    except ImportError as error:
        raise NotHereError("openvino is not installed") from error
    core = openvino.Core()
    compiled = core.compile_model(core.read_model(network), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    version = openvino.__version__.split("-")[0]
    return compiled({"image": crops})["probability"], f"OpenVINO {version} on the CPU, precision hint `f32`"


def in_page(network: Path, crops: RgbImage) -> Judged:
    """By ONNX Runtime Web."""
    found, version = judge_in_browser(network, crops)
    return found, f"ONNX Runtime Web {version} (WebAssembly) in Chromium"


def in_cpp(command: list[str], network: Path, crops: RgbImage) -> Judged:
    """By the compiled ``judge_crops.cpp``."""
    with tempfile.NamedTemporaryFile(suffix=".bin") as file:
        crops.tofile(file.name)
        words = [*command, str(network), file.name, str(crops.shape[1])]
        said = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    return np.array([float(line) for line in said.split()]), "ONNX Runtime in C++, `judge_crops.cpp`"


if __name__ == "__main__":
    sys.exit(main())
