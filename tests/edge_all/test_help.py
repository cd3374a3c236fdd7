"""The help of every verb, as committed in ``help/``: who changes it sees it, and narrow terminals cut nothing.

After a change that is meant::

    python tests/edge_all/test_help.py
"""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, get_args

import pytest
import typer

from edge_all import __version__
from edge_all.cli.main import build_app
from edge_all.cli.manners import polite
from edge_all.model.card import VARIANTS
from edge_all.segmentation.pipeline import SEGMENTATION_WAYS
from edge_all.session.providers import DEVICES
from edge_all.station.web.visitors import Role

USUAL = 78
"""Columns of the help in a terminal of 80, of which click leaves two free."""
HELP = Path(__file__).with_name("help")
TRAINING_SIDE = importlib.util.find_spec("edge_all_export") is not None
COMMAND = str(Path(sys.executable).with_name("edge-all"))


def commands(command: Any, *above: str, parent: Any = None) -> Iterator[tuple[str, Any, Any]]:  # noqa: ANN401 - of Typer
    """Each verb with its name in ``help/`` and the context that it runs in."""
    names = (*above, command.name)
    context = command.context_class(command, info_name=command.name, parent=parent, **command.context_settings)
    if command.add_help_option:
        yield " ".join(names), command, context
    for verb in getattr(command, "commands", {}).values():
        yield from commands(verb, *names, parent=context)


VERBS = {name: (command, context) for name, command, context in commands(polite(typer.main.get_command(build_app())))}


def help_at(name: str, width: int) -> str:
    command, context = VERBS[name]
    context.terminal_width = width
    text: str = command.get_help(context)
    return text + "\n"


def file_of(name: str) -> Path:
    return HELP / f"{name.replace(' ', '-')}.txt"


@pytest.mark.parametrize("name", VERBS)
def test_help_is_as_committed(name: str) -> None:
    if name == "edge-all" and not TRAINING_SIDE:
        pytest.skip("its verbs are those of the training side too, and edge-all-export is not installed")
    again = "after a change that is meant: python tests/edge_all/test_help.py"
    assert file_of(name).is_file(), again
    assert help_at(name, USUAL) == file_of(name).read_text(encoding="utf-8"), again


@pytest.mark.parametrize("width", [60, 80])
@pytest.mark.parametrize("name", VERBS)
def test_nothing_is_cut_and_no_raw_type_is_shown(name: str, width: int) -> None:
    text = help_at(name, width)
    assert max(map(len, text.splitlines())) <= width
    assert "…" not in text
    assert not re.search(r"[a-z,;]\.\.\.\n|<\w+|\[\[|\]\.\.\.\.\.\.|\{|x>=|<=x", text), text
    command, _ = VERBS[name]
    for param in command.params:
        if param.param_type_name == "option" and not getattr(param, "hidden", False):
            assert all(re.search(rf"(?<![\w-]){re.escape(option)}(?![\w-])", text) for option in param.opts)


@pytest.mark.parametrize("name", VERBS)
@pytest.mark.parametrize("options", [("-h", "--help"), ("-V", "--version")])
def test_every_verb_has_the_short_and_the_long_form(name: str, options: tuple[str, str]) -> None:
    assert ", ".join(options) in help_at(name, 80)


@pytest.mark.parametrize("words", [["-V"], ["--version"], ["screen", "-V"], ["model", "list", "--version"]])
@pytest.mark.parametrize("program", [[COMMAND], [sys.executable, "-m", "edge_all"]], ids=["script", "module"])
def test_version_is_said_everywhere(program: list[str], words: list[str]) -> None:
    done = subprocess.run([*program, *words], capture_output=True, text=True, check=True)
    assert done.stdout == f"edge-all {__version__}\n"


@pytest.mark.skipif(not TRAINING_SIDE, reason="the verbs belong to the training side")
@pytest.mark.parametrize(
    "words",
    [["export", "nothing", "-o", "out"], ["wrap", "nothing", "--cells", ".", "--test-cells", ".", "-o", "out"]],
)
def test_a_verb_has_a_version_of_its_own_beside_that_of_the_program(words: list[str], tmp_path: Path) -> None:
    done = subprocess.run(
        [COMMAND, *words, "--model-version", "1.0.0"], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert done.returncode == 2
    assert "nothing" in done.stderr
    assert "Invalid value" not in done.stderr


def test_a_pipe_gets_the_help_of_a_terminal() -> None:
    done = subprocess.run(
        [COMMAND, "screen", "-h"], capture_output=True, text=True, check=True, env={**os.environ, "COLUMNS": "80"}
    )
    assert done.stdout == file_of("edge-all screen").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("edge-all scr", "screen"),
        ("edge-all model ver", "verify"),
        ("edge-all screen --device cu", "cuda"),
        ("edge-all screen --segmentation c", "colour"),
    ],
)
def test_the_shell_completes_verbs_and_values(typed: str, offered: str) -> None:
    words = typed.split()
    asked = {"_EDGE_ALL_COMPLETE": "complete_bash", "COMP_WORDS": typed, "COMP_CWORD": str(len(words) - 1)}
    done = subprocess.run([COMMAND], capture_output=True, text=True, check=False, env={**os.environ, **asked})
    assert offered in done.stdout.split()


