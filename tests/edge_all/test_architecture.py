"""The runtime stays lean, and its rooms import only the rooms above them."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import edge_all

PACKAGE = Path(edge_all.__file__).parent
# Top to bottom as in ARCHITECTURE.md: a room imports only what stands before it.
ROOMS = [
    "errors",
    "results",
    "wording",
    "files",
    "imaging",
    "inputs",
    "quality",
    "segmentation",
    "preprocessing",
    "model",
    "session",
    "selection",
    "classification",
    "slides",
    "screening",
    "outputs",
    "api",
    "runs",
    "rendering",
    "doctor",
    "benchmark",
    "cli",
]
TRAINING_SIDE = {"tensorflow", "keras", "onnx", "tf2onnx", "sklearn", "edge_all_export", "edge_all_calibration"}


def imports_of(file: Path) -> set[str]:
    """Dotted names of all modules that a file imports, wherever in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
    return names


def room_of(file: Path) -> str:
    return file.relative_to(PACKAGE).parts[0].removesuffix(".py")


FILES = sorted(file for file in PACKAGE.rglob("*.py") if file.parent != PACKAGE or file.name != "__init__.py")


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_a_room_imports_only_rooms_above_it(file: Path) -> None:
    own = ROOMS.index(room_of(file))
    for name in imports_of(file):
        if name.startswith("edge_all."):
            assert ROOMS.index(name.split(".")[1]) <= own, f"{file.name} imports {name}"


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_the_runtime_never_imports_the_training_side(file: Path) -> None:
    assert {name.split(".")[0] for name in imports_of(file)}.isdisjoint(TRAINING_SIDE)


@pytest.mark.parametrize(
    "statement", ["import edge_all", "import edge_all.cli.main as m; m.build_app()"], ids=["package", "command"]
)
def test_starting_up_loads_nothing_heavy(statement: str) -> None:
    heavy = "{'cv2', 'onnxruntime', 'numpy', 'tensorflow', 'matplotlib', 'onnx', 'sklearn'}"
    if "cli" in statement:
        heavy = heavy.replace("'numpy', ", "")
    code = f"import sys; {statement}; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
