"""Images that a laboratory's system hands over."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import httpx
import numpy as np
import pytest

from edge_all.station.desk import Station
from edge_all.station.web.application import web_application
from edge_all.station.web.serving import served

Served = tuple[Station, httpx.Client]


@pytest.fixture
def serving(tmp_path: Path) -> Iterator[Served]:
    with (
        Station(tmp_path / "station") as station,
        served(web_application(station), "127.0.0.1", 0) as address,
        httpx.Client(base_url=address, headers={"Edge-All-Reader": "System"}, timeout=30) as client,
    ):
        yield station, client


def an_image() -> bytes:
    pixels = np.random.default_rng(1).integers(0, 255, (300, 400, 3), np.uint8)
    return cv2.imencode(".png", pixels)[1].tobytes()


def test_an_image_is_posted_once_and_waits_for_its_turn(serving: Served) -> None:
    station, client = serving
    wanted = {"slide": "../../etc/Smith", "suffix": ".png"}
    first = client.post("/api/v1/images", params=wanted, content=an_image())
    assert (first.status_code, first.json()["is_new"]) == (202, True)
    again = client.post("/api/v1/images", params=wanted, content=an_image()).json()
    assert again == first.json() | {"is_new": False}
    assert station.queue().waiting == 1
    kept = list(station.database.folder.rglob("*.png"))
    assert [path.read_bytes() for path in kept] == [an_image()]
    assert kept[0].parent == station.database.folder / "posted" / first.json()["slide"]


@pytest.mark.parametrize(
    ("content", "suffix", "status"),
    [
        (b"no image", ".png", 422),
        (an_image()[:-200], ".png", 422),
        (an_image(), ".exe", 422),
        (b"", ".png", 422),
        (cv2.imencode(".png", np.zeros((1, 70000), np.uint8))[1].tobytes(), ".png", 422),
    ],
)
def test_what_is_no_image_is_refused_and_leaves_nothing(
    serving: Served, content: bytes, suffix: str, status: int
) -> None:
    station, client = serving
    answer = client.post("/api/v1/images", params={"slide": "S", "suffix": suffix}, content=content)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    if content == b"no image":
        assert answer.json()["detail"].startswith("The posted file is not an image: its content is neither JPEG")
    assert station.queue().waiting == 0
    assert not (station.database.folder / "posted").exists()
