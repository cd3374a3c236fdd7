"""A run that may stop early takes of each slide what settles it, nothing beyond, on any machine; and says so."""

from __future__ import annotations

import json
import shutil
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge_all.api.screener import Screener
from edge_all.inputs import FoundImages, ImageSource, find_images
from edge_all.rendering import SmearSpec, render_field
from edge_all.results import Cell, CellLabel, FieldResult
from edge_all.runs.screening_run import RunPlan, screen_to_folder
from edge_all.screening.field_screening import ScreenedField
from edge_all.slides.settling import settled_verdict

screen_with_pictures = Screener.screen_with_pictures

ILL, WELL = 10, 4
"""Fields of the two slides."""

STOPPING = RunPlan(stop_when_settled=True)


@pytest.fixture
def screener(tiny_package: Path, cells_found_once: None) -> Screener:
    del cells_found_once
    return Screener(tiny_package)


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("rendered")
    for name, count, spec in (("ill", ILL, SmearSpec(blasts=1)), ("well", WELL, SmearSpec(neutrophils=1))):
        (folder / name).mkdir()
        for seed in range(count):
            field = render_field(seed, width=360, height=360, spec=spec)
            cv2.imwrite(str(folder / name / f"{name}{seed}.png"), field.pixels[..., ::-1])
    return folder


@pytest.fixture
def slides(rendered: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(rendered, tmp_path / "slides"))


@pytest.fixture(scope="module")
def runs(
    rendered: Path, make_tiny_package: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Path]:
    """The folders of a plain run and of one that stopped when settled, over copies of `rendered`; none is changed."""
    folder = tmp_path_factory.mktemp("runs")
    screener = Screener(make_tiny_package(folder / "package"))
    plain, stopped = folder / "plain", folder / "stopped"
    screen_to_folder(images(rendered), screener, plain)
    screen_to_folder(images(rendered), screener, stopped, STOPPING)
    return plain, stopped


def images(slides: Path) -> FoundImages:
    return find_images([slides / "ill", slides / "well"])


def lines(out: Path, slide: str | None = None) -> list[dict[str, Any]]:
    """What is on disk of all fields, or of one slide's, but for the timings."""
    records = [json.loads(line) for line in (out / "fields.jsonl").read_text().splitlines()]
    return [{**record, "timings_ms": None} for record in records if slide in {None, record["slide"]}]


def looked_at(records: Iterable[dict[str, Any]]) -> set[str]:
    return {Path(record["image"]).stem for record in records}


def taking_ahead(by: int) -> Callable[..., Iterator[ScreenedField]]:
    """A pipeline that has so many fields under way whenever it hands one out."""

    def pipeline(
        screener: Screener,
        sources: Iterable[ImageSource],
        **options: Any,  # noqa: ANN401 - handed through
    ) -> Iterator[ScreenedField]:
        under_way: deque[ImageSource] = deque()
        for source in sources:
            under_way.append(source)
            if len(under_way) > by:
                yield from screen_with_pictures(screener, [under_way.popleft()], **options)
        yield from screen_with_pictures(screener, under_way, **options)

    return pipeline


def test_a_slide_is_taken_up_to_the_field_that_settles_it(
    runs: tuple[Path, Path], rendered: Path, screener: Screener, tmp_path: Path
) -> None:
    plain, out = runs[0], tmp_path / "out"
    seen: list[FieldResult] = []
    summary = screen_to_folder(images(rendered), screener, out, STOPPING, on_field=seen.append)

    taken = len(lines(out, "ill"))
    assert 1 < taken < ILL
    assert lines(out, "ill") == lines(plain, "ill")[:taken]
    assert lines(out, "well") == lines(plain, "well")
    labels = [cell["label"] for line in lines(out, "ill") for cell in line["cells"]]
    counts = [(part.count("ALL"), part.count("indeterminate"), len(part)) for part in (labels[:-1], labels)]
    rate = screener.classifier.thresholds.false_positive_rate
    assert [settled_verdict(*count, rate) for count in counts] == [None, "suspicious"]

    for folder in ("overlays", "geojson"):
        assert {path.name.split(".")[0] for path in (out / folder).iterdir()} == looked_at(lines(out)), folder
    assert len(list((out / "crops").iterdir())) == sum(len(field.candidates) for field in seen)
    assert [field.image for field in seen] == [field.image for field in summary.fields]
    assert summary.all_judged
    assert summary.images_not_looked_at == ILL - taken


