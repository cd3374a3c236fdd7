"""What errors say: to programs and the command line alike."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
import typer

import edge_all
from edge_all.cli import main
from edge_all.cli.options import OPTION_NAMES
from edge_all.errors import OutputError

PACKAGE = Path(edge_all.__file__).parent
ROOMS_OF_PROGRAMS = (
    "api",
    "benchmark",
    "classification",
    "files",
    "imaging",
    "model",
    "outputs",
    "runs",
    "screening",
    "segmentation",
    "selection",
    "session",
    "slides",
)
FILES = sorted(file for room in ROOMS_OF_PROGRAMS for file in (PACKAGE / room).rglob("*.py"))


def calls_of_errors(file: Path) -> list[ast.Call]:
    return [
        node
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id.endswith("Error")
    ]


def test_messages_do_not_speak_command_line() -> None:
    calls = [(file.name, call) for file in FILES for call in calls_of_errors(file)]
    assert len(calls) > 30
    for name, call in calls:
        words = " ".join(str(node.value) for node in ast.walk(call) if isinstance(node, ast.Constant))
        # A whole command may be a remedy; an option alone says nothing to a program.
        words = re.sub(r"`edge-all [^`]*`", "", words)
        assert not re.search(r"(^|[ (])(-o|--[a-z][a-z-]+)\b", words), f"{name}: {words}"


def test_the_options_that_an_error_is_about_exist() -> None:
    named = {
        element.value
        for file in PACKAGE.rglob("*.py")
        for call in calls_of_errors(file)
        for keyword in call.keywords
        if keyword.arg == "settings" and isinstance(keyword.value, ast.Tuple)
        for element in keyword.value.elts
        if isinstance(element, ast.Constant)
    }
    assert named == OPTION_NAMES.keys()


def test_the_command_line_adds_its_options(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    app = typer.Typer()

    @app.command()
    def run() -> None:
        raise OutputError("It is full.", "Choose another folder, or go on.", settings=("out", "resume"))

    monkeypatch.setattr(main, "build_app", lambda _: app)
    monkeypatch.setattr(main, "polite", lambda command: command)
    monkeypatch.setattr("sys.argv", ["edge-all"])
    with pytest.raises(SystemExit) as ended:
        main.main()
    assert ended.value.code == 2
    assert capsys.readouterr().err == "Error: It is full.\nChoose another folder, or go on. (Options: -o, --resume)\n"
