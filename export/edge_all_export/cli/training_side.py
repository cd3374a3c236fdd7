"""What a verb of this package needs beside it."""

from __future__ import annotations

from importlib.util import find_spec

from edge_all.errors import MissingPackageError

__all__ = ["require_calibration"]


def require_calibration() -> None:
    """Make sure that edge-all-calibration is installed.

    Raises:
        MissingPackageError: it is not.
    """
    if find_spec("edge_all_calibration") is None:
        raise MissingPackageError(
            "An export is calibrated and gated by the package edge-all-calibration, which is not installed.",
            "In the source folder of edge-all, type: pip install ./calibration",
        )
