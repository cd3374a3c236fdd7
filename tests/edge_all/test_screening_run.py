"""A run writes what it found at once, can be gone on with, and overwrites nothing."""

from __future__ import annotations

import base64
import gc
import json
import shutil
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge_all.api.screener import Screener
from edge_all.errors import OutputError, UsageError
from edge_all.files.folder_claim import claimed_folder
from edge_all.inputs import find_images
from edge_all.rendering import SmearSpec, render_field
from edge_all.results import INTENDED_USE, FieldResult
from edge_all.runs.screening_run import RunPlan, screen_to_folder
from edge_all.runs.segmentation_run import segment_to_folder


@pytest.fixture
def screener(tiny_package: Path, cells_found_once: None) -> Screener:
    del cells_found_once
    return Screener(tiny_package)


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("rendered")
    for seed in range(3):
        field = render_field(seed, width=360, height=360, spec=SmearSpec(blasts=2, platelets=1))
        cv2.imwrite(str(folder / f"field{seed}.png"), field.pixels[..., ::-1])
    return folder


@pytest.fixture
def slide(rendered: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(rendered, tmp_path / "slide"))


def lines(out: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (out / "fields.jsonl").read_text().splitlines()]


def test_a_run_writes_everything_that_it_promises(slide: Path, screener: Screener, tmp_path: Path) -> None:
    out = tmp_path / "out"
    seen: list[FieldResult] = []
    summary = screen_to_folder(find_images([slide]), screener, out, on_field=seen.append)
    assert summary.all_judged
    assert [field.image for field in summary.fields] == [field.image for field in seen]
    assert [(cell.id, cell.label) for field in summary.fields for cell in field.cells] == [
        (cell.id, cell.label) for field in seen for cell in field.cells
    ]
    assert [line["image"] for line in lines(out)] == [field.image for field in seen]
    assert {path.stem for path in (out / "overlays").iterdir()} == {"field0", "field1", "field2"}
    assert len(list((out / "crops").iterdir())) == sum(len(field.candidates) for field in seen)
    assert INTENDED_USE in (out / "report.html").read_text(encoding="utf-8")
    assert "slide" in (out / "slides.json").read_text()
    assert (out / "cells.csv").read_text(encoding="utf-8-sig").count("\n") == 1 + sum(len(f.cells) for f in seen)
    assert not (out / ".edge-all.lock").exists()


def test_the_report_holds_the_overlay_of_every_field_as_it_lies(
    slide: Path, screener: Screener, tmp_path: Path
) -> None:
    (slide / "broken.png").write_bytes(b"no image")
    out = tmp_path / "out"
    screen_to_folder(find_images([slide]), screener, out)
    report = (out / "report.html").read_text(encoding="utf-8")
    overlays = list((out / "overlays").iterdir())
    assert len(overlays) == 3
    for overlay in overlays:
        assert base64.b64encode(overlay.read_bytes()).decode() in report


def test_an_interrupted_run_keeps_what_it_judged_and_goes_on(slide: Path, screener: Screener, tmp_path: Path) -> None:
    out = tmp_path / "out"

    def interrupt(_: FieldResult) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        screen_to_folder(find_images([slide]), screener, out, on_field=interrupt)
    first = lines(out)
    assert len(first) == 1
    summary = screen_to_folder(find_images([slide]), screener, out, resume=True)
    assert lines(out)[0] == first[0]
    assert [Path(field.image).name for field in summary.fields] == ["field0.png", "field1.png", "field2.png"]


