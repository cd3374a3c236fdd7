"""Nothing that a command prints is cut: a pipe gets every path on one line, and a narrow terminal every figure."""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import pytest
import typer
from typer.testing import CliRunner

from edge_all.benchmark.compare import Change, Comparison
from edge_all.benchmark.processes import ProcessFigures
from edge_all.benchmark.recorded import Configuration
from edge_all.benchmark.run_figures import BARE, WHOLE, BenchmarkReport, ConfigurationFigures
from edge_all.benchmark.timing import Samples
from edge_all.cli.benchmark_tables import print_report
from edge_all.cli.json_output import print_json
from edge_all.cli.main import build_app
from edge_all.cli.slide_table import print_slides
from edge_all.cli.tables import TABLE_WIDTH, ReadableTable
from edge_all.model.package import load_package
from edge_all.model.store import store_path
from edge_all.rendering import SmearSpec, render_field
from edge_all.results import ModelIdentity, ProviderReport, SlideResult

pytestmark = pytest.mark.usefixtures("devices_tried_here")

COMMAND = str(Path(sys.executable).with_name("edge-all"))
SLIDE = "slide-S-1042-of-the-northern-hospital-2026-11-25"
NAME, VERSION = "a-model-of-the-laboratory-of-the-northern-hospital", "1.0-with-words-1"
ECHOED = ("Report:", "Label images", "Signature:")
"""Lines that a terminal folds itself."""
FIELD = "field-with-a-name-that-leaves-no-room-for-anything-beside-it-in-80-columns"
MACHINE = {"hardware": {"processor": "p", "cores_usable": 2, "vnni": True}, "software": {}}
IMAGES = {"fields": 250, "kind": "own", "megapixels": 1250.0, "cells": 6000}


def squeezed(words: str) -> str:
    """Without white space: a fold may fall on a space or between two letters."""
    return "".join(words.split())


def unfolded(output: str) -> str:
    """What was printed, squeezed, each column of a table put together."""
    columns: dict[int, str] = {}
    for line in output.splitlines():
        for number, part in enumerate(re.split("[│┃]", line)):
            columns[number] = columns.get(number, "") + squeezed(part)
    return "\n".join(columns.values())


@pytest.fixture
def slide(tmp_path: Path) -> Path:
    folder = tmp_path / SLIDE
    folder.mkdir()
    field = render_field(0, width=400, height=400, spec=SmearSpec(blasts=2))
    cv2.imwrite(str(folder / f"{FIELD}.png"), field.pixels[..., ::-1])
    (folder / "torn.png").write_bytes(b"no image")
    return folder


