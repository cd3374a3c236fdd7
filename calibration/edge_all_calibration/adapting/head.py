"""A logistic head on a network's own features, and how it is written into an ONNX file.

The network's own logit is among what the head goes by, so that a head of zeros would be the network itself. The
features are whitened, so that one strength of regularisation suits every network.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from sklearn.linear_model import LogisticRegression

from edge_all.classification.decision_rule import SMALLEST_PROBABILITY, logit
from edge_all.classification.feature_statistics import FeatureStatistics
from edge_all_calibration.quantizing.inference import NetworkOutputs

__all__ = ["Head", "earned_head", "fit_head", "write_head"]

STRENGTH = 0.1
"""Inverse of the regularisation. Taleqani's cells with package 1.1.1, which did not know that hospital, half of the
groups kept back, means of eight draws, AUC with 25, 50, 100 and 200 cells: 0.003, 0.776 0.781 0.805 0.822; 0.01, 0.780
0.789 0.816 0.836; 0.1, 0.784 0.794 0.822 0.844; without a head 0.720."""
OWN_WEIGHT = 0.75
"""The network's logit counts so many times as much as a whitened feature. It spans about eight."""
EARNED = 0.02
"""By so much a head must lower the log-loss of cells that it was not fitted to; less is noise among a hundred cells."""
FEWEST_FOR_HEAD = 30
"""Of fewer cells a head is not tried. Fitted to 17 of Taleqani's, with a package that did not know that hospital, two
of three heads seemed to earn their place and took the AUC on other groups from 0.80 to 0.72. To 33 and more cells,
heads cost 0.01 there at most and gained 0.03 to 0.09 on ALL-IDB."""
PREFIX = "edge_all_adapt_"


@dataclass(frozen=True, slots=True, eq=False)
class Head:
    """``logit = features @ weights + own * (the network's logit) + offset``.

    Attributes:
        weights: ``float64 [d]``.
        own: weight of the network's own logit.
        offset: added.
    """

    weights: NDArray[np.float64]
    own: float
    offset: float

    def probability(self, outputs: NetworkOutputs) -> NDArray[np.float64]:
        """``float64 [n]`` of ALL, by a network's outputs with features."""
        if outputs.features is None:
            raise ValueError("a head needs features")
        value = outputs.features.astype(np.float64) @ self.weights + self.own * logit(outputs.probability) + self.offset
        return np.asarray(0.5 * (1 + np.tanh(0.5 * value)), np.float64)


def fit_head(outputs: NetworkOutputs, labels: NDArray[np.bool_], statistics: FeatureStatistics) -> Head:
    """Fit a head to labelled cells.

    Args:
        outputs: of the network, with features.
        labels: ``bool [n]``, both classes present.
        statistics: of the cells that the network was trained on; they whiten the features.
    """
    if outputs.features is None:
        raise ValueError("a head needs features")
    whitening = np.linalg.cholesky(statistics.precision)
    white = (outputs.features.astype(np.float64) - statistics.mean) @ whitening
    seen = np.column_stack([OWN_WEIGHT * logit(outputs.probability), white])
    found = LogisticRegression(C=STRENGTH, class_weight="balanced", max_iter=2000).fit(seen, labels)
    weights = whitening @ found.coef_[0, 1:]
    return Head(weights, float(OWN_WEIGHT * found.coef_[0, 0]), float(found.intercept_[0] - statistics.mean @ weights))


