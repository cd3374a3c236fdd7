"""The verbs of the calibration side, as a user types them."""

from __future__ import annotations

import contextlib
import dataclasses
import inspect
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import onnx
import pytest
import typer
from typer.testing import CliRunner

from edge_all.cli import model
from edge_all.errors import InputNotFoundError, ModelIncompatibleError, ModelNotFoundError, OutputError, UsageError
from edge_all.model.package import default_package_path, load_package, write_card
from edge_all_calibration.cli.options import operating_policy, release_plan
from edge_all_calibration.cli.reporting import print_figures, print_gate, print_release
from edge_all_calibration.commands import register
from edge_all_calibration.figures.intervals import Estimate
from edge_all_calibration.gating.release_gate import GateCheck
from edge_all_calibration.labelled_cells.cells import LabelledCells
from edge_all_calibration.probability.operating_points import OperatingPolicy
from edge_all_calibration.releasing.publishing import embed_package
from edge_all_calibration.releasing.release import CellParts, Release, ReleasePlan


@pytest.fixture
def app() -> typer.Typer:
    built = typer.Typer(pretty_exceptions_enable=False)
    register(built)
    return built


@pytest.fixture
def cells_files(
    tmp_path: Path, draw: Callable[..., LabelledCells], parts: CellParts, save_cells: Callable[..., None]
) -> tuple[Path, Path]:
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


@pytest.mark.parametrize(
    "command",
    [
        "adapt MODEL -o out --cells MISSING",
        "calibrate MODEL -o out --cells MISSING",
        "calibrate MODEL -o out --cells HERE --test-cells MISSING",
        "embed MODEL -o out --outlines MISSING",
        "gate MODEL --cells MISSING",
        "wrap MISSING -o out --cells HERE --test-cells HERE",
        "wrap HERE -o out --cells MISSING --test-cells HERE",
        "wrap HERE -o out --cells HERE --test-cells MISSING",
    ],
)
def test_a_path_that_leads_nowhere_is_told_before_anything_else(
    app: typer.Typer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "HERE").touch()
    # There is no package MODEL either, and no cells in HERE: either would be told as soon as anything is opened.
    refused = CliRunner().invoke(app, command.split()).exception
    assert isinstance(refused, InputNotFoundError)
    assert refused.problem == "MISSING does not exist."
    assert [path.name for path in tmp_path.iterdir()] == ["HERE"]


def test_a_reference_and_a_target_are_looked_at_before_the_cells(
    app: typer.Typer, tmp_path: Path, released: tuple[Path, Release]
) -> None:
    (tmp_path / "cells").mkdir()  # none in it
    cells, taken = ["--cells", str(tmp_path / "cells")], str(released[0])
    no_reference = CliRunner().invoke(app, ["gate", taken, *cells, "--reference", "nowhere"]).exception
    assert isinstance(no_reference, ModelNotFoundError)
    for verb in ("adapt", "calibrate"):
        refused = CliRunner().invoke(app, [verb, taken, *cells, "-o", taken, "--name", "ours"]).exception
        assert isinstance(refused, OutputError), verb
        assert "exists already" in refused.problem


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


def test_nothing_in_the_gate_s_tables_is_cut_at_80_columns(
    released: tuple[Path, Release], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    report = released[1].reports[1]
    worst = GateCheck("calibration error difference", Estimate(-0.12345, -0.23456, -0.01234), 0.00125, passed=False)
    print_gate([dataclasses.replace(report, checks=(worst,))])
    print_figures({"int8": {"calibration_error": worst.figure}}, report.cells, "Nothing was compared.")
    print_release(*released)
    output = capsys.readouterr().out
    assert "…" not in output
    for figure in (worst.name, "-0.1235", "-0.2346 to -0.0123", "0.00125", "FAILED", "temperature", "non-ALL below"):
        assert figure in output


def test_embedding_keeps_one_variant_and_refuses_what_is_there_or_unknown(
    app: typer.Typer, tmp_path: Path, released: tuple[Path, Release]
) -> None:
    command = ["embed", str(released[0]), "-o", str(tmp_path / "default")]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0
    assert "int8 alone" in done.output
    assert set(load_package(tmp_path / "default").card.variants) == {"int8"}
    assert sorted(path.name for path in (tmp_path / "default").iterdir()) == [
        "card.json",
        "features.npz",
        "model.int8.onnx",
        "outline.onnx",
    ]
    assert isinstance(CliRunner().invoke(app, command).exception, OutputError)
    assert CliRunner().invoke(app, [*command, "--replace", "--variant", "fp32"]).exit_code == 0
    assert set(load_package(tmp_path / "default").card.variants) == {"fp32"}
    without = dataclasses.replace(load_package(tmp_path / "default").card, outlines=None)
    write_card(tmp_path / "default", without)
    again = ["embed", str(tmp_path / "default"), "-o", str(tmp_path / "again"), "--variant", "fp32"]
    assert CliRunner().invoke(app, [*again, "--outlines", str(released[0])]).exit_code == 0
    assert load_package(tmp_path / "again").card.outlines == released[1].card.outlines
    other = [*command[:2], "-o", str(tmp_path / "other"), "--variant", "int4"]
    assert isinstance(CliRunner().invoke(app, other).exception, UsageError)
    assert not (tmp_path / "other").exists()


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
    app: typer.Typer, tmp_path: Path, released: tuple[Path, Release], parts: CellParts, save_cells: Callable[..., None]
) -> None:
    embed_package(released[0], tmp_path / "int8")
    save_cells(tmp_path / "normal.npz", parts.test.subset(~parts.test.labels))
    command = ["gate", str(tmp_path / "int8"), "--cells", str(tmp_path / "normal.npz")]
    shown = CliRunner().invoke(app, command)
    assert shown.exit_code == 1
    assert "unknown" in shown.stdout
    refused = CliRunner().invoke(app, [*command, "--reference", str(released[0])])
    assert isinstance(refused.exception, UsageError)


