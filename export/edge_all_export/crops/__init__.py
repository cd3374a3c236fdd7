"""Network inputs of labelled cells: cut as on the station, and changed as between laboratories."""

from __future__ import annotations

from edge_all_export.crops.cutting import CropStore, extract_crops

__all__ = ["CropStore", "extract_crops"]
