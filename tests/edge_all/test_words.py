"""One word for one thing in whatever a user reads."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from edge_all.percentages import percent, percent_range

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
