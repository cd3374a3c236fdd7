"""A second look at cells that lie near a threshold, turned by 180 degrees.

A network does not answer the same for the same cell another way up, and so it does not after a JPEG or a change of
light. Far from the thresholds that changes no label. Near them the answer of the embedded network differs between two
ways up by 1.0 of the calibrated logit (root of the mean square, 49 held-out cells), and the mean of two changes less.
Labels that change in fourteen rows of docs/robustness.md, by one look and by two within 1 of a threshold: on 44 fields
that took no part in choosing this, of five laboratories, 172 and 134 (ratio 0.78, 95 % interval over fields 0.65 to
0.99), on the patients' fields of that page 37 and 24, on the even ones 38 and 24. Four and eight ways up are no better
(0.80 and 0.89 on the unseen fields), nor is another way up than the half turn, nor another window. 5 % of the test
cells are looked at twice, 10 % on the patients' fields, 25 % on the unseen ones, and half of those of a laboratory that
a package never saw.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from edge_all.classification.decision_rule import DecisionRule, logit, probability_of
from edge_all.results import RgbImage

__all__ = ["SECOND_LOOK", "looked_at_twice"]

SECOND_LOOK = 1.0
"""How near a threshold, in units of the calibrated logit, packages that are made from now on look twice."""


def looked_at_twice(
    probability: NDArray[np.floating],
    crops: RgbImage,
    rule: DecisionRule,
    ask: Callable[[RgbImage], NDArray[np.floating]],
) -> NDArray[np.floating]:
    """The network's probabilities, that of a cell near a threshold being of the mean logit of two looks.

    Whether a cell is near one is decided by the first look alone, so that the answer for one does not depend on others.

    Args:
        probability: ``float [n]`` of the network for the crops, before the temperature.
        crops: ``uint8 [n, side, side, 3]`` RGB.
        rule: by which is decided; it says how near.
        ask: the network; called once with the crops of all cells in question turned, or not at all.

    Returns:
        ``float [n]``, before the temperature; the very same values for the cells that were not looked at again.
    """
    near = rule.near_threshold(probability)
    if not near.any():
        return probability
    turned = np.ascontiguousarray(crops[near][:, ::-1, ::-1])
    twice = np.asarray(probability, np.float64).copy()
    twice[near] = probability_of((logit(twice[near]) + logit(ask(turned))) / 2)
    return twice
