"""Going on from an earlier run: the right network for each fold, and none that has seen what is held out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edge_all.errors import InputError, UsageError

pytest.importorskip("keras")
from edge_all.results import Cell
from edge_all_export.datasets.samples import Sample
from edge_all_export.splitting.splits import Split
from edge_all_export.training.earlier_run import earlier_network, refuse_seen_cells

pytestmark = pytest.mark.training

CELL = Cell(1, (0, 0, 40, 40), (20.0, 20.0), 1600, (0, 0, 40, 40), (20.0, 20.0), 1600, "candidate", contour=())
SAMPLES = [
    Sample(f"s/{i}", "s", f"g{i}", f"b{i // 2}", 1 if i % 4 < 2 else 0, Path(f"{i}"), CELL, "") for i in range(8)
]
SPLIT = Split(train=(0, 1, 2, 3), held_out=(4, 5, 6, 7))


def finished_run(folder: Path, trained_on: list[int]) -> Path:
    folder.mkdir(parents=True)
    side = {
        "blocks": sorted({SAMPLES[index].block for index in trained_on}),
        "samples": [SAMPLES[index].id for index in trained_on],
    }
    (folder / "split.json").write_text(json.dumps({"train": side, "held_out": {"blocks": [], "samples": []}}))
    (folder / "model.keras").write_bytes(b"")
    return folder / "model.keras"


def test_each_fold_goes_on_from_its_own_network(tmp_path: Path) -> None:
    files = [finished_run(tmp_path / "cv" / f"fold-{fold}", [fold]) for fold in range(3)]
    assert [earlier_network(str(tmp_path / "cv"), fold) for fold in range(3)] == [str(file) for file in files]
    with pytest.raises(UsageError, match="no finished network for fold 3"):
        earlier_network(str(tmp_path / "cv"), 3)
    with pytest.raises(UsageError, match="no finished network for the whole data"):
        earlier_network(str(tmp_path / "cv"), None)


def test_a_single_run_is_named_by_its_folder(tmp_path: Path) -> None:
    file = finished_run(tmp_path / "run", [0])
    assert earlier_network(str(tmp_path / "run"), None) == str(file)
    assert earlier_network(str(tmp_path / "run"), 0) == str(file)


@pytest.mark.parametrize("weights", ["imagenet", "none", "weights.h5"])
def test_other_weights_are_handed_through(weights: str) -> None:
    assert earlier_network(weights, 1) == weights
    refuse_seen_cells(weights, SAMPLES, SPLIT, allow=False)


def test_a_network_that_saw_held_out_cells_is_refused(tmp_path: Path) -> None:
    # Cell 4 was trained on, and cell 5 is of its block.
    weights = str(finished_run(tmp_path / "run", [0, 1, 4]))
    with pytest.raises(UsageError, match="trained on 2 of the 4 cells"):
        refuse_seen_cells(weights, SAMPLES, SPLIT, allow=False)
    refuse_seen_cells(weights, SAMPLES, SPLIT, allow=True)


def test_a_network_of_the_same_split_is_taken(tmp_path: Path) -> None:
    refuse_seen_cells(str(finished_run(tmp_path / "run", [0, 1, 2, 3])), SAMPLES, SPLIT, allow=False)


def test_a_damaged_record_is_named(tmp_path: Path) -> None:
    weights = finished_run(tmp_path / "run", [0])
    weights.with_name("split.json").write_text("{")
    with pytest.raises(InputError, match=r"split\.json"):
        refuse_seen_cells(str(weights), SAMPLES, SPLIT, allow=False)
