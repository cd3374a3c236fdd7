"""A run from labelled pictures to a folder; killed and resumed; refused where it would mislead."""

from __future__ import annotations

import csv
import dataclasses
import errno
import importlib.util
import json
import pickle
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from edge_all.errors import EdgeAllError, InputNotFoundError, OutputError, UsageError
from edge_all.results import Cell

pytestmark = [
    pytest.mark.training,
    pytest.mark.filterwarnings("ignore"),
    # InceptionV3 itself is trained in test_training_inception.py.
    pytest.mark.usefixtures("tiny_backbone"),
]

keras = pytest.importorskip("keras")
from edge_all_export.crops import CropStore  # noqa: E402 - needs Keras
from edge_all_export.datasets.samples import Sample  # noqa: E402
from edge_all_export.run_folder import TrainingRunFolder  # noqa: E402
from edge_all_export.splitting.splits import Split, assign_folds, fold_splits  # noqa: E402
from edge_all_export.training import (  # noqa: E402
    Conduct,
    TrainingConfig,
    cross_validate,
    cross_validation,
    train,
    train_on_data,
)
from edge_all_export.training.failures import told_failures  # noqa: E402
from edge_all_export.training.feeding import LEAST_DRAWN, TrainingBatches, drawing_weights  # noqa: E402
from edge_all_export.training.recording import (  # noqa: E402
    Checkpoints,
    WeightAverage,
    append_line,
    cut_log,
    read_log,
)
from edge_all_export.training.run import open_run  # noqa: E402
from edge_all_export.watching import EpochReport, Watcher  # noqa: E402

BOX, GLASS = (0, 0, 40, 40), (200.0, 200.0, 200.0)
CELL = Cell(1, BOX, (20.0, 20.0), 1600, BOX, (20.0, 20.0), 1600, "candidate", contour=(), glass=GLASS)
SIZE = 75
CONFIG = TrainingConfig(
    input_size=SIZE, weights="none", head_epochs=1, epochs=2, samples_per_epoch=8, batch_size=4, average_from=0.5
)


class Killed(BaseException):
    """As a signal would: no library catches it."""


class Listening(Watcher):
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.steps: list[tuple[str, int, int]] = []
        self.lines: list[EpochReport] = []

    def say(self, words: str) -> None:
        self.said.append(words)

    def advance(self, task: str, done: int, total: int) -> None:
        self.steps.append((task, done, total))

    def epoch(self, line: EpochReport) -> None:
        self.lines.append(line)


class Failing(Watcher):
    """Ends the run with an error at the end of an epoch."""

    def __init__(self, error: type[BaseException], at_epoch: int = 1) -> None:
        self.error, self.at_epoch = error, at_epoch

    def epoch(self, line: EpochReport) -> None:
        if line["epoch"] == self.at_epoch:
            raise self.error


