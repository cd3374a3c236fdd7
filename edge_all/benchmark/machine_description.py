"""The description of a machine that stands beside its figures."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Any

from edge_all import __version__
from edge_all.doctor.hardware import instruction_sets
from edge_all.session import available_cores, import_onnxruntime

__all__ = ["describe_machine", "processor_name"]

EIGHT_BIT = frozenset({"AVX-VNNI", "AVX-512 VNNI"})


def describe_machine() -> dict[str, Any]:
    """Processor, cores, operating system and the versions of what computes; no names of hosts or users.

    ``hardware`` says what must be equal for figures to be compared, ``software`` what a comparison may be about.
    """
    import cv2
    import numpy as np

    instructions = instruction_sets()
    return {
        "hardware": {
            "processor": processor_name(),
            "architecture": platform.machine(),
            "cores_usable": available_cores(),
            "cores_present": os.cpu_count(),
            "instruction_sets": None if instructions is None else sorted(instructions),
            "vnni": None if instructions is None else bool(instructions & EIGHT_BIT),
            "operating_system": platform.system(),
        },
        "software": {
            "edge-all": __version__,
            "operating_system": platform.platform(terse=True),
            "python": platform.python_version(),
            "numpy": np.__version__,
            "opencv": cv2.__version__,
            "onnxruntime": import_onnxruntime().__version__,
        },
    }


def processor_name(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """The processor's name, as Linux or the platform tells it.

    Args:
        cpuinfo: where Linux tells it.
    """
    try:
        for line in cpuinfo.read_text().splitlines():
            key, _, value = line.partition(":")
            if key.strip().lower() == "model name":
                return value.strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
