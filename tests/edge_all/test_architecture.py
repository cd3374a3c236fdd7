"""The runtime stays lean, and in all three distributions a room imports only the rooms above it."""

from __future__ import annotations

import ast
import graphlib
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MAP = ROOT / "ARCHITECTURE.md"
# Top to bottom as in ARCHITECTURE.md: a room imports only what stands before it.
RUNTIME = (
    "errors",
    "results",
    "wording",
    "time_limit",
    "files",
    "imaging",
    "inputs",
    "specimen",
    "quality",
    "session",
    "segmentation",
    "preprocessing",
    "model",
    "selection",
    "classification",
    "slides",
    "screening",
    "outputs",
    "api",
    "runs",
    "slide_archive",
    "dicom",
    "rendering",
    "doctor",
    "benchmark",
    "station.storage",
    "station.review",
    "station.intake",
    "station.desk",
    "station.cell_square",
    "station.network_crops",
    "station.reference_cells",
    "station.cell_activation",
    "station.reports",
    "station.web",
    "station",
    "cli",
    "__main__",
)
CALIBRATION = (
    "labelled_cells",
    "figures",
    "probability",
    "quantizing",
    "gating",
    "releasing",
    "adapting",
    "cli",
    "commands",
)
EXPORT = (
    "datasets",
    "splitting",
    "crops",
    "run_folder",
    "watching",
    "network",
    "training",
    "converting",
    "packaging",
    "outlines",
    "robustness",
    "evaluation",
    "cli",
    "plain_yardstick",
    "commands",
)
KERAS = {"tensorflow", "keras", "tf2onnx"}


@dataclass(frozen=True)
class Distribution:
    """One of the three: its package, the order of its rooms, and what it must never import."""

    package: str
    folder: Path
    rooms: tuple[str, ...]
    never: frozenset[str]

    @cached_property
    def files(self) -> dict[str, Path]:
        """The file of each module; the package itself, the door to all its rooms, is left out."""
        door = self.folder / "__init__.py"
        files = sorted(set(self.folder.rglob("*.py")) - {door})
        within = (file.relative_to(self.folder).with_suffix("").parts for file in files)
        modules = (".".join((self.package, *parts)).removesuffix(".__init__") for parts in within)
        return dict(zip(modules, files, strict=True))

    @cached_property
    def imports(self) -> dict[str, set[str]]:
        """What each module imports. Read when the first test asks: every process that runs tests collects all."""
        return {
            module: imports_of(file.read_text(encoding="utf-8"), module, is_package=file.name == "__init__.py")
            for module, file in self.files.items()
        }


DISTRIBUTIONS = (
    Distribution(
        "edge_all",
        ROOT / "edge_all",
        RUNTIME,
        frozenset(KERAS | {"onnx", "sklearn", "matplotlib", "edge_all_export", "edge_all_calibration"}),
    ),
    Distribution(
        "edge_all_calibration",
        ROOT / "calibration" / "edge_all_calibration",
        CALIBRATION,
        frozenset(KERAS | {"edge_all_export"}),
    ),
    Distribution("edge_all_export", ROOT / "export" / "edge_all_export", EXPORT, frozenset()),
)


