"""From a field to its cells: colour k-means, nuclei, separation, whole cells, candidates."""

from edge_all.segmentation.doubts import doubts
from edge_all.segmentation.pipeline import segment

__all__ = ["doubts", "segment"]
