"""The front door: any source, one at a time or in a stream, from one thread or several, with the same bits."""

from __future__ import annotations

import io
import itertools
import pickle
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

import edge_all
from edge_all.api.screener import Screener
from edge_all.errors import (
    CorruptImageError,
    InputNotFoundError,
    SourcesEndedError,
    UnreadableImageError,
    UnsupportedImageError,
    UsageError,
)
from edge_all.inputs import find_images
from edge_all.outputs.jsonl import FieldsWriter, each_field
from edge_all.rendering import SmearSpec, render_field
from edge_all.results import FieldResult, roundness_of
from edge_all.runs.segmentation_run import segment_to_folder

SIZE = 400
FIELDS = 4


@pytest.fixture(scope="module")
def arrays() -> list[np.ndarray]:
    """Rendered fields, ``uint8 [400, 400, 3]`` RGB."""
    spec = SmearSpec(blasts=2, lymphocytes=1, platelets=1)
    return [render_field(seed, width=SIZE, height=SIZE, spec=spec).pixels for seed in range(FIELDS)]


@pytest.fixture
def screener(tiny_package: Path) -> Screener:
    return Screener(tiny_package)


@pytest.fixture
def paths(arrays: list[np.ndarray], tmp_path: Path) -> list[Path]:
    folder = tmp_path / "S-7"
    folder.mkdir()
    for number, pixels in enumerate(arrays):
        cv2.imwrite(str(folder / f"f{number}.png"), pixels[..., ::-1])
    return sorted(folder.iterdir())


def found(field: FieldResult) -> dict[str, Any]:
    """All that was found, to the bit, but for the names and the times."""
    return {
        **{name: value for name, value in field.to_json().items() if name not in ("image", "slide", "timings_ms")},
        "probabilities": [(cell.probability, cell.out_of_distribution) for cell in field.cells],
    }


def test_all_kinds_of_sources_give_the_same_field(
    screener: Screener, arrays: list[np.ndarray], paths: list[Path]
) -> None:
    image = pytest.importorskip("PIL.Image")
    content = paths[0].read_bytes()
    expected = found(screener.screen(paths[0]))
    assert expected["cells"]
    with paths[0].open("rb") as opened:
        sources = [str(paths[0]), content, io.BytesIO(content), opened, arrays[0], image.open(paths[0])]
        for source in sources:
            assert found(screener.screen(source)) == expected


def test_names_come_from_paths_and_are_numbers_elsewhere(
    screener: Screener, arrays: list[np.ndarray], paths: list[Path]
) -> None:
    with paths[1].open("rb") as opened:
        sources = [
            paths[0],
            opened,
            arrays[2],
            edge_all.NamedImage(arrays[3], "left edge", "S-9"),
            *find_images(paths[:1]),
        ]
        names = [(field.image, field.slide) for field in screener.screen_many(sources)]  # type: ignore[arg-type]
    assert names == [
        (paths[0].as_posix(), "S-7"), (paths[1].as_posix(), "S-7"), ("image 3", "slide"), ("left edge", "S-9"),
        (paths[0].as_posix(), "S-7"),
    ]  # fmt: skip
    assert {field.slide for field in screener.screen_many(paths, slide="S-8")} == {"S-8"}


def test_a_stream_gives_the_bits_of_one_call_a_field_in_order(
    screener: Screener, arrays: list[np.ndarray], paths: list[Path]
) -> None:
    fields = list(screener.screen_many([*paths, *arrays]))
    assert [found(field) for field in fields] == [found(screener.screen(source)) for source in [*paths, *arrays]]
    assert [field.image for field in fields[:FIELDS]] == [path.as_posix() for path in paths]


def test_a_screener_is_shared_between_threads(screener: Screener, arrays: list[np.ndarray]) -> None:
    expected = [found(screener.screen(pixels)) for pixels in arrays]
    work = [*range(FIELDS)] * 2
    with ThreadPoolExecutor(6) as threads:
        singles = list(threads.map(lambda number: found(screener.screen(arrays[number])), work))
        streams = list(threads.map(lambda _: [found(one) for one in screener.screen_many(arrays)], range(2)))
    assert singles == [expected[number] for number in work]
    assert streams == [expected] * 2


