"""The tests of the training side run where it is installed: ``pip install -e ./export``."""

from __future__ import annotations

import importlib.util

TRAINING_SIDE_INSTALLED = importlib.util.find_spec("edge_all_export") is not None

collect_ignore_glob = [] if TRAINING_SIDE_INSTALLED else ["test_*.py"]


def pytest_report_header() -> str:
    """Say what is left out, so that nobody takes it for tested."""
    return "training side: " + ("installed" if TRAINING_SIDE_INSTALLED else "not installed, tests/export is left out")
