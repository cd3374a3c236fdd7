"""The files of a package in OpenVINO itself, where it is installed (``pip install openvino``)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge_all_calibration.quantizing.inference import run_network
from edge_all_calibration.releasing.release import CellParts, Release

pytestmark = pytest.mark.filterwarnings("default")


# What FP16 rounds and what INT8 rounds differently; FP32 differs by the order of its sums.
@pytest.mark.parametrize(("variant", "tolerance"), [("fp32", 1e-5), ("fp16", 5e-3), ("int8", 2e-2)])
def test_openvino_answers_as_onnx_runtime_does(
    released: tuple[Path, Release], parts: CellParts, variant: str, tolerance: float
) -> None:
    openvino = pytest.importorskip("openvino")
    file = released[0] / f"model.{variant}.onnx"
    core = openvino.Core()
    # Processors with bfloat16 would compute in it unasked.
    network = core.compile_model(core.read_model(file), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    found = network({"image": parts.test.crops})
    expected = run_network(file, parts.test.crops)
    assert np.abs(found["probability"] - expected.probability).max() <= tolerance
