"""The steps before the first cell is judged, timed inside a fresh process.

`edge_all.benchmark.processes` runs `main`, and hands over the moment at which it started the process.
"""

from __future__ import annotations

import json
import statistics
import sys
import time

__all__ = ["main"]

WARM_RUNS = 9


def main(begun: float) -> None:
    """Do what ``screen`` does before its first field, and print one line of JSON: milliseconds by step.

    ``sys.argv`` holds when the process was started (``time.monotonic()``, one clock for all processes), the package,
    the variant, the device and the threads.

    Args:
        begun: ``time.monotonic()`` at the first statement of this process.
    """
    started, model, variant, device, threads = sys.argv[1:]
    laps = {"process start": (begun - float(started)) * 1e3}
    last = begun

    def lap(step: str) -> None:
        nonlocal last
        now = time.monotonic()
        laps[step] = (now - last) * 1e3
        last = now

    import numpy as np

    import edge_all.runs.screening_run  # noqa: F401 - only for what it loads
    from edge_all.api.screener import Screener
    from edge_all.session import import_onnxruntime

    import_onnxruntime()
    lap("import")
    classifier = Screener(model, variant=variant, device=device, threads=int(threads)).classifier
    lap("model load")
    size = classifier.spec.input_size
    crop = np.full((1, size, size, 3), 128, np.uint8)
    last = time.monotonic()
    classifier.judge(crop)
    lap("first inference")
    warm = []
    for _ in range(WARM_RUNS):
        before = time.monotonic()
        classifier.judge(crop)
        warm.append((time.monotonic() - before) * 1e3)
    laps["warm inference"] = statistics.median(warm)
    sys.stdout.write(f"{json.dumps(laps)}\n")
