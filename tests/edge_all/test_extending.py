"""What ``docs/extending.md`` names is there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
FOLDERS = {"edge_all": ROOT, "edge_all_export": ROOT / "export", "edge_all_calibration": ROOT / "calibration"}
NAMES = sorted(set(re.findall(r"`(edge_all\w*(?:\.\w+)+)`", PAGE)) - {"edge_all.preprocessing"})
FILES = sorted(set(re.findall(r"`((?:[\w-]+/)+[\w.-]*)`", PAGE)))


def names_in(body: list[ast.stmt]) -> dict[str, ast.stmt]:
    """What a module or class defines, read and not imported: the training side needs TensorFlow."""
    found: dict[str, ast.stmt] = {}
    for node in body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            found[node.name] = node
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            found.update({target.id: node for target in targets if isinstance(target, ast.Name)})
    return found


@pytest.mark.parametrize("name", NAMES)
def test_a_line_that_the_page_names_exists(name: str) -> None:
    parts = name.split(".")
    place = FOLDERS[parts[0]]
    while parts and (place / parts[0]).is_dir():
        place /= parts.pop(0)
    body = ast.parse((place / f"{parts.pop(0)}.py").read_text(encoding="utf-8")).body
    for part in parts:
        defined = names_in(body)
        assert part in defined, f"{name} is no more"
        body = getattr(defined[part], "body", [])


@pytest.mark.parametrize("file", FILES)
def test_a_file_that_the_page_names_exists(file: str) -> None:
    assert any((folder / file).exists() for folder in FOLDERS.values())


def test_names_are_found() -> None:
    assert len(NAMES) > 12
    assert len(FILES) > 6
