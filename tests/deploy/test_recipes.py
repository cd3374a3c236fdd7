"""Every recipe in ``deploy/`` passes its linter, where that is installed, and says what the command understands."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer

from edge_all.cli.main import build_app

DEPLOY = Path(__file__).parents[2] / "deploy"
UNITS = sorted((DEPLOY / "systemd").iterdir())


def tool(name: str) -> str:
    found = shutil.which(name) or shutil.which(name, path=str(Path(sys.executable).parent))
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


def command_lines() -> list[tuple[str, list[str]]]:
    found = [
        (unit.name, shlex.split(line.replace("${", "").replace("}", "")))
        for unit in UNITS
        for line in re.findall(r"^ExecStart=\S*/edge-all (.+)$", unit.read_text(), re.MULTILINE)
    ]
    compose = (DEPLOY / "container" / "compose.yaml").read_text()
    found += [("compose.yaml", re.findall(r'"([^"]+)"', line)) for line in re.findall(r"command: \[(.+)\]", compose)]
    job = (DEPLOY / "cluster" / "rayjob.yaml").read_text()
    found.append(("rayjob.yaml", shlex.split(re.search(r"entrypoint: >-\n((?:    .+\n)+)", job)[1])[1:]))  # type: ignore[index]
    batch = (DEPLOY / "cluster" / "archive.sbatch").read_text().replace("\\\n", " ")
    line = re.search(r'edge-all}" (archive .+)', batch)[1]  # type: ignore[index]
    line = line.replace('"$((SLURM_CPUS_PER_TASK / 2))"', "2").replace('"${part[@]}"', "--part 3/40")
    found.append(("archive.sbatch", shlex.split(line)))
    return found


@pytest.mark.parametrize(("name", "words"), command_lines(), ids=lambda value: value if isinstance(value, str) else "")
def test_the_command_understands_what_recipes_say(name: str, words: list[str]) -> None:
    command: Any = typer.main.get_command(build_app())
    while hasattr(command, "commands"):
        assert words[0] in command.commands, f"{name}: there is no {words[0]!r}"
        command, words = command.commands[words[0]], words[1:]
    command.make_context("verb", list(words))


def test_command_lines_are_found() -> None:
    assert len(command_lines()) == 6


@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.name)
def test_units_are_whole_and_hardened(unit: Path) -> None:
    analyze = tool("systemd-analyze")
    said = subprocess.run([analyze, "verify", unit], capture_output=True, text=True, check=False).stderr
    # The program is not installed here; nothing else may be said.
    assert [line for line in said.splitlines() if line and "is not executable" not in line] == []
    if unit.suffix == ".service":
        command = [analyze, "security", "--offline=yes", "--threshold=15", unit]
        assert subprocess.run(command, capture_output=True, text=True, check=False).returncode == 0


@pytest.mark.parametrize(
    ("linter", "file"),
    [
        (["hadolint"], "container/Containerfile"),
        (["shellcheck"], "cluster/archive.sbatch"),
        (["yamllint", "-d", "{extends: relaxed, rules: {line-length: disable}}"], "container/compose.yaml"),
        (["yamllint", "-d", "{extends: relaxed, rules: {line-length: disable}}"], "cluster/rayjob.yaml"),
        (["bash", "-n"], "cluster/archive.sbatch"),
    ],
    ids=lambda value: Path(value).name if isinstance(value, str) else value[0],
)
def test_linters_find_nothing(linter: list[str], file: str) -> None:
    done = subprocess.run([tool(linter[0]), *linter[1:], DEPLOY / file], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, ""), done.stdout + done.stderr


def test_the_simulation_knows_deaths_and_storage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(DEPLOY / "cluster"))
    import simulation

    few = simulation.simulate(500, 10, 1000.0, 1)
    assert few.deaths == 0
    assert few.hours == pytest.approx(500 * 4 / 10 / 3600, rel=0.1)
    assert simulation.simulate(500, 10, 0.02, 1).lost > 0.02
    assert simulation.simulate(500, 400, 1000.0, 1).hours > few.hours / 40  # storage holds them up


def test_what_no_service_was_asked_about_is_said_aloud(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.syspath_prepend(str(DEPLOY))
    import known_weaknesses

    weak = {"id": "X-1", "fix_versions": ["2"]}
    numpy, rich = {"name": "numpy", "version": "1"}, {"name": "Rich", "version": "1"}
    station = {"numpy", "rich"}
    assert known_weaknesses.tell([numpy | {"skip_reason": "not found"}], station) == 0
    assert capsys.readouterr().out.startswith("NOT CHECKED: no service answered")
    assert known_weaknesses.tell([numpy | {"vulns": []}, rich | {"skip_reason": "not found"}], station) == 0
    assert "NOT CHECKED, though a station has it: rich" in capsys.readouterr().out
    assert known_weaknesses.tell([numpy | {"vulns": [weak]}, {"name": "tool", "vulns": []}], station) == 1
    assert "numpy 1 (a station has it): X-1, put right in 2" in capsys.readouterr().out
    assert (
        known_weaknesses.tell([numpy | {"vulns": []}, {"name": "tool", "version": "1", "vulns": [weak]}], station) == 0
    )
    assert {"numpy", "onnxruntime", "rich"} <= known_weaknesses.runtime_packages()


def test_the_script_for_windows_parses() -> None:
    tree_sitter = pytest.importorskip("tree_sitter")
    grammar = pytest.importorskip("tree_sitter_powershell")
    parser = tree_sitter.Parser(tree_sitter.Language(grammar.language()))
    script = (DEPLOY / "windows" / "Install-Station.ps1").read_bytes()
    assert not parser.parse(script).root_node.has_error
    assert parser.parse(script.replace(b'"The bundle', b'"The {$( bundle')).root_node.has_error


def test_compose_reads_the_station(monkeypatch: pytest.MonkeyPatch) -> None:
    tool("podman")
    monkeypatch.delenv("EDGE_ALL_IMAGES", raising=False)
    file = DEPLOY / "container" / "compose.yaml"
    done = subprocess.run([tool("podman-compose"), "-f", file, "config"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for word in ("./images:/images:ro", "read_only: true", "network_mode: host"):
        assert word in done.stdout