def test_no_field_waits_for_the_next_to_arrive(screener: Screener, arrays: list[np.ndarray]) -> None:
    asked = threading.Event()

    def camera() -> Iterator[np.ndarray]:
        for pixels in itertools.cycle(arrays):
            yield pixels
            assert asked.wait(60), "the field before was never handed out"
            asked.clear()

    # Each image comes only once the result of the one before was taken: whoever waits for two waits for ever.
    stream = screener.screen_many(camera())
    for number, field in enumerate(itertools.islice(stream, 7), start=1):
        assert field.image == f"image {number}"
        asked.set()
    stream.close()


def test_an_endless_stream_is_taken_a_few_images_ahead_and_ends_its_threads(
    screener: Screener, arrays: list[np.ndarray]
) -> None:
    taken = itertools.count()

    def camera() -> Iterator[np.ndarray]:
        for pixels in itertools.cycle(arrays):
            next(taken)
            yield pixels

    def threads() -> list[str]:
        return [one.name for one in threading.enumerate() if one.name.startswith(("edge-all-prep", "edge-all-sour"))]

    stream = screener.screen_many(camera())
    assert [field.image for field in itertools.islice(stream, 3)] == ["image 1", "image 2", "image 3"]
    assert threads()
    stream.close()
    assert next(taken) < 20
    until = time.monotonic() + 20
    while threads() and time.monotonic() < until:
        time.sleep(0.02)
    assert not threads()


def test_together_there_they_are_judged_together(
    screener: Screener, arrays: list[np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    batches: list[int] = []
    honest = screener.classifier.judge
    monkeypatch.setattr(
        screener.classifier, "judge", lambda crops, **more: batches.append(len(crops)) or honest(crops, **more)
    )
    fields = list(screener.screen_many(arrays[:3] * 3))
    assert len(batches) <= 5, "three fields a round, where they are all there"
    assert sum(batches) == sum(len(field.candidates) for field in fields)


def test_a_buffer_that_is_filled_again_and_a_file_that_closes_do_no_harm(
    screener: Screener, arrays: list[np.ndarray], paths: list[Path]
) -> None:
    buffer = np.empty_like(arrays[0])

    def sources() -> Iterator[object]:
        for pixels in arrays:
            buffer[:] = pixels
            yield buffer
            buffer[:] = 0
        for path in paths:
            with path.open("rb") as opened:
                yield opened

    expected = [found(screener.screen(pixels)) for pixels in arrays]
    assert [found(field) for field in screener.screen_many(sources())] == expected * 2  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("raised", "expected"), [(ValueError("no card"), SourcesEndedError), (UsageError("a", "b"), UsageError)]
)
def test_sources_that_raise_lose_nothing_that_came_before(
    screener: Screener, arrays: list[np.ndarray], raised: Exception, expected: type[Exception]
) -> None:
    def sources() -> Iterator[np.ndarray]:
        yield from arrays[:4]
        raise raised

    fields = []
    with pytest.raises(expected) as caught:
        fields.extend(screener.screen_many(sources()))
    # extend keeps what came before the error
    assert [found(field) for field in fields] == [found(screener.screen(pixels)) for pixels in arrays[:4]]
    assert caught.value is raised or caught.value.__cause__ is raised
    if caught.value is not raised:
        assert "after 4" in str(caught.value)


def test_on_error_says_what_becomes_of_a_bad_image(
    screener: Screener, arrays: list[np.ndarray], paths: list[Path]
) -> None:
    sources: list[Any] = [arrays[0], b"no image", 3, arrays[1], paths[0].with_name("gone.png")]
    fields = list(screener.screen_many(sources))
    assert [field.status for field in fields] == ["ok", "error", "error", "ok", "error"]
    assert "image 2" in (fields[1].error or "")
    stream = screener.screen_many(sources, on_error="raise")
    assert next(stream).image == "image 1"
    with pytest.raises(CorruptImageError, match="image 2"):
        next(stream)


GOOD = np.full((64, 64, 3), 200, np.uint8)


@pytest.mark.parametrize(
    ("source", "error", "remedy"),
    [
        (GOOD.astype(np.float32) / 255, UnsupportedImageError, "255"),
        (GOOD.astype(np.uint16), UnsupportedImageError, "257"),
        (GOOD.astype(np.int64), UnsupportedImageError, "uint8"),
        (GOOD[..., 0], UnsupportedImageError, "grey"),
        (GOOD[..., :1], UnsupportedImageError, "grey"),
        (np.dstack([GOOD, GOOD[..., :1]]), UnsupportedImageError, "fourth channel"),
        (GOOD.transpose(2, 0, 1), UnsupportedImageError, "transpose"),
        (GOOD[None], UsageError, "screen_many"),
        (np.empty((0, 0, 3), np.uint8), UnsupportedImageError, "empty"),
        (np.empty((0, 64, 3), np.uint8), UnsupportedImageError, "empty"),
        (GOOD[:8], UnsupportedImageError, "smear"),
        (b"", CorruptImageError, "Copy"),
        (b"no image", CorruptImageError, "not an image"),
        (io.BytesIO(), UnreadableImageError, "seek"),
        (io.StringIO("text"), UnreadableImageError, "binary"),
        (None, UsageError, "Hand over"),
        (7, UsageError, "Hand over"),
        ([GOOD], UsageError, "screen_many"),
        ("no/such/file.png", InputNotFoundError, "spelling"),
    ],
    ids=lambda value: value if isinstance(value, str) else getattr(value, "__name__", type(value).__name__),
)
def test_bad_sources_are_errors_of_the_one_tree_that_say_what_to_do(
    screener: Screener, source: object, error: type[Exception], remedy: str
) -> None:
    with pytest.raises(error, match=remedy) as caught:
        screener.screen(source)
    assert isinstance(caught.value, edge_all.EdgeAllError)
    with pytest.raises(edge_all.EdgeAllError):
        edge_all.segment(source)
    if remedy != "screen_many":
        with pytest.raises(error, match=remedy):
            screener.classify(source)


def test_a_closed_file_is_said_to_be_closed(screener: Screener, paths: list[Path]) -> None:
    with paths[0].open("rb") as opened:
        pass
    with pytest.raises(UnreadableImageError, match="closed"):
        screener.screen(opened)


def test_one_image_is_no_stream(screener: Screener, arrays: list[np.ndarray], paths: list[Path]) -> None:
    with paths[0].open("rb") as opened:
        for one in (str(paths[0]), paths[0], b"bytes", arrays[0], opened, 5):
            with pytest.raises(UsageError):
                screener.screen_many(one)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="on_error"):
        screener.screen_many([], on_error="ignore")  # type: ignore[arg-type]
    assert list(screener.screen_many([])) == []
    stack = np.stack(arrays[:2])
    assert [found(field) for field in screener.screen_many(stack)] == [
        found(screener.screen(one)) for one in arrays[:2]
    ]