def imports_of(source: str, module: str, *, is_package: bool = False) -> set[str]:
    """Dotted names of all that a file imports, wherever in it and however it is written.

    ``from a import b`` counts as ``a.b``, whether b is a module or a name in one.

    Raises:
        AssertionError: a name is computed, so that nobody can read what is imported.
    """
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = module.split(".")[: -(node.level - is_package) or None]
                base = ".".join([*above, *([base] if base else [])])
            names.update(f"{base}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if called in {"import_module", "__import__"}:
                name = node.args[0] if node.args else None
                assert isinstance(name, ast.Constant), f"{module}: line {node.lineno} imports what cannot be read"
                names.add(str(name.value))
    return names


def room_in(name: str, package: str, rooms: Iterable[str]) -> str | None:
    """The room that a dotted name lies in, the most exact one; None where it lies in none."""
    below = name.removeprefix(f"{package}.")
    found = [room for room in rooms if below == room or below.startswith(f"{room}.")]
    return max(found, key=len, default=None)


@pytest.mark.parametrize(
    "source",
    [
        "import edge_all.cli",
        "import edge_all.cli.main as m",
        "import os, edge_all.cli",
        "from edge_all import cli",
        "from edge_all import __version__, cli as c",
        "from edge_all.cli import main",
        "from edge_all.cli.main import build_app",
        "from . import cli",
        "from .cli import main",
        "from .cli.main import build_app",
        "import importlib\nimportlib.import_module('edge_all.cli.main')",
        "from importlib import import_module\nimport_module('edge_all.cli')",
        "__import__('edge_all.cli')",
        "def later():\n    from edge_all import cli",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from edge_all.cli import main",
        "try:\n    import edge_all.cli\nexcept ImportError:\n    pass",
    ],
)
def test_every_way_to_write_an_import_is_seen(source: str) -> None:
    assert "cli" in {room_in(name, "edge_all", RUNTIME) for name in imports_of(source, "edge_all.results")}


def test_relative_imports_are_seen_from_deeper_too() -> None:
    assert imports_of("from ..slides import verdict", "edge_all.model.card") == {"edge_all.slides.verdict"}
    assert imports_of("from . import card", "edge_all.model.store") == {"edge_all.model.card"}
    assert imports_of("from .card import x", "edge_all.model", is_package=True) == {"edge_all.model.card.x"}
    assert imports_of("from .. import cli", "edge_all.model", is_package=True) == {"edge_all.cli"}


def test_an_import_that_cannot_be_read_is_refused() -> None:
    with pytest.raises(AssertionError, match="cannot be read"):
        imports_of("import importlib\nimportlib.import_module(name)", "edge_all.results")


MODULES = [pytest.param(one, module, id=module) for one in DISTRIBUTIONS for module in one.files]


@pytest.mark.parametrize(("one", "module"), MODULES)
def test_a_room_imports_only_rooms_above_it(one: Distribution, module: str) -> None:
    own = room_in(module, one.package, one.rooms)
    assert own is not None, f"{module} lies in no room: give it a place in the order"
    for name in one.imports[module]:
        if name.split(".")[0] == one.package and not name.startswith(f"{one.package}.__"):
            room = room_in(name, one.package, one.rooms)
            assert room is not None, f"{module} imports {name}: name the room that it lies in"
            assert one.rooms.index(room) <= one.rooms.index(own), f"{module} imports {name}, which lies below it"


@pytest.mark.parametrize(("one", "module"), MODULES)
def test_nothing_imports_what_its_side_must_not_have(one: Distribution, module: str) -> None:
    assert {name.split(".")[0] for name in one.imports[module]}.isdisjoint(one.never), module


@pytest.mark.parametrize("one", DISTRIBUTIONS, ids=lambda one: one.package)
def test_the_map_shows_every_room_in_its_order(one: Distribution) -> None:
    rows = [line.split("|")[1] for line in MAP.read_text(encoding="utf-8").splitlines() if line.startswith("| `")]
    shown = [name.rstrip("/") for row in rows for name in re.findall(r"`([a-z_/]+)`", row)]
    rooms = list(dict.fromkeys(room.split(".")[0] for room in one.rooms if room != "__main__"))
    assert set(rooms) <= set(shown)
    known = set(rooms) - {name for other in DISTRIBUTIONS if other is not one for name in other.rooms}
    assert [name for name in shown if name in known] == [room for room in rooms if room in known]


def test_modules_that_texts_name_exist() -> None:
    """A docstring or a page that sends its reader to a module sends to one that is there."""
    modules = {name: file for one in DISTRIBUTIONS for name, file in one.files.items()}
    modules |= {one.package: one.folder / "__init__.py" for one in DISTRIBUTIONS}
    texts = [*modules.values(), MAP, ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    named = {
        (name, text.relative_to(ROOT).as_posix())
        for text in texts
        for name in re.findall(
            r"`((?:edge_all|edge_all_export|edge_all_calibration)(?:\.\w+)+)", text.read_text("utf-8")
        )
    }
    assert named
    groups = "".join((folder / "pyproject.toml").read_text("utf-8") for folder in (ROOT, ROOT / "export"))
    for name, text in sorted(named):
        if f'entry-points."{name}"' in groups:
            continue
        module = max((known for known in modules if f"{name}.".startswith(f"{known}.")), key=len)
        rest = name.removeprefix(module).lstrip(".").split(".")[0]
        assert rest in modules[module].read_text("utf-8"), f"{text} names {name}, which is not there"


@pytest.mark.parametrize("one", DISTRIBUTIONS, ids=lambda one: one.package)
def test_every_room_exists(one: Distribution) -> None:
    assert {room_in(module, one.package, one.rooms) for module in one.imports} == set(one.rooms)


@pytest.mark.parametrize("one", DISTRIBUTIONS, ids=lambda one: one.package)
def test_no_two_files_import_each_other(one: Distribution) -> None:
    graph: dict[str, set[str]] = {}
    for module, imported in one.imports.items():
        # The longest part that is a module; what follows is a name in it.
        parts = ({name.rsplit(".", cut)[0] for cut in range(name.count("."))} & one.imports.keys() for name in imported)
        graph[module] = {max(found, key=len) for found in parts if found} - {module}
    tuple(graphlib.TopologicalSorter(graph).static_order())


@pytest.mark.parametrize("one", DISTRIBUTIONS, ids=lambda one: one.package)
def test_no_two_files_share_a_name(one: Distribution) -> None:
    """A file of ``cli`` is called as its verb; elsewhere a name says one thing."""
    names = Counter(module.rsplit(".", 1)[-1] for module in one.imports if not module.startswith(f"{one.package}.cli."))
    assert {name for name, count in names.items() if count > 1} == set()


@pytest.mark.parametrize(
    "statement", ["import edge_all", "import edge_all.cli.main as m; m.build_app()"], ids=["package", "command"]
)
def test_starting_up_loads_nothing_heavy(statement: str) -> None:
    heavy = "{'cv2', 'onnxruntime', 'numpy', 'tensorflow', 'matplotlib', 'onnx', 'sklearn'}"
    if "cli" in statement:
        heavy = heavy.replace("'numpy'", "'hashlib'")
    code = f"import sys; {statement}; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_importing_the_package_costs_next_to_nothing() -> None:
    code = "import os, sys; before = set(sys.modules); import edge_all; print(sorted(set(sys.modules) - before))"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r}); {code}"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert set(ast.literal_eval(done.stdout)) <= {"edge_all", "__future__"}
