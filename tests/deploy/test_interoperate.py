"""The embedded network answers alike in a browser, and is what parsers ask for."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from edge_all.model.golden import GOLDEN_TOLERANCE, golden_crops
from edge_all.model.store import find_package

ROOT = Path(__file__).parents[2]
PACKAGE = find_package(None)
NETWORK = PACKAGE.path / next(iter(PACKAGE.card.variants.values())).file
INTEROPERATE = ROOT / "deploy" / "interoperate"


def test_the_network_passes_the_checker_and_strict_shape_inference() -> None:
    onnx = pytest.importorskip("onnx")
    network = onnx.load(NETWORK)
    onnx.checker.check_model(network, full_check=True)
    onnx.shape_inference.infer_shapes(network, strict_mode=True, data_prop=True)
    assert {one.domain for one in network.opset_import} == {""}
    page = (ROOT / "docs" / "interoperate.md").read_text(encoding="utf-8")
    assert f"opset {network.opset_import[0].version}" in page
    for name in ("image", "probability", "features", "activation"):
        assert f"`{name}`" in page
        assert name in {one.name for one in [*network.graph.input, *network.graph.output]}


@pytest.mark.deploy
@pytest.mark.filterwarnings("default")
def test_the_network_answers_alike_in_a_browser(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(INTEROPERATE))
    import onnxruntime
    from in_browser import NotHereError, judge_in_browser

    crops = golden_crops(PACKAGE.card.preprocessing.input_size)
    try:
        found, _ = judge_in_browser(NETWORK, crops)
    except NotHereError as missing:
        pytest.skip(str(missing))
    session = onnxruntime.InferenceSession(str(NETWORK), providers=["CPUExecutionProvider"])
    (expected,) = session.run(["probability"], {"image": crops})
    # A value that lies between two 8-bit steps may be rounded the other way by another build.
    assert np.abs(found - expected).max() <= GOLDEN_TOLERANCE["int8"]


@pytest.mark.deploy
def test_the_program_in_cpp_answers_alike(tmp_path: Path) -> None:
    import onnxruntime

    compiler, headers = shutil.which("g++"), Path("/usr/include/onnxruntime")
    if compiler is None or not headers.is_dir():
        pytest.skip("g++ or libonnxruntime-dev is not installed")
    program, source = tmp_path / "judge_crops", INTEROPERATE / "judge_crops.cpp"
    options = ["-std=c++17", "-Wall", "-Wextra", "-Werror", f"-I{headers}"]
    subprocess.run([compiler, *options, "-o", program, source, "-lonnxruntime"], check=True)
    crops = golden_crops(PACKAGE.card.preprocessing.input_size)
    crops.tofile(tmp_path / "crops.bin")
    command = [program, NETWORK, tmp_path / "crops.bin", str(crops.shape[1])]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    session = onnxruntime.InferenceSession(str(NETWORK), providers=["CPUExecutionProvider"])
    (expected,) = session.run(["probability"], {"image": crops})
    assert np.abs(np.array(said.split(), np.float32) - expected).max() <= GOLDEN_TOLERANCE["int8"]


@pytest.mark.parametrize("library", ["onnxruntime", "openvino"])
def test_the_lines_in_python_run_and_answer_alike(
    library: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip(library)
    page = (ROOT / "docs" / "interoperate.md").read_text(encoding="utf-8")
    (lines,) = re.findall(rf"^```\n(import [^\n]*\b{library}\n.*?)^```", page, re.DOTALL | re.MULTILINE)
    shutil.copy(NETWORK, tmp_path / "model.int8.onnx")
    monkeypatch.chdir(tmp_path)
    names = {"crops": golden_crops(PACKAGE.card.preprocessing.input_size)}
    exec(compile(lines, "docs/interoperate.md", "exec"), names)  # noqa: S102 - the page's own code
    golden = next(iter(PACKAGE.card.variants.values())).golden
    assert np.abs(names["probability"] - np.array(golden)).max() <= GOLDEN_TOLERANCE["int8"]