@pytest.mark.parametrize("spelling", ["relative", "with dots", "link", "link of another name", "moved"])
def test_a_resumed_run_knows_its_images_by_whatever_path_they_come(
    slide: Path, screener: Screener, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spelling: str
) -> None:
    out, notices = tmp_path / "out", list[str]()
    slide.joinpath("field2.png").write_bytes(b"torn")
    screen_to_folder(find_images([slide]), screener, out)
    before = (out / "fields.jsonl").read_bytes().splitlines()
    (tmp_path / "a").mkdir()
    monkeypatch.chdir(slide.parent)
    again = slide
    match spelling:
        case "relative":
            again = Path(slide.name)
        case "with dots":
            again = Path("a", "..", slide.name)
        case "link" | "link of another name":
            again = tmp_path / "a" / (slide.name if spelling == "link" else "elsewhere")
            again.symlink_to(slide)
        case "moved":
            again = slide.rename(tmp_path / "a" / slide.name)
    resumed = screen_to_folder(find_images([again]), screener, out, resume=True, on_notice=notices.append)
    names = [str(slide / f"field{number}.png") for number in range(3)]
    assert [field.image for field in resumed.fields] == names
    # The one that failed was tried again, and is said by its old name; the others were not looked at.
    assert (out / "fields.jsonl").read_bytes().splitlines()[:2] == before[:2]
    assert (resumed.fields[2].status, resumed.fields[2].slide) == ("error", slide.name)
    (notice,) = notices
    assert f"3 images of this run came by another path before ({again.as_posix()}/field0.png was {names[0]})" in notice


def test_a_copy_of_an_image_is_another_image(slide: Path, screener: Screener, tmp_path: Path) -> None:
    out, copies = tmp_path / "out", [tmp_path / name / slide.name for name in ("a", "b")]
    screen_to_folder(find_images([slide / "field0.png"]), screener, out)
    for copy in copies:
        copy.mkdir(parents=True)
        (copy / "field0.png").write_bytes((slide / "field0.png").read_bytes())
    sources = find_images([copy / "field0.png" for copy in copies], slide=slide.name)
    summary = screen_to_folder(sources, screener, out, resume=True)
    assert [field.image for field in summary.fields] == [str(slide / "field0.png"), sources[1].image]


