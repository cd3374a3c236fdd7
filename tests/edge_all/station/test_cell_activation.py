"""What of a cell the network went by: drawn from the cell as it was judged, or refused with the reason."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import httpx
import numpy as np
import pytest

from edge_all.api.screener import Screener
from edge_all.inputs import find_images
from edge_all.outputs.pictures import png_bytes
from edge_all.rendering.field import render_field
from edge_all.rendering.spec import SmearSpec
from edge_all.station.desk import Station
from edge_all.station.intake.judging import judge_of
from edge_all.station.storage.found_fields import ImageFile, record_finding
from edge_all.station.storage.slide_records import find_or_add_slide
from edge_all.station.web.application import web_application
from edge_all.station.web.serving import served


@pytest.fixture
def screener(tmp_path: Path, make_tiny_package: Callable[..., Path]) -> Screener:
    return Screener(make_tiny_package(tmp_path / "package"), device="cpu")


@pytest.fixture
def code(station: Station, screener: Screener, tmp_path: Path) -> str:
    path = tmp_path / "1.png"
    spec = SmearSpec(blasts=2, neutrophils=2, platelets=3)
    path.write_bytes(png_bytes(render_field(3, width=700, height=600, spec=spec).pixels))
    with station.database.write() as connection:
        slide = find_or_add_slide(connection, "/x", "1")
        file = ImageFile(slide.id, str(path), 0, hashlib.sha256(path.read_bytes()).hexdigest())
        record_finding(connection, file, screener.screen(path), judge_of(screener).model)
    return station.slides("Curie")[0].slide.code


@pytest.fixture
def client(station: Station, screener: Screener) -> Iterator[httpx.Client]:
    with (
        served(web_application(station, classifier=screener.classifier), "127.0.0.1", 0) as address,
        httpx.Client(base_url=address, headers={"Edge-All-Reader": "Curie"}) as client,
    ):
        yield client


def test_the_colour_lies_where_the_network_saw_what_speaks_for_all(
    client: httpx.Client, code: str, screener: Screener, tmp_path: Path
) -> None:
    (seen,) = screener.screen_with_pictures(find_images([tmp_path / "1.png"]), activations=True)
    cells = client.get(f"/api/v1/slides/{code}/cells").json()["cells"]
    likeness = []
    for cell in cells:
        answer = client.get(f"/api/v1/slides/{code}/cells/{cell['id']}/activation")
        if cell["probability"] is None:
            assert answer.status_code == 422, "an object that was not judged has no map"
            continue
        assert answer.headers["content-type"] == "image/jpeg"
        picture = cv2.imdecode(np.frombuffer(answer.content, np.uint8), cv2.IMREAD_COLOR).astype(float)
        orange = picture[..., 2] - picture[..., 0]
        there = cv2.resize(seen.activations[int(cell["id"].split("-")[1])], orange.shape)
        likeness.append(np.corrcoef(orange.ravel(), there.ravel())[0, 1])
    assert len(likeness) >= 4
    assert min(likeness) > 0.8


def test_another_model_than_the_one_that_judged_draws_nothing(
    station: Station, code: str, tmp_path: Path, make_tiny_package: Callable[..., Path]
) -> None:
    other = Screener(make_tiny_package(tmp_path / "other", version="2.0"), device="cpu")
    with (
        served(web_application(station, classifier=other.classifier), "127.0.0.1", 0) as address,
        httpx.Client(base_url=address, headers={"Edge-All-Reader": "Curie"}) as client,
    ):
        cell = client.get(f"/api/v1/slides/{code}/cells").json()["cells"][0]["id"]
        refused = client.get(f"/api/v1/slides/{code}/cells/{cell}/activation")
    assert refused.status_code == 422
    assert "Another model" in refused.json()["detail"]


def test_without_a_model_it_is_said_who_has_one(station: Station, code: str) -> None:
    with (
        served(web_application(station), "127.0.0.1", 0) as address,
        httpx.Client(base_url=address, headers={"Edge-All-Reader": "Curie"}) as client,
    ):
        cell = client.get(f"/api/v1/slides/{code}/cells").json()["cells"][0]["id"]
        refused = client.get(f"/api/v1/slides/{code}/cells/{cell}/activation")
    assert refused.status_code == 409
    assert "edge-all station" in refused.json()["remedy"]