OFFERED = {
    "edge-all screen --variant": VARIANTS,
    "edge-all screen --device": ("auto", *DEVICES),
    "edge-all screen --segmentation": SEGMENTATION_WAYS,
    "edge-all benchmark --variant": VARIANTS,
    "edge-all benchmark --device": ("auto", *DEVICES),
    "edge-all account put --role": get_args(Role),
}


def offered_for(option: str) -> tuple[str, ...]:
    """What a shell is offered for an option's value."""
    verb, name = option.rsplit(" ", 1)
    command, context = VERBS[verb]
    (param,) = (one for one in command.params if name in one.opts)
    return tuple(item.value for item in param.shell_complete(context, ""))


@pytest.mark.parametrize("option", OFFERED)
def test_the_shell_offers_each_value_that_an_option_takes(option: str) -> None:
    assert sorted(offered_for(option)) == sorted(OFFERED[option])


@pytest.mark.skipif(not TRAINING_SIDE, reason="edge-all-export is not installed")
@pytest.mark.parametrize("verb", ["train", "export", "evaluate model", "evaluate laboratories"])
def test_the_shell_offers_each_layout(verb: str) -> None:
    from edge_all_export.datasets import LAYOUTS

    normal = ["normal"] if verb == "evaluate model" else []
    assert sorted(offered_for(f"edge-all {verb} --layout")) == sorted([*LAYOUTS, *normal])


@pytest.mark.training
def test_the_shell_offers_what_a_network_is_trained_and_converted_with() -> None:
    from edge_all_export.converting.onnx_export import INPUT_RANGES
    from edge_all_export.training.configuration import PRECISIONS

    assert sorted(offered_for("edge-all train --precision")) == sorted(PRECISIONS)
    assert sorted(offered_for("edge-all export --input-range")) == sorted(INPUT_RANGES)


if __name__ == "__main__":
    HELP.mkdir(exist_ok=True)
    for old in HELP.glob("*.txt"):
        old.unlink()
    for verb in VERBS:
        file_of(verb).write_text(help_at(verb, USUAL), encoding="utf-8")


TYPED = ["a.jpg", "b.jpg", "--out", "results", "--name", "slide 7", "--host", "one", "--host", "two", "--flag"]


def _taken(*, as_typed: bool, words: list[str]) -> dict[str, Any]:
    """What a verb is handed for these words: by Typer alone, or with the manners of `polite`."""
    taken: dict[str, Any] = {}
    app = typer.Typer()

    @app.callback()
    def root(version: Annotated[bool, typer.Option("--version")] = False) -> None: ...

    @app.command()
    def verb(
        paths: list[str],
        out: Annotated[Path, typer.Option()],
        name: Annotated[str | None, typer.Option()] = None,
        left_out: Annotated[str | None, typer.Option()] = None,
        said: Annotated[str, typer.Option()] = "auto",
        number: Annotated[int, typer.Option(min=1)] = 3,
        size: Annotated[float | None, typer.Option()] = None,
        hosts: Annotated[list[str] | None, typer.Option("--host")] = None,
        others: Annotated[list[str] | None, typer.Option()] = None,
        flag: Annotated[bool, typer.Option("--flag")] = False,
    ) -> None:
        taken.update(locals())

    command = typer.main.get_command(app)
    (polite(command) if as_typed else command)(["verb", *words], standalone_mode=False)
    return {name: value for name, value in taken.items() if name != "taken"}


@pytest.mark.parametrize("more", [[], ["--number", "7", "--size", "0.5"]])
def test_a_verb_is_handed_what_typer_makes_of_the_words(more: list[str]) -> None:
    polite_words, plain = (_taken(as_typed=way, words=[*TYPED, *more]) for way in (True, False))
    assert polite_words == plain
    assert {name: type(value) for name, value in polite_words.items()} == {
        name: type(value) for name, value in plain.items()
    }


def test_a_number_out_of_its_range_is_still_refused() -> None:
    with pytest.raises(Exception, match="greater than or equal to 1"):
        _taken(as_typed=True, words=[*TYPED, "--number", "0"])


def test_texts_and_paths_do_not_wait_for_pydantic(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "typer._adapters", None)
    assert _taken(as_typed=True, words=TYPED)["paths"] == ["a.jpg", "b.jpg"]


def test_a_path_that_cannot_be_read_is_refused_as_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(Exception, match="not readable"):
        _taken(as_typed=True, words=["a.jpg", "--out", str(tmp_path)])
