"""The limits that the release gate has unless somebody asked for others, and which of a card's are weaker.

A gate that was passed with weaker limits proves less; whoever reads the card must be told.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["USUAL_LIMITS", "other_limits"]

USUAL_LIMITS: dict[str, float] = {
    "label agreement": 0.99,
    "sensitivity lost": 0.005,
    "AUC difference": 0.003,
    "calibration error difference": 0.01,
    "differing slide verdicts": 0,
}
"""By the name of the check, as a card has it."""
AT_LEAST = "label agreement"
"""The only figure that must not be smaller than its limit; the others must not be larger."""


def other_limits(gate: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The limits of a gate's report that are not the usual ones.

    Args:
        gate: the block ``gate`` of a variant's card.

    Returns:
        The weaker ones, which let more pass, and the stricter ones, by the name of the check. A limit that cannot be
        compared counts as weaker; a check without a limit is left out.
    """
    weaker: dict[str, Any] = {}
    stricter: dict[str, Any] = {}
    checks = gate.get("checks")
    for name, check in checks.items() if isinstance(checks, Mapping) else ():
        if name not in USUAL_LIMITS or not isinstance(check, Mapping) or "limit" not in check:
            continue
        limit, usual = check["limit"], USUAL_LIMITS[name]
        if limit == usual:
            continue
        tighter = isinstance(limit, int | float) and (limit > usual) == (name == AT_LEAST)
        (stricter if tighter else weaker)[name] = limit
    return weaker, stricter
