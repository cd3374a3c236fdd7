"""The smear renderer: synthetic fields of stained blood films with exact masks and labels.

The fields serve the tests and the demonstration. They show what the cells are meant to look like; how well a network
tells synthetic cells apart says nothing about real ones.
"""

from __future__ import annotations

from edge_all.rendering.cell_shapes import RenderedKind
from edge_all.rendering.field import RenderedCell, RenderedField, render_field
from edge_all.rendering.spec import SmearSpec
from edge_all.rendering.stain import STAIN_NAMES, StainName

__all__ = ["STAIN_NAMES", "RenderedCell", "RenderedField", "RenderedKind", "SmearSpec", "StainName", "render_field"]
