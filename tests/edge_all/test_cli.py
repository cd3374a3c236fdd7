"""The command line: what a user sees, and how it ends; as a process, and where that shows no more in this one."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import pytest
import typer
from typer.testing import CliRunner

from edge_all import __version__
from edge_all.cli.main import VERBS, build_app
from edge_all.rendering import SmearSpec, demo_fields, render_field
from edge_all.results import INTENDED_USE

Here = Callable[..., subprocess.CompletedProcess[str]]
"""The fixture ``run_here``."""
COMMAND = str(Path(sys.executable).with_name("edge-all"))


def run(*arguments: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "NO_COLOR": "1", "COLUMNS": "200", "TERM": "dumb"}
    return subprocess.run(
        [COMMAND, *map(str, arguments)],
        capture_output=True, text=True, cwd=cwd, env=environment, timeout=120, check=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def slide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fields") / "patient-slide"
    folder.mkdir()
    for seed in range(2):
        field = render_field(seed, width=400, height=400, spec=SmearSpec(blasts=2, lymphocytes=1, platelets=1))
        cv2.imwrite(str(folder / f"field{seed}.png"), field.pixels[..., ::-1])
    return folder


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory, make_tiny_package: Callable[..., Path]) -> Path:
    """The same package for all; not to be changed."""
    return make_tiny_package(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="module")
def screened(slide: Path, package: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """What a plain run printed, and its folder, which is not to be changed."""
    out = tmp_path_factory.mktemp("screened") / "out"
    done = run("screen", slide, "-o", out, "--model", package, "--threads", "2")
    assert done.returncode == 0, done.stderr
    return done.stdout, out


def test_help_names_the_verbs_and_the_intended_use() -> None:
    done = run("--help")
    assert done.returncode == 0
    for verb in ("screen", "segment", "classify", "model", "doctor", "demo", "train", "evaluate", "export"):
        assert verb in done.stdout
    assert INTENDED_USE in " ".join(done.stdout.split())


@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_that_is_loaded_alone_is_the_same(verb: str) -> None:
    alone: Any = typer.main.get_command(build_app(verb))
    assert list(alone.commands) == [verb]
    helps = [CliRunner().invoke(build_app(wanted), [verb, "--help"]).output for wanted in (verb, None)]
    assert "--help" in helps[0]
    assert helps[0] == helps[1]


def test_only_the_verb_that_is_typed_is_loaded() -> None:
    code = (
        "import sys; sys.argv = ['edge-all', 'screen', '--help']\n"
        "from edge_all.cli.main import main\n"
        "try: main()\n"
        "except SystemExit: print(sorted(one for one in sys.modules if one.endswith(('cli.screen', 'cli.store'))))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "['edge_all.cli.screen']"
    # Before the verb, an option is about all of them.
    assert "station" in run("--help", "screen").stdout


def test_version() -> None:
    assert run("--version").stdout.strip() == f"edge-all {__version__}"


def test_screen_writes_the_contract(screened: tuple[str, Path]) -> None:
    said, out = screened
    assert "patient-slide" in said
    assert INTENDED_USE in said
    for name in ("fields.jsonl", "cells.csv", "slides.json", "report.html", "overlays/field0.jpg"):
        assert (out / name).exists(), name
    line = json.loads((out / "fields.jsonl").read_text().splitlines()[0])
    assert line.keys() >= {
        "image", "slide", "status", "error", "width", "height", "quality", "cells", "timings_ms", "model", "provider",
    }  # fmt: skip
    assert line["cells"][0].keys() >= {
        "id", "bbox", "centroid", "area", "kind", "reason", "probability", "label",
    }  # fmt: skip
    assert line["provider"]["obtained"] == "CPUExecutionProvider"


def test_screen_prints_json_and_nothing_else(run_here: Here, slide: Path, tiny_package: Path, tmp_path: Path) -> None:
    done = run_here("screen", slide, "-o", tmp_path / "out", "--model", tiny_package, "--activation-maps", "--json")
    assert done.returncode == 0, done.stderr
    (verdict,) = json.loads(done.stdout)
    assert verdict["slide"] == "patient-slide"
    assert verdict["verdict"] in {"suspicious", "not detected", "indeterminate"}
    # And maps, on request.
    assert list((tmp_path / "out" / "crops").glob("*.activation.jpg"))
    assert "Class activation map" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")


def test_two_runs_are_identical_but_for_the_timings(
    run_here: Here, slide: Path, package: Path, screened: tuple[str, Path], tmp_path: Path
) -> None:
    assert run_here("screen", slide, "-o", tmp_path / "one", "--model", package, "--threads", "1").returncode == 0
    runs = []
    for out in (screened[1], tmp_path / "one"):
        fields = [json.loads(line) for line in (out / "fields.jsonl").read_text().splitlines()]
        for field in fields:
            del field["timings_ms"]
            del field["provider"]["threads"]
        runs.append((fields, (out / "cells.csv").read_bytes()))
    assert runs[0] == runs[1]


def test_screen_stops_early_on_request_and_says_so(
    run_here: Here, tiny_package_factory: Callable[..., Path], tmp_path: Path
) -> None:
    slide = tmp_path / "S-1"
    slide.mkdir()
    for seed in range(5):
        field = render_field(seed, width=360, height=360, spec=SmearSpec(blasts=1))
        cv2.imwrite(str(slide / f"{seed}.png"), field.pixels[..., ::-1])
    out = tmp_path / "out"
    # Every cell is called ALL: two of them settle the slide.
    command = ("screen", slide, "-o", out, "--model", tiny_package_factory(non_all_below=0.0, all_from=0.0))
    done = run_here(*command, "--stop-when-settled")
    assert done.returncode == 0, done.stderr
    assert len((out / "fields.jsonl").read_text().splitlines()) == 2
    assert "2 of 5" in done.stdout
    assert "Images not looked at: 3." in done.stdout
    assert "Images not looked at, their slides being settled: 3" in done.stdout
    (verdict,) = json.loads((out / "slides.json").read_text())["slides"]
    assert (verdict["verdict"], verdict["images_not_looked_at"]) == ("suspicious", 3)
    rest = run_here(*command, "--resume", "--json")
    assert rest.returncode == 0, rest.stderr
    (verdict,) = json.loads(rest.stdout)
    assert (verdict["stopped_early"], verdict["images_not_looked_at"], verdict["fields"]["ok"]) == (False, 0, 5)


def test_bad_images_end_with_1_and_the_rest_is_written(
    run_here: Here, slide: Path, tiny_package: Path, tmp_path: Path
) -> None:
    text = tmp_path / "notes.jpg"
    text.write_text("this is no image")
    empty = tmp_path / "empty.png"
    empty.touch()
    (tmp_path / "slide-b").mkdir()
    out = tmp_path / "out"
    paths = (slide, text, empty, tmp_path / "gone.png", tmp_path / "slide-b")
    done = run_here("screen", *paths, "-o", out, "--model", tiny_package)
    assert done.returncode == 1
    status = {
        Path(field["image"]).name: field["status"]
        for field in map(json.loads, (out / "fields.jsonl").read_text().splitlines())
    }
    assert status == {
        "field0.png": "ok", "field1.png": "ok", "notes.jpg": "error", "empty.png": "error", "gone.png": "error",
    }  # fmt: skip
    assert done.stderr.count("notes.jpg") == 1
    assert done.stderr.count("gone.png") == 1
    assert json.loads((out / "slides.json").read_text())["passed_over"] == [str(tmp_path / "slide-b")]
    assert "slide-b" in (out / "report.html").read_text()
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["screen", "nowhere", "-o", "out"], "nowhere"),
        (["screen", "empty-folder", "-o", "out"], "empty-folder"),
        (["screen", "field.png", "-o", "field.png/out", "--model", "MODEL"], "field.png/out"),
        (["screen", "field.png", "-o", "out", "--model", "no-such-model"], "no-such-model"),
        (["screen", "field.png", "-o", "out", "--device", "abacus", "--model", "MODEL"], "abacus"),
        (["screen", "field.png", "-o", "out", "--variant", "int4"], "int4"),
        (["screen", "field.png"], "--output"),
    ],
)
def test_a_mistake_ends_with_2_one_message_and_no_traceback(
    run_here: Here, arguments: list[str], message: str, slide: Path, tiny_package: Path, tmp_path: Path
) -> None:
    (tmp_path / "empty-folder").mkdir()
    shutil.copy(slide / "field0.png", tmp_path / "field.png")
    done = run_here(*(argument.replace("MODEL", str(tiny_package)) for argument in arguments), cwd=tmp_path)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_a_changed_byte_in_the_model_is_refused(
    run_here: Here, slide: Path, tiny_package: Path, tmp_path: Path
) -> None:
    network = tiny_package / "model.fp32.onnx"
    content = bytearray(network.read_bytes())
    content[len(content) // 2] ^= 1
    network.write_bytes(content)
    done = run_here("screen", slide, "-o", tmp_path / "out", "--model", tiny_package)
    assert done.returncode == 2
    assert "model.fp32.onnx" in done.stderr


MANY = 8
INTERRUPTED = """\
import signal, sys
from edge_all.cli.main import main
from edge_all.outputs.jsonl import FieldsWriter
written, write = [], FieldsWriter.write
def counted(self, field):
    write(self, field)
    written.append(field)
    if len(written) == 3:
        signal.raise_signal(signal.SIGINT)
