"""Lets Chromium compute a network by ONNX Runtime Web, with ``index.html`` beside this file."""

from __future__ import annotations

import functools
import http.server
import json
import shutil
import subprocess
import tarfile
import tempfile
import threading
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["NotHereError", "judge_in_browser"]

_OURS = ("ort.wasm.min.mjs", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm")
_MOST_SECONDS = 300


class NotHereError(Exception):
    """What it needs is not on this machine; says what."""


def judge_in_browser(network: Path, crops: np.ndarray[Any, np.dtype[np.uint8]]) -> tuple[np.ndarray[Any, Any], str]:
    """Compute the probabilities of crops.

    Args:
        network: the ONNX file.
        crops: ``uint8 [n, side, side, 3]`` RGB.

    Returns:
        ``float64 [n]``, and the version of ``onnxruntime-web``.

    Raises:
        NotHereError: there is no Chromium, no npm, or npm cannot get the package.
    """
    chromium, npm = shutil.which("chromium"), shutil.which("npm")
    if chromium is None or npm is None:
        raise NotHereError("chromium or npm is not installed")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as temporary:
        folder = Path(temporary)
        version = _fetch_runtime(npm, folder)
        crops.tofile(folder / "crops.bin")
        shutil.copy(network, folder / "model.onnx")
        shutil.copy(Path(__file__).with_name("index.html"), folder)
        answer = json.loads(_answer_of_page(chromium, folder, crops.shape[1]))
    if isinstance(answer, str):
        raise RuntimeError(answer)  # noqa: TRY004 - what the page says went wrong
    return np.array(answer), version


def _fetch_runtime(npm: str, folder: Path) -> str:
    packed = subprocess.run([npm, "pack", "onnxruntime-web"], cwd=folder, capture_output=True, text=True, check=False)
    if packed.returncode:
        raise NotHereError("npm cannot get onnxruntime-web")
    with tarfile.open(next(folder.glob("*.tgz"))) as archive:
        for name in _OURS:
            (folder / name).write_bytes(archive.extractfile(f"package/dist/{name}").read())  # type: ignore[union-attr]
        about = json.load(archive.extractfile("package/package.json"))  # type: ignore[arg-type]
    return str(about["version"])


class _Server(http.server.ThreadingHTTPServer):
    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), functools.partial(_Served, directory=str(folder)))
        self.answer = ""
        self.answered = threading.Event()


class _Served(http.server.SimpleHTTPRequestHandler):
    extensions_map = {  # noqa: RUF012 - as the standard library has it
        ".mjs": "text/javascript",
        ".wasm": "application/wasm",
        ".html": "text/html",
        "": "application/octet-stream",
    }
    server: _Server

    def do_POST(self) -> None:
        self.server.answer = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.send_response(204)
        self.end_headers()
        self.server.answered.set()

    def log_message(self, *_: object) -> None:
        pass


def _answer_of_page(chromium: str, folder: Path, side: int) -> str:
    server = _Server(folder)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    options = ["--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run"]
    user = f"--user-data-dir={folder / 'user'}"
    address = f"http://127.0.0.1:{server.server_port}/index.html?side={side}"
    browser = subprocess.Popen(
        [chromium, *options, user, address], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        if not server.answered.wait(_MOST_SECONDS):
            raise RuntimeError(f"The page did not answer within {_MOST_SECONDS} s.")
        return server.answer
    finally:
        browser.kill()
        browser.wait()
        server.shutdown()
        server.server_close()
