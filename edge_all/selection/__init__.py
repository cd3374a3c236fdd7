"""Which precision on which execution provider: by rule where there is one way, by a short measurement where several."""

from __future__ import annotations

from edge_all.selection.choice import Selected, remembered_timings, select_network
from edge_all.selection.variants import choose_variant, preferred_variants

__all__ = ["Selected", "choose_variant", "preferred_variants", "remembered_timings", "select_network"]
