"""Running a network file over many cells, as the station would on its processor."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_all.classification.decision_rule import DecisionRule, Decisions
from edge_all.classification.second_look import looked_at_twice
from edge_all.session import InferenceSession, open_session

__all__ = ["NetworkOutputs", "decide_by_network", "run_network"]


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
    return _outputs(open_session(model_file, device="cpu", threads=threads), crops)


def decide_by_network(
    model_file: Path, crops: NDArray[np.uint8], rule: DecisionRule, *, appearance: bool = False
) -> Decisions:
    """What a network file and a rule decide about crops ``uint8 [n, size, size, 3]``, as a station does, on the CPU.

    Args:
        model_file: the network.
        crops: of the cells.
        rule: of this network.
        appearance: whether cells are held against what the known laboratories look like, too.
    """
    session = open_session(model_file, device="cpu", threads=None)
    first = _outputs(session, crops)
    twice = looked_at_twice(first.probability, crops, rule, lambda turned: _outputs(session, turned).probability)
    return rule.decide(twice, first.features, crops if appearance else None)


def _outputs(session: InferenceSession, crops: NDArray[np.uint8]) -> NetworkOutputs:
    outputs = session.run(crops, [name for name in ("probability", "features") if name in session.outputs])
    return NetworkOutputs(outputs["probability"].astype(np.float64), outputs.get("features"))
