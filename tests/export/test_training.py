"""A run from labelled pictures to a folder; killed and resumed; refused where it would mislead."""

from __future__ import annotations

import csv
import dataclasses
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge_all.errors import EdgeAllError, OutputError, UsageError

pytestmark = [
    pytest.mark.training,
    pytest.mark.filterwarnings("ignore"),
    # InceptionV3 itself is trained in test_training_inception.py.
    pytest.mark.usefixtures("tiny_backbone"),
]

keras = pytest.importorskip("keras")
from edge_all_export.crops import CropStore  # noqa: E402 - needs Keras
from edge_all_export.datasets.samples import Sample  # noqa: E402
from edge_all_export.splits import Split, assign_folds, fold_splits  # noqa: E402
from edge_all_export.training import TrainingConfig, cross_validate, train  # noqa: E402
from edge_all_export.training.feeding import TrainingBatches, drawing_weights  # noqa: E402
from edge_all_export.training.recording import EpochReport, WeightAverage  # noqa: E402

SIZE = 75
CONFIG = TrainingConfig(
    input_size=SIZE, weights="none", head_epochs=1, epochs=2, samples_per_epoch=8, batch_size=4, average_from=0.5
)


class Killed(BaseException):
    """As a signal would: no library catches it."""


@pytest.fixture(scope="module")
def samples() -> list[Sample]:
    blasts = [(number // 2) % 2 == 1 for number in range(16)]
    return [
        Sample(f"s/{i}", "s", f"g{i}", f"b{i // 2}", 1 if blast else 0, Path(f"{i}.png"), None, "cell")
        for i, blast in enumerate(blasts)
    ]


@pytest.fixture(scope="module")
def crops(samples: list[Sample]) -> CropStore:
    """Large dark discs for ALL, small ones for non-ALL, each on its own texture."""
    rng = np.random.default_rng(0)
    wide = np.empty((len(samples), 112, 112, 3), np.uint8)
    for index, sample in enumerate(samples):
        ground = cv2.resize(rng.integers(150, 255, (6, 6, 3), np.uint8), (112, 112), interpolation=cv2.INTER_CUBIC)
        wide[index] = cv2.circle(ground, (56, 56), 28 if sample.label else 12, (90, 40, 130), -1)
    exact = np.stack([crop[18 : 18 + SIZE, 18 : 18 + SIZE] for crop in wide])
    return CropStore(exact, wide)


@pytest.fixture(scope="module")
def split(samples: list[Sample]) -> Split:
    return fold_splits(assign_folds(samples, 4))[0]


def test_a_run_leaves_everything_needed_to_judge_it(
    samples: list[Sample], crops: CropStore, split: Split, tmp_path: Path
) -> None:
    lines: list[EpochReport] = []
    run = train(CONFIG, samples, split, tmp_path / "run", crops=crops, report=lines.append)
    assert [line["epoch"] for line in lines] == [1, 2, 3]
    assert TrainingConfig.read(run.folder / "config.json") == CONFIG
    held_out = [samples[index].id for index in split.held_out]
    assert json.loads((run.folder / "split.json").read_text())["held_out"]["samples"] == held_out
    assert json.loads((run.folder / "leaks.json").read_text())["leaks"] is False
    with (run.folder / "predictions.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["sample"] for row in rows] == held_out
    with np.load(run.folder / "features.npz") as archive:
        assert archive["ids"].tolist() == held_out
        assert archive["features"].shape == (len(held_out), 128)
    again = keras.models.load_model(run.model_file).predict(crops.exact[list(split.held_out)], verbose=0)[:, 1]
    assert again == pytest.approx([float(row["probability"]) for row in rows], abs=1e-4)
    assert not list(run.folder.glob("checkpoint-*"))
    assert not list(run.folder.glob("writing*"))


@pytest.mark.usefixtures("eager")
def test_a_killed_run_goes_on_where_it_stopped(
    samples: list[Sample], crops: CropStore, split: Split, tmp_path: Path
) -> None:
    def kill(line: EpochReport) -> None:
        if line["epoch"] == 3:
            raise Killed

    folder = tmp_path / "run"
    with pytest.raises(Killed):
        train(CONFIG, samples, split, folder, crops=crops, checkpoint_seconds=0, report=kill)
    assert [path.name for path in folder.glob("checkpoint-*")] == ["checkpoint-0002.keras"]
    lines: list[EpochReport] = []
    run = train(CONFIG, samples, split, folder, crops=crops, resume=True, report=lines.append)
    assert [line["epoch"] for line in lines] == [3]
    with (folder / "log.csv").open() as file:
        assert [float(row["epoch"]) for row in csv.DictReader(file)] == [1, 2, 3]
    done = train(CONFIG, samples, split, folder, crops=crops, resume=True)
    assert done.figures == run.figures


def test_a_used_folder_is_not_overwritten(
    samples: list[Sample], crops: CropStore, split: Split, tmp_path: Path
) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(OutputError, match="not empty"):
        train(CONFIG, samples, split, tmp_path, crops=crops)
    (tmp_path / "config.json").write_text(json.dumps(CONFIG.to_json()))
    with pytest.raises(UsageError, match="another configuration"):
        train(dataclasses.replace(CONFIG, epochs=9), samples, split, tmp_path, crops=crops, resume=True)


def test_a_leaking_split_is_refused(samples: list[Sample], crops: CropStore, tmp_path: Path) -> None:
    mixed = Split(tuple(range(0, 16, 2)), tuple(range(1, 16, 2)))
    with pytest.raises(UsageError, match="blocks on both sides"):
        train(CONFIG, samples, mixed, tmp_path / "run", crops=crops)
    assert json.loads((tmp_path / "run" / "leaks.json").read_text())["leaks"] is True
    assert not (tmp_path / "run" / "model.keras").exists()


def test_one_class_on_the_training_side_is_refused(samples: list[Sample], crops: CropStore, tmp_path: Path) -> None:
    one = tuple(index for index, sample in enumerate(samples) if sample.label)
    with pytest.raises(UsageError, match="no non-ALL"):
        train(CONFIG, samples, Split(one, ()), tmp_path / "run", crops=crops)
    assert not (tmp_path / "run").exists()


@pytest.mark.usefixtures("eager")
def test_memory_errors_say_what_to_do(samples: list[Sample], crops: CropStore, split: Split, tmp_path: Path) -> None:
    def full(_: EpochReport) -> None:
        raise MemoryError

    with pytest.raises(EdgeAllError, match="--batch-size"):
        train(CONFIG, samples, split, tmp_path / "run", crops=crops, report=full)


@pytest.mark.usefixtures("eager")
def test_early_stopping_ends_a_run_that_gets_no_better(
    samples: list[Sample], crops: CropStore, split: Split, tmp_path: Path
) -> None:
    lines: list[EpochReport] = []
    patient = dataclasses.replace(CONFIG, head_epochs=6, early_stopping=1)
    train(patient, samples, split, tmp_path / "run", crops=crops, report=lines.append)
    best = int(np.argmax([line["held_out_auc"] for line in lines]))
    assert len(lines) == min(best + 2, 8)


@pytest.mark.usefixtures("eager")
def test_cross_validation_judges_every_cell_once(samples: list[Sample], crops: CropStore, tmp_path: Path) -> None:
    brief = dataclasses.replace(CONFIG, head_epochs=0, epochs=1, samples_per_epoch=4)
    runs = cross_validate(brief, samples, tmp_path, folds=2, crops=crops)
    assert len(runs) == 2
    with (tmp_path / "predictions.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert sorted(row["sample"] for row in rows) == sorted(sample.id for sample in samples)
    assert {row["fold"] for row in rows} == {"0", "1"}
    with np.load(tmp_path / "features.npz") as archive:
        assert archive["ids"].tolist() == [row["sample"] for row in rows]


@pytest.mark.usefixtures("eager")
def test_folds_go_on_from_an_earlier_cross_validation_at_another_size(
    samples: list[Sample], crops: CropStore, tmp_path: Path
) -> None:
    brief = dataclasses.replace(CONFIG, head_epochs=0, epochs=1, samples_per_epoch=4)
    small = cross_validate(brief, samples, tmp_path / "small", folds=2, crops=crops)
    larger = CropStore(np.stack([cv2.resize(crop, (SIZE + 16, SIZE + 16)) for crop in crops.exact]), crops.wide)
    # A learning rate of almost nothing shows whose weights the second run started from.
    onward = dataclasses.replace(
        brief, input_size=SIZE + 16, weights=str(tmp_path / "small"), learning_rate=1e-12, label_smoothing=0.0
    )
    large = cross_validate(onward, samples, tmp_path / "large", folds=2, crops=larger)
    for before, after in zip(small, large, strict=True):
        assert after.config.weights == str(before.model_file)
        kernels = [
            keras.models.load_model(run.model_file).get_layer("probabilities").get_weights()[0]
            for run in (before, after)
        ]
        np.testing.assert_allclose(*kernels, atol=1e-6)
    with pytest.raises(UsageError, match="held out now"):
        cross_validate(onward.changed(weights=str(small[0].folder)), samples, tmp_path / "mixed", folds=2, crops=larger)


def test_batches_depend_on_seed_and_epoch_alone(samples: list[Sample], crops: CropStore) -> None:
    first = TrainingBatches(crops.wide, samples, CONFIG, 3)
    second = TrainingBatches(crops.wide, samples, CONFIG, 2)
    assert (first[1][0] != second[1][0]).any()
    second.on_epoch_end()
    assert (first[1][0] == second[1][0]).all()
    assert first[0][0].shape == (4, SIZE, SIZE, 3)


def test_drawing_is_balanced_between_classes_and_towards_sources_with_both(samples: list[Sample]) -> None:
    elsewhere = [dataclasses.replace(samples[0], id=f"t/{i}", source="t") for i in range(50)]
    weights = drawing_weights([*samples, *elsewhere], 0.5)
    labels = np.array([sample.label for sample in (*samples, *elsewhere)])
    assert weights.sum() == pytest.approx(1)
    assert weights[labels == 1].sum() == pytest.approx(0.5)
    assert weights[16:].sum() < weights[:16][labels[:16] == 0].sum()


def test_the_average_of_weights_survives_saving(tmp_path: Path) -> None:
    average = WeightAverage()
    for value in (1.0, 2.0, 6.0):
        average.add([np.full((2,), value, np.float32)])
    average.save(tmp_path / "a.npz")
    loaded = WeightAverage()
    loaded.load(tmp_path / "a.npz")
    assert loaded.count == 3
    assert loaded.mean[0] == pytest.approx([3, 3])


@pytest.mark.parametrize(
    ("option", "value"),
    [("epochs", 0), ("batch_size", 1), ("factor", 0.5), ("learning_rate", -1), ("precision", "int4"), ("all_share", 1)],
)
def test_values_that_make_no_sense_are_refused(option: str, value: float) -> None:
    with pytest.raises(UsageError):
        CONFIG.changed(**{option: value})


def test_configurations_of_other_versions_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="does not fit"):
        TrainingConfig.from_json(CONFIG.to_json() | {"momentum": 1})
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(UsageError, match="no training configuration"):
        TrainingConfig.read(tmp_path / "config.json")
