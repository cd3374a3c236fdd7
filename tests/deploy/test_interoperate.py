"""The embedded network answers alike in a browser, and is what parsers ask for."""

from __future__ import annotations

import functools
import http.server
import json
import shutil
import subprocess
import tarfile
import threading
from pathlib import Path

import numpy as np
import pytest

from edge_all.model.golden import golden_crops
from edge_all.model.store import find_package

ROOT = Path(__file__).parents[2]
PACKAGE = find_package(None)
NETWORK = PACKAGE.path / next(iter(PACKAGE.card.variants.values())).file
OURS = ("ort.wasm.min.mjs", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm")


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


class _Served(http.server.SimpleHTTPRequestHandler):
    extensions_map = {  # noqa: RUF012 - as the standard library has it
        ".mjs": "text/javascript",
        ".wasm": "application/wasm",
        ".html": "text/html",
        "": "application/octet-stream",
    }
    answers: list[str] = []  # noqa: RUF012 - one server
    answered = threading.Event()

    def do_POST(self) -> None:
        self.answers.append(self.rfile.read(int(self.headers["Content-Length"])).decode())
        self.send_response(204)
        self.end_headers()
        self.answered.set()

    def log_message(self, *_: object) -> None:
        pass


@pytest.mark.deploy
@pytest.mark.filterwarnings("default")
def test_the_network_answers_alike_in_a_browser(tmp_path: Path) -> None:
    import onnxruntime

    chromium, npm = shutil.which("chromium"), shutil.which("npm")
    if chromium is None or npm is None:
        pytest.skip("chromium or npm is not installed")
    packed = subprocess.run([npm, "pack", "onnxruntime-web"], cwd=tmp_path, capture_output=True, text=True, check=False)
    if packed.returncode:
        pytest.skip("npm cannot get onnxruntime-web")
    with tarfile.open(next(tmp_path.glob("*.tgz"))) as archive:
        for name in OURS:
            (tmp_path / name).write_bytes(archive.extractfile(f"package/dist/{name}").read())  # type: ignore[union-attr]
    side = PACKAGE.card.preprocessing.input_size
    crops = golden_crops(side)
    crops.tofile(tmp_path / "crops.bin")
    shutil.copy(NETWORK, tmp_path / "model.onnx")
    shutil.copy(ROOT / "deploy" / "interoperate" / "index.html", tmp_path)
    session = onnxruntime.InferenceSession(str(NETWORK), providers=["CPUExecutionProvider"])
    (expected,) = session.run(["probability"], {"image": crops})

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Served, directory=str(tmp_path)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    options = [
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--no-first-run",
        f"--user-data-dir={tmp_path / 'user'}",
    ]
    address = f"http://127.0.0.1:{server.server_port}/index.html?side={side}"
    browser = subprocess.Popen([chromium, *options, address], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        assert _Served.answered.wait(120)
    finally:
        browser.kill()
        browser.wait()
        server.shutdown()
        server.server_close()
    # A value that lies between two 8-bit steps may be rounded the other way by another build: one of the four differs
    # by 0.0008 with package 2.1.0, none did with 2.0.0.
    assert np.abs(np.array(json.loads(_Served.answers[0])) - expected).max() <= 2e-3