@pytest.fixture(scope="module")
def samples() -> list[Sample]:
    blasts = [(number // 2) % 2 == 1 for number in range(16)]
    return [
        Sample(f"s/{i}", "s", f"g{i}", f"b{i // 2}", 1 if blast else 0, Path(f"{i}.png"), CELL, "cell")
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
    watcher = Listening()
    run = train(CONFIG, samples, split, tmp_path / "run", crops=crops, conduct=Conduct(watcher=watcher))
    assert [line["epoch"] for line in watcher.lines] == [1, 2, 3]
    assert watcher.steps == [(f"Epoch {step // 2 + 1} of 3", step + 1, 6) for step in range(6)]
    assert "12 cells (6 ALL) of 6 blocks are trained on; 4 cells (2 ALL) of 2 blocks are held out." in watcher.said
    assert "Leak report: nothing is shared." in watcher.said
    assert "3 epochs: 1 of the head alone (--head-epochs), then 2 of the whole network (--epochs)." in watcher.said
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
    again = keras.models.load_model(run.files.network).predict(crops.exact[list(split.held_out)], verbose=0)[:, 1]
    assert again == pytest.approx([float(row["probability"]) for row in rows], abs=1e-4)
    assert not list(run.folder.glob("checkpoint-*"))
    assert not list(run.folder.glob(".*"))


@pytest.mark.usefixtures("eager")
def test_a_killed_run_goes_on_where_it_stopped(
    samples: list[Sample], crops: CropStore, split: Split, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    killing = Conduct(checkpoint_seconds=0, watcher=Failing(Killed, at_epoch=3))
    with pytest.raises(Killed):
        train(CONFIG, samples, split, folder, crops=crops, conduct=killing)
    assert [path.name for path in folder.glob("checkpoint-*")] == ["checkpoint-0002.keras"]
    watcher = Listening()
    run = train(CONFIG, samples, split, folder, crops=crops, conduct=Conduct(resume=True, watcher=watcher))
    assert [line["epoch"] for line in watcher.lines] == [3]
    with (folder / "log.csv").open() as file:
        assert [float(row["epoch"]) for row in csv.DictReader(file)] == [1, 2, 3]
    done = train(CONFIG, samples, split, folder, crops=crops, conduct=Conduct(resume=True))
    assert done.figures == run.figures


KILLED_RUN = """
import os, pickle, signal, sys
from pathlib import Path
sys.path.insert(0, {tests!r})
import keras
from conftest import tiny_inception
keras.applications.InceptionV3 = tiny_inception
keras.config.disable_interactive_logging()
from edge_all_export.training import Conduct, train
from edge_all_export.watching import Watcher
arguments = pickle.loads(Path({arguments!r}).read_bytes())
class Killing(Watcher):
    def epoch(self, line):
        if line["epoch"] == 3:
            os.kill(os.getpid(), signal.SIGKILL)
conduct = Conduct(checkpoint_seconds=0, watcher=Killing())
train(*arguments["positional"], crops=arguments["crops"], conduct=conduct)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
@pytest.mark.usefixtures("eager")
def test_a_run_killed_by_the_system_goes_on(
    samples: list[Sample], crops: CropStore, split: Split, tmp_path: Path
) -> None:
    folder, arguments = tmp_path / "run", tmp_path / "arguments.pickle"
    arguments.write_bytes(pickle.dumps({"positional": (CONFIG, samples, split, folder), "crops": crops}))
    code = KILLED_RUN.format(tests=str(Path(__file__).parent), arguments=str(arguments))
    killed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    # As a kill in the middle of writing leaves them.
    half = folder / ".0123456789abcdef.part.keras"
    half.write_bytes(b"half a network")
    watcher = Listening()
    train(CONFIG, samples, split, folder, crops=crops, conduct=Conduct(resume=True, watcher=watcher))
    assert "Resuming after epoch 2 of 3." in watcher.said
    assert [line["epoch"] for line in watcher.lines] == [3]
    assert (folder / "model.keras").exists()
    assert not half.exists()


def test_a_full_disk_is_told_and_the_checkpoint_before_stays(tmp_path: Path) -> None:
    class Disk:
        """A network whose saving fills the disk."""

        full = False

        def save(self, path: Path) -> None:
            path.write_bytes(b"part")
            if self.full:
                raise OSError(errno.ENOSPC, "No space left on device")

    checkpoints, average, network = Checkpoints(TrainingRunFolder(tmp_path)), WeightAverage(), Disk()
    checkpoints.save(1, network, average)
    network.full = True
    with pytest.raises(OutputError, match="resume"):
        checkpoints.save(2, network, average)
    assert checkpoints.latest() == 1
    assert not list(tmp_path.glob(".*"))


def test_a_line_of_the_log_that_a_full_disk_cut_off_is_forgotten(tmp_path: Path) -> None:
    log = tmp_path / "log.csv"
    names = ("loss", "accuracy", "auc", "held_out_loss", "held_out_accuracy", "held_out_auc", "learning_rate")
    for epoch in (1, 2):
        append_line(log, {"epoch": epoch, **dict.fromkeys(names, 0.5), "seconds": 1})
    with log.open("a", encoding="utf-8") as file:
        file.write("3,0.2,0.")
    assert [line["epoch"] for line in read_log(log)] == [1, 2]
    cut_log(log, 1)
    append_line(log, {"epoch": 2, **dict.fromkeys(names, 0.4), "seconds": 1})
    assert [line["loss"] for line in read_log(log)] == [0.5, 0.4]


def test_a_run_that_never_began_leaves_its_folder_free(samples: list[Sample], crops: CropStore, tmp_path: Path) -> None:
    mixed = Split(tuple(range(0, 16, 2)), tuple(range(1, 16, 2)))
    with pytest.raises(UsageError, match="leaks"):
        train(CONFIG, samples, mixed, tmp_path, crops=crops)
    (tmp_path / ".0123456789abcdef.part").write_bytes(b"half a leak report")
    open_run(tmp_path, CONFIG.changed(epochs=9), resume=False)


@pytest.mark.skipif(importlib.util.find_spec("tensorboard") is None, reason="the extra tensorboard is not installed")
@pytest.mark.usefixtures("eager")
def test_tensorboard_logs_are_written(samples: list[Sample], crops: CropStore, split: Split, tmp_path: Path) -> None:
    brief = CONFIG.changed(head_epochs=0, epochs=1, samples_per_epoch=4)
    train(brief, samples, split, tmp_path / "run", crops=crops)
    assert list((tmp_path / "run" / "tensorboard").rglob("events.out.tfevents.*"))


def test_a_used_folder_is_not_overwritten(
    samples: list[Sample], crops: CropStore, split: Split, tmp_path: Path
) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(OutputError, match="not empty"):
        train(CONFIG, samples, split, tmp_path, crops=crops)
    (tmp_path / "config.json").write_text(json.dumps(CONFIG.to_json()))
    with pytest.raises(UsageError, match="another configuration"):
        train(
            dataclasses.replace(CONFIG, epochs=9), samples, split, tmp_path, crops=crops, conduct=Conduct(resume=True)
        )


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
    conduct = Conduct(watcher=Failing(MemoryError))
    with pytest.raises(EdgeAllError, match="--batch-size"):
        train(CONFIG, samples, split, tmp_path / "run", crops=crops, conduct=conduct)


@pytest.mark.usefixtures("eager")
def test_early_stopping_ends_a_run_that_gets_no_better(
    samples: list[Sample], crops: CropStore, split: Split, tmp_path: Path
) -> None:
    watcher = Listening()
    patient = dataclasses.replace(CONFIG, head_epochs=6, early_stopping=1)
    train(patient, samples, split, tmp_path / "run", crops=crops, conduct=Conduct(watcher=watcher))
    best = int(np.argmax([line["held_out_auc"] for line in watcher.lines]))
    assert len(watcher.lines) == min(best + 2, 8)


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
        assert after.config.weights == str(before.files.network)
        kernels = [
            keras.models.load_model(run.files.network).get_layer("probabilities").get_weights()[0]
            for run in (before, after)
        ]
        np.testing.assert_allclose(*kernels, atol=1e-6)
    with pytest.raises(UsageError, match="held out now"):
        cross_validate(onward.changed(weights=str(small[0].folder)), samples, tmp_path / "mixed", folds=2, crops=larger)


class ResourceExhaustedError(Exception):
    """Under TensorFlow's name."""


class JaxRuntimeError(RuntimeError):
    """Under JAX's name."""


@pytest.mark.parametrize(
    ("error", "expected", "remedy"),
    [
        (MemoryError(), EdgeAllError, "--batch-size"),
        (ResourceExhaustedError("OOM when allocating tensor with shape[32,128]"), EdgeAllError, "--batch-size"),
        (JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 123 bytes."), EdgeAllError, "--batch-size"),
        (RuntimeError("CUDA out of memory. Tried to allocate 2 GiB"), EdgeAllError, "--batch-size"),
        (ResourceExhaustedError("events.out.tfevents.1; No space left on device"), OutputError, "resume"),
        (OSError(errno.ENOSPC, "No space left on device"), OutputError, "resume"),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), OutputError, "resume"),
    ],
)
def test_failures_of_memory_and_disk_say_what_to_do(
    error: Exception, expected: type[EdgeAllError], remedy: str
) -> None:
    with pytest.raises(expected, match=remedy) as caught, told_failures("run"):
        raise error
    assert type(caught.value) is expected


@pytest.mark.parametrize("error", [ValueError("a shape"), RuntimeError("a graph"), OutputError("a file", "move it")])
def test_other_failures_pass(error: Exception) -> None:
    with pytest.raises(type(error)) as caught, told_failures("run"):
        raise error
    assert caught.value is error


def test_mistakes_are_found_before_the_images_are_cut(samples: list[Sample], tmp_path: Path) -> None:
    # The samples' images do not exist: whatever cuts them first fails otherwise.
    gone = CONFIG.changed(weights=str(tmp_path / "gone.weights.h5"))
    with pytest.raises(InputNotFoundError, match="gone"):
        train_on_data(gone, samples, tmp_path / "run", folds=4)
    with pytest.raises(UsageError, match="no non-ALL"):
        train_on_data(CONFIG, [sample for sample in samples if sample.label], tmp_path / "run", folds=4)
    with pytest.raises(UsageError, match="0 cells"):
        train_on_data(CONFIG, [], tmp_path / "run", folds=4)
    with pytest.raises(UsageError, match="fold 4"):
        train_on_data(CONFIG, samples, tmp_path / "run", folds=4, hold_out=4)
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "notes.txt").write_text("mine")
    with pytest.raises(OutputError, match="not empty"):
        train_on_data(CONFIG, samples, tmp_path / "taken", folds=4)


def test_the_fold_that_is_named_is_held_out(
    samples: list[Sample], crops: CropStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cross_validation, "_cut", lambda *_: crops)
    brief = dataclasses.replace(CONFIG, head_epochs=0, epochs=1, samples_per_epoch=4)
    held_out = []
    for fold in (0, 1):
        (run,) = train_on_data(brief, samples, tmp_path / str(fold), folds=2, hold_out=fold)
        split = json.loads((run.folder / "split.json").read_text())
        held_out.append(set(split["held_out"]["samples"]))
    assert held_out[0].isdisjoint(held_out[1])
    assert held_out[0] | held_out[1] == {sample.id for sample in samples}


def test_a_small_set_is_drawn_often_enough_for_the_schedule(samples: list[Sample], crops: CropStore) -> None:
    config = CONFIG.changed(batch_size=32)
    assert len(TrainingBatches(crops.wide, samples, dataclasses.replace(config, samples_per_epoch=None), 0)) == (
        LEAST_DRAWN // 32
    )
    assert len(TrainingBatches(crops.wide, samples, config.changed(samples_per_epoch=64), 0)) == 2


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


def test_no_laboratory_with_both_classes_stands_for_one_of_them(samples: list[Sample]) -> None:
    here = [dataclasses.replace(sample, source="allidb1") for sample in samples]
    there = [dataclasses.replace(sample, id=f"{sample.id}/{i}", source="t") for sample in samples for i in range(9)]
    alone = [dataclasses.replace(sample, source="u") for sample in samples if sample.label == 0]
    everything = [*here, *there, *alone]
    weights = drawing_weights(everything, 0.5)
    for label, share in ((1, 0.5), (0, 0.3)):
        for source in ("allidb1", "t"):
            of_both = [s.label == label and s.source == source for s in everything]
            assert weights[of_both].sum() == pytest.approx(share / 2), (label, source)
    assert weights[[s.source == "u" for s in everything]].sum() == pytest.approx(0.2)


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
    [
        ("input_size", 64),
        ("epochs", 0),
        ("batch_size", 1),
        ("factor", 0.5),
        ("learning_rate", -1),
        ("precision", "int4"),
        ("all_share", 1),
    ],
)
def test_values_that_make_no_sense_are_refused(option: str, value: float) -> None:
    with pytest.raises(UsageError):
        CONFIG.changed(**{option: value})


def test_a_share_of_the_start_needs_an_earlier_run() -> None:
    for weights in ("imagenet", "none", "inception_v3.weights.h5"):
        with pytest.raises(UsageError, match="earlier run"):
            dataclasses.replace(CONFIG, weights=weights, start_share=0.5)


def test_a_share_of_the_earlier_run_stays_in_the_network(
    samples: list[Sample], crops: CropStore, split: Split, tmp_path: Path
) -> None:
    def weights(name: str, changes: dict[str, Any]) -> list[np.ndarray[Any, Any]]:
        recipe = dataclasses.replace(CONFIG, head_epochs=0, epochs=1, train_batch_norm=False, **changes)
        run = train(recipe, samples, split, tmp_path / name, crops=crops)
        loaded: list[np.ndarray[Any, Any]] = keras.models.load_model(run.files.network).get_weights()
        return loaded

    start = weights("start", {})
    earlier = str(tmp_path / "start" / "model.keras")
    gone_on = weights("gone on", {"weights": earlier})
    mixed = weights("mixed", {"weights": earlier, "start_share": 0.25})
    assert any(not np.allclose(before, after) for before, after in zip(start, gone_on, strict=True))
    for before, after, mean in zip(start, gone_on, mixed, strict=True):
        np.testing.assert_allclose(mean, 0.25 * before + 0.75 * after, rtol=1e-4, atol=1e-6)


def test_configurations_of_other_versions_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="does not fit"):
        TrainingConfig.from_json(CONFIG.to_json() | {"momentum": 1})
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(UsageError, match="no training configuration"):
        TrainingConfig.read(tmp_path / "config.json")
