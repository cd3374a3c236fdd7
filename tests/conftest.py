"""Fixtures that every test may use."""

from __future__ import annotations

import gc
import io
import os
import subprocess
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


LONG_FILES = (
    "test_archive_run.py", "test_benchmark.py", "test_memory_kills.py", "test_stopping_early.py",
    "test_cli_terminal.py", "test_documentation.py", "test_model_kills.py", "test_privacy.py",
    "test_rendering_demo_fields.py",
)  # fmt: skip
"""Of many seconds each: begun last, one would leave the other workers without work at the end."""


def pytest_configure(config: pytest.Config) -> None:
    """Hand files out in the order of `pytest_collection_modifyitems`, not by how many tests they hold."""
    if hasattr(config.option, "loadscopereorder"):
        config.option.loadscopereorder = False


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files first, where workers take one file after the other."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        items.sort(key=lambda item: item.path.name not in LONG_FILES)


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
def run_here() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run ``edge-all`` in this process as its entry point does: what it writes on a pipe, and its exit status.

    To start Python and load the libraries takes longer than most commands. That the installed command starts, is
    interrupted and ends as a process, test_cli.py, test_cli_process.py and test_cli_terminal.py show.
    """
    from edge_all.cli.main import main

    def run(*arguments: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        said = {name: io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for name in ("stdout", "stderr")}
        with pytest.MonkeyPatch.context() as patch:
            for name, value in (("NO_COLOR", "1"), ("COLUMNS", "200"), ("TERM", "dumb")):
                patch.setenv(name, value)
            patch.setattr(sys, "argv", ["edge-all", *map(str, arguments)])
            for name, stream in said.items():
                patch.setattr(sys, name, stream)
            if cwd is not None:
                patch.chdir(cwd)
            with pytest.raises(SystemExit) as end:
                main()
            texts = [said[name].buffer.getvalue().decode() for name in said]  # type: ignore[attr-defined]
        assert isinstance(end.value.code, int)
        return subprocess.CompletedProcess(list(map(str, arguments)), end.value.code, *texts)

    return run


@pytest.fixture(scope="session")
def data_root() -> Path:
    """The folder of real smear images: ``EDGE_ALL_DATA``, or ``../shared/data`` beside the checkout."""
    root = Path(os.environ.get("EDGE_ALL_DATA") or Path(__file__).parents[2] / "shared" / "data")
    if not (root / "allidb1").is_dir():
        pytest.skip(f"no real smear images at {root}; set EDGE_ALL_DATA")
    return root
