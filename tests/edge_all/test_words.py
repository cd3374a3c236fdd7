"""One word for one thing in whatever a user reads."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from edge_all.cli.main import build_app
from edge_all.errors import MissingPackageError
from edge_all.imaging.header import COPY_AGAIN
from edge_all.wording.extras import install_words
from edge_all.wording.percentages import percent, percent_range

ROOT = Path(__file__).parents[2]
SOURCES = sorted(file for part in ("edge_all", "export", "calibration") for file in (ROOT / part).rglob("*.py"))
PAGES = [ROOT / "README.md", ROOT / "ARCHITECTURE.md", *sorted((ROOT / "docs").glob("*.md"))]


def test_fractions_are_written_with_a_space() -> None:
    assert percent(0.598) == "59.8 %"
    assert percent(0.2, 0) == "20 %"
    assert percent_range(0.501, 0.689) == "50.1 to 68.9 %"


def test_no_fraction_is_written_by_python_s_own_format_which_has_no_space() -> None:
    found = [
        f"{file.name}:{spec.lineno}"
        for file in SOURCES
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.FormattedValue) and isinstance(spec := node.format_spec, ast.JoinedStr)
        if any(isinstance(part, ast.Constant) and re.fullmatch(r"\+?\.\d%", str(part.value)) for part in spec.values)
    ]
    assert found == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_pages_use_the_words_of_the_program(page: Path) -> None:
    text = " ".join(page.read_text(encoding="utf-8").split())
    assert re.findall(r"doubtful|undecided|ALL share|share of ALL cells|\d%", text) == []


def lines_for_an_index(text: str) -> list[str]:
    """The calls of pip that would look for edge-all on a package index."""
    calls: list[str] = re.findall(r"pip install(?: [-./$\w]+)* ['\"]?edge-all", " ".join(text.split()))
    return calls


def test_no_line_to_type_asks_a_package_index_for_edge_all() -> None:
    # The name is on none, and anybody could take it there.
    assert lines_for_an_index("Run: pip install\n--upgrade 'edge-all[cpu]'") != []
    files = [
        *SOURCES,
        *PAGES,
        *(file for file in (ROOT / "deploy").rglob("*") if file.is_file() and file.suffix != ".pyc"),
    ]
    assert [file.name for file in files if lines_for_an_index(file.read_text(encoding="utf-8"))] == []
    words = install_words("gpu", again=True)
    assert lines_for_an_index(words) == []
    assert "pip install --force-reinstall '.[gpu]'" in words
    assert "python3 deploy/bundle gpu" in words


@pytest.mark.parametrize(
    ("verb", "line"), [("train", "pip install ./export ./calibration"), ("gate", "pip install ./calibration")]
)
def test_a_verb_that_is_not_installed_names_every_folder_that_it_needs(
    monkeypatch: pytest.MonkeyPatch, verb: str, line: str
) -> None:
    monkeypatch.setattr("importlib.metadata.entry_points", lambda **_: [])
    error = CliRunner().invoke(build_app(), [verb, "somewhere"]).exception
    assert isinstance(error, MissingPackageError)
    assert error.remedy.endswith(line)


def test_a_damaged_image_is_fetched_from_where_the_pages_say() -> None:
    assert "Copy the file from the microscope again" in COPY_AGAIN
    assert "copy it again from the microscope" in (ROOT / "docs" / "technician.md").read_text(encoding="utf-8")
