"""Ray's actors come to what ``screen`` comes to, also when twenty of them are killed."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from edge_all.errors import OutputError, RuntimeSetupError
from edge_all.slide_archive.archive_run import Crew
from edge_all.slide_archive.reconciliation import Reconciliation

psutil = pytest.importorskip("psutil")
pytestmark = [
    # Only looked for: to import Ray takes seconds, in every process that collects tests.
    pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed"),
    pytest.mark.deploy,
    pytest.mark.usefixtures("slides"),
    pytest.mark.filterwarnings("default"),
    pytest.mark.timeout(600),
]
KILLS = 20
Run = Callable[..., Reconciliation]
Lines = dict[str, dict[str, Any]]


def test_twenty_kills_lose_and_double_nothing(
    run_archive: Run, lines_of_screen: Callable[[], Lines], lines_of_results: Callable[[Path], Lines]
) -> None:
    chance = random.Random(5)  # noqa: S311 - no secret
    over = threading.Event()
    killed = 0

    def kill() -> None:
        nonlocal killed
        while killed < KILLS and not over.wait(chance.uniform(0.05, 0.3)):
            for process in psutil.Process().children(recursive=True):
                try:
                    if "MapWorker" in " ".join(process.cmdline()):
                        process.kill()
                        killed += 1
                        break
                except psutil.Error:
                    continue

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        account = run_archive(crew=Crew(2, "local"))
        # What is left of the kills goes to runs that go on; a slide may have been given up in the first.
        while killed < KILLS:
            for file in list(Path("out/results").glob("*/*.gz"))[: killed % 3 + 1]:
                file.unlink()
            account = run_archive(crew=Crew(2, "local"))
    finally:
        over.set()
        killer.join()
    account = run_archive(crew=Crew(1, "local"))
    assert killed == KILLS
    assert account.accounted
    assert lines_of_results(Path("out")) == lines_of_screen()


def test_a_cluster_that_does_not_answer_is_said_at_once(run_archive: Run) -> None:
    with pytest.raises(RuntimeSetupError, match=r"nobody answers at 127\.0\.0\.1:9"):
        run_archive(crew=Crew(1, "127.0.0.1:9"))


def test_another_model_is_refused_in_its_own_words(run_archive: Run, tiny_package_factory: Callable[..., Path]) -> None:
    run_archive()
    with pytest.raises(OutputError, match=r"made with model tiny 1\.0"):
        run_archive(model=str(tiny_package_factory(version="2.0")), crew=Crew(1, "local"))
