"""Does the exported network answer as the Keras model does?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from edge_all.errors import ModelIncompatibleError
from edge_all.session import open_session

__all__ = ["PARITY_GOAL", "PARITY_LIMIT", "measure_parity"]

PARITY_GOAL = 1e-5
"""Largest difference of a probability that different orders of summation explain."""
PARITY_LIMIT = 1e-4
"""A larger one is a fault of the conversion, and nothing is published."""
BATCH = 16


def measure_parity(network: keras.Model, file: Path, crops: NDArray[np.uint8]) -> dict[str, Any]:
    """Compare all outputs on real crops.

    Args:
        network: with a dictionary of outputs, as it was exported.
        file: the ONNX file.
        crops: ``uint8 [n, side, side, 3]`` RGB.

    Returns:
        For the card: number of cells, greatest and mean absolute difference by output, and cells on the other side of
        one half.

    Raises:
        ModelIncompatibleError: a probability differs by more than the limit, or a label flips beyond rounding.
    """
    found = open_session(file, device="cpu").run(crops)
    parts = [network(crops[start : start + BATCH], training=False) for start in range(0, len(crops), BATCH)]
    expected = {name: np.concatenate([np.asarray(part[name]) for part in parts]) for name in parts[0]}
    differences = {name: np.abs(found[name].astype(np.float64) - expected[name]) for name in expected}
    flips = (found["probability"] >= 0.5) != (expected["probability"] >= 0.5)
    record = {
        "cells": len(crops),
        "max_abs_difference": {name: float(difference.max()) for name, difference in differences.items()},
        "mean_abs_difference": {name: float(difference.mean()) for name, difference in differences.items()},
        "label_flips": int(flips.sum()),
        "goal": PARITY_GOAL,
    }
    worst = float(differences["probability"].max())
    if worst > PARITY_LIMIT:
        raise ModelIncompatibleError(
            f"The exported network differs from the Keras model by {worst:.2g} on {len(crops)} cells.",
            "Nothing was published. Try another --opset, or report the layers of the model.",
        )
    return record
