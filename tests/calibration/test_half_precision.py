from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx

from edge_all_calibration.quantizing.half_precision import halve
from edge_all_calibration.quantizing.inference import run_network
from edge_all_calibration.quantizing.scores import Score
from edge_all_calibration.releasing.release import CellParts


def named(network: Path, target: Path) -> Path:
    model = onnx.load(network)
    for index, node in enumerate(model.graph.node):
        node.name = f"n{index}"
    onnx.save(model, target)
    return target


def test_fp16_answers_nearly_as_fp32(tmp_path: Path, network: Path, parts: CellParts) -> None:
    source = named(network, tmp_path / "fp32.onnx")
    _, kept = halve(source, tmp_path / "fp16.onnx", lambda _: Score(0.0, 0.0), lambda _: None)
    assert kept == ()
    onnx.checker.check_model(tmp_path / "fp16.onnx", full_check=True)
    before, after = run_network(source, parts.test.crops), run_network(tmp_path / "fp16.onnx", parts.test.crops)
    difference = np.abs(before.probability - after.probability).max()
    assert 0 < difference < 5e-3
    types = {value.name: value.type.tensor_type.elem_type for value in onnx.load(tmp_path / "fp16.onnx").graph.output}
    assert types == {"probability": onnx.TensorProto.FLOAT, "features": onnx.TensorProto.FLOAT}


def test_blocks_go_back_to_fp32_while_the_measured_loss_asks_for_it(tmp_path: Path, network: Path) -> None:
    source = named(network, tmp_path / "fp32.onnx")

    def halves(file: Path) -> int:
        return sum(one.data_type == onnx.TensorProto.FLOAT16 for one in onnx.load(file).graph.initializer)

    result, kept = halve(
        source, tmp_path / "fp16.onnx", lambda file: Score(0.0, 0.001 if halves(file) <= 2 else 0.5), lambda _: None
    )
    assert kept == ("first convolution",)
    assert result.difference == 0.001
    assert halves(tmp_path / "fp16.onnx") == 2
    _, everything = halve(source, tmp_path / "none.onnx", lambda _: Score(1.0, 1.0), lambda _: None)
    assert "first convolution" in everything
    assert halves(tmp_path / "none.onnx") == 0
