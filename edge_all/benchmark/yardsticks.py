"""What the pipeline is measured against: the bare network below it, and other ways to do the same.

Other distributions add theirs through the entry-point group ``edge_all.benchmark_yardsticks``: a name, and a function
that takes a `edge_all.benchmark.workload.Workload` and returns the work to be timed, everything prepared.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import numpy as np

from edge_all.benchmark.workload import Workload
from edge_all.errors import EdgeAllError
from edge_all.results import RgbImage
from edge_all.session import import_onnxruntime
from edge_all.session.providers import split_batches

__all__ = ["YARDSTICK_GROUP", "BareNetwork", "other_yardsticks"]

YARDSTICK_GROUP = "edge_all.benchmark_yardsticks"


class BareNetwork:
    """ONNX Runtime with its own settings and nothing else of ours: the floor below any pipeline.

    Args:
        network: the ONNX file.
        provider: the execution provider that the pipeline obtained.
        threads: intra-op threads.
        outputs: names of the outputs that the pipeline asks for.
    """

    def __init__(self, network: Path, provider: str, threads: int, outputs: Sequence[str]) -> None:
        onnxruntime = import_onnxruntime()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        self._session: Any = onnxruntime.InferenceSession(str(network), options, providers=[provider])
        self._outputs = list(outputs)

    def work(self, crops: RgbImage, batch_sizes: Sequence[int]) -> Callable[[], None]:
        """Judge crops in batches of these sizes; the batches are cut and padded here, outside what is timed.

        Args:
            crops: ``uint8 [cells, size, size, 3]`` RGB.
            batch_sizes: allowed sizes, largest first.
        """
        batches = []
        start = 0
        for cells, size in split_batches(len(crops), batch_sizes):
            batch = np.zeros((size, *crops.shape[1:]), np.uint8)
            batch[:cells] = crops[start : start + cells]
            batches.append({"image": batch})
            start += cells

        def run() -> None:
            for batch in batches:
                self._session.run(self._outputs, batch)

        return run


def other_yardsticks(workload: Workload) -> tuple[dict[str, Callable[[], object]], dict[str, str]]:
    """The yardsticks that other distributions bring.

    Returns:
        By name what to time, and by name why a yardstick cannot be used.
    """
    usable: dict[str, Callable[[], object]] = {}
    missing: dict[str, str] = {}
    for entry in entry_points(group=YARDSTICK_GROUP):
        try:
            usable[entry.name] = entry.load()(workload)
        except (EdgeAllError, ImportError) as error:
            missing[entry.name] = str(error)
    return usable, missing