def test_a_slide_is_judged_from_its_fields(screener: Screener, paths: list[Path], arrays: list[np.ndarray]) -> None:
    slide = screener.judge_slide(screener.screen_many(paths))
    assert slide.slide == "S-7"
    assert slide.fields["ok"] == FIELDS
    with pytest.raises(UsageError, match="2 slides"):
        screener.judge_slide(screener.screen_many([paths[0], arrays[0]]))
    assert screener.judge_slide(screener.screen_many([paths[0], arrays[0]]), slide="both").slide == "both"
    with pytest.raises(UsageError, match="without fields"):
        screener.judge_slide([])


def test_a_slide_is_not_judged_by_another_model_than_its_fields(
    screener: Screener, tiny_package_factory: Callable[..., Path], arrays: list[np.ndarray]
) -> None:
    other = Screener(tiny_package_factory(version="2.0"))
    with pytest.raises(UsageError, match=r"tiny 1\.0"):
        other.judge_slide([screener.screen(arrays[0])])


def test_the_crop_of_a_result_is_the_one_that_was_judged(screener: Screener, arrays: list[np.ndarray]) -> None:
    field = screener.screen(arrays[0])
    crops = field.crops()
    assert list(crops) == [cell.id for cell in field.candidates]
    judged = screener.classifier.judge(np.stack(list(crops.values())))
    assert [one.probability for one in judged] == [cell.probability for cell in field.candidates]
    cell = field.candidates[-1]
    assert np.array_equal(field.crop(cell), crops[cell.id])
    assert np.array_equal(field.crop(cell.id), crops[cell.id])
    with pytest.raises(UsageError, match="no cell 99"):
        field.crop(99)


