"""What a measured time depends on besides the network: if any of it changes, the time is worth nothing any more."""

from __future__ import annotations

import hashlib
import platform
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

__all__ = ["machine_key"]

NVIDIA_DRIVER_FILE = Path("proc/driver/nvidia/version")
QUERY_SECONDS = 10


def machine_key(onnxruntime_version: str, providers: Sequence[str], root: Path = Path("/")) -> dict[str, str]:
    """Processor with its instruction sets, ONNX Runtime, its providers, and the NVIDIA driver where one matters.

    Args:
        onnxruntime_version: of the module that is imported.
        providers: those that it was built with.
        root: where ``proc`` is; another folder in tests.
    """
    processor, instructions = _processor(root)
    uses_nvidia = any("CUDA" in name or "Tensorrt" in name for name in providers)
    return {
        "processor": processor,
        "instruction_sets": instructions,
        "onnxruntime": onnxruntime_version,
        "providers": ", ".join(providers),
        "nvidia_driver": _nvidia_driver(root) if uses_nvidia else "",
    }


def _processor(root: Path) -> tuple[str, str]:
    """The processor's name and a digest of its instruction sets, as far as the system tells them."""
    lines: dict[str, str] = {}
    try:
        for line in (root / "proc/cpuinfo").read_text().splitlines():
            key, _, value = line.partition(":")
            lines.setdefault(key.strip().lower(), value.strip())
    except OSError:
        pass
    name = lines.get("model name") or platform.processor() or platform.machine()
    flags = " ".join(sorted((lines.get("flags") or lines.get("features") or "").split()))
    return name, hashlib.sha256(flags.encode()).hexdigest()[:16] if flags else ""


def _nvidia_driver(root: Path) -> str:
    try:
        return (root / NVIDIA_DRIVER_FILE).read_text().splitlines()[0].strip()
    except (OSError, IndexError):
        pass
    program = shutil.which("nvidia-smi")
    if program is None:
        return ""
    try:
        # A program that belongs to the driver, no shell.
        done = subprocess.run(  # noqa: S603
            [program, "--query-gpu=driver_version", "--format=csv,noheader"],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=QUERY_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return " ".join(done.stdout.split())
