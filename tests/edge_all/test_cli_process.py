from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from edge_all.session import available_cores

SETTINGS = {"OPENBLAS_NUM_THREADS", "MALLOC_ARENA_MAX"}
TASKS = Path("/proc/self/task")
COUNT = f"import os; print(len(os.listdir('{TASKS}')), os.environ['OPENBLAS_NUM_THREADS'], 'numpy' in sys.modules)"

pytestmark = pytest.mark.skipif(not TASKS.is_dir(), reason="the threads of a process are counted in /proc")


def output_of(code: str, **environment: str) -> str:
    inherited = {name: value for name, value in os.environ.items() if name not in SETTINGS}
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
    code = f"import sys; from edge_all.cli.process import lean_process; lean_process(); {COUNT}"
    assert output_of(code, OPENBLAS_NUM_THREADS="2") == "1 2 False"


HEAPS = """
import ctypes, threading
{before}
libc = ctypes.CDLL(None)
both = threading.Barrier(3)
def allocate():
    kept = bytes(100_000)
    both.wait()
    both.wait()
threads = [threading.Thread(target=allocate) for _ in range(2)]
[one.start() for one in threads]
both.wait()
libc.malloc_info(0, ctypes.c_void_p.in_dll(libc, "stdout"))
libc.fflush(None)
both.wait()
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the heaps of glibc")
@pytest.mark.parametrize("lean", [False, True])
def test_threads_share_one_heap(lean: bool) -> None:
    before = "from edge_all.cli.process import lean_process; lean_process()" if lean else ""
    assert (output_of(HEAPS.format(before=before)).count("<heap nr=") == 1) is lean


@pytest.mark.parametrize("lean", [False, True])
def test_nothing_is_collected_at_the_end(lean: bool) -> None:
    # What is registered first runs last.
    code = "import atexit, gc; atexit.register(lambda: print(gc.get_freeze_count() > 0))"
    after = "; from edge_all.cli.process import lean_process; lean_process()" if lean else ""
    assert output_of(code + after) == str(lean)


def test_a_wish_to_stop_is_heard_whatever_the_main_thread_holds() -> None:
    code = """
import signal
from edge_all.cli.process import stop_on_signals
stop = stop_on_signals()
with stop._cond:  # where a second signal in a row finds the main thread
    signal.raise_signal(signal.SIGTERM)
    signal.raise_signal(signal.SIGTERM)
print(stop.wait(10))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=20, check=True)
    assert done.stdout == "True\n"
