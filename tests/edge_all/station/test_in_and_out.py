"""Runs that come into a station, cells that go out of it, and names that are forgotten."""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import numpy as np
import pytest

from edge_all.api.screener import Screener
from edge_all.errors import InputError, InputNotFoundError
from edge_all.inputs import find_images
from edge_all.outputs.pictures import jpeg_bytes
from edge_all.rendering.field import render_field
from edge_all.rendering.spec import SmearSpec
from edge_all.runs.screening_run import screen_to_folder
from edge_all.station.desk import Station
from edge_all.station.intake.run_import import import_run
from edge_all.station.reports.labelled_cells import write_labelled_cells
from edge_all.station.review.settings import StationSettings
from edge_all.station.storage.slide_records import SlideRecord
from edge_all.station.web.application import web_application
from edge_all.station.web.serving import served


@pytest.fixture(scope="module")
def run(
    tmp_path_factory: pytest.TempPathFactory, make_tiny_package: Callable[..., Path]
) -> tuple[Path, Path, Screener]:
    """A finished run over a slide of two fields, the package that judged, and the screener."""
    place = tmp_path_factory.mktemp("run")
    (place / "Smith, J").mkdir()
    for number, spec in enumerate((SmearSpec(blasts=4, neutrophils=2), SmearSpec(lymphocytes=4)), start=1):
        field = render_field(number, width=900, height=700, spec=spec)
        (place / "Smith, J" / f"{number}.jpg").write_bytes(jpeg_bytes(field.pixels, 95))
    package = make_tiny_package(place / "package")
    screener = Screener(package, device="cpu")
    screen_to_folder(find_images([place / "Smith, J"]), screener, place / "out")
    return place / "out", package, screener


@pytest.fixture
def imported(
    station: Station, run: tuple[Path, Path, Screener], monkeypatch: pytest.MonkeyPatch
) -> tuple[Station, str, Screener]:
    """A station with that run in it, the code of its slide, and the screener."""
    out, package, screener = run
    install(monkeypatch, package)
    (code,) = import_run(station.database, out).slides
    return station, code, screener


def install(monkeypatch: pytest.MonkeyPatch, package: Path) -> None:
    from edge_all.model.store import _describe

    monkeypatch.setattr(
        "edge_all.station.intake.run_import.list_packages", lambda: (_describe(package, embedded=False),)
    )


def test_a_run_comes_in_as_if_the_station_had_judged(
    imported: tuple[Station, str, Screener], run: tuple[Path, Path, Screener]
) -> None:
    station, code, screener = imported
    view = station.review(code, "Curie").view()
    fields = list(screener.screen_many(sorted(run[0].parent.joinpath("Smith, J").iterdir())))
    assert [found.summary.cells for _, found in view.fields] == [
        tuple(dataclasses.replace(cell, **_rounded(cell)) for cell in field.summary().cells) for field in fields
    ]
    ours, theirs = view.tally.result, screener.judge_slide(fields)
    assert (ours.cells, ours.verdict, ours.reason) == (theirs.cells, theirs.verdict, theirs.reason)
    assert view.models[0].identity == screener.model
    assert station.pixels(view.fields[0][0]).shape == (700, 900, 3)


def _rounded(cell: object) -> dict[str, object]:
    """What the JSON form of a cell rounds."""
    values: dict[str, object] = {}
    for name, digits in (("centroid", 2), ("nucleus_centroid", 2)):
        values[name] = tuple(round(value, digits) for value in getattr(cell, name))
    for name in ("probability", "out_of_distribution"):
        value = getattr(cell, name)
        values[name] = None if value is None else round(value, 6)
    return values


def test_a_run_comes_in_once(imported: tuple[Station, str, Screener], run: tuple[Path, Path, Screener]) -> None:
    station, code, _ = imported
    before = station.events_after(0)
    again = import_run(station.database, run[0])
    assert (again.fields, again.known, again.slides) == (0, 2, (code,))
    assert station.events_after(0) == before


def test_a_run_whose_model_is_not_here_is_refused(
    station: Station, run: tuple[Path, Path, Screener], tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="not installed here"):
        import_run(station.database, run[0])
    with pytest.raises(InputNotFoundError, match="no finished run"):
        import_run(station.database, tmp_path)
    assert station.events_after(0) == ()