def test_label_image_overlay_and_rows_are_those_of_the_result(screener: Screener, arrays: list[np.ndarray]) -> None:
    field = screener.screen(arrays[0])
    cells, nuclei = field.label_image(), field.label_image("nuclei")
    assert cells.shape == nuclei.shape == (SIZE, SIZE)
    assert cells.dtype == np.uint16
    assert [int((cells == cell.id).sum()) for cell in field.cells] == [cell.area for cell in field.cells]
    assert [int((nuclei == cell.id).sum()) for cell in field.cells] == [cell.nucleus_area for cell in field.cells]
    overlay = field.overlay()
    assert overlay.dtype == np.uint8
    assert overlay.shape[1] >= SIZE
    rows = field.rows()
    assert [row["id"] for row in rows] == [cell.id for cell in field.cells]
    assert [row["probability"] for row in rows] == [cell.probability for cell in field.cells]
    # A cell says the same of its outline, whether that is at hand or not.
    roundness = [roundness_of(cell.contour) for cell in field.cells]
    assert None not in roundness
    for said in (field.cells, field.summary().cells, type(field).from_json(field.to_json()).cells):
        assert [cell.roundness for cell in said] == roundness
    assert [row["roundness"] for row in rows] == roundness
    assert all(len(row) == len(rows[0]) for row in rows)


def test_what_holds_pixels_or_outlines_is_one_line_in_a_shell(screener: Screener, arrays: list[np.ndarray]) -> None:
    field, nothing = screener.screen_many([arrays[0], b"no image"])
    labels = [cell.label for cell in field.candidates]
    assert repr(field).startswith(f"<FieldResult image 1: ok, {SIZE} x {SIZE}, ")
    assert labels
    assert all(f"{labels.count(label)} {label}" in repr(field) for label in labels)
    assert repr(nothing) == f"<FieldResult image 2: error, {nothing.error}>"
    found = edge_all.segment(arrays[0])
    assert repr(found).startswith(f"<Segmentation {SIZE} x {SIZE}: ")
    for value in (field, nothing, field.summary(), found, field.pictures):
        assert len(repr(value)) < 300
    assert len(repr(field.cells[0])) < 600
    model = screener.model
    assert repr(screener) == (
        f"<Screener {model.name} {model.version} {model.variant} on {screener.provider.obtained}, outlines: learned>"
    )


def test_a_notebook_shows_a_field(screener: Screener, arrays: list[np.ndarray]) -> None:
    field = screener.screen(edge_all.NamedImage(arrays[0], "<script>x</script>"))
    page = field._repr_html_()
    assert page is not None
    assert "data:image/jpeg;base64," in page
    assert "<script" not in page
    png = field._repr_png_()
    assert png is not None
    shown = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR_RGB)
    assert np.array_equal(shown, field.overlay())
    (failed,) = screener.screen_many([b"no image"])
    assert failed._repr_png_() is None
    assert "For Research Use Only" in (failed._repr_html_() or "")


def test_a_result_keeps_a_path_and_notices_that_the_file_has_changed(
    screener: Screener, arrays: list[np.ndarray], paths: list[Path]
) -> None:
    field = screener.screen(paths[0])
    assert np.array_equal(field.overlay(), screener.screen(arrays[0]).overlay())
    cv2.imwrite(str(paths[0]), arrays[1])
    with pytest.raises(UnreadableImageError, match="changed"):
        field.overlay()
    paths[0].unlink()
    with pytest.raises(UnreadableImageError, match="gone"):
        field.crops()


def test_pixels_are_no_part_of_what_is_written_or_pickled(
    screener: Screener, arrays: list[np.ndarray], paths: list[Path], tmp_path: Path
) -> None:
    of_array, of_path = screener.screen(arrays[0]), screener.screen(paths[0])
    assert len(pickle.dumps(of_array)) < 30_000 < arrays[0].nbytes
    assert pickle.loads(pickle.dumps(of_array)) == of_array  # noqa: S301 - our own
    assert np.array_equal(pickle.loads(pickle.dumps(of_path)).overlay(), of_path.overlay())  # noqa: S301 - our own
    with FieldsWriter(tmp_path / "fields.jsonl") as file:
        file.write(of_path)
    (again,) = tuple(each_field(tmp_path / "fields.jsonl"))
    with pytest.raises(UsageError, match="no image at hand"):
        again.overlay()
    assert again._repr_html_() is None


def test_single_cells_are_classified_one_by_one_or_in_a_stream(screener: Screener, arrays: list[np.ndarray]) -> None:
    field = screener.screen(arrays[0])
    crops = []
    for cell in field.candidates:
        x, y = (round(value) for value in cell.centroid)
        crops.append(arrays[0][max(0, y - 60) : y + 60, max(0, x - 60) : x + 60])
    alone = [screener.classify(crop) for crop in crops]
    assert {one.status for one in alone} == {"ok"}
    streamed = list(screener.classify(iter([*crops, b"no image"])))
    assert [one.probability for one in streamed[:-1]] == [one.probability for one in alone]
    assert streamed[-1].status == "error"
    with pytest.raises(CorruptImageError):
        list(screener.classify([*crops, b"no image"], on_error="raise"))