def test_the_results_say_that_it_stopped(runs: tuple[Path, Path]) -> None:
    _, out = runs
    left_out = ILL - len(lines(out, "ill"))
    ill, well = json.loads((out / "slides.json").read_text())["slides"]
    assert (ill["verdict"], ill["stopped_early"], ill["images_not_looked_at"]) == ("suspicious", True, left_out)
    assert f"Images not looked at: {left_out}." in " ".join(ill["warnings"])
    assert (well["stopped_early"], well["images_not_looked_at"]) == (False, 0)
    assert "not looked at" not in " ".join(well["warnings"])
    report = (out / "report.html").read_text(encoding="utf-8")
    assert f"{len(lines(out))} of {len(lines(out))} fields judged, {left_out} images not looked at" in report
    assert f"{ILL - left_out} / {ILL - left_out}, {left_out} not looked at" in report
    assert f"Images not looked at: {left_out}." in report
    assert "<dt>Not looked at</dt>" in report


def test_nothing_is_left_out_unasked(slides: Path, screener: Screener, tmp_path: Path) -> None:
    summary = screen_to_folder(images(slides), screener, tmp_path / "out")
    assert len(lines(tmp_path / "out")) == ILL + WELL
    assert summary.images_not_looked_at == 0
    assert not any(slide.stopped_early for slide in summary.slides)
    assert "ot looked at" not in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")


