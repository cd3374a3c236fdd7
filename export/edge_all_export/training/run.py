"""One training run, from labelled crops to a folder with the network and its held-out predictions."""

from __future__ import annotations

import csv
import importlib.util
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from edge_all.errors import OutputError, UsageError
from edge_all.files.atomic import atomic_file, atomic_path, clear_parts, write_atomically
from edge_all.wording.plurals import counted
from edge_all_export.crops import CropStore
from edge_all_export.datasets.samples import Sample
from edge_all_export.network import build_network, inference_network, set_backbone_trainable, settle_batch_norm
from edge_all_export.run_folder import TrainingRunFolder, write_json
from edge_all_export.splitting.leaks import LeakReport, find_leaks
from edge_all_export.splitting.recorded_split import RecordedSplit
from edge_all_export.splitting.splits import Split, require_both_classes
from edge_all_export.training.conduct import Conduct
from edge_all_export.training.configuration import TrainingConfig
from edge_all_export.training.earlier_run import refuse_seen_cells
from edge_all_export.training.failures import told_failures
from edge_all_export.training.feeding import TrainingBatches, drawing_weights
from edge_all_export.training.recording import (
    JUDGING_BATCH,
    Checkpoints,
    Recorder,
    WeightAverage,
    cut_log,
    held_out_figures,
)
from edge_all_export.watching import EpochReport

__all__ = ["TrainingRun", "open_run", "train"]

FINAL_RATE = 0.01
"""Share of the learning rate left at the end of the cosine."""

SETTLING_BATCHES = 40
"""Batches that fix the means of batch-norm at the end: about 1300 crops."""


@dataclass(frozen=True, slots=True)
class TrainingRun:
    """A finished run.

    Attributes:
        folder: where its files are; what they are called, `files` knows.
        config: what it was run with.
        figures: loss, accuracy and AUC on the held-out cells; NaN where nothing was held out.
    """

    folder: Path
    config: TrainingConfig
    figures: EpochReport

    @property
    def files(self) -> TrainingRunFolder:
        """Its files by what they hold."""
        return TrainingRunFolder(self.folder)


@dataclass(frozen=True, slots=True)
class _Side:
    """The cells of one side of a split.

    Attributes:
        samples: the cells.
        indices: where they stand in ``crops``.
        crops: of both sides.
    """

    samples: Sequence[Sample]
    indices: Sequence[int]
    crops: CropStore

    @classmethod
    def of(cls, samples: Sequence[Sample], indices: Sequence[int], crops: CropStore) -> _Side:
        """The side that these indices of all samples make."""
        return cls([samples[index] for index in indices], list(indices), crops)

    @property
    def exact(self) -> NDArray[np.uint8]:
        """Their crops as the network takes them, ``[n, s, s, 3]``; a copy."""
        return self.crops.exact[self.indices]

    @property
    def wide(self) -> NDArray[np.uint8]:
        """Their crops with what augmentation needs around them, ``[n, w, w, 3]``; a copy."""
        return self.crops.wide[self.indices]

    @property
    def labels(self) -> NDArray[np.int64]:
        """1 for ALL, ``[n]``."""
        return np.array([sample.label for sample in self.samples], np.int64)


def train(
    config: TrainingConfig,
    samples: Sequence[Sample],
    split: Split,
    folder: Path,
    *,
    crops: CropStore | None = None,
    conduct: Conduct = Conduct(),  # noqa: B008 - frozen
) -> TrainingRun:
    """Train one network.

    Args:
        config: recipe.
        samples: all labelled cells.
        split: which of them train and which are held out; nothing held out is fine for a final model.
        folder: of the run; new or empty unless resuming.
        crops: of ``samples``, where they are cut already.
        conduct: resumed or not, watched by whom.

    Raises:
        UsageError: one class only, a leaking split, or a folder of another configuration.
        OutputError: the folder is in use or cannot be written.
        EdgeAllError: the network does not fit into memory.
    """
    require_both_classes([samples[index] for index in split.train])
    open_run(folder, config, resume=conduct.resume)
    files = TrainingRunFolder(folder)
    if conduct.resume and files.figures.exists():
        return TrainingRun(folder, config, json.loads(files.figures.read_text(encoding="utf-8")))
    if crops is None:
        crops = CropStore.cut(samples, config.spec)
    leaks = find_leaks(samples, split, crops.exact)
    write_json(files.leaks, leaks.to_json())
    conduct.watcher.say(_sides_words(samples, split))
    conduct.watcher.say(_leak_words(leaks))
    refuse_leaks(leaks, allow=conduct.allow_leaks)
    refuse_seen_cells(config.weights, samples, split, allow=conduct.allow_leaks)
    write_json(files.config, config.to_json())
    write_json(files.split, RecordedSplit.of(samples, split).to_json())
    training, held_out = (_Side.of(samples, indices, crops) for indices in (split.train, split.held_out))
    with told_failures(folder):
        network = _fit(config, training, held_out, files, conduct)
        judged = judge(network, held_out.exact)
        with atomic_path(files.network) as unfinished:
            network.save(unfinished)
    write_predictions(files, held_out.samples, judged)
    figures = held_out_figures(judged["probability"].astype(np.float64), held_out.labels)
    write_json(files.figures, figures)
    Checkpoints(files).clear()
    return TrainingRun(folder, config, figures)


