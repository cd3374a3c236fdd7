"""Running a network file over many cells, as the station would on its processor."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_all.session import open_session

__all__ = ["NetworkOutputs", "run_network"]


@dataclass(frozen=True, slots=True, eq=False)
class NetworkOutputs:
    """What a network says of some cells.

    Attributes:
        probability: ``float64 [n]`` of ALL, uncalibrated.
        features: ``float32 [n, d]``; None where the network offers none.
    """

    probability: NDArray[np.float64]
    features: NDArray[np.float32] | None


def run_network(model_file: Path, crops: NDArray[np.uint8], *, threads: int | None = None) -> NetworkOutputs:
    """Outputs of a network file for crops ``uint8 [n, size, size, 3]``, on the CPU."""
    session = open_session(model_file, device="cpu", threads=threads)
    outputs = session.run(crops, [name for name in ("probability", "features") if name in session.outputs])
    return NetworkOutputs(outputs["probability"].astype(np.float64), outputs.get("features"))
