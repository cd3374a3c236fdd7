"""Every command line in the documentation is one that the command understands, and every Python snippet runs."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from edge_all.cli.main import PLUGIN_VERBS, build_app
from edge_all.outputs.pictures import write_jpeg
from edge_all.rendering import SmearSpec, render_field

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def command_lines() -> Iterator[Any]:
    """The words after ``edge-all`` of each line in a code block, continued lines joined."""
    for page in PAGES:
        for block in re.findall(r"^```\w*\n(.*?)^```", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE):
            for line in block.replace("\\\n", " ").splitlines():
                for part in re.split(r"&&|\|", line):
                    found = re.match(r"\s*(?:sudo )?(?:\S*/)?edge-all\s+(.+)", part)
                    if found:
                        yield pytest.param(shlex.split(found[1], comments=True), id=f"{page.name}: {found[1].strip()}")


@pytest.mark.parametrize("words", list(command_lines()))
def test_a_documented_command_line_is_understood(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    command: Any = typer.main.get_command(build_app())
    verb = words[0]
    while hasattr(command, "commands"):
        assert words[0] in command.commands, f"there is no {words[0]!r}"
        command, words = command.commands[words[0]], words[1:]
    if "not installed" in (command.help or ""):
        pytest.skip(f"{PLUGIN_VERBS[verb]} is not installed")
    with monkeypatch.context() as patch:
        patch.setattr(Path, "exists", lambda _: True)  # the paths of a page are not here
        command.make_context(verb, list(words))


def test_command_lines_are_found() -> None:
    found = [param.values[0] for param in command_lines()]
    assert {"train", "evaluate", "export", "screen", "model"} <= {words[0] for words in found}


def snippets(page: Path) -> list[str]:
    """The Python blocks of a page."""
    return re.findall(r"^```python\n(.*?)^```", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("page", [page for page in PAGES if snippets(page)], ids=lambda page: page.name)
def test_the_snippets_of_a_page_run_one_after_the_other(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "S-1042").mkdir()
    for number, path in enumerate(["field.jpg", "S-1042/a.jpg", "S-1042/b.jpg"]):
        pixels = render_field(number, width=480, height=400, spec=SmearSpec(blasts=2, lymphocytes=1)).pixels
        write_jpeg(tmp_path / path, pixels, 95)
    one_cell = render_field(4, width=220, height=220, spec=SmearSpec(blasts=1)).pixels
    write_jpeg(tmp_path / "single-cell.jpg", one_cell, 95)
    monkeypatch.chdir(tmp_path)
    # The choice that `auto` measures once a machine is not this test's to keep.
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    names: dict[str, Any] = {"__name__": "snippets"}
    for number, snippet in enumerate(snippets(page), start=1):
        exec(compile(snippet, f"{page.name}, snippet {number}", "exec"), names)  # noqa: S102 - the page's own code
    if page.name == "station.md":
        assert names["station"].database.file.is_file()
        return
    assert names["field"].status == "ok"
    assert re.search(r"ALL|indeterminate", capsys.readouterr().out)


def test_snippets_are_found() -> None:
    assert {page.name for page in PAGES if snippets(page)} >= {"README.md", "python.md"}
