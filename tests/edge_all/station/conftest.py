"""A station with slides of which everything is known, without a model."""

from __future__ import annotations

import functools
import hashlib
import ssl
from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge_all.model.card import Thresholds
from edge_all.results import Cell, CellLabel, FieldResult, ModelIdentity, ProviderReport
from edge_all.station.desk import Station
from edge_all.station.storage.found_fields import ImageFile, JudgingModel, record_finding
from edge_all.station.storage.slide_records import SlideRecord, find_or_add_slide

MODEL = JudgingModel(
    ModelIdentity("made-up", "1.0", "fp32", "a" * 64, "b" * 64),
    Thresholds(0.35, 0.65, 25.0, 0.05),
    {"name": "made-up", "limitations": ["Made for tests."]},
)
PROBABILITY: dict[CellLabel, float] = {"ALL": 0.9, "non-ALL": 0.1, "indeterminate": 0.5}


def a_cell(number: int, label: CellLabel | None, unlike: float = 0.1) -> Cell:
    """A cell of a made-up field; rejected where it has no label."""
    x, y = 40 * (number % 40), 40 * (number // 40)
    corners = ((x, y), (x + 29, y), (x + 29, y + 29), (x, y + 29))
    box, nucleus = (x, y, 30, 30), (x + 8, y + 8, 14, 14)
    centre = (x + 15.0, y + 15.0)
    if label is None:
        return Cell(number, box, centre, 900, nucleus, centre, 196, "rejected", "too small", contour=corners)
    probability = PROBABILITY[label]
    return Cell(
        number, box, centre, 900, nucleus, centre, 196, "candidate", None, probability, label, unlike, contour=corners
    )


def a_field(labels: Sequence[CellLabel | None], *, image: str = "field.jpg", unlike: float = 0.1) -> FieldResult:
    """A made-up field with cells of these labels."""
    return FieldResult(
        image,
        "slide",
        "ok",
        width=1600,
        height=1200,
        cells=tuple(a_cell(number, label, unlike) for number, label in enumerate(labels, start=1)),
        timings_ms={"decode": 1.0},
        model=MODEL.identity,
        provider=ProviderReport("auto", "CPUExecutionProvider", "made up", 1),
    )


@pytest.fixture(scope="session", autouse=True)
def quick_passwords() -> Iterator[None]:
    """Hash passwords with hardly any work: 0.2 s each, as on a station, are for whoever guesses them.

    Processes that a test starts hash them as stations do.
    """
    with pytest.MonkeyPatch.context() as patch:
        if find_spec("argon2") is not None:
            import argon2

            weak = functools.partial(argon2.PasswordHasher, time_cost=1, memory_cost=8, parallelism=1)
            patch.setattr("argon2.PasswordHasher", weak)
        yield


@pytest.fixture(scope="session", autouse=True)
def one_list_of_authorities() -> Iterator[None]:
    """Read the certificates of the world's authorities once: each client would, 20 ms, to ask a plain address."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ssl.create_default_context", functools.cache(ssl.create_default_context))
        yield


@pytest.fixture(scope="session")
def judging() -> JudgingModel:
    """A model of which only what it says about itself exists."""
    return MODEL


@pytest.fixture(scope="session", name="a_field")
def a_field_function() -> Callable[..., FieldResult]:
    """The function ``a_field``."""
    return a_field


@pytest.fixture
def station(tmp_path: Path) -> Iterator[Station]:
    """An empty station."""
    with Station(tmp_path / "station") as opened:
        yield opened


@pytest.fixture(scope="session")
def add_field() -> Callable[..., int]:
    """Write a made-up field into a station: its slide's name, its labels; returns the number of the field."""

    def add(
        station: Station,
        labels: Sequence[CellLabel | None],
        *,
        slide: str = "Smith, J.",
        path: str = "/images/1.jpg",
        content: str | bytes = "",
        unlike: float = 0.1,
    ) -> int:
        with station.database.write() as connection:
            record = find_or_add_slide(connection, "/images", slide)
            known_by = content or path
            digest = hashlib.sha256(known_by.encode() if isinstance(known_by, str) else known_by).hexdigest()
            return record_finding(
                connection, ImageFile(record.id, path, 0, digest), a_field(labels, unlike=unlike), MODEL
            )

    return add


@pytest.fixture(scope="session")
def slide_with_image(add_field: Callable[..., int]) -> Callable[..., str]:
    """Write a made-up field whose image exists: station, folder, slide's name, labels; returns the slide's code."""

    def add(station: Station, images: Path, slide: str, labels: Sequence[CellLabel | None], field: str = "1") -> str:
        pixels = np.full((1200, 1600, 3), 215, np.uint8)
        for cell in a_field(labels).cells:
            middle = (round(cell.centroid[0]), round(cell.centroid[1]))
            cv2.circle(pixels, middle, 14, (190, 130, 150), -1)
            cv2.circle(pixels, middle, 10, (130, 40, 90), -1)
        path = images / slide / f"{field}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), pixels)
        add_field(station, labels, slide=slide, path=str(path), content=path.read_bytes())
        return next(one.slide.code for one in station.slides("anyone") if one.slide.name == slide)

    return add


@pytest.fixture
def slide(station: Station, add_field: Callable[..., int]) -> SlideRecord:
    """The one slide of the station: two ALL, six non-ALL, one indeterminate and one rejected object in one field."""
    add_field(station, ["ALL", "ALL", *["non-ALL"] * 6, "indeterminate", None])
    return station.slides("anyone")[0].slide
