from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from edge_all.session import available_cores

TASKS = Path("/proc/self/task")
COUNT = f"import os; print(len(os.listdir('{TASKS}')), os.environ['OPENBLAS_NUM_THREADS'], 'numpy' in sys.modules)"

pytestmark = pytest.mark.skipif(not TASKS.is_dir(), reason="the threads of a process are counted in /proc")


def output_of(code: str, **environment: str) -> str:
    inherited = {name: value for name, value in os.environ.items() if name != "OPENBLAS_NUM_THREADS"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=inherited | environment, check=True
    )
    return done.stdout.strip()


@pytest.mark.skipif(available_cores() == 1, reason="one core, one thread")
def test_numpy_by_itself_would_start_threads() -> None:
    assert int(output_of(f"import numpy, os; print(len(os.listdir('{TASKS}')))")) > 1


@pytest.mark.parametrize("verb", ["screen", "segment", "classify"])
def test_no_verb_lets_it(verb: str, tmp_path: Path) -> None:
    arguments = ["edge-all", verb, str(tmp_path / "absent.jpg")]
    if verb != "classify":
        arguments += ["-o", str(tmp_path / "out")]
    code = (
        f"import sys; sys.argv = {arguments}\n"
        "from edge_all.cli.main import main\n"
        "try: main()\n"
        f"except SystemExit: {COUNT}"
    )
    # The image is not there, which the verb finds out with NumPy loaded.
    assert output_of(code) == "1 1 True"


def test_what_the_user_has_set_stays() -> None:
    code = f"import sys; from edge_all.cli.threads import no_threads_of_blas; no_threads_of_blas(); {COUNT}"
    assert output_of(code, OPENBLAS_NUM_THREADS="2") == "1 2 False"
