"""What of one cell the network went by, drawn when a person asks for it."""

from __future__ import annotations

from edge_all.classification.classifier import Classifier
from edge_all.errors import InputNotFoundError, UsageError
from edge_all.imaging.display import CELL_SIDE, resize_for_the_eye
from edge_all.outputs.activation_maps import paint_activation
from edge_all.outputs.pictures import jpeg_bytes
from edge_all.station.desk import Station
from edge_all.station.network_crops import cut_found_cells
from edge_all.station.storage.found_fields import CurrentField

__all__ = ["activation_picture"]

_QUALITY = 90


def activation_picture(station: Station, field: CurrentField, number: int, classifier: Classifier) -> bytes:
    """The class activation map of a cell over its crop, as it lies in its field, as JPEG.

    See `edge_all.outputs.activation_maps`.

    Args:
        station: its store.
        field: in which it was found.
        number: of the cell.
        classifier: of the model that judged it.

    Raises:
        InputNotFoundError: there is no such cell.
        UsageError: it was not judged, another model judged it, or this one computes no maps.
        ImageError: its image is gone or has changed.
    """
    found = station.found(field)
    cell = next((one for one in found.summary.cells if one.id == number), None)
    if cell is None:
        raise InputNotFoundError(f"Field {field.place} has no cell {number}.", "Load the slide again.")
    if cell.kind != "candidate":
        raise UsageError("The software did not judge this object.", "Ask for a cell that has a probability.")
    if found.summary.model != classifier.identity:
        raise UsageError("Another model judged this cell than the one at hand.", "Start the station with that model.")
    crops = cut_found_cells(station, field, found, [cell], classifier.spec)
    (judged,) = classifier.judge(crops.pixels, activations=True)
    assert judged.activation is not None  # noqa: S101 - it was asked for
    (turn,) = crops.turns
    shown = resize_for_the_eye(turn.turned_back(crops.pixels[0]), CELL_SIDE, CELL_SIDE)
    return jpeg_bytes(paint_activation(shown, turn.turned_back(judged.activation)), _QUALITY)
