"""Nothing leaves the station: no connection is attempted, and nothing lies in a home but what is documented."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import cv2
import pytest

from edge_all.doctor.software import check_telemetry
from edge_all.rendering import SmearSpec, render_field

DOCUMENTED = {".cache", ".cache/edge-all", ".cache/edge-all/timings.json"}
"""What docs/station-engineer.md says lies in a home."""
USES_ONNXRUNTIME = """
import sys, onnxruntime
onnxruntime.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


@pytest.fixture
def field(tmp_path: Path) -> Path:
    file = tmp_path / "slide" / "field.png"
    file.parent.mkdir()
    pixels = render_field(1, width=360, height=360, spec=SmearSpec(blasts=2)).pixels
    cv2.imwrite(str(file), pixels[..., ::-1])
    return file


def run_at_home(home: Path, arguments: Sequence[str]) -> None:
    """Run Python with an empty home, and fail where it asks the system for anything but a local socket."""
    kept = ("PATH", "PYTHONPATH", "LANG", "VIRTUAL_ENV", "SYSTEMROOT")
    environment = {name: os.environ[name] for name in kept if name in os.environ} | {"HOME": str(home)}
    trace = home.parent / "trace.txt"
    tracer = ["strace", "-f", "-qq", "-e", "trace=network", "-o", str(trace)] if shutil.which("strace") else []
    done = subprocess.run(
        [*tracer, sys.executable, *arguments], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode in (0, 1), done.stderr
    assert "Traceback" not in done.stderr
    if tracer:
        asked = [line for line in trace.read_text().splitlines() if "AF_INET" in line or "AF_NETLINK" in line]
        assert asked == []


def lies_in(home: Path) -> set[str]:
    return {path.relative_to(home).as_posix() for path in home.rglob("*")}


@pytest.mark.skipif(sys.platform != "linux", reason="the folders of Linux")
@pytest.mark.parametrize("verb", ["screen", "classify", "segment", "demo", "doctor", "verify"])
def test_a_command_reaches_for_no_network_and_leaves_nothing_undocumented(
    home: Path, field: Path, tiny_package: Path, verb: str
) -> None:
    out = str(home.parent / "out")
    arguments = {
        "screen": ["screen", str(field), "-o", out, "--model", str(tiny_package)],
        "classify": ["classify", str(field), "--model", str(tiny_package)],
        "segment": ["segment", str(field), "-o", out],
        "demo": ["demo", "-o", out, "--model", str(tiny_package)],
        "doctor": ["doctor", "--model", str(tiny_package)],
        "verify": ["model", "verify", str(tiny_package)],
    }[verb]
    # One sample field does what eleven do.
    code = (
        "import edge_all.rendering.demo_fields as demo; slides = demo.demo_slides(); "
        "demo.demo_slides = lambda: slides[-1:]; from edge_all.cli.main import main; main()"
    )
    run_at_home(home, ["-c", code, *arguments])
    assert verb in {"classify", "doctor", "verify"} or [*Path(out).rglob("fields.jsonl")]
    assert lies_in(home) <= DOCUMENTED


@pytest.mark.parametrize("package", ["edge_all", "edge_all_calibration"])
def test_onnxruntime_that_the_users_own_code_imports_later_sends_nothing_either(
    home: Path, tiny_package: Path, package: str
) -> None:
    if package != "edge_all":
        pytest.importorskip(package)
    run_at_home(home, ["-c", f"import {package}\n{USES_ONNXRUNTIME}", str(tiny_package / "model.fp32.onnx")])
    assert lies_in(home) == set()


def test_the_training_side_switches_it_off_too() -> None:
    pytest.importorskip("edge_all_export")
    code = (
        "import os; os.environ.pop('ORT_DISABLE_TELEMETRY', None); import edge_all_export; "
        "print(os.environ.get('ORT_DISABLE_TELEMETRY'))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "1"


def test_the_doctor_says_whether_telemetry_is_off(monkeypatch: pytest.MonkeyPatch) -> None:
    assert check_telemetry().status == "ok"
    monkeypatch.setenv("ORT_DISABLE_TELEMETRY", "0")
    assert check_telemetry().status == "problem"