@pytest.fixture
def installed(tiny_package_factory: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package with a long name in a store of its own."""
    for variable in ("XDG_DATA_HOME", "LOCALAPPDATA", "HOME"):
        monkeypatch.setenv(variable, str(tmp_path / "data"))
    store = store_path() / NAME / VERSION
    store.parent.mkdir(parents=True)
    tiny_package_factory(name=NAME, version=VERSION).rename(store)
    return store


def outputs_of(run: Callable[..., str], slide: Path, store: Path) -> dict[str, str]:
    """What each verb that prints a table prints."""
    return {
        "screen": run("screen", slide, "--model", store, "-o", "out"),
        "segment": run("segment", slide, "-o", "segmented"),
        "classify": run("classify", slide, "--model", store),
        "list": run("model", "list"),
        "verify": run("model", "verify", store),
        "show": run("model", "show", store),
        "full": run("model", "show", store, "--full"),
        "doctor": run("doctor", "--model", store),
    }


def whole(words: Callable[[str], str], outputs: dict[str, str], store: Path, tmp_path: Path) -> None:
    """Every name, path and hash stands there."""
    network = load_package(store).card.variants["fp32"].sha256
    for verb, expected in {
        "screen": (SLIDE,),
        "segment": (f"{FIELD}.png", words("content")),
        "classify": (f"{FIELD}.png", words("content")),
        "list": (NAME, VERSION, str(store)),
        "verify": (network,),
        "show": (str(store),),
        "full": (network,),
        "doctor": (str(tmp_path),),
    }.items():
        for one in expected:
            assert one in outputs[verb], (verb, one)
        assert "…" not in outputs[verb], verb


def test_a_pipe_gets_every_name_and_path_on_one_line(
    slide: Path, installed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "40")  # as some shells hand it to all that they start
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str | Path) -> str:
        return CliRunner().invoke(build_app(), list(map(str, arguments))).stdout

    whole(str, outputs_of(run, slide, installed), installed, tmp_path)


def test_a_table_in_a_pipe_folds_sentences_and_no_path(capsys: pytest.CaptureFixture[str]) -> None:
    path = "/a/long/path" * 12
    for note in ("a short one", path):
        table = ReadableTable("image", "note", fold=("image", "note"))
        table.add_row("field.jpg", "many words " * 30)
        table.add_row("field.jpg", note)
        table.print()
        output = capsys.readouterr().out
        widest = max(map(len, output.splitlines()))
        assert widest == (TABLE_WIDTH if note != path else 3 * 2 + 1 + len("field.jpg") + len(path))
        assert note in output
        assert output.count("many") == 30


def test_slides_stand_in_the_order_of_the_report(capsys: pytest.CaptureFixture[str]) -> None:
    cells = {"ALL": 0, "non-ALL": 9, "indeterminate": 0, "rejected": 0}
    verdicts = {"S-1": "not detected", "S-2": "indeterminate", "S-3": "suspicious", "S-4": "suspicious"}
    print_slides([SlideResult(name, {"ok": 1}, cells, 0.0, (0.0, 0.3), one, "So.") for name, one in verdicts.items()])  # type: ignore[arg-type]
    reasons = re.findall(r"^(S-\d): So", capsys.readouterr().out, re.MULTILINE)
    assert reasons == ["S-3", "S-4", "S-2", "S-1"]


@pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are of Unix")
def test_a_real_pipe_is_no_terminal(installed: Path) -> None:
    done = subprocess.run([COMMAND, "model", "list"], capture_output=True, text=True, timeout=60, check=False)
    assert str(installed) in done.stdout


@pytest.mark.parametrize("columns", [60, 80])
def test_a_terminal_cuts_nothing(
    columns: int,
    terminal: Callable[[int], None],
    slide: Path,
    installed: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    terminal(columns)
    monkeypatch.chdir(tmp_path)
    command = typer.main.get_command(build_app())

    def run(*arguments: str | Path) -> str:
        with contextlib.suppress(SystemExit):
            command(list(map(str, arguments)), prog_name="edge-all")
        output = capsys.readouterr().out
        assert all(len(line) <= columns for line in output.splitlines() if not line.startswith(ECHOED)), output
        return unfolded(output)

    whole(squeezed, outputs_of(run, slide, installed), installed, tmp_path)


@pytest.mark.parametrize("verb", ["screen", "segment", "classify", "list", "verify", "show", "doctor"])
def test_every_verb_that_prints_a_table_prints_json_instead(
    verb: str, slide: Path, installed: Path, tmp_path: Path
) -> None:
    words = {
        "screen": ["screen", slide, "--model", installed, "-o", tmp_path / "out"],
        "segment": ["segment", slide, "-o", tmp_path / "out"],
        "classify": ["classify", slide, "--model", installed],
        "list": ["model", "list"],
        "verify": ["model", "verify", installed],
        "show": ["model", "show", installed],
        "doctor": ["doctor", "--model", installed],
    }[verb]
    record = json.loads(CliRunner().invoke(build_app(), [*map(str, words), "--json"]).stdout)
    if verb == "segment":
        assert [one["status"] for one in record] == ["ok", "error"]
        assert record[0]["candidates"] >= 1
    if verb == "verify":
        assert record["passed"] is True
        assert record["networks"]["fp32"]["sha256"] == load_package(installed).card.variants["fp32"].sha256
        assert record["signature"]["status"] == "unsigned"


def test_counts_and_fractions_of_a_slide_are_whole(
    terminal: Callable[[int], None], capsys: pytest.CaptureFixture[str]
) -> None:
    terminal(80)
    cells = {"ALL": 10234, "non-ALL": 20345, "indeterminate": 1023, "rejected": 5}
    print_slides([SlideResult(SLIDE, {"ok": 900}, cells, 0.3238, (0.3187, 1.0), "indeterminate", "It is so.")])
    output = capsys.readouterr().out
    assert "…" not in output
    for word in ("10234", "20345", "1023", "indeterminate", "32.4 %", "31.9 to 100.0 %"):
        assert re.search(rf"(?<!\S){word}(?!\S)", output), word
    assert SLIDE in unfolded(output)


@pytest.mark.parametrize("columns", [60, 80])
def test_no_word_of_the_slides_table_is_broken(
    terminal: Callable[[int], None], capsys: pytest.CaptureFixture[str], columns: int
) -> None:
    terminal(columns)
    cells = {"ALL": 1234, "non-ALL": 2345, "indeterminate": 123, "rejected": 5}
    print_slides([SlideResult("S-1042", {"ok": 300}, cells, 0.3333, (0.318, 0.349), "not detected", "So.")])
    output = capsys.readouterr().out
    for words in (
        "slide",
        "verdict",
        "indeterminate",
        "ALL fraction",
        "95 % interval",
        "not detected",
        "31.8 to 34.9 %",
    ):
        assert words in output
    assert max(map(len, output.splitlines())) <= columns
    # A table where it fits, and a line for each figure where it does not.
    assert ("┃ indeterminate ┃" in output) == (columns == 80)


def test_a_short_name_of_a_slide_stays_on_one_line(
    terminal: Callable[[int], None], capsys: pytest.CaptureFixture[str]
) -> None:
    terminal(100)
    cells = {"ALL": 1234, "non-ALL": 2345, "indeterminate": 123, "rejected": 5}
    slide = SlideResult(
        "S-1042", {"ok": 120}, cells, 0.3333, (0.318, 0.349), "indeterminate", "So.", images_not_looked_at=180
    )
    print_slides([slide])
    output = capsys.readouterr().out
    assert "S-1042 " in output
    assert "120 of 300 " in output
    assert "…" not in output


def test_the_figures_of_a_benchmark_are_whole(
    terminal: Callable[[int], None], capsys: pytest.CaptureFixture[str]
) -> None:
    terminal(80)
    few, many = Samples.of([123456.0, 198765.0]), Samples.of([1234.56] * 250)
    names = ("aggregation (run)", "tables and report (run)")
    figures = ConfigurationFigures(
        ModelIdentity("m", "1", "int8", "0" * 64, "c4"),
        ProviderReport("auto", "CPUExecutionProvider", "asked", 2),
        ProcessFigures({"first inference": few}, {"one image": few, "all images": few}, 1234.5),
        {
            "decode": many,
            "segmentation": many,
            "quality": Samples.of([0.00044] * 250),
            **dict.fromkeys(names, Samples.of([0.11])),
        },
        {WHOLE: few, BARE: few, "plain": few},
        {WHOLE: few, BARE: few, "plain": few},
        {16: few},
        cores=2,
    )
    print_report(BenchmarkReport(MACHINE, IMAGES, 2, (figures,), "2026-11-25"))
    output = capsys.readouterr().out
    assert "…" not in output
    for word in ("161.11", "123.46 to 198.76", "1.00", "37.2", "1235", "161110", "54545455"):
        assert word in output
    for name in (*names, BARE):
        assert squeezed(name) in unfolded(output)
    for word in (WHOLE, BARE, "plain", "x the floor", "computed"):
        assert f"\n{word}: " in output, "every word of the first table is explained below it"


def test_what_changed_since_a_benchmark_is_whole(
    terminal: Callable[[int], None], capsys: pytest.CaptureFixture[str]
) -> None:
    terminal(80)
    configuration = Configuration("0" * 64, "int8", "CPUExecutionProvider", 16)
    change = Change(configuration, "commands: all images, ms", 123456.7, 234567.8, True)
    report = BenchmarkReport(MACHINE, IMAGES, 2, (), "2026-11-25")
    print_report(report, Comparison("2026-11-24", 0.1, (change,)))
    output = capsys.readouterr().out
    assert "…" not in output
    for word in ("123456.7", "234567.8", "+90.0 %", "allowed: +10 %"):
        assert word in output
    assert squeezed(str(configuration)) in unfolded(output)


def test_a_terminal_too_narrow_for_the_figures_gets_a_line_for_each(
    terminal: Callable[[int], None], capsys: pytest.CaptureFixture[str]
) -> None:
    terminal(40)
    cells = {"ALL": 10234, "non-ALL": 20345, "indeterminate": 1023, "rejected": 5}
    print_slides([SlideResult("S-1", {"ok": 900}, cells, 0.3238, (0.3187, 0.329), "indeterminate", "It is so.")])
    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    for line in ("slide: S-1", "verdict: indeterminate", "non-ALL: 20345", "indeterminate: 1023"):
        assert line in lines


def test_what_is_no_number_is_null_in_json(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"figures": [float("nan"), (1.5, float("inf"))], "name": "é"})
    output = capsys.readouterr().out
    assert json.loads(output) == {"figures": [None, [1.5, None]], "name": "é"}
    assert output.isascii()
