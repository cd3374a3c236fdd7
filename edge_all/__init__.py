"""edge-all: finds acute lymphoblastic leukaemia (ALL) cells in images of stained blood smears, offline.

For Research Use Only. Not for use in diagnostic procedures.

Importing this package loads neither OpenCV nor ONNX Runtime; import the room that you need, for example
``edge_all.screening.pipeline`` or ``edge_all.segmentation``. ``ARCHITECTURE.md`` has the map.
"""

__version__ = "0.1.0"
__all__ = ["__version__"]