def test_how_far_the_pipeline_runs_ahead_changes_nothing(
    runs: tuple[Path, Path], rendered: Path, screener: Screener, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = []
    for by in (None, 0, 100):
        out = runs[1] if by is None else tmp_path / f"out{by}"
        if by is not None:
            monkeypatch.setattr(Screener, "screen_with_pictures", taking_ahead(by))
            screen_to_folder(images(rendered), screener, out, STOPPING)
        pictures = {
            path.relative_to(out): path.read_bytes()
            for folder in ("overlays", "crops", "geojson")
            for path in (out / folder).iterdir()
        }
        written.append((lines(out), json.loads((out / "slides.json").read_text()), pictures))
    assert all(one == written[0] for one in written)


def test_images_of_a_settled_slide_are_not_begun(
    slides: Path, screener: Screener, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    many = tmp_path / "many"
    many.mkdir()
    for number in range(60):
        shutil.copy(slides / "ill" / f"ill{number % ILL}.png", many / f"{number:02d}.png")
    begun: list[str] = []

    def noted(sources: Iterable[ImageSource]) -> Iterator[ImageSource]:
        for source in sources:
            begun.append(source.image)
            yield source

    def counted(
        screener: Screener,
        sources: Iterable[ImageSource],
        **options: Any,  # noqa: ANN401 - handed through
    ) -> Iterator[ScreenedField]:
        return screen_with_pictures(screener, noted(sources), **options)

    monkeypatch.setattr(Screener, "screen_with_pictures", counted)
    screen_to_folder(find_images([many]), screener, tmp_path / "out", STOPPING)
    assert len(lines(tmp_path / "out")) < ILL
    assert len(begun) < 30


@pytest.mark.parametrize("interrupted_after", [1, 8])
def test_an_interrupted_run_goes_on_to_the_same_end(
    runs: tuple[Path, Path], rendered: Path, screener: Screener, tmp_path: Path, interrupted_after: int
) -> None:
    whole, out = runs[1], tmp_path / "out"
    countdown = iter(range(interrupted_after - 1, -1, -1))

    def interrupt(_: FieldResult) -> None:
        if next(countdown) == 0:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        screen_to_folder(images(rendered), screener, out, STOPPING, on_field=interrupt)
    assert len(lines(out)) == interrupted_after
    screen_to_folder(images(rendered), screener, out, STOPPING, resume=True)
    assert lines(out) == lines(whole)
    assert (out / "slides.json").read_bytes() == (whole / "slides.json").read_bytes()


def test_resumed_without_the_wish_to_stop_the_rest_is_judged(
    runs: tuple[Path, Path], rendered: Path, screener: Screener, tmp_path: Path
) -> None:
    plain, out = runs[0], Path(shutil.copytree(runs[1], tmp_path / "out"))
    summary = screen_to_folder(images(rendered), screener, out, resume=True)
    assert summary.images_not_looked_at == 0
    assert {line["image"]: line for line in lines(out)} == {line["image"]: line for line in lines(plain)}
    assert (out / "slides.json").read_bytes() == (plain / "slides.json").read_bytes()


def test_cells_of_an_earlier_run_settle_a_slide(slides: Path, screener: Screener, tmp_path: Path) -> None:
    out = tmp_path / "out"
    screen_to_folder(find_images([slides / "ill" / f"ill{number}.png" for number in range(8)]), screener, out)
    before = lines(out)
    summary = screen_to_folder(images(slides), screener, out, STOPPING, resume=True)
    assert lines(out, "ill") == before
    assert len(lines(out, "well")) == WELL
    assert summary.images_not_looked_at == ILL - 8


def test_a_failure_in_a_settled_slide_is_not_forgotten(slides: Path, screener: Screener, tmp_path: Path) -> None:
    out = tmp_path / "out"
    good = (slides / "ill" / "ill0.png").read_bytes()
    (slides / "ill" / "ill0.png").write_bytes(good[: len(good) // 3])
    assert not screen_to_folder(images(slides), screener, out, STOPPING).all_judged
    before = lines(out)
    assert before[0]["status"] == "error"
    (slides / "ill" / "ill0.png").write_bytes(good)
    again = screen_to_folder(images(slides), screener, out, STOPPING, resume=True)
    assert lines(out) == before
    assert not again.all_judged
    assert screen_to_folder(images(slides), screener, out, resume=True).all_judged
    assert len(lines(out)) == ILL + WELL


def fake(number: int, slide: str, labels: tuple[CellLabel, ...]) -> FieldResult:
    box, middle, outline = (0, 0, 4, 4), (2.0, 2.0), ((0, 0), (4, 0), (4, 4))
    cells = tuple(
        Cell(one, box, middle, 16, box, middle, 9, "candidate", contour=outline, probability=0.5, label=label)
        for one, label in enumerate(labels, 1)
    )
    return FieldResult(f"{slide}/{number}.png", slide, "ok", width=8, height=8, cells=cells)


LABELS = st.lists(st.sampled_from(("ALL", "non-ALL", "indeterminate")), max_size=40).map(tuple)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.sampled_from("abc"), LABELS), min_size=1, max_size=25), st.integers(0, 30))
def test_any_slides_mixed_in_any_order_are_taken_up_to_their_own_end(
    screener: Screener,
    tmp_path_factory: pytest.TempPathFactory,
    drawn: list[tuple[str, tuple[CellLabel, ...]]],
    by: int,
) -> None:
    fields = {one.image: one for one in (fake(number, *field) for number, field in enumerate(drawn))}
    no_crops = np.empty((0, 8, 8, 3), np.uint8)
    sources = [ImageSource(Path(one.image), one.image, one.slide) for one in fields.values()]
    rate = screener.classifier.thresholds.false_positive_rate

    def pipeline(_: Screener, wanted: Iterable[ImageSource], **__: object) -> Iterator[ScreenedField]:
        under_way: deque[ImageSource] = deque()
        for source in wanted:
            under_way.append(source)
            if len(under_way) > by:
                yield ScreenedField(fields[under_way.popleft().image], None, no_crops)
        yield from (ScreenedField(fields[source.image], None, no_crops) for source in under_way)

    expected: list[str] = []
    seen: dict[str, list[CellLabel | None]] = {}
    for one in fields.values():
        labels = seen.setdefault(one.slide, [])
        if settled_verdict(labels.count("ALL"), labels.count("indeterminate"), len(labels), rate) is None:
            expected.append(one.image)
            labels += [cell.label for cell in one.cells]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Screener, "screen_with_pictures", pipeline)
        out = tmp_path_factory.mktemp("out")
        summary = screen_to_folder(sources, screener, out, STOPPING)
    assert [one.image for one in summary.fields] == expected
    assert summary.images_not_looked_at == len(fields) - len(expected)
    for slide in summary.slides:
        if slide.stopped_early:
            assert slide.verdict != "indeterminate"
