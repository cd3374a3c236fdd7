"""From a field to its cells: colour k-means, nuclei, separation, whole cells, candidates."""

from edge_all.segmentation.doubts import doubts
from edge_all.segmentation.pipeline import checked_segmentation, segment

__all__ = ["checked_segmentation", "doubts", "segment"]
