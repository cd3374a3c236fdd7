"""edge-all: finds acute lymphoblastic leukaemia (ALL) cells in images of stained blood smears, offline.

For Research Use Only. Not for use in diagnostic procedures.

::

    import edge_all

    screener = edge_all.Screener()
    field = screener.screen("field.jpg")

``docs/python.md`` has more. Importing this package loads neither NumPy nor OpenCV nor ONNX Runtime: its names are
fetched when they are first used. ``ARCHITECTURE.md`` has the map of what lies behind them.

Importing it also keeps ONNX Runtime, whoever imports that later, from sending telemetry.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
"""As in `typing`, which takes as long to load as Python itself; what checks types takes it for true by its name."""
if TYPE_CHECKING:
    from typing import Any

    from edge_all.api.screener import Screener
    from edge_all.api.segmenting import segment
    from edge_all.errors import EdgeAllError
    from edge_all.imaging.sources import NamedImage
    from edge_all.results import INTENDED_USE, Cell, FieldResult, Segmentation, SlideResult
    from edge_all.screening.single_cells import CropResult

# The builds of ONNX Runtime on the package index, from 1.29 on, send telemetry to their maker and leave a device id in
# the user's home (their Privacy.md). They look at this once, when they are loaded, so it stands in the first module
# that anybody imports of edge-all; processes that are started from here inherit it.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

__version__ = "0.1.0"
__all__ = [
    "INTENDED_USE",
    "Cell",
    "CropResult",
    "EdgeAllError",
    "FieldResult",
    "NamedImage",
    "Screener",
    "Segmentation",
    "SlideResult",
    "__version__",
    "segment",
]

_HOMES = {
    "INTENDED_USE": "edge_all.results",
    "Cell": "edge_all.results",
    "CropResult": "edge_all.screening.single_cells",
    "EdgeAllError": "edge_all.errors",
    "FieldResult": "edge_all.results",
    "NamedImage": "edge_all.imaging.sources",
    "Screener": "edge_all.api.screener",
    "Segmentation": "edge_all.results",
    "SlideResult": "edge_all.results",
    "segment": "edge_all.api.segmenting",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - whatever the name stands for
    """Fetch a name when it is first used."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """The names, those that were not fetched yet included."""
    return sorted({*globals(), *__all__})