def test_segment_needs_no_model(arrays: list[np.ndarray], screener: Screener) -> None:
    segmentation = edge_all.segment(arrays[0])
    field = screener.screen(arrays[0])
    assert [cell.contour for cell in field.cells] == list(segmentation.outlines)
    assert np.array_equal(segmentation.cell_labels, field.label_image())
    assert [int(mask.sum()) for mask in segmentation.cell_masks] == [cell.area for cell in field.cells]


def test_segment_run_and_screening_find_the_same_in_a_cell_cut_out_on_black(
    arrays: list[np.ndarray], screener: Screener, tmp_path: Path
) -> None:
    whole = edge_all.segment(arrays[0])
    cell = max(whole.cells, key=lambda one: (one.kind == "candidate", one.area))
    x, y, width, height = cell.bbox
    canvas = np.zeros((height + 60, width + 60, 3), np.uint8)
    inside = arrays[0][y : y + height, x : x + width]
    np.copyto(canvas[30:-30, 30:-30], inside, where=whole.cell_masks[cell.id - 1][..., None] > 0)
    file = tmp_path / "in" / "cell.png"
    file.parent.mkdir()
    cv2.imwrite(str(file), canvas[..., ::-1])

    segmentation, field = edge_all.segment(file), screener.screen(file)
    (of_run,) = segment_to_folder(find_images([str(file)]), tmp_path / "out")
    assert len(segmentation.cells) == 1
    assert of_run.cells[0].contour == field.cells[0].contour
    assert segmentation.outlines == tuple(one.contour for one in field.cells)
    assert np.array_equal(segmentation.cell_labels, field.label_image())
    assert of_run.quality == field.quality
    # What was painted over is glass in its pictures, too: the network was given it so.
    assert field.crop(field.cells[0])[0, 0].min() > 100
    assert field.overlay()[5, 5].min() > 100


def test_all_names_are_there_and_no_others() -> None:
    for name in edge_all.__all__:
        assert getattr(edge_all, name) is not None
        assert name in dir(edge_all)
    with pytest.raises(AttributeError):
        edge_all.nothing_of_the_kind  # noqa: B018 - that it is not there


@pytest.mark.parametrize("microns", [0, -1, float("nan"), float("inf"), 11, "small", []])
def test_a_size_that_no_pixel_has_is_refused_at_once(
    screener: Screener, arrays: list[np.ndarray], microns: object
) -> None:
    asked: tuple[Callable[[], object], ...] = (
        lambda: screener.screen(arrays[0], microns_per_pixel=microns),  # type: ignore[arg-type]
        lambda: screener.screen_many(arrays, microns_per_pixel=microns),  # type: ignore[arg-type]
        lambda: edge_all.segment(arrays[0], microns_per_pixel=microns),  # type: ignore[arg-type]
    )
    for ask in asked:
        with pytest.raises(UsageError, match="micrometres"):
            ask()


@pytest.mark.parametrize("wrong", [{"model": 3}, {"threads": "two"}, {"device": None}, {"threads": 1.5}])
def test_an_argument_of_another_kind_is_named(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=next(iter(wrong))):
        Screener(**wrong)


def test_a_cell_is_found_by_whatever_counts_as_its_number(screener: Screener, arrays: list[np.ndarray]) -> None:
    field = screener.screen(arrays[0])
    first = field.crop(1)
    assert (field.crop(np.int64(1)) == first).all()  # type: ignore[arg-type]  # as in a column of a data frame
    for unknown in ("1", None, 1.5):
        with pytest.raises(UsageError, match="has no cell"):
            field.crop(unknown)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="no label image"):
        field.label_image("nucleus")  # type: ignore[arg-type]


def test_what_is_no_field_makes_no_slide(screener: Screener, arrays: list[np.ndarray]) -> None:
    field = screener.screen(arrays[0])
    with pytest.raises(UsageError, match="int among the fields"):
        screener.judge_slide([field, 1])  # type: ignore[list-item]
    with pytest.raises(UsageError, match="one FieldResult"):
        screener.judge_slide(field)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="left out"):
        screener.judge_slide([field], not_looked_at=-1)
