"""How unlike the training cells a cell is, so that the station asks a person about what it never saw.

The score is the squared Mahalanobis distance of the network's features (Lee et al., NeurIPS 2018). Two thousand
features of a few hundred cells allow no covariance, and the matrix would outweigh the INT8 network. So the features are
condensed inside the network first: onto their leading principal components, plus one number for the length of what the
components leave over, because a foreign picture often differs exactly where the training cells do not vary (ViM, Wang
et al., CVPR 2022).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from sklearn.covariance import ledoit_wolf

from edge_all.classification.feature_statistics import FeatureStatistics

__all__ = [
    "CONDENSER",
    "condense_features",
    "distance_limit",
    "fit_statistics",
    "save_statistics",
]

CONDENSER = "edge_all_condense_"
"""Names of the nodes that condense start with this; no precision variant may round them."""
COMPONENTS = 64
"""Principal components kept at most."""
WIDEST = 256
"""Features up to this many are left as they are, if there are cells enough for their covariance."""
CELLS_PER_COMPONENT = 4
"""Fewer components when there are fewer cells: a direction fitted to fewer cells than this is noise."""
DISTANCE_QUANTILE = 0.99
"""Of held-out cells like those trained on, of which there are few."""
MARGIN = 1.5
"""Times that. Of 286 blasts that package 1.1.1 was trained on 1 % lie beyond a limit without it, of unseen ones up to
5 %; of those known 0.3 % with it. Little is lost: of 2,973 cells of an unknown hospital 3 lay beyond the limit without
it. Strangers are known by how they look (`edge_all.classification.appearance`)."""


def condense_features(model: onnx.ModelProto, features: NDArray[np.float32]) -> onnx.ModelProto:
    """A copy of a network whose output ``features`` is condensed, or the network itself where they are few enough.

    Args:
        model: with an output ``features`` ``[batch, d]``.
        features: ``float32 [n, d]`` of cells like those trained on.

    Returns:
        The network with ``features`` ``[batch, k + 1]``: ``k`` principal components and the residual's length.
    """
    if features.shape[1] <= min(WIDEST, len(features) // CELLS_PER_COMPONENT):
        return model
    centre = features.mean(axis=0, dtype=np.float64)
    _, _, directions = np.linalg.svd(features - centre, full_matrices=False)
    kept = directions[: max(1, min(COMPONENTS, len(features) // CELLS_PER_COMPONENT, len(directions) - 1))]

    condensed = onnx.ModelProto()
    condensed.CopyFrom(model)
    graph = condensed.graph
    raw = "features_raw"
    for node in graph.node:
        node.input[:] = [raw if name == "features" else name for name in node.input]
        node.output[:] = [raw if name == "features" else name for name in node.output]
    constants = {
        "features_centre": centre.astype(np.float32),
        "features_directions": np.ascontiguousarray(kept.T, np.float32),
        "features_ones": np.ones((len(centre), 1), np.float32),
    }
    graph.initializer.extend(numpy_helper.from_array(value, name) for name, value in constants.items())
    graph.node.extend(
        [
            helper.make_node("Sub", [raw, "features_centre"], ["features_centred"], f"{CONDENSER}sub"),
            helper.make_node(
                "MatMul", ["features_centred", "features_directions"], ["features_kept"], f"{CONDENSER}keep"
            ),
            # What the components leave over: centred - kept @ directions'.
            helper.make_node(
                "Gemm",
                ["features_kept", "features_directions", "features_centred"],
                ["features_rest"],
                f"{CONDENSER}rest",
                alpha=-1.0,
                transB=1,
            ),
            helper.make_node("Mul", ["features_rest", "features_rest"], ["features_squares"], f"{CONDENSER}square"),
            # A product with ones, because the form of ReduceSum depends on the opset.
            helper.make_node("MatMul", ["features_squares", "features_ones"], ["features_sum"], f"{CONDENSER}sum"),
            helper.make_node("Sqrt", ["features_sum"], ["features_length"], f"{CONDENSER}length"),
            helper.make_node("Concat", ["features_kept", "features_length"], ["features"], f"{CONDENSER}join", axis=1),
        ]
    )
    for output in graph.output:
        if output.name == "features":
            output.CopyFrom(helper.make_tensor_value_info("features", TensorProto.FLOAT, ["batch", len(kept) + 1]))
    return condensed


def fit_statistics(features: NDArray[np.float32]) -> FeatureStatistics:
    """Statistics of condensed features ``float32 [n, d]``, the covariance shrunk (Ledoit and Wolf 2004)."""
    covariance, _ = ledoit_wolf(features.astype(np.float64))
    # A feature that never varies must not make the covariance singular.
    ridge = 1e-6 * float(np.trace(covariance)) / len(covariance) + 1e-12
    precision = np.linalg.inv(covariance + ridge * np.eye(len(covariance)))
    # As the package stores them: what is fitted to them from here on fits what a station reads.
    mean, precision = (
        values.astype(np.float32).astype(np.float64) for values in (features.mean(axis=0, dtype=np.float64), precision)
    )
    return FeatureStatistics(mean, precision)


def distance_limit(features: NDArray[np.float32], statistics: FeatureStatistics) -> float:
    """The distance that all but one in a hundred of ``n`` held-out cells do not pass, with `MARGIN`."""
    quantile = np.quantile(statistics.squared_distances(features), DISTANCE_QUANTILE, method="higher")
    return float(quantile * MARGIN)


def save_statistics(file: Path, statistics: FeatureStatistics) -> None:
    """Write ``mean`` and ``precision`` as the package's npz."""
    np.savez_compressed(
        file, mean=statistics.mean.astype(np.float32), precision=statistics.precision.astype(np.float32)
    )
