"""What happens at the end of each epoch: judge the held-out cells, log, average, checkpoint, perhaps stop."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, BinaryIO, TextIO

import keras
import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from edge_all.errors import OutputError
from edge_all.files.atomic import atomic_file, atomic_path, write_atomically
from edge_all.results import RgbImage
from edge_all_export.run_folder import TrainingRunFolder
from edge_all_export.training.conduct import Conduct
from edge_all_export.training.configuration import TrainingConfig
from edge_all_export.watching import EpochReport

__all__ = ["Checkpoints", "Recorder", "WeightAverage", "held_out_figures"]

LOG_COLUMNS = (
    "epoch",
    "loss",
    "accuracy",
    "auc",
    "held_out_loss",
    "held_out_accuracy",
    "held_out_auc",
    "learning_rate",
    "seconds",
)
JUDGING_BATCH = 64


class WeightAverage:
    """Running mean of a network's weights over epochs (Izmailov et al., Averaging Weights, UAI 2018)."""

    def __init__(self) -> None:
        self.count = 0
        self.mean: list[NDArray[np.float32]] = []

    def add(self, weights: list[NDArray[np.float32]]) -> None:
        """Take one more epoch into the mean."""
        self.count += 1
        if self.count == 1:
            self.mean = [weight.astype(np.float32) for weight in weights]
        else:
            for index, weight in enumerate(weights):
                self.mean[index] += (weight - self.mean[index]) / self.count

    def save(self, file: BinaryIO) -> None:
        """Write to an open npz file."""
        arrays: dict[str, Any] = {f"w{index:04d}": mean for index, mean in enumerate(self.mean)}
        np.savez(file, count=self.count, **arrays)

    def load(self, path: Path) -> None:
        """Read what `save` wrote."""
        with np.load(path) as archive:
            self.count = int(archive["count"])
            self.mean = [archive[name] for name in sorted(archive.files) if name != "count"]


class Checkpoints:
    """The state from which a killed run goes on; each is complete or absent, never half written."""

    def __init__(self, files: TrainingRunFolder) -> None:
        self._files = files

    def latest(self) -> int | None:
        """Epochs done at the last checkpoint; None without one."""
        return max(self._files.checkpointed_epochs(), default=None)

    def save(self, epochs_done: int, network: keras.Model, average: WeightAverage) -> None:
        """Write network, optimizer and average; then drop the checkpoint before."""
        try:
            with atomic_file(self._files.weight_average(epochs_done)) as mean:
                average.save(mean)
            # Last: a checkpoint is one by its network.
            with atomic_path(self._files.checkpoint(epochs_done)) as unfinished:
                network.save(unfinished)
        except OutputError as error:
            raise OutputError(
                error.problem, "Free some space and resume: the checkpoint before it is whole."
            ) from error
        self._drop(lambda number: number < epochs_done)

    def load(self, epochs_done: int, average: WeightAverage) -> keras.Model:
        """Read the network with its optimizer, and fill the average."""
        average.load(self._files.weight_average(epochs_done))
        return keras.models.load_model(self._files.checkpoint(epochs_done))

    def clear(self) -> None:
        """Remove all; called once the run is complete."""
        self._drop(lambda _: True)

    def _drop(self, condition: Callable[[int], bool]) -> None:
        for number in filter(condition, self._files.checkpointed_epochs()):
            self._files.checkpoint(number).unlink()
        for number in filter(condition, self._files.averaged_epochs()):
            self._files.weight_average(number).unlink()


def held_out_figures(probabilities: NDArray[np.float64], labels: NDArray[np.int64]) -> EpochReport:
    """Loss, accuracy at 0.5 and AUC of held-out cells; an AUC needs both classes and is NaN without."""
    if not len(labels):
        return {"held_out_loss": float("nan"), "held_out_accuracy": float("nan"), "held_out_auc": float("nan")}
    sure = np.clip(np.where(labels == 1, probabilities, 1 - probabilities), 1e-7, 1)
    both = 0 < labels.sum() < len(labels)
    return {
        "held_out_loss": float(-np.log(sure).mean()),
        "held_out_accuracy": float(((probabilities >= 0.5) == (labels == 1)).mean()),
        "held_out_auc": float(roc_auc_score(labels, probabilities)) if both else float("nan"),
    }


