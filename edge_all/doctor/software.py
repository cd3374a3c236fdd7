"""Which packages are installed, and whether they have overwritten each other."""

from __future__ import annotations

import importlib
import importlib.metadata
import os
import platform
import sys

from edge_all import __version__
from edge_all.doctor.findings import Check
from edge_all.errors import RuntimeSetupError
from edge_all.session.installation import (
    colliding,
    import_onnxruntime,
    installed_distributions,
    installed_onnxruntimes,
)

__all__ = ["check_edge_all", "check_onnxruntime", "check_opencv", "check_python", "check_telemetry"]

OPENCV_DISTRIBUTIONS = (
    "opencv-python-headless",
    "opencv-python",
    "opencv-contrib-python-headless",
    "opencv-contrib-python",
)
"""All install the same module ``cv2``."""
OLDEST_PYTHON = (3, 11)


def check_python() -> Check:
    """The interpreter: its version and whether it is a 64-bit one."""
    finding = f"{platform.python_implementation()} {platform.python_version()} on {platform.platform(terse=True)}"
    if sys.version_info < OLDEST_PYTHON:
        return Check("Python", "problem", finding, "Install Python 3.11 or newer.")
    if sys.maxsize < 2**32:
        return Check("Python", "problem", f"{finding}, 32-bit", "Install a 64-bit Python: ONNX Runtime has no other.")
    return Check("Python", "ok", finding)


def check_edge_all() -> Check:
    """The version of edge-all, and whether the training side is of the same one."""
    others: dict[str, str] = {}
    for name in ("edge-all-export", "edge-all-calibration"):
        for distribution in importlib.metadata.distributions(name=name):
            # The first on the path is the one that Python imports.
            others.setdefault(name, distribution.version)
    finding = ", ".join([f"edge-all {__version__}", *(f"{name} {version}" for name, version in others.items())])
    if any(version != __version__ for version in others.values()):
        return Check("edge-all", "warning", finding, "Install all parts in the same version.")
    return Check("edge-all", "ok", finding)


def check_onnxruntime() -> Check:
    """Which ONNX Runtime is installed, that it is the only one, and that it imports."""
    installed = installed_onnxruntimes()
    listing = ", ".join(f"{one.name} {one.version}" for one in installed)
    try:
        onnxruntime = import_onnxruntime()
    except RuntimeSetupError as error:
        return Check("ONNX Runtime", "problem", error.problem, error.remedy)
    if len(installed) > 1:
        return Check(
            "ONNX Runtime",
            "warning",
            f"{listing}, in different folders; Python takes {onnxruntime.__file__}",
            "Keep one, so that nobody has to know which it is.",
        )
    return Check("ONNX Runtime", "ok", listing or f"onnxruntime {onnxruntime.__version__}, not installed by pip")


def check_telemetry() -> Check:
    """Whether ONNX Runtime is kept from sending telemetry, as `import edge_all` sees to."""
    if os.environ.get("ORT_DISABLE_TELEMETRY") == "1":
        return Check("telemetry", "ok", "ONNX Runtime's is off (ORT_DISABLE_TELEMETRY=1); edge-all has none")
    return Check(
        "telemetry",
        "problem",
        "ORT_DISABLE_TELEMETRY is no longer 1: some code in this process has changed it",
        "Do not change that variable after `import edge_all`.",
    )


def check_opencv() -> Check:
    """Which OpenCV wheels are installed, and that the module imports without a display."""
    installed = installed_distributions(OPENCV_DISTRIBUTIONS)
    listing = ", ".join(f"{one.name} {one.version}" for one in installed)
    remedy = (
        f"Run: pip uninstall -y {' '.join(one.name for one in installed)}; then: pip install opencv-python-headless"
    )
    try:
        cv2 = importlib.import_module("cv2")
        version = str(cv2.__version__)
    except (ImportError, AttributeError, OSError) as error:
        if not installed:
            return Check("OpenCV", "problem", "not installed", "Run: pip install opencv-python-headless")
        return Check("OpenCV", "problem", f"{listing}, which does not import ({error})", remedy)
    if colliding(installed):
        return Check("OpenCV", "warning", f"{listing} have overwritten each other; {version} imports", remedy)
    if installed and not any(one.name.endswith("headless") for one in installed):
        return Check(
            "OpenCV",
            "ok",
            f"{listing}; it imports here, and needs libGL, which a server or a container may lack",
        )
    return Check("OpenCV", "ok", listing or f"{version}, not installed by pip")