def test_a_slide_of_another_name_is_not_the_same_slide_because_of_a_link(
    slide: Path, screener: Screener, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    screen_to_folder(find_images([slide]), screener, out)
    (tmp_path / "link").symlink_to(slide)
    with pytest.raises(OutputError, match=f"belongs to slide {slide.name}, and now to S-2"):
        screen_to_folder(find_images([tmp_path / "link"], slide="S-2"), screener, out, resume=True)


def test_other_bytes_under_a_known_name_in_another_place_are_refused(
    slide: Path, screener: Screener, tmp_path: Path
) -> None:
    out, other = tmp_path / "out", tmp_path / "b" / slide.name
    screen_to_folder(find_images([slide]), screener, out)
    before = {path.name: path.read_bytes() for path in out.iterdir() if path.is_file()}
    other.mkdir(parents=True)
    (other / "field0.png").write_bytes((slide / "field1.png").read_bytes())
    with pytest.raises(UsageError, match="count twice"):
        screen_to_folder(find_images([other]), screener, out, resume=True)
    assert {path.name: path.read_bytes() for path in out.iterdir() if path.is_file()} == before


def test_a_run_that_is_not_there_begins_anew_and_says_so(slide: Path, screener: Screener, tmp_path: Path) -> None:
    out, notices = tmp_path / "out", list[str]()
    screen_to_folder(find_images([slide / "field0.png"]), screener, out, resume=True, on_notice=notices.append)
    assert notices == [f"There is no run in {out} to go on with: this one begins anew."]
    screen_to_folder(find_images([slide]), screener, out, resume=True, on_notice=notices.append)
    assert len(notices) == 1


def test_a_resumed_run_takes_further_images(slide: Path, screener: Screener, tmp_path: Path) -> None:
    out = tmp_path / "out"
    screen_to_folder(find_images([slide / "field0.png"]), screener, out)
    summary = screen_to_folder(find_images([slide]), screener, out, resume=True)
    assert [Path(field.image).name for field in summary.fields] == ["field0.png", "field1.png", "field2.png"]


def test_activation_maps_lie_beside_the_crops_and_change_no_result(
    slide: Path, screener: Screener, tmp_path: Path
) -> None:
    plain, mapped = tmp_path / "plain", tmp_path / "mapped"
    screen_to_folder(find_images([slide]), screener, plain)
    screen_to_folder(find_images([slide]), screener, mapped, RunPlan(activations=True))
    assert [{**line, "timings_ms": 0} for line in lines(mapped)] == [{**line, "timings_ms": 0} for line in lines(plain)]
    for name in ("cells.csv", "slides.json"):
        assert (mapped / name).read_bytes() == (plain / name).read_bytes()
    crops = {path.name: path.read_bytes() for path in (plain / "crops").iterdir()}
    beside = {path.name: path.read_bytes() for path in (mapped / "crops").iterdir()}
    maps = {name for name in beside if name.endswith(".activation.jpg")}
    assert maps == {name.replace(".jpg", ".activation.jpg") for name in crops}
    assert {name: beside[name] for name in beside.keys() - maps} == crops
    report = (mapped / "report.html").read_text(encoding="utf-8")
    assert report.count('alt="Class activation map of') == len(maps) > 0
    assert "activation" not in (plain / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(("first", "then"), [(False, True), (True, False)])
def test_a_resumed_run_shows_the_maps_that_there_are(
    slide: Path, screener: Screener, tmp_path: Path, first: bool, then: bool
) -> None:
    out = tmp_path / "out"
    good = (slide / "field1.png").read_bytes()
    (slide / "field1.png").write_bytes(good[: len(good) // 3])
    screen_to_folder(find_images([slide]), screener, out, RunPlan(activations=first))
    (slide / "field1.png").write_bytes(good)
    summary = screen_to_folder(find_images([slide]), screener, out, RunPlan(activations=then), resume=True)
    cells = {Path(field.image).stem: len(field.candidates) for field in summary.fields}
    again = cells.pop("field1")
    assert again
    with_maps = again if then else sum(cells.values())
    assert len(list((out / "crops").glob("*.activation.jpg"))) == with_maps
    report = (out / "report.html").read_text(encoding="utf-8")
    assert report.count('alt="Class activation map of') == with_maps
    assert report.count("no map") == again + sum(cells.values()) - with_maps


def test_a_finished_run_that_is_asked_for_maps_says_that_it_has_none(
    slide: Path, screener: Screener, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    screen_to_folder(find_images([slide]), screener, out)
    assert "no map" not in (out / "report.html").read_text(encoding="utf-8")
    summary = screen_to_folder(find_images([slide]), screener, out, RunPlan(activations=True), resume=True)
    report = (out / "report.html").read_text(encoding="utf-8")
    assert report.count("no map") == sum(len(field.candidates) for field in summary.fields) > 0
    assert 'id="maps"' in report


def test_maps_that_the_package_cannot_give_are_refused_before_anything_is_written(
    slide: Path,
    tiny_package: Path,
    tmp_path: Path,
    edit_card: Callable[..., None],
    without_activation: Callable[[Path], None],
) -> None:
    without_activation(tiny_package / "model.fp32.onnx")
    edit_card(tiny_package)
    screener = Screener(tiny_package)
    with pytest.raises(UsageError, match="no class activation maps"):
        screen_to_folder(find_images([slide]), screener, tmp_path / "out", RunPlan(activations=True))
    assert not (tmp_path / "out").exists()


def test_what_failed_is_tried_again(slide: Path, screener: Screener, tmp_path: Path) -> None:
    out = tmp_path / "out"
    good = (slide / "field1.png").read_bytes()
    (slide / "field1.png").write_bytes(good[: len(good) // 3])
    assert not screen_to_folder(find_images([slide]), screener, out).all_judged
    (slide / "field1.png").write_bytes(good)
    summary = screen_to_folder(find_images([slide]), screener, out, resume=True)
    assert summary.all_judged
    assert len(lines(out)) == 3


def test_what_was_not_fit_to_be_judged_is_not_looked_at_again(slide: Path, screener: Screener, tmp_path: Path) -> None:
    out = tmp_path / "out"
    cv2.imwrite(str(slide / "field1.png"), np.zeros((300, 300, 3), np.uint8))
    screen_to_folder(find_images([slide]), screener, out)
    before = (out / "fields.jsonl").read_bytes()
    summary = screen_to_folder(find_images([slide]), screener, out, resume=True)
    assert [field.status for field in summary.fields].count("unusable") == 1
    assert not summary.all_judged
    assert (out / "fields.jsonl").read_bytes() == before


def test_the_size_of_a_pixel_reaches_the_segmentation(slide: Path, screener: Screener, tmp_path: Path) -> None:
    cells = []
    for microns in (None, 0.4):
        out = tmp_path / f"out-{microns}"
        screen_to_folder(find_images([slide]), screener, out, RunPlan(microns))
        cells.append([line["cells"] for line in lines(out)])
    # By a pixel of 0.4 micrometres each blast is as large as a clump.
    assert cells[0] != cells[1]


def test_a_failure_stays_while_its_image_is_not_tried_again(slide: Path, screener: Screener, tmp_path: Path) -> None:
    out = tmp_path / "out"
    (slide / "field1.png").write_bytes(b"torn")
    screen_to_folder(find_images([slide]), screener, out)
    before = lines(out)
    summary = screen_to_folder(find_images([slide / "field0.png"]), screener, out, resume=True)
    assert lines(out) == before
    assert not summary.all_judged
    (verdict,) = json.loads((out / "slides.json").read_text())["slides"]
    assert (verdict["fields"]["ok"], verdict["fields"]["error"]) == (2, 1)


def test_a_refused_run_loses_no_failure(slide: Path, screener: Screener, tmp_path: Path) -> None:
    out = tmp_path / "out"
    (slide / "field1.png").write_bytes(b"torn")
    screen_to_folder(find_images([slide]), screener, out)
    before = (out / "fields.jsonl").read_bytes()
    other = tmp_path / "b" / slide.name
    other.mkdir(parents=True)
    (other / "field0.png").write_bytes(b"something else")
    with pytest.raises(UsageError, match="count twice"):
        screen_to_folder(
            find_images([slide / "field1.png", other / "field0.png"], slide=slide.name), screener, out, resume=True
        )
    assert (out / "fields.jsonl").read_bytes() == before


@pytest.mark.parametrize("resume", [False, True])
def test_a_segmentation_is_not_taken_for_judged_fields(
    slide: Path, screener: Screener, tmp_path: Path, resume: bool
) -> None:
    out = tmp_path / "out"
    list(segment_to_folder(find_images([slide]), out))
    before = (out / "fields.jsonl").read_bytes()
    with pytest.raises(OutputError, match="holds a segmentation, in which nothing was classified") as caught:
        screen_to_folder(find_images([slide]), screener, out, resume=resume)
    assert "resume" not in caught.value.settings
    assert (out / "fields.jsonl").read_bytes() == before
    assert not (out / "report.html").exists()


def test_a_segmentation_cannot_be_resumed_and_does_not_say_so(slide: Path, screener: Screener, tmp_path: Path) -> None:
    out = tmp_path / "out"
    screen_to_folder(find_images([slide]), screener, out)
    with pytest.raises(OutputError, match="already holds") as caught:
        next(segment_to_folder(find_images([slide]), out))
    assert "resume" not in caught.value.settings


def test_results_are_not_written_among_the_images(
    slide: Path, screener: Screener, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(slide)
    (tmp_path / "link").symlink_to(slide, target_is_directory=True)
    before = sorted(slide.iterdir())
    for out in (slide, Path(), tmp_path / "link"):
        with pytest.raises(OutputError, match="folder of the images themselves"):
            screen_to_folder(find_images([slide]), screener, out)
        with pytest.raises(OutputError, match="folder of the images themselves"):
            next(segment_to_folder(find_images(["field0.png"]), out))
    assert sorted(slide.iterdir()) == before


def test_results_are_not_written_over(slide: Path, screener: Screener, tmp_path: Path) -> None:
    out = tmp_path / "out"
    screen_to_folder(find_images([slide]), screener, out)
    before = (out / "fields.jsonl").read_bytes()
    with pytest.raises(OutputError, match="already holds") as caught:
        screen_to_folder(find_images([slide]), screener, out)
    assert caught.value.settings == ("out", "resume")
    assert (out / "fields.jsonl").read_bytes() == before


def test_another_model_does_not_go_on_with_a_run(
    slide: Path, screener: Screener, tmp_path: Path, tiny_package_factory: object
) -> None:
    out = tmp_path / "out"
    screen_to_folder(find_images([slide]), screener, out)
    other = Screener(tiny_package_factory(version="2.0"))  # type: ignore[operator]
    with pytest.raises(OutputError, match="was made with model"):
        screen_to_folder(find_images([slide]), other, out, resume=True)


def test_one_run_at_a_time(slide: Path, screener: Screener, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with (
        claimed_folder(out, marker="fields.jsonl", resume=False),
        pytest.raises(OutputError, match="in use by another run"),
    ):
        screen_to_folder(find_images([slide]), screener, out)


def test_a_folder_that_cannot_be_made_is_named(slide: Path, screener: Screener, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match="file"):
        screen_to_folder(find_images([slide]), screener, tmp_path / "file" / "out")


def test_little_stays_in_memory_of_a_field_that_is_on_disk(slide: Path, tiny_package: Path, tmp_path: Path) -> None:
    screener = Screener(tiny_package)
    screen_to_folder(find_images([slide]), screener, tmp_path / "warm")
    many = tmp_path / "many"
    many.mkdir()
    for number in range(12):
        shutil.copy(slide / f"field{number % 3}.png", many / f"{number:03d}.png")
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        summary = screen_to_folder(find_images([many]), screener, tmp_path / "out")
        gc.collect()
        held = (tracemalloc.get_traced_memory()[0] - before) / len(summary.fields)
    finally:
        tracemalloc.stop()
    cells = sum(len(field.cells) for field in summary.fields) / len(summary.fields)
    # Pixels are 389 kB a field, the outlines of these two cells 3.5 kB; the rest was 3.0 kB.
    assert held < 1_500 + 1_500 * cells, f"{held:.0f} bytes stay behind for each field of {cells:.1f} cells"
    assert not any(hasattr(cell, "contour") for field in summary.fields for cell in field.cells)


def test_two_runs_and_other_threads_write_the_same(slide: Path, tiny_package: Path, tmp_path: Path) -> None:
    written = []
    for number, threads in enumerate((1, 1, 3)):
        out = tmp_path / f"out{number}"
        screen_to_folder(find_images([slide]), Screener(tiny_package, threads=threads), out)
        records = [{**line, "timings_ms": None, "provider": None} for line in lines(out)]
        slides = json.loads((out / "slides.json").read_text())["slides"]
        pictures = {
            path.name: path.read_bytes()
            for folder in ("overlays", "crops", "geojson")
            for path in (out / folder).iterdir()
        }
        written.append((records, slides, (out / "cells.csv").read_bytes(), pictures))
    assert written[0] == written[1] == written[2]


def test_no_run_lets_opencv_compute_its_tables_for_lab(slide: Path, tiny_package: Path, tmp_path: Path) -> None:
    # They take 90 ms, and NumPy's masked arrays 10; on a screen, nothing may ask for either.
    code = (
        "import sys, time, cv2, numpy as np\n"
        f"sys.argv = ['edge-all', 'screen', {str(slide)!r}, '-o', {str(tmp_path / 'out')!r}, '--model', "
        f"{str(tiny_package)!r}]\n"
        "from edge_all.cli.main import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "begun = [time.thread_time()]\n"
        "for _ in range(2):\n"
        "    cv2.cvtColor(np.zeros((1, 1, 3), np.uint8), cv2.COLOR_RGB2LAB)\n"
        "    begun.append(time.thread_time())\n"
        "print((begun[1] - begun[0]) / (begun[2] - begun[1]), 'numpy.ma' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    ratio, masked = done.stdout.splitlines()[-1].split()
    # Some thousand times; 1 where a run has computed them.
    assert float(ratio) > 20
    assert masked == "False"


def test_a_run_for_programs_loads_only_what_it_needs(slide: Path, tiny_package: Path, tmp_path: Path) -> None:
    # Pydantic behind Typer's options takes 70 ms, Rich 30, importlib.metadata with e-mail's parsers 20.
    typed = [
        "screen",
        str(slide),
        "-o",
        str(tmp_path / "out"),
        "--model",
        str(tiny_package),
        "--threads",
        "2",
        "--json",
    ]
    code = (
        f"import sys; sys.argv = ['edge-all', *{typed!r}]\n"
        "before = set(sys.modules)\n"
        "from edge_all.cli.main import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print('report' if 'edge_all.outputs.report.html_report' in sys.modules else 'no report')\n"
        "spared = ['pydantic', 'rich', 'importlib.metadata', 'email.message', 'statistics', 'PIL']\n"
        "print(sorted((set(sys.modules) - before).intersection(spared)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-2:] == ["report", "[]"]
