from __future__ import annotations

import dataclasses
import json
import math
import uuid
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.geometry import shape

from edge_all.outputs.geojson import feature_collection, write_geojson
from edge_all.outputs.palette import PALETTE
from edge_all.results import INTENDED_USE, Cell, FieldResult

SQUARE = ((10, 20), (19, 20), (19, 29), (10, 29))
CELL = Cell(
    7,
    (10, 20, 10, 10),
    (14.5, 24.5),
    100,
    (12, 22, 5, 5),
    (14.0, 24.0),
    25,
    "candidate",
    None,
    0.9,
    "ALL",
    0.2,
    contour=SQUARE,
)
REJECTED = dataclasses.replace(
    CELL, id=8, kind="rejected", reason="platelet", probability=None, label=None, out_of_distribution=None
)


def field(*cells: Cell, image: str = "a.jpg") -> FieldResult:
    return FieldResult(image, "s", "ok", width=100, height=100, cells=cells)


def test_a_file_that_qupath_reads(tmp_path: Path) -> None:
    write_geojson(tmp_path / "a.geojson", field(CELL, REJECTED))
    document = json.loads((tmp_path / "a.geojson").read_text())
    assert document["type"] == "FeatureCollection"
    assert document["intended_use"] == INTENDED_USE
    candidate, rejected = document["features"]
    assert candidate["type"] == "Feature"
    properties = candidate["properties"]
    assert properties["objectType"] == "detection"
    assert properties["classification"] == {"name": "ALL", "color": list(PALETTE["ALL"])}
    assert properties["measurements"]["Probability of ALL"] == 0.9
    assert all(isinstance(value, float) for value in properties["measurements"].values())
    assert rejected["properties"]["classification"]["name"] == "rejected"
    assert rejected["properties"]["metadata"] == {"Rejected because": "platelet"}
    assert "Probability of ALL" not in rejected["properties"]["measurements"]


def test_outline_is_closed_and_lies_on_pixel_centres() -> None:
    (feature,) = feature_collection(field(CELL))["features"]
    (ring,) = feature["geometry"]["coordinates"]
    assert ring == [[10.5, 20.5], [19.5, 20.5], [19.5, 29.5], [10.5, 29.5], [10.5, 20.5]]


@pytest.mark.parametrize("contour", [((3, 3),), ((3, 3), (9, 3)), ((3, 3), (5, 3), (9, 3)), ()])
def test_an_outline_without_area_becomes_its_box(contour: tuple[tuple[int, int], ...]) -> None:
    cell = dataclasses.replace(CELL, contour=contour, bbox=(3, 3, 7, 1))
    (feature,) = feature_collection(field(cell))["features"]
    assert feature["geometry"]["coordinates"] == [[[3.0, 3.0], [10.0, 3.0], [10.0, 4.0], [3.0, 4.0], [3.0, 3.0]]]


def test_an_outline_that_touches_itself_is_written_as_valid_polygons() -> None:
    twice = ((0, 0), (4, 0), (4, 2), (9, 2), (9, 0), (13, 0), (13, 4), (9, 4), (9, 2), (4, 2), (4, 4), (0, 4))
    spike = ((10, 20), (19, 20), (25, 20), (19, 20), (19, 29), (10, 29))
    cells = [dataclasses.replace(CELL, contour=contour) for contour in (twice, spike)]
    shapes = [shape(feature["geometry"]) for feature in feature_collection(field(*cells))["features"]]
    assert [one.geom_type for one in shapes] == ["MultiPolygon", "Polygon"]
    assert all(one.is_valid for one in shapes)
    assert [one.area for one in shapes] == [34, 81.5]


def test_ids_tell_cells_and_images_apart_and_stay_the_same() -> None:
    ids = [
        feature["id"]
        for image in ("a.jpg", "b.jpg")
        for feature in feature_collection(field(CELL, REJECTED, image=image))["features"]
    ]
    assert len({uuid.UUID(value) for value in ids}) == 4
    assert ids[:2] == [feature["id"] for feature in feature_collection(field(CELL, REJECTED))["features"]]


@settings(deadline=None)
@given(st.floats())
def test_every_number_is_json(score: float) -> None:
    cell = dataclasses.replace(CELL, out_of_distribution=score)
    measurements = feature_collection(field(cell))["features"][0]["properties"]["measurements"]
    assert all(math.isfinite(value) for value in measurements.values())