def test_confirmed_cells_become_labelled_cells_as_the_model_sees_them(
    imported: tuple[Station, str, Screener], tmp_path: Path
) -> None:
    station, code, screener = imported
    with pytest.raises(InputNotFoundError, match="sign them first"):
        write_labelled_cells(station, tmp_path / "none.npz", screener.classifier.spec)
    review = station.review(code, "Curie")
    cells = [cell for cell in review.view().cells if cell.software_label is not None]
    review.reclassify({cell.id: 0 for cell in cells[:2]}, "ALL")
    review.reclassify({cell.id: 0 for cell in cells[2:4]}, "lymphocyte")
    review.reclassify({cells[4].id: 0}, "smudge")
    review.mark_seen({cell.id: 0 for cell in cells})
    review.draw(1, (450.0, 350.0, 30.0), "ALL")
    review.sign("reviewed", "routine", review.view().last_seq)
    written = write_labelled_cells(station, tmp_path / "cells.npz", screener.classifier.spec, "here")
    with np.load(tmp_path / "cells.npz", allow_pickle=False) as arrays:
        crops, labels = arrays["crops"], arrays["labels"]
        assert set(arrays["groups"]) == set(arrays["slides"]) == {code}
        assert set(arrays["laboratories"]) == {"here"}
    with (
        served(web_application(station, classifier=screener.classifier), "127.0.0.1", 0) as address,
        httpx.Client(base_url=address, headers={"Edge-All-Reader": "Curie"}) as client,
    ):
        posted = client.get("/api/v1/labelled-cells", params={"laboratory": "here"}).raise_for_status()
    with np.load(io.BytesIO(posted.content), allow_pickle=False) as arrays:
        assert np.array_equal(arrays["crops"], crops), "the same over HTTP"
        assert np.array_equal(arrays["labels"], labels)
    counted = [cell for cell in review.view().cells if cell.counts_as in ("ALL", "non-ALL") and cell.found]
    assert len(crops) == len(counted) == written.all_cells + written.non_all_cells
    assert written.left_out == {"drawn or outlined by a person": 1}
    # The network says of the crops what it said of the cells.
    again = screener.classifier.judge(crops)
    assert [one.probability for one in again] == pytest.approx([cell.probability for cell in counted], abs=1e-6)
    assert labels.tolist() == [cell.counts_as == "ALL" for cell in counted]


def test_labelled_cells_are_what_adapting_reads(imported: tuple[Station, str, Screener], tmp_path: Path) -> None:
    cells = pytest.importorskip("edge_all_calibration.labelled_cells.cells")
    station, code, screener = imported
    review = station.review(code, "Curie")
    review.sign("reviewed", "routine", review.mark_seen({cell.id: 0 for cell in review.view().cells}).view.last_seq)
    written = write_labelled_cells(station, tmp_path / "cells.npz", screener.classifier.spec)
    read = cells.load_cells(tmp_path / "cells.npz")
    assert read.counts()["ALL"] == written.all_cells


def test_what_nobody_looked_at_is_not_learned_from(imported: tuple[Station, str, Screener], tmp_path: Path) -> None:
    station, code, screener = imported
    review = station.review(code, "Curie")
    cells = [cell for cell in review.view().cells if cell.counts_as in ("ALL", "non-ALL")]
    unseen = next(cell for cell in cells if cell.counts_as == "non-ALL")
    seen = {cell.id: 0 for cell in review.view().cells if cell.id != unseen.id}
    review.sign("reviewed", "routine", review.mark_seen(seen).view.last_seq)
    written = write_labelled_cells(station, tmp_path / "cells.npz", screener.classifier.spec)
    assert written.all_cells + written.non_all_cells == len(cells) - 1


def test_of_two_readers_only_what_both_say_is_learned_from(
    imported: tuple[Station, str, Screener], tmp_path: Path
) -> None:
    station, code, screener = imported
    station.change_settings(StationSettings(second_reader=True), "Administrator")
    for reader, kind in (("Curie", "ALL"), ("Hess", "lymphocyte")):
        review = station.review(code, reader)
        cells = [cell for cell in review.view().cells if cell.found]
        done = review.mark_seen({cell.id: 0 for cell in cells})
        judged = [cell for cell in done.view.cells if cell.counts_as in ("ALL", "non-ALL")]
        review.reclassify({judged[0].id: 0}, kind)
        review.sign("reviewed", "routine", review.view().last_seq)
    written = write_labelled_cells(station, tmp_path / "cells.npz", screener.classifier.spec)
    assert written.all_cells + written.non_all_cells == len(judged) - 1


def test_names_are_forgotten_by_a_policy_that_somebody_set_and_not_before(
    station: Station, slide: SlideRecord, add_field: Callable[..., int]
) -> None:
    add_field(station, ["non-ALL"], slide="unsigned", path="/images/u.jpg")
    review = station.review(slide.code, "Curie")
    review.sign("reviewed", "routine", review.mark_seen({cell.id: 0 for cell in review.view().cells}).view.last_seq)
    later = datetime.now(UTC) + timedelta(days=30)
    assert station.forget_old_names(later) == ()
    station.change_settings(StationSettings(forget_names_after_days=40), "Administrator")
    assert station.forget_old_names(later) == ()
    station.change_settings(StationSettings(forget_names_after_days=29), "Administrator")
    assert station.forget_old_names(later) == (slide.code,)
    assert station.forget_old_names(later) == ()
    assert {one.slide.name for one in station.slides("Curie")} == {None, "unsigned"}
