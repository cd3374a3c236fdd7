"""Fixtures that every test may use."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

# A slow or busy machine is no fault of the code; the limit on a whole test stands in pyproject.toml.
settings.register_profile("edge-all", deadline=None)
settings.load_profile("edge-all")
# What is loaded to collect the tests stays to the end: Python need not look again and again whether any of it can go.
gc.disable()


def pytest_collection_finish() -> None:
    """Set apart what was collected, so that each look for what can go is at what the tests themselves leave."""
    gc.freeze()
    gc.enable()


@pytest.fixture(scope="session", autouse=True)
def nothing_of_the_user(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keep tests, and the processes that they start, from the user's own cache and language."""
    os.environ["EDGE_ALL_LANGUAGE"] = "en"
    # Commands that tests start keep their bytecode, as at a user's: without, each compiles the project anew, 0.14 s.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ["EDGE_ALL_CACHE"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[[int], None]:
    """Makes standard output, which ``capsys`` reads, a terminal of so many columns without colours."""
    del capsys

    def make(columns: int) -> None:
        for name, value in (("COLUMNS", str(columns)), ("LINES", "25"), ("TERM", "dumb")):
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(sys.stdout, "isatty", lambda: True)

    return make


@pytest.fixture(scope="session")
def data_root() -> Path:
    """The folder of real smear images: ``EDGE_ALL_DATA``, or ``../shared/data`` beside the checkout."""
    root = Path(os.environ.get("EDGE_ALL_DATA") or Path(__file__).parents[2] / "shared" / "data")
    if not (root / "allidb1").is_dir():
        pytest.skip(f"no real smear images at {root}; set EDGE_ALL_DATA")
    return root