FieldsWriter.write = counted
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.argv = ["edge-all", *sys.argv[1:]]
main()
"""
"""Ctrl-C when the third field is on the disk, however fast the machine is."""


@pytest.mark.skipif(sys.platform == "win32", reason="sends a POSIX signal")
def test_ctrl_c_keeps_what_was_judged_and_resume_goes_on(
    run_here: Here, slide: Path, tiny_package: Path, tmp_path: Path
) -> None:
    fields = tmp_path / "many"
    fields.mkdir()
    for number in range(MANY):
        shutil.copy(slide / "field0.png", fields / f"{number:03d}.png")
    out = tmp_path / "out"
    command = ("screen", fields, "-o", out, "--model", tiny_package)
    stopped = subprocess.run(
        [sys.executable, "-c", INTERRUPTED, *map(str, command)],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert stopped.returncode == 130, stopped.stderr
    assert "--resume" in stopped.stderr
    assert "Traceback" not in stopped.stderr
    lines = out / "fields.jsonl"
    judged = lines.read_bytes()
    # The third line may have been taken back: a line counts once it is safely on the disk.
    assert 2 <= judged.count(b"\n") < MANY
    done = run_here(*command, "--resume")
    assert done.returncode == 0, done.stderr
    assert lines.read_bytes().startswith(judged)
    assert lines.read_bytes().count(b"\n") == MANY


@pytest.mark.skipif(sys.platform == "win32", reason="sends a POSIX signal")
def test_ctrl_c_before_the_first_field_promises_nothing(slide: Path, tiny_package: Path, tmp_path: Path) -> None:
    at_once = INTERRUPTED.replace("    write(self, field)\n", "    signal.raise_signal(signal.SIGINT)\n")
    command = ("screen", slide, "-o", tmp_path / "out", "--model", tiny_package)
    stopped = subprocess.run(
        [sys.executable, "-c", at_once, *map(str, command)],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert stopped.returncode == 130, stopped.stderr
    assert "Interrupted before any image was judged." in stopped.stderr
    assert "--resume" not in stopped.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="sends a POSIX signal")
@pytest.mark.parametrize(
    "module",
    # Before `main`, in it, and in the middle of each library that is large.
    ["typer", "rich.progress", "cv2", "onnxruntime"],
)
def test_ctrl_c_while_the_command_still_loads_ends_without_a_traceback(
    module: str, slide: Path, tiny_package: Path, tmp_path: Path
) -> None:
    arguments = ["edge-all", "screen", str(slide), "-o", str(tmp_path / "out"), "--model", str(tiny_package)]
    # Ctrl-C at a moment that does not depend on the speed of the machine: when a module is looked for.
    code = (
        "import signal, sys\n"
        "class Interrupt:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if name == {module!r}: signal.raise_signal(signal.SIGINT)\n"
        "sys.meta_path.insert(0, Interrupt())\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        f"sys.argv = {arguments}\n"
        "from edge_all.cli.main import main\n"
        "main()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 130, done.stderr
    assert "Traceback" not in done.stderr
    assert "Error" not in done.stderr
    assert not (tmp_path / "out" / "fields.jsonl").exists()


@pytest.mark.parametrize("verb", ["classify", "segment"])
def test_one_bad_image_among_good_ones_ends_with_1(
    run_here: Here, verb: str, tiny_package: Path, tmp_path: Path
) -> None:
    text = tmp_path / "notes.jpg"
    text.write_text("this is no image")
    field = render_field(5, width=500, height=500, spec=SmearSpec(blasts=1))
    x, y, width, height = next(cell.bbox for cell in field.cells if cell.kind == "blast")
    cv2.imwrite(str(tmp_path / "cell.png"), field.pixels[y - 40 : y + height + 40, x - 40 : x + width + 40, ::-1])
    options = ("--model", tiny_package) if verb == "classify" else ("-o", tmp_path / "out")
    assert run_here(verb, tmp_path / "cell.png", *options).returncode == 0
    again = ("--model", tiny_package) if verb == "classify" else ("-o", tmp_path / "again")
    assert run_here(verb, tmp_path / "cell.png", text, *again).returncode == 1


def test_classify_prints_json(run_here: Here, slide: Path, tiny_package: Path) -> None:
    done = run_here("classify", slide / "field0.png", "--model", tiny_package, "--json")
    (crop,) = json.loads(done.stdout)
    assert crop.keys() >= {"image", "status", "probability", "label"}


def test_segment_writes_label_images_at_the_size_of_the_input(run_here: Here, slide: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = run_here("segment", slide, "-o", out)
    assert done.returncode == 0, done.stderr
    for stem in ("field0", "field1"):
        cells = cv2.imread(str(out / f"{stem}.cells.png"), cv2.IMREAD_UNCHANGED)
        nuclei = cv2.imread(str(out / f"{stem}.nuclei.png"), cv2.IMREAD_UNCHANGED)
        assert cells.dtype == nuclei.dtype == "uint16"
        assert cells.shape == nuclei.shape == (400, 400)
        assert cells.max() >= 3
    assert list((out / "crops").glob("field0.*.png"))
    assert done.stdout.endswith(f"{out}\n")


def test_segment_says_of_a_field_what_a_screening_refuses_it_for(run_here: Here, slide: Path, tmp_path: Path) -> None:
    field = cv2.imread(str(slide / "field0.png"))
    assert field is not None
    cv2.imwrite(str(slide / "field0.png"), cv2.GaussianBlur(field, (0, 0), 12))
    done = run_here("segment", slide, "-o", tmp_path / "out", "--json")
    assert done.returncode == 0, done.stderr
    blurred, sharp = json.loads(done.stdout)
    assert blurred["status"] == "ok"
    assert any("out of focus" in warning for warning in blurred["warnings"])
    assert not any("focus" in warning for warning in sharp["warnings"])


def test_the_demo_is_not_added_to_a_run_of_real_slides(
    run_here: Here, screened: tuple[str, Path], tiny_package: Path, tmp_path: Path
) -> None:
    out = shutil.copytree(screened[1], tmp_path / "out")
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    done = run_here("demo", "-o", out, "--model", tiny_package)
    assert done.returncode == 2
    assert "already holds the results of a run over other images" in done.stderr
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before


def test_the_demo_runs_again_in_its_own_folder(
    run_here: Here, tiny_package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Two of its slides: test_rendering_demo_fields.py renders and judges all, test_privacy.py runs it as a process.
    some = (demo_fields.demo_slides()[1], demo_fields.demo_slides()[3])
    monkeypatch.setattr(demo_fields, "demo_slides", lambda: some)
    done = run_here("demo", "-o", "demo", "--model", tiny_package, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    fields = (tmp_path / "demo" / "fields.jsonl").read_bytes()
    assert fields.count(b"\n") == sum(len(one.fields) for one in some)
    assert demo_fields.DEMO_NOTICE in (tmp_path / "demo" / "report.html").read_text(encoding="utf-8")
    assert json.loads((tmp_path / "demo" / "slides.json").read_text())["notice"] == demo_fields.DEMO_NOTICE
    # That rendering again leaves the files as they are, test_rendering_demo_fields.py shows.
    monkeypatch.setattr(demo_fields, "write_demo_fields", demo_fields.demo_files)
    again = run_here(
        "demo", "-o", tmp_path / "demo", "--model", tiny_package, cwd=tmp_path
    )  # the folder, called otherwise
    assert again.returncode == 0, again.stderr
    assert (tmp_path / "demo" / "fields.jsonl").read_bytes() == fields


def test_a_verb_of_a_package_that_is_not_installed_says_what_to_install() -> None:
    code = (
        "import importlib.metadata as i; i.entry_points = lambda group: (); import edge_all.cli.main as m, sys; "
        "sys.argv = ['edge-all', 'train', '--data', 'x']; m.main()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "edge-all-export" in done.stderr


def test_verbs_of_the_other_distributions_are_known_where_they_are_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    def verbs() -> set[str]:
        command: Any = typer.main.get_command(build_app())
        return set(command.commands)

    installed = verbs()
    monkeypatch.setattr("importlib.metadata.entry_points", lambda **_: [])
    assert installed | {"adapt", "train-outlines"} <= verbs()
    command: Any = typer.main.get_command(build_app())
    listed = command.commands["adapt"].get_short_help_str(limit=1000)
    assert listed.endswith("which is not installed: in edge-all's source folder, pip install ./calibration")
