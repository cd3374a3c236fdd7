"""From a field to its cells: colour k-means, nuclei, separation, whole cells, candidates."""