class Recorder(keras.callbacks.Callback):  # type: ignore[misc]
    """The project's one Keras callback.

    Args:
        files: of the run.
        held_out: ``uint8 [n, s, s, 3]`` crops and ``int [n]`` labels.
        average: filled with the weights of the epochs that the recipe averages.
        config: recipe; says how many epochs there are, which are averaged, and how patient the run is.
        conduct: how often a checkpoint is due, and who is told.
    """

    def __init__(
        self,
        files: TrainingRunFolder,
        held_out: tuple[RgbImage, NDArray[np.int64]],
        average: WeightAverage,
        config: TrainingConfig,
        conduct: Conduct,
    ) -> None:
        super().__init__()
        self._log = files.log
        self._checkpoints = Checkpoints(files)
        self._held_out = held_out
        self._average = average
        self._average_after = config.head_epochs + int(config.epochs * config.average_from)
        self._patience = config.early_stopping
        self._conduct = conduct
        self._epochs = config.all_epochs
        self._epoch = 0
        self._written = time.monotonic()
        self._started = time.monotonic()
        self.stopped_early = False

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002 - Keras's signature
        """Start the clock."""
        self._epoch = epoch
        self._started = time.monotonic()

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002 - Keras's
        """Show that something happens."""
        steps = self.params["steps"]
        done = self._epoch * steps + batch + 1
        self._conduct.watcher.advance(f"Epoch {self._epoch + 1} of {self._epochs}", done, self._epochs * steps)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Judge, log, average, checkpoint, perhaps stop."""
        crops, labels = self._held_out
        figures = dict(logs or {})
        judged = self.model.predict(crops, batch_size=JUDGING_BATCH, verbose=0)[:, 1] if len(labels) else np.zeros(0)
        line: EpochReport = {
            "epoch": epoch + 1,
            **{name: float(figures[name]) for name in ("loss", "accuracy", "auc")},
            **held_out_figures(judged.astype(np.float64), labels),
            "learning_rate": float(self.model.optimizer.learning_rate),
            "seconds": round(time.monotonic() - self._started, 2),
        }
        append_line(self._log, line)
        if epoch + 1 > self._average_after:
            self._average.add(self.model.get_weights())
        self._conduct.watcher.epoch(line)
        if time.monotonic() - self._written >= self._conduct.checkpoint_seconds:
            self._checkpoints.save(epoch + 1, self.model, self._average)
            self._written = time.monotonic()
        if self._patience is not None and self._is_stale():
            self.model.stop_training = True
            self.stopped_early = True

    def _is_stale(self) -> bool:
        scores = [line["held_out_auc"] for line in read_log(self._log)]
        known = [score for score in scores if not np.isnan(score)]
        return bool(known) and len(known) - 1 - int(np.argmax(known)) >= (self._patience or 0)


def append_line(log: Path, line: EpochReport) -> None:
    """Add one epoch to ``log.csv``.

    Raises:
        OutputError: it cannot be written.
    """
    try:
        new = not log.exists()
        with log.open("a", newline="", encoding="utf-8") as file:
            _write_lines(file, [line], header=new)
    except OSError as error:
        raise OutputError(f"{log} cannot be written ({error}).", "Free some space and resume the run.") from error


def read_log(log: Path) -> list[EpochReport]:
    """The lines of ``log.csv`` up to the first that a full disk left incomplete; empty before the first epoch."""
    if not log.exists():
        return []
    lines: list[EpochReport] = []
    with log.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            try:
                lines.append({name: float(row[name]) for name in LOG_COLUMNS})
            except (KeyError, TypeError, ValueError):
                break
    return lines


def cut_log(log: Path, epochs_done: int) -> None:
    """Forget the epochs after a checkpoint, which a resumed run does again.

    Raises:
        OutputError: it cannot be written; the log is then as it was.
    """
    if not log.exists():
        return
    kept = [line for line in read_log(log) if line["epoch"] <= epochs_done]
    text = io.StringIO(newline="")
    _write_lines(text, kept, header=True)
    write_atomically(log, text.getvalue().encode())


def _write_lines(file: TextIO, lines: Iterable[EpochReport], *, header: bool) -> None:
    writer = csv.DictWriter(file, LOG_COLUMNS)
    if header:
        writer.writeheader()
    writer.writerows({name: f"{line[name]:.6g}" for name in LOG_COLUMNS} for line in lines)
