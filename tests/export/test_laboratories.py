"""Laboratories are left out, and what was learned without them is judged on them."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from edge_all.errors import InputError, UsageError
from edge_all.preprocessing import PreprocessingSpec
from edge_all.results import Cell
from edge_all_export.datasets.laboratories import laboratories_of, without_laboratory
from edge_all_export.datasets.samples import CellSet, Label, Sample
from edge_all_export.evaluation.predictions import Predictions

CELL = Cell(
    1, (0, 0, 9, 9), (4.0, 4.0), 60, (0, 0, 9, 9), (4.0, 4.0), 50, "candidate", contour=(), glass=(200.0, 200.0, 200.0)
)


def sample(source: str, number: int, label: Label) -> Sample:
    name = f"{source}/{number}"
    return Sample(name, source, name, name, label, Path("none.png"), CELL, "cell")


SAMPLES = [
    sample(source, number, label)
    for number, (source, label) in enumerate(
        [("allidb1", 1), ("allidb2", 0), ("raabin", 0), ("taleqani", 1), ("taleqani", 0)]
    )
]  # type: ignore[list-item]


def test_sets_cut_out_of_one_another_are_one_laboratory() -> None:
    assert laboratories_of(SAMPLES) == ("allidb", "raabin", "taleqani")
    assert {one.source for one in without_laboratory(SAMPLES, "allidb")} == {"raabin", "taleqani"}


def test_the_only_laboratory_with_a_class_is_not_left_out() -> None:
    one = [each for each in SAMPLES if each.source != "taleqani"]
    with pytest.raises(UsageError, match="ALL-IDB is the only laboratory with ALL cells"):
        without_laboratory(one, "allidb")
    blasts = [each for each in SAMPLES if each.source in ("allidb1", "raabin")]
    with pytest.raises(UsageError, match="Raabin-WBC is the only laboratory with non-ALL cells"):
        without_laboratory(blasts, "raabin")
    with pytest.raises(UsageError, match="There are: allidb, raabin, taleqani"):
        without_laboratory(SAMPLES, "munich")


@pytest.mark.training
def test_the_figures_of_a_laboratory(tmp_path: Path) -> None:
    from edge_all_export.evaluation.laboratory_matrix import Matrix, Row, entry_of, markdown, read_matrix, write_matrix

    label = np.array([1, 1, 0, 0] * 6)
    groups = tuple(f"g{index // 4}" for index in range(24))
    names = tuple(f"s{index}" for index in range(24))
    probability = np.where(label == 1, 0.8, 0.3)
    probability[2] = 0.9
    both = entry_of(Predictions(names, ("a",) * 24, groups, groups, label, probability))
    assert both.auc is not None
    assert both.auc.low < both.auc.value < 1.0
    assert both.false_positives is not None
    assert both.false_positives.value == pytest.approx(1 / 12)
    assert both.sensitivity is not None
    assert both.sensitivity.low < both.sensitivity.value == 1.0  # six groups that agree prove no certainty
    normal = entry_of(Predictions(names, ("a",) * 24, groups, groups, np.zeros(24, np.int64), probability * 0.5))
    assert normal.auc is None
    assert normal.sensitivity is None
    matrix = Matrix(
        ("allidb", "b", "c"),
        (
            Row("one", "allidb", {"allidb": both, "b": normal}),
            Row("two", "b", {"b": normal}),
            Row("all", None, {"allidb": both}),
        ),
        ("c is the only one.",),
    )
    found = [round(one.value, 3) for one in matrix.left_out_alarms]
    assert found == [1.0, 1.0, 0.771, 0.771, 0.312] + 5 * [0.042] + 5 * [0.0]
    assert Matrix(("a",), (Row("all", None, {"a": both}),)).left_out_alarms == ()
    text = markdown(matrix)
    assert "| all but ALL-IDB | **AUC 0." in text
    assert "| all but b | - | **called ALL 0.000 (0.00 to 0." in text
    assert "| all | AUC" in text
    assert "c is the only one." in text
    # At 0.8 all ALL cells of a are called and, of its 12 others, one; b has no ALL cells.
    (at_08,) = (line for line in text.splitlines() if line.startswith("| 0.8 |"))
    assert [words.split()[0] for words in at_08.strip("| ").split(" | ")] == [
        "0.8",
        "1.000",
        "0.083",
        "0.000",
        at_08.split()[-2],
    ]
    assert "| probability | ALL-IDB, ALL | ALL-IDB, non-ALL | b, non-ALL | upper bounds" in text
    assert "Research Use Only" in text
    record = matrix.to_json()
    assert record["left_out_false_positives"][8]["by_laboratory"] == {
        "allidb": {"ALL": 1.0, "non-ALL": 0.0833},
        "b": {"non-ALL": 0.0},
    }
    at_one_half = record["left_out_false_positives"][5]
    assert at_one_half["value"] == pytest.approx(1 / 24, abs=1e-4)
    write_matrix(matrix, tmp_path)
    read, alarms = read_matrix(tmp_path / "laboratories.json")
    assert read == record
    assert alarms.cuts[5] == 0.5
    assert alarms.rates[5] == at_one_half["high"] > 1 / 24
    (tmp_path / "laboratories.json").write_text("{}")
    with pytest.raises(InputError):
        read_matrix(tmp_path / "laboratories.json")


@pytest.mark.training
def test_a_cell_that_looks_like_one_of_another_laboratory_is_judged_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from edge_all_export.datasets.class_folders import read_class_folders
    from edge_all_export.evaluation import laboratory_matrix
    from edge_all_export.evaluation.judging import Judged, predictions_of
    from edge_all_export.splitting.recorded_split import RecordedSide, RecordedSplit
    from edge_all_export.training.configuration import TrainingConfig

    here, there = (
        write_laboratory(tmp_path / name, tint) for name, tint in (("here", (110, 40, 80)), ("there", (120, 30, 60)))
    )
    (there / "ALL" / "there-0" / "0.png").write_bytes((here / "ALL" / "here-0" / "0.png").read_bytes())
    of_here, of_there = (
        [
            dataclasses.replace(
                one, id=f"{folder.name}/{one.id}", source=folder.name, block=f"{folder.name}/{one.block}"
            )
            for one in read_class_folders(folder).samples
        ]
        for folder in (here, there)
    )

    def judged(_run: Path, spec: PreprocessingSpec, samples: tuple[Sample, ...], _on_cells: object) -> Judged:
        return Judged(predictions_of(samples, np.full(len(samples), 0.5), None), "run", {}, None, spec, ())

    monkeypatch.setattr(laboratory_matrix, "judge_with_keras", judged)
    run = tmp_path / "run"
    run.mkdir()
    config = TrainingConfig(weights="none", input_size=75, left_out="there")
    (run / "config.json").write_text(json.dumps(config.to_json()))

    def trained_on(samples: list[Sample]) -> laboratory_matrix.Row:
        side = RecordedSide(frozenset(one.block for one in samples), tuple(one.id for one in samples))
        split = RecordedSplit(side, RecordedSide(frozenset(), ()))
        (run / "split.json").write_text(json.dumps(split.to_json()))
        return laboratory_matrix.judge_run(run, [*of_here, *of_there])

    row = trained_on(of_here)
    assert {name: entry.cells for name, entry in row.entries.items()} == {"there": len(of_there)}
    with pytest.raises(UsageError, match="which it says to have left out"):
        trained_on([*of_here, of_there[0]])


def write_laboratory(folder: Path, tint: tuple[int, int, int]) -> Path:
    generator = np.random.default_rng(sum(tint))
    for patient in range(6):
        for label, name in enumerate(("non-ALL", "ALL")):
            place = folder / name / f"{folder.name}-{patient}"
            place.mkdir(parents=True)
            coarse = generator.integers(150, 255, (6, 6, 3), np.uint8)
            ground = cv2.resize(coarse, (120, 120), interpolation=cv2.INTER_CUBIC)
            cv2.imwrite(str(place / "0.png"), cv2.circle(ground, (60, 60), 15 + 15 * label, tint, -1))
    return folder


@pytest.mark.training
def test_a_package_is_told_which_laboratory_its_run_left_out(tmp_path: Path) -> None:
    from edge_all_export.cli.export import recipe_of
    from edge_all_export.training.configuration import TrainingConfig

    for left_out, said in ((None, {}), ("taleqani", {"left_out": "taleqani"})):
        config = TrainingConfig(input_size=112, left_out=left_out)
        (tmp_path / "config.json").write_text(json.dumps(config.to_json()))
        assert recipe_of(tmp_path, 112, 2.5) == (config.spec, said)
    assert recipe_of(tmp_path / "network.keras", 75, 2.0)[1] == said
    assert recipe_of(tmp_path / "elsewhere" / "network.keras", 75, 2.0)[1] == {}


@pytest.mark.training
@pytest.mark.filterwarnings("ignore")
@pytest.mark.usefixtures("tiny_backbone", "eager")
def test_one_command_trains_and_judges_each_left_out_laboratory(
    app: typer.Typer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from edge_all_export import datasets
    from edge_all_export.datasets.class_folders import read_class_folders
    from edge_all_export.training.configuration import TrainingConfig

    cells = CellSet(())
    for name, tint in (("here", (110, 40, 80)), ("there", (120, 30, 60))):
        read = read_class_folders(write_laboratory(tmp_path / name, tint))
        cells += CellSet(tuple(dataclasses.replace(one, source=name) for one in read.samples))
    monkeypatch.setattr(datasets, "read_layout", lambda _layout, _data: cells)
    recipe = TrainingConfig(weights="none", input_size=75, head_epochs=1, epochs=1, samples_per_epoch=8, batch_size=4)
    (tmp_path / "config.json").write_text(json.dumps(recipe.to_json()))
    first, second = laboratories_of(cells.samples)
    run = CliRunner()
    data = ["--data", str(tmp_path), "--layout", "folders"]
    config = ["--config", str(tmp_path / "config.json")]
    done = run.invoke(app, ["evaluate", "laboratories", *data, "-o", str(tmp_path / "out"), *config])
    assert done.exit_code == 0, done.output
    record = json.loads((tmp_path / "out" / "laboratories.json").read_text())
    assert [row["left_out"] for row in record["runs"]] == [first, second]
    for row in record["runs"]:
        other = second if row["left_out"] == first else first
        assert row["judged_on"][row["left_out"]]["cells"] == 12
        assert row["judged_on"][other]["cells"] < 12
    assert f"all but {first}" in (tmp_path / "out" / "laboratories.md").read_text()

    left_out = run.invoke(app, ["train", *data, "-o", str(tmp_path / "run"), *config, "--leave-out", "gone"])
    assert isinstance(left_out.exception, UsageError)
    neither = run.invoke(app, ["evaluate", "laboratories", *data, "-o", str(tmp_path / "other")])
    assert isinstance(neither.exception, UsageError)
