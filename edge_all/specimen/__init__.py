"""What of a picture shows the specimen, and what is something else: a surround, a frame, a bar, the stroke of a pen."""

from edge_all.specimen.finding import Specimen, find_specimen

__all__ = ["Specimen", "find_specimen"]