def judge(network: keras.Model, crops: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
    """Outputs of `inference_network` for crops ``uint8 [n, s, s, 3]``, by name."""
    whole = inference_network(network)
    if not len(crops):
        width = network.get_layer("features").units
        return {"probability": np.zeros(0, np.float32), "features": np.zeros((0, width), np.float32)}
    outputs: dict[str, NDArray[np.float32]] = whole.predict(crops, batch_size=JUDGING_BATCH, verbose=0)
    return outputs


def write_predictions(
    files: TrainingRunFolder, samples: Sequence[Sample], judged: dict[str, NDArray[np.float32]]
) -> None:
    """Write what the network says of the held-out cells, and their features."""
    table = io.StringIO(newline="")
    writer = csv.writer(table)
    writer.writerow(("sample", "source", "group", "block", "kind", "label", "probability"))
    for sample, probability in zip(samples, judged["probability"].tolist(), strict=True):
        row = (sample.id, sample.source, sample.group, sample.block, sample.kind, sample.label)
        writer.writerow((*row, f"{probability:.7g}"))
    write_atomically(files.predictions, table.getvalue().encode())
    ids = np.array([sample.id for sample in samples], dtype=np.str_)
    with atomic_file(files.features) as file:
        np.savez(file, ids=ids, features=judged["features"])


def refuse_leaks(leaks: LeakReport, *, allow: bool) -> None:
    """Stop at a split whose sides are mixed.

    Raises:
        UsageError: the report found leaks, and they are not allowed.
    """
    if leaks.found and not allow:
        raise UsageError(
            f"The split leaks: {leaks.summary()}.",
            "Split by blocks and remove the copies, or pass --allow-leaks and do not trust the figures.",
        )


def _fit(
    config: TrainingConfig, training: _Side, held_out: _Side, files: TrainingRunFolder, conduct: Conduct
) -> keras.Model:
    """The trained network in float32, from the last checkpoint on where there is one."""
    keras.utils.set_random_seed(config.seed)
    keras.mixed_precision.set_global_policy(config.precision)
    checkpoints = Checkpoints(files)
    average = WeightAverage()
    done = checkpoints.latest() or 0
    _say_epochs(config, done, conduct)
    network = (
        checkpoints.load(done, average)
        if done
        else build_network(config.input_size, config.weights, dropout=config.dropout)
    )
    cut_log(files.log, done)
    recorder = Recorder(files, (held_out.exact, held_out.labels), average, config, conduct)
    _run_epochs(network, config, training, recorder, done, files, conduct)
    # The network is handed on in float32, whatever it was trained in, so that export and evaluation are exact.
    keras.mixed_precision.set_global_policy("float32")
    finished = build_network(config.input_size, "none", dropout=config.dropout)
    finished.set_weights(_with_start(average.mean if average.count else network.get_weights(), config))
    if config.train_batch_norm:
        settle_batch_norm(finished, _unaltered_batches(config, training.samples, training.exact))
    conduct.watcher.say(_kept_words(config, average.count))
    return finished


def _kept_words(config: TrainingConfig, averaged: int) -> str:
    """Which weights the run keeps: their figures are other ones than the last epoch's."""
    kept = f"the mean of the weights of its last {averaged} epochs" if averaged > 1 else "the weights of its last epoch"
    if config.start_share:
        kept += f", drawn by {config.start_share:g} of the way towards those that it began with"
    if config.train_batch_norm:
        kept += ", with the means of batch-norm computed anew"
    return f"The run keeps {kept}: the figures that follow are of that network, those above of each epoch's weights."


def _say_epochs(config: TrainingConfig, done: int, conduct: Conduct) -> None:
    if config.head_epochs:
        # Log, bar and checkpoints count them through.
        conduct.watcher.say(
            f"{config.all_epochs} epochs: {config.head_epochs} of the head alone (--head-epochs), "
            f"then {config.epochs} of the whole network (--epochs)."
        )
    if done:
        conduct.watcher.say(f"Resuming after epoch {done} of {config.all_epochs}.")


def _run_epochs(
    network: keras.Model,
    config: TrainingConfig,
    training: _Side,
    recorder: Recorder,
    done: int,
    files: TrainingRunFolder,
    conduct: Conduct,
) -> None:
    """First the head alone, then the whole network; what was ``done`` is not done again."""
    callbacks: list[keras.callbacks.Callback] = [recorder]
    if _can_log_to_tensorboard():
        callbacks.append(keras.callbacks.TensorBoard(str(files.tensorboard), write_graph=False))
    wide = training.wide
    for first, last, tune_backbone in (
        (0, config.head_epochs, False),
        (config.head_epochs, config.all_epochs, True),
    ):
        if done >= last or recorder.stopped_early:
            continue
        part = "Fine-tuning the whole network" if tune_backbone else "Training the head"
        conduct.watcher.say(f"{part}; before its first step the network is compiled, which takes up to a minute.")
        batches = TrainingBatches(wide, training.samples, config, max(done, first))
        if done <= first:
            set_backbone_trainable(
                network,
                tune_backbone,
                train_batch_norm=config.train_batch_norm,
                frozen_until=config.frozen_until,
            )
            _compile(network, config, tune_backbone=tune_backbone, steps=len(batches))
        network.fit(batches, epochs=last, initial_epoch=max(done, first), verbose=0, shuffle=False, callbacks=callbacks)


def _with_start(weights: list[NDArray[np.float32]], config: TrainingConfig) -> list[NDArray[np.float32]]:
    """Trained weights, drawn towards those of the run that they started from."""
    if not config.start_share:
        return weights
    start = build_network(config.input_size, config.weights, dropout=config.dropout).get_weights()
    return [
        config.start_share * before + (1 - config.start_share) * after
        for before, after in zip(start, weights, strict=True)
    ]


def _unaltered_batches(
    config: TrainingConfig, training: Sequence[Sample], exact: NDArray[np.uint8]
) -> Iterator[NDArray[np.uint8]]:
    rng = np.random.default_rng(config.seed)
    weights = drawing_weights(training, config.all_share)
    for _ in range(SETTLING_BATCHES):
        yield exact[rng.choice(len(exact), config.batch_size, p=weights)]


def _compile(network: keras.Model, config: TrainingConfig, *, tune_backbone: bool, steps: int) -> None:
    if tune_backbone:
        rate: Any = keras.optimizers.schedules.CosineDecay(
            config.learning_rate / 10,
            decay_steps=max(1, steps * (config.epochs - 1)),
            alpha=FINAL_RATE,
            warmup_target=config.learning_rate,
            warmup_steps=steps,
        )
    else:
        rate = config.head_learning_rate
    network.compile(
        optimizer=keras.optimizers.RMSprop(rate, clipnorm=1.0),
        loss=keras.losses.BinaryCrossentropy(label_smoothing=config.label_smoothing),
        metrics=[keras.metrics.CategoricalAccuracy(name="accuracy"), keras.metrics.AUC(name="auc")],
    )


def _can_log_to_tensorboard() -> bool:
    """Keras writes these logs through TensorFlow, whatever backend it computes on."""
    return all(importlib.util.find_spec(name) is not None for name in ("tensorboard", "tensorflow"))


def _sides_words(samples: Sequence[Sample], split: Split) -> str:
    sides = []
    for name, indices in (("trained on", split.train), ("held out", split.held_out)):
        blasts = sum(samples[index].label for index in indices)
        blocks = len({samples[index].block for index in indices})
        sides.append(f"{len(indices)} cells ({blasts} ALL) of {blocks} blocks are {name}")
    words = "; ".join(sides) + "."
    if split.held_out and len({samples[index].label for index in split.held_out}) == 1:
        words += " The held-out cells are of one class, so there is no AUC: use fewer folds, or more data."
    return words


def _leak_words(leaks: LeakReport) -> str:
    words = f"Leak report: {leaks.summary()}."
    if leaks.contradictions:
        first, second = leaks.contradictions[0]
        pairs = counted(len(leaks.contradictions), "pair")
        carry = "carries" if len(leaks.contradictions) == 1 else "carry"
        words += f" {pairs} of copies {carry} two labels (for example {first} and {second}): correct one;"
        words += " leaks.json lists all."
    return words


def open_run(folder: Path, config: TrainingConfig, *, resume: bool) -> None:
    """Make the folder of a run, and see that nothing in it is lost.

    Raises:
        OutputError: it cannot be made, or is in use.
        UsageError: it holds a run of another configuration.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        clear_parts(folder)
        holds_work = TrainingRunFolder(folder).holds_work()
    except OSError as error:
        raise OutputError(f"The run folder {folder} cannot be made ({error}).", "Name another one.") from error
    if not holds_work:
        return
    if not resume:
        raise OutputError(f"The run folder {folder} is not empty.", "Name a new folder, or pass --resume to go on.")
    recipe = TrainingRunFolder(folder).config
    if recipe.exists() and TrainingConfig.read(recipe) != config:
        raise UsageError(
            f"{folder} holds a run of another configuration.", f"Resume with its {recipe.name}, or name a new folder."
        )