def earned_head(
    outputs: NetworkOutputs, labels: NDArray[np.bool_], statistics: FeatureStatistics | None
) -> tuple[Head, NDArray[np.float64]] | None:
    """A head fitted to all cells, where heads fitted to some do better on the others than the network itself.

    Args:
        outputs: of the network.
        labels: ``bool [n]``.
        statistics: as for `fit_head`; None where the package has none.

    Returns:
        The head, and what heads that were fitted without a cell said of it; None where none earned its place, or there
        are fewer than `FEWEST_FOR_HEAD` cells.
    """
    if outputs.features is None or statistics is None or len(labels) < FEWEST_FOR_HEAD:
        return None
    folds = np.random.default_rng(0).permutation(len(labels)) % 5
    with_head = np.zeros(len(labels))
    for fold in range(5):
        rest, out = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
        if len(set(labels[rest].tolist())) < 2:
            return None
        head = fit_head(_chosen(outputs, rest), labels[rest], statistics)
        with_head[out] = head.probability(_chosen(outputs, out))
    # The network by itself gets its best temperature and offset on the very cells: the head must beat that.
    alone = fit_head(
        NetworkOutputs(outputs.probability, np.zeros_like(outputs.features)),
        labels,
        dataclasses.replace(statistics, mean=np.zeros_like(statistics.mean)),
    ).probability(NetworkOutputs(outputs.probability, np.zeros_like(outputs.features)))
    if _log_loss(with_head, labels) < _log_loss(alone, labels) - EARNED:
        return fit_head(outputs, labels, statistics), with_head
    return None


def _chosen(outputs: NetworkOutputs, rows: NDArray[np.intp]) -> NetworkOutputs:
    features = None if outputs.features is None else outputs.features[rows]
    return NetworkOutputs(outputs.probability[rows], features)


def _log_loss(probability: NDArray[np.float64], labels: NDArray[np.bool_]) -> float:
    """Mean of both classes' log-losses, so that the commoner does not decide."""
    right = np.clip(np.where(labels, probability, 1 - probability), 1e-6, 1.0)
    return float((-np.log(right[labels]).mean() - np.log(right[~labels]).mean()) / 2)


def write_head(source: Path, target: Path, head: Head) -> None:
    """Write a network whose ``probability`` is the head's; its class activation maps, which were the old one's, go.

    Args:
        source: network with the outputs ``probability`` and ``features``.
        target: the file to write.
        head: as fitted to that network.
    """
    model = onnx.load(source)
    graph = model.graph
    before = f"{PREFIX}before"
    for node in graph.node:
        node.input[:] = [before if name == "probability" else name for name in node.input]
        node.output[:] = [before if name == "probability" else name for name in node.output]
    constants = {
        "low": np.float32(SMALLEST_PROBABILITY),
        "high": np.float32(1 - SMALLEST_PROBABILITY),
        "one": np.float32(1),
        "own": np.float32(head.own),
        "weights": head.weights.astype(np.float32)[:, None],
        "offset": np.float32(head.offset),
        "flat": np.array([-1], np.int64),
    }
    graph.initializer.extend(
        numpy_helper.from_array(np.asarray(value), f"{PREFIX}{name}") for name, value in constants.items()
    )
    steps = (
        ("Clip", (before, "low", "high"), "clipped"),
        ("Sub", ("one", "clipped"), "rest"),
        ("Div", ("clipped", "rest"), "odds"),
        ("Log", ("odds",), "logit"),
        ("Mul", ("logit", "own"), "own_part"),
        ("MatMul", ("features", "weights"), "column"),
        ("Reshape", ("column", "flat"), "feature_part"),
        ("Add", ("own_part", "feature_part"), "sum"),
        ("Add", ("sum", "offset"), "value"),
        ("Sigmoid", ("value",), "probability"),
    )
    outside = {before, "features", "probability"}

    def named(name: str) -> str:
        return name if name in outside else f"{PREFIX}{name}"

    graph.node.extend(
        helper.make_node(operator, [named(name) for name in inputs], [named(output)], f"{PREFIX}{output}_node")
        for operator, inputs, output in steps
    )
    kept = [output for output in graph.output if output.name not in ("probability", "activation")]
    del graph.output[:]
    graph.output.append(helper.make_tensor_value_info("probability", TensorProto.FLOAT, ["batch"]))
    graph.output.extend(kept)
    onnx.save(model, target)
    onnx.checker.check_model(target, full_check=True)
