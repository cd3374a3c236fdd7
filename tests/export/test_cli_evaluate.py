"""``edge-all evaluate`` as a user types it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from edge_all.classification.classifier import Judgement
from edge_all.errors import (
    EdgeAllError,
    InputError,
    InputNotFoundError,
    ModelNotFoundError,
    OutputError,
    UsageError,
)
from edge_all.model.card import Thresholds
from edge_all.preprocessing import PreprocessingSpec
from edge_all.results import INTENDED_USE, ModelIdentity, ProviderReport
from edge_all_export.evaluation import segmentation_scores
from edge_all_export.evaluation.segmentation_scores import ScoreRow, SegmentationScores

run = CliRunner()


@pytest.fixture
def predictions(tmp_path: Path) -> Path:
    generator = np.random.default_rng(0)
    lines = ["sample,source,group,block,kind,label,probability"]
    for number in range(120):
        label = number % 3 == 0
        value = 1 / (1 + np.exp(-(4 * label - 2 + 2 * generator.normal())))
        lines.append(f"c{number},set,field{number // 4},block{number // 12},cell,{int(label)},{value:.6f}")
    file = tmp_path / "predictions.csv"
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return file


def test_the_verb_offers_its_four_kinds(app: typer.Typer) -> None:
    result = run.invoke(app, ["evaluate", "--help"])
    assert result.exit_code == 0
    for kind in ("segmentation", "model", "predictions", "compare"):
        assert kind in result.output


def test_help_waits_for_nothing_heavy() -> None:
    code = (
        "import sys, typer\n"
        "from edge_all_export.commands import register\n"
        "register(typer.Typer())\n"
        "heavy = {'numpy', 'cv2', 'sklearn', 'matplotlib', 'keras', 'tensorflow', 'onnx', 'onnxruntime'}\n"
        "sys.exit(', '.join(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr.strip() == ""


@pytest.mark.parametrize(
    "words",
    [
        ["export", "nothing", "-o", "new"],
        ["export", "here", "-o", "new", "--data", "nothing"],
        ["train", "--data", "nothing", "-o", "new"],
        ["train", "--data", "here", "-o", "new", "--config", "nothing"],
        ["train-outlines", "--data", "nothing", "-o", "new"],
        ["evaluate", "model", "nothing", "--data", "here", "-o", "new"],
        ["evaluate", "model", "here", "--data", "nothing", "-o", "new"],
        ["evaluate", "laboratories", "--data", "here", "-o", "new", "--run", "nothing"],
    ],
    ids=" ".join,
)
def test_what_does_not_exist_is_said_before_anything_heavy_is_loaded(
    app: typer.Typer, words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("here").mkdir()
    for heavy in ("keras", "tensorflow"):
        monkeypatch.setitem(sys.modules, heavy, None)  # to import them is an error
    result = run.invoke(app, words)
    assert isinstance(result.exception, InputNotFoundError | ModelNotFoundError), result.output
    assert "nothing" in str(result.exception)
    assert not Path("new").exists()


def test_predictions_become_a_report_and_two_reports_a_comparison(
    app: typer.Typer, predictions: Path, tmp_path: Path
) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    result = run.invoke(app, ["evaluate", "predictions", str(predictions), "-o", str(first), "--band", "0.2", "0.8"])
    assert result.exit_code == 0, result.output
    assert "Sensitivity" in result.output
    assert "…" not in result.output
    assert "Groups: cells that may be of one patient" in result.output
    assert "120 cells, 10 groups" in result.output
    assert INTENDED_USE in result.output
    record = json.loads((first / "evaluation.json").read_text(encoding="utf-8"))
    assert record["band"]["band"]["all_from"] == 0.8
    assert (first / "report.html").is_file()
    changed = predictions.with_name("changed.csv")
    changed.write_text(predictions.read_text(encoding="utf-8").replace(",1,0.", ",1,0.0"), encoding="utf-8")
    printed = run.invoke(app, ["evaluate", "predictions", str(changed), "-o", str(second), "--json"])
    assert json.loads(printed.stdout)["cells"]["figures"].keys() == record["cells"]["figures"].keys()
    both = [str(folder / "evaluation.json") for folder in (first, second)]
    compared = run.invoke(app, ["evaluate", "compare", *both, "-o", str(tmp_path / "compared")])
    assert compared.exit_code == 0, compared.output
    assert "worse" in compared.output
    assert "…" not in compared.output
    assert (tmp_path / "compared" / "report.html").is_file()
    printed = run.invoke(app, ["evaluate", "compare", *both, "--json"])
    assert json.loads(printed.stdout) == json.loads((tmp_path / "compared" / "comparison.json").read_text())


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["predictions", "nowhere.csv", "-o", "OUT"], InputNotFoundError),
        (["predictions", "CSV", "-o", "TAKEN"], OutputError),
        (["predictions", "CSV", "-o", "OUT", "--band", "0.8", "0.2"], UsageError),
        (["compare", "CSV", "CSV"], InputError),
        (["model", "any", "--data", "nowhere", "-o", "OUT"], InputNotFoundError),
        (["model", "edge-all-inception", "--data", "TAKEN", "-o", "OUT", "--layout", "odd"], UsageError),
    ],
)
def test_mistakes_end_in_an_error_that_says_what_to_do(
    app: typer.Typer, predictions: Path, tmp_path: Path, arguments: list[str], error: type[EdgeAllError]
) -> None:
    taken = tmp_path / "taken"
    taken.mkdir()
    (taken / "evaluation.json").touch()
    places = {"CSV": str(predictions), "OUT": str(tmp_path / "out"), "TAKEN": str(taken)}
    result = run.invoke(app, ["evaluate", *(places.get(argument, argument) for argument in arguments)])
    assert isinstance(result.exception, error)
    assert result.exception.remedy


def smear_cell(path: Path, dark: int) -> None:
    """One stained cell on a pale ground."""
    picture = np.full((240, 240, 3), (214, 216, 226), np.uint8)
    cv2.circle(picture, (120, 120), 55, (205, 160, 190), -1)
    cv2.circle(picture, (118, 122), 38, (120, 35 + dark, 80), -1)
    noise = np.random.default_rng(dark).normal(0, 4, picture.shape)
    cv2.imwrite(str(path), np.clip(cv2.GaussianBlur(picture, (0, 0), 1.5) + noise, 0, 255).astype(np.uint8))


def test_a_model_on_normal_cells_reports_its_false_positives(
    app: typer.Typer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "lymphocytes"
    data.mkdir()
    for number in range(4):
        smear_cell(data / f"cell{number}.png", number)
    (data / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n no")
    answers = iter([0.1, 0.9, 0.2, 0.3])
    classifier = SimpleNamespace(
        identity=ModelIdentity("tiny", "1.0", "fp32", "0" * 64, "c4"),
        provider=ProviderReport("auto", "CPUExecutionProvider", "asked", 1),
        spec=PreprocessingSpec(32, 2.0),
        thresholds=Thresholds(0.25, 0.6, None, 0.02),
        card=SimpleNamespace(training={}),
        judge=lambda crops: tuple(Judgement(next(answers), "ALL", None) for _ in crops),
    )
    monkeypatch.setattr("edge_all.api.screener.load_classifier", lambda *_, **__: classifier)
    out = tmp_path / "out"
    result = run.invoke(
        app, ["evaluate", "model", "edge-all-inception", "--data", str(data), "--layout", "normal", "-o", str(out)]
    )
    assert result.exit_code == 1, result.output  # one image could not be read
    assert "broken.png" in result.output
    assert "1 of 4 normal cells called ALL (25.0 %, 95 % Wilson interval 4.6 to 69.9 %)" in " ".join(
        result.output.split()
    )
    assert "As a station decides, non-ALL below 0.25, ALL from 0.6 (rows: truth)" in result.output
    assert "non-ALL              1              1              2" in result.output
    record = json.loads((out / "evaluation.json").read_text(encoding="utf-8"))
    (row,) = record["all_normal"]
    assert row["source"] == "lymphocytes"
    assert row["with_band"] == {"ALL": 1, "indeterminate": 1, "non-ALL": 2}
    assert record["cells"]["figures"]["sensitivity"]["value"] is None
    assert (out / "report.html").read_text(encoding="utf-8").count("data:image/jpeg") == 1


def test_segmentation_scores_are_shown_and_written(
    app: typer.Typer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Path] = []
    scores = SegmentationScores((ScoreRow("nucleus Dice", "ALL-IDB2", 0.97, 0.96, 0.98, 10, 10, 0.95),))
    monkeypatch.setattr(segmentation_scores, "evaluate_segmentation", lambda data, *_: asked.append(data) or scores)
    arguments = ["evaluate", "segmentation", "--data", str(tmp_path), "-o", str(tmp_path / "out")]
    result = run.invoke(app, arguments)
    assert result.exit_code == 0, result.output
    # By colour alone and by the embedded network.
    assert asked == [tmp_path, tmp_path]
    assert "nucleus Dice" in result.output
    assert "0.970" in result.output
    record = json.loads((tmp_path / "out" / "segmentation.json").read_text(encoding="utf-8"))
    assert record == {"kind": "segmentation", "intended_use": INTENDED_USE, "rows": 2 * scores.to_json()["rows"]}
    printed = run.invoke(app, ["evaluate", "segmentation", "--data", str(tmp_path), "--json"])
    assert json.loads(printed.stdout) == record
    assert isinstance(run.invoke(app, arguments).exception, OutputError)