def test_the_report_of_the_gate_is_shown_with_the_model(released: tuple[Path, Release]) -> None:
    shown_by = typer.Typer()
    model.register(shown_by)
    shown_by.callback()(lambda: None)
    short = CliRunner().invoke(shown_by, ["model", "show", str(released[0])])
    assert short.stdout.count(f"passed on {released[1].reports[1].cells['cells']} cells") == 2
    shown = CliRunner().invoke(shown_by, ["model", "show", "--full", str(released[0])])
    assert shown.exit_code == 0
    agreement = released[1].reports[1].checks[0].figure
    for fact in ("gate", "label agreement", "passed True", f"low {agreement.low:.4g}", "limit 0.99"):
        assert fact in shown.stdout


@contextlib.contextmanager
def files_no_longer_than(limit: int) -> Iterator[None]:
    """Let the kernel refuse this process more than so many bytes a file; Python ignores the signal of that."""
    import resource

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    with pytest.MonkeyPatch.context() as patch:
        # Cut-off bytecode of a module would be found by every later process.
        patch.setattr(sys, "dont_write_bytecode", True)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.skipif(sys.platform == "win32", reason="no limit on the size of files there")
@pytest.mark.parametrize("limit", [1_000, 20_000])
def test_a_disk_that_fills_up_leaves_nothing(
    tmp_path: Path,
    network: Path,
    parts: CellParts,
    draw: Callable[..., LabelledCells],
    limit: int,
    save_cells: Callable[..., None],
    run_here: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    """The kernel refuses to write on, in Python or in C++: at the first network, and near the end."""
    target = tmp_path / "target"
    target.mkdir()
    save_cells(tmp_path / "cells.npz", draw(range(60, 70)))
    save_cells(tmp_path / "test.npz", parts.test)
    # The network has the contract's input already: as a foreign one it takes uint8 pictures and gives a probability.
    command = ["wrap", str(plain(network, tmp_path / "theirs.onnx")), "-o", str(target / "package")]
    cells = ["--cells", str(tmp_path / "cells.npz"), "--test-cells", str(tmp_path / "test.npz")]
    with files_no_longer_than(limit):
        result = run_here(*command, *cells)
    assert result.returncode == 2, result.stderr
    assert "Cannot write" in result.stderr
    assert "Traceback" not in result.stderr
    assert list(target.iterdir()) == []


def plain(network: Path, target: Path) -> Path:
    """The network with its probability as the only output, as a foreign classifier has it."""
    foreign = onnx.load(network)
    del foreign.graph.output[1:]
    onnx.save(foreign, target)
    return target


def test_calibrating_publishes_a_package(
    app: typer.Typer, tmp_path: Path, released: tuple[Path, Release], cells_files: tuple[Path, Path]
) -> None:
    command = ["calibrate", str(released[0]), "--cells", str(cells_files[0]), "-o", str(tmp_path / "new")]
    result = CliRunner().invoke(app, [*command, "--threshold", "0.5", "--name", "ours", "--model-version", "1.0"])
    assert result.exit_code == 0
    assert "ours 1.0, recalibrated" in result.output
    assert load_package(tmp_path / "new").card.name == "ours"
    assert load_package(tmp_path / "new").card.evaluation["recalibrated_on"]["operating_point"]["value"] == 0.5
    by_hand = [*command[:-1], str(tmp_path / "printed"), "--name", "ours", "--json", "--band", "0.2", "0.8"]
    printed = CliRunner().invoke(app, by_hand)
    card = load_package(tmp_path / "printed").card
    assert (card.variants["fp32"].thresholds.non_all_below, card.variants["fp32"].thresholds.all_from) == (0.2, 0.8)
    assert card.evaluation["recalibrated_on"]["operating_point"]["kind"] == "band"
    assert json.loads(printed.stdout)["gate"] == {}
    again = CliRunner().invoke(app, command)
    assert isinstance(again.exception, OutputError)


@pytest.mark.parametrize(
    ("name", "version"),
    [("our model", "1.0"), ("default", "1.0"), ("ours", "1/0"), (load_package(default_package_path()).card.name, "9")],
)
@pytest.mark.parametrize("verb", ["calibrate", "wrap"])
def test_a_name_that_cannot_be_installed_is_refused_before_anything_else(
    app: typer.Typer, tmp_path: Path, released: tuple[Path, Release], verb: str, name: str, version: str
) -> None:
    (tmp_path / "empty").mkdir()
    empty = str(tmp_path / "empty")
    command = [verb, str(released[0]), "--cells", empty, "--test-cells", empty, "-o", str(tmp_path / "new")]
    refused = CliRunner().invoke(app, [*command, "--name", name, "--model-version", version])
    assert isinstance(refused.exception, ModelIncompatibleError)
    assert repr(name) in str(refused.exception)
    assert not (tmp_path / "new").exists()


def planned(variants: str) -> ReleasePlan:
    usual = {name: one.default for name, one in inspect.signature(release_plan).parameters.items()}
    plan: ReleasePlan = release_plan(**{**usual, "variants": variants})
    return plan


def test_options_are_read_or_refused() -> None:
    assert planned("int8").variants == ("fp32", "int8")
    with pytest.raises(UsageError, match="int4"):
        planned("fp32,int4")
    assert operating_policy(0.97, None, None) == OperatingPolicy("sensitivity", 0.97)
    assert operating_policy(None, None, None) == OperatingPolicy()
    for two in ((0.97, 0.5, None), (None, 0.5, (0.2, 0.8))):
        with pytest.raises(UsageError, match="exclude"):
            operating_policy(*two)
