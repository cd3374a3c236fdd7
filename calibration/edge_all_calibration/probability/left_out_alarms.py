"""False alarms where the network never was, by the probability from which a cell is called ALL.

A package calls a cell ALL from its own threshold on, which lies far above one half; a rate at one half would make
slides of few blasts indeterminate that are none.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edge_all.classification.decision_rule import DecisionRule, calibrated_probability
from edge_all.errors import UsageError

__all__ = ["LeftOutAlarms"]


@dataclass(frozen=True, slots=True)
class LeftOutAlarms:
    """How often runs that never saw a laboratory call its non-ALL cells ALL.

    Attributes:
        cuts: probabilities of the networks as they left training, ascending.
        rates: share of non-ALL cells from each cut on, upper 95 % bound.

    Raises:
        UsageError: no cut, cuts that do not rise, or rates that are none or rise.
    """

    cuts: tuple[float, ...]
    rates: tuple[float, ...]

    def __post_init__(self) -> None:
        rising, falling = np.diff(self.cuts), np.diff(self.rates)
        sound = 0 < len(self.cuts) == len(self.rates) and all(0 <= rate <= 1 for rate in self.rates)
        if not (sound and (rising > 0).all() and (falling <= 0).all()):
            raise UsageError(
                "Rates of false alarms have to fall from 1 to 0 while the probability rises.",
                "Make the matrix of laboratories again with `edge-all evaluate laboratories`.",
            )

    def of(self, rule: DecisionRule) -> float:
        """The rate at the probability from which a rule calls a cell ALL; that of the next lower cut, or 1 below all.

        Args:
            rule: its temperature is taken back, for the cuts are of networks without one.
        """
        threshold = np.array([rule.thresholds.all_from])
        probability = float(calibrated_probability(threshold, 1 / rule.temperature)[0])
        lower = [rate for cut, rate in zip(self.cuts, self.rates, strict=True) if cut <= probability]
        return lower[-1] if lower else 1.0
