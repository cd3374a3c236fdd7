"""Nothing that a command prints is cut at 80 columns, the width of a pipe: not a figure, not a name, not a path."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import pytest

from edge_all.benchmark.compare import Change, Comparison
from edge_all.benchmark.processes import ProcessFigures
from edge_all.benchmark.recorded import Configuration
from edge_all.benchmark.run_figures import BARE, WHOLE, BenchmarkReport, ConfigurationFigures
from edge_all.benchmark.timing import Samples
from edge_all.cli.benchmark_tables import print_report
from edge_all.cli.slide_table import print_slides
from edge_all.model.package import load_package
from edge_all.model.store import store_path
from edge_all.rendering import SmearSpec, render_field
from edge_all.results import ModelIdentity, ProviderReport, SlideResult

COMMAND = str(Path(sys.executable).with_name("edge-all"))
SLIDE = "slide-S-1042-of-the-northern-hospital-2026-11-25"
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
def eighty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")


@pytest.fixture
def slide(tmp_path: Path) -> Path:
    folder = tmp_path / SLIDE
    folder.mkdir()
    field = render_field(0, width=400, height=400, spec=SmearSpec(blasts=2))
    cv2.imwrite(str(folder / f"{FIELD}.png"), field.pixels[..., ::-1])
    (folder / "torn.png").write_bytes(b"no image")
    return folder


def test_no_command_cuts_what_it_prints(
    slide: Path, tiny_package_factory: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "a-model-of-the-laboratory-of-the-northern-hospital"
    version = "1.0-with-words-1"
    for variable in ("XDG_DATA_HOME", "LOCALAPPDATA", "HOME"):
        monkeypatch.setenv(variable, str(tmp_path / "data"))
    store = store_path() / name / version
    store.parent.mkdir(parents=True)
    tiny_package_factory(name=name, version=version).rename(store)
    environment = {**os.environ, "NO_COLOR": "1", "COLUMNS": "80", "TERM": "dumb"}

    def shown(*arguments: str | Path) -> str:
        done = subprocess.run(
            [COMMAND, *map(str, arguments)],
            capture_output=True, text=True, cwd=tmp_path, env=environment, timeout=120, check=False,
        )  # fmt: skip
        assert done.stdout, done.stderr
        assert "…" not in done.stdout, done.stdout
        return unfolded(done.stdout)

    network = load_package(store).card.variants["fp32"].sha256
    assert SLIDE in shown("screen", slide, "-o", "out")
    for verb in (["segment", slide, "-o", "segmented"], ["classify", slide]):
        output = shown(*verb)
        assert f"{FIELD}.png" in output
        assert squeezed("whatever its name says") in output
    models = shown("model", "list")
    for words in (name, version, str(store)):
        assert words in models
    assert network in shown("model", "verify", store)
    assert str(store) in shown("model", "show", store)
    assert network in shown("model", "show", store, "--full")
    assert str(tmp_path) in shown("doctor")
    shown("screen", "--help")


@pytest.mark.usefixtures("eighty")
def test_counts_and_fractions_of_a_slide_are_whole(capsys: pytest.CaptureFixture[str]) -> None:
    cells = {"ALL": 10234, "non-ALL": 20345, "indeterminate": 1023, "rejected": 5}
    print_slides([SlideResult(SLIDE, {"ok": 900}, cells, 0.3238, (0.3187, 1.0), "indeterminate", "It is so.")])
    output = capsys.readouterr().out
    assert "…" not in output
    for word in ("10234", "20345", "1023", "indeterminate", "32.4 %", "31.9 to 100.0 %"):
        assert f"{word} " in output
    assert SLIDE in unfolded(output)


@pytest.mark.usefixtures("eighty")
def test_a_short_name_of_a_slide_stays_on_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    cells = {"ALL": 1234, "non-ALL": 2345, "indeterminate": 123, "rejected": 5}
    slide = SlideResult(
        "S-1042", {"ok": 120}, cells, 0.3333, (0.318, 0.349), "indeterminate", "So.", images_not_looked_at=180
    )
    print_slides([slide])
    output = capsys.readouterr().out
    assert "S-1042 " in output
    assert "120 of 300 " in output
    assert "…" not in output


@pytest.mark.usefixtures("eighty")
def test_the_figures_of_a_benchmark_are_whole(capsys: pytest.CaptureFixture[str]) -> None:
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


@pytest.mark.usefixtures("eighty")
def test_what_changed_since_a_benchmark_is_whole(capsys: pytest.CaptureFixture[str]) -> None:
    configuration = Configuration("0" * 64, "int8", "CPUExecutionProvider", 16)
    change = Change(configuration, "commands: all images, ms", 123456.7, 234567.8, True)
    report = BenchmarkReport(MACHINE, IMAGES, 2, (), "2026-11-25")
    print_report(report, Comparison("2026-11-24", 0.1, (change,)))
    output = capsys.readouterr().out
    assert "…" not in output
    for word in ("123456.7", "234567.8", "+90.0 %", "allowed: +10 %"):
        assert word in output
    assert squeezed(str(configuration)) in unfolded(output)
