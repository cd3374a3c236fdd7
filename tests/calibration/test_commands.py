"""The verbs of the calibration side, as a user types them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from edge_all.errors import OutputError, UsageError
from edge_all.model.package import load_package
from edge_all_calibration.cells import LabelledCells, save_cells
from edge_all_calibration.cli.reporting import parse_policy, parse_variants
from edge_all_calibration.commands import register
from edge_all_calibration.operating_points import OperatingPolicy
from edge_all_calibration.publishing import embed_package
from edge_all_calibration.release import CellParts, Release


@pytest.fixture
def app() -> typer.Typer:
    built = typer.Typer(pretty_exceptions_enable=False)
    register(built)
    return built


@pytest.fixture
def cells_files(tmp_path: Path, draw: Callable[..., LabelledCells], parts: CellParts) -> tuple[Path, Path]:
    save_cells(tmp_path / "ours.npz", draw(range(60, 70)))
    save_cells(tmp_path / "test.npz", parts.test)
    return tmp_path / "ours.npz", tmp_path / "test.npz"


def test_registering_loads_nothing_heavy() -> None:
    code = (
        "import sys, typer; from edge_all_calibration.commands import register; register(typer.Typer());"
        "print([name for name in ('numpy', 'cv2', 'onnx', 'onnxruntime', 'sklearn') if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_a_gate_that_is_passed_and_one_that_is_not(
    app: typer.Typer, released: tuple[Path, Release], cells_files: tuple[Path, Path]
) -> None:
    command = ["gate", str(released[0]), "--cells", str(cells_files[1])]
    passed = CliRunner().invoke(app, [*command, "--json"])
    assert passed.exit_code == 0
    assert json.loads(passed.stdout)["int8"]["passed"] is True
    refused = CliRunner().invoke(app, [*command, "--agreement", "1.01"])
    assert refused.exit_code == 1
    assert "REJECTED" in refused.stdout


def test_a_gate_without_fp32_says_that_nothing_has_passed(
    app: typer.Typer, tmp_path: Path, released: tuple[Path, Release], cells_files: tuple[Path, Path]
) -> None:
    embed_package(released[0], tmp_path / "int8")
    command = ["gate", str(tmp_path / "int8"), "--cells", str(cells_files[1])]
    shown = CliRunner().invoke(app, command)
    assert shown.exit_code == 1
    assert "not gated" in shown.stdout
    assert "--reference" in shown.stdout
    assert "passed:" not in shown.stdout
    record = json.loads(CliRunner().invoke(app, [*command, "--json"]).stdout)["int8"]
    assert record["passed"] is None
    assert 0.9 < record["variant"]["auc"]["value"] <= 1
    judged = CliRunner().invoke(app, [*command, "--reference", str(released[0])])
    assert judged.exit_code == 0
    assert "int8 passed" in judged.stdout


def test_cells_of_one_class_give_figures_but_no_gate(
    app: typer.Typer, tmp_path: Path, released: tuple[Path, Release], parts: CellParts
) -> None:
    embed_package(released[0], tmp_path / "int8")
    save_cells(tmp_path / "normal.npz", parts.test.subset(~parts.test.labels))
    command = ["gate", str(tmp_path / "int8"), "--cells", str(tmp_path / "normal.npz")]
    shown = CliRunner().invoke(app, command)
    assert shown.exit_code == 1
    assert "unknown" in shown.stdout
    refused = CliRunner().invoke(app, [*command, "--reference", str(released[0])])
    assert isinstance(refused.exception, UsageError)


def test_calibrating_publishes_a_package(
    app: typer.Typer, tmp_path: Path, released: tuple[Path, Release], cells_files: tuple[Path, Path]
) -> None:
    command = ["calibrate", str(released[0]), "--cells", str(cells_files[0]), "-o", str(tmp_path / "new")]
    result = CliRunner().invoke(app, [*command, "--threshold", "0.5"])
    assert result.exit_code == 0
    assert load_package(tmp_path / "new").card.evaluation["recalibrated_on"]["operating_point"]["value"] == 0.5
    again = CliRunner().invoke(app, command)
    assert isinstance(again.exception, OutputError)


def test_options_are_read_or_refused() -> None:
    assert parse_variants("int8") == ("fp32", "int8")
    with pytest.raises(UsageError, match="four times slower"):
        parse_variants("int8", "dynamic")
    with pytest.raises(UsageError, match="int4"):
        parse_variants("fp32,int4")
    assert parse_policy(0.97, None) == OperatingPolicy("sensitivity", 0.97)
    assert parse_policy(None, None) == OperatingPolicy()
    with pytest.raises(UsageError, match="exclude"):
        parse_policy(0.97, 0.5)
