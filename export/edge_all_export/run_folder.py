"""What the files of a training run are called, and where they lie."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from edge_all.errors import InputNotFoundError
from edge_all.files.atomic import is_part, write_atomically

__all__ = ["TrainingRunFolder", "trained_file", "write_json"]


@dataclass(frozen=True, slots=True)
class TrainingRunFolder:
    """The folder of a training run, or of a cross-validation: the one owner of the names within it.

    Attributes:
        path: where it is.
    """

    path: Path

    @classmethod
    def around(cls, source: Path) -> TrainingRunFolder:
        """The folder itself, or the one that a file lies in, such as a run's network."""
        return cls(source if source.is_dir() else source.parent)

    @property
    def config(self) -> Path:
        """The recipe, of `edge_all_export.training.configuration.TrainingConfig`."""
        return self.path / "config.json"

    @property
    def split(self) -> Path:
        """What was trained on and what held out, of `edge_all_export.splitting.recorded_split.RecordedSplit`."""
        return self.path / "split.json"

    @property
    def leaks(self) -> Path:
        """What stands on both sides of the split."""
        return self.path / "leaks.json"

    @property
    def log(self) -> Path:
        """A line for each epoch."""
        return self.path / "log.csv"

    @property
    def tensorboard(self) -> Path:
        """The same for TensorBoard, where that is installed."""
        return self.path / "tensorboard"

    @property
    def network(self) -> Path:
        """The trained network, for ``keras.models.load_model``; there once training is done."""
        return self.path / "model.keras"

    @property
    def predictions(self) -> Path:
        """A row for each held-out cell: sample, source, group, block, kind, label, probability."""
        return self.path / "predictions.csv"

    @property
    def features(self) -> Path:
        """``ids`` and ``features`` of the held-out cells."""
        return self.path / "features.npz"

    @property
    def picture(self) -> Path:
        """Learning curves and what is said of the held-out cells, to look at."""
        return self.path / "summary.png"

    @property
    def figures(self) -> Path:
        """Loss, accuracy and AUC on the held-out cells; written last, so that it tells a finished run."""
        return self.path / "figures.json"

    def fold(self, number: int) -> TrainingRunFolder:
        """Of a cross-validation, the run that held this fold out."""
        return TrainingRunFolder(self.path / f"fold-{number}")

    def checkpoint(self, epochs_done: int) -> Path:
        """Network and optimizer after so many epochs."""
        return self.path / f"checkpoint-{epochs_done:04d}.keras"

    def weight_average(self, epochs_done: int) -> Path:
        """The mean of the weights after so many epochs."""
        return self.path / f"average-{epochs_done:04d}.npz"

    def checkpointed_epochs(self) -> tuple[int, ...]:
        """Epochs done at each checkpoint that is there, the latest last."""
        return tuple(sorted(_number(path) for path in self.path.glob("checkpoint-*.keras")))

    def averaged_epochs(self) -> tuple[int, ...]:
        """Epochs done at each mean of weights that is there; one without its checkpoint was never finished."""
        return tuple(sorted(_number(path) for path in self.path.glob("average-*.npz")))

    def holds_work(self) -> bool:
        """Whether there is more than what a run leaves that was refused, or whose weights were not to be had.

        Raises:
            OSError: the folder cannot be looked into.
        """
        preparation = {self.config.name, self.leaks.name, self.split.name}
        return any(path.name not in preparation and not is_part(path.name) for path in self.path.iterdir())


def _number(path: Path) -> int:
    return int(path.stem.rpartition("-")[2])


def trained_file(source: Path) -> Path:
    """The file with a trained network that a run folder, a model or a weights file stands for.

    Raises:
        InputNotFoundError: there is none.
    """
    file = TrainingRunFolder(source).network if source.is_dir() else source
    if not file.is_file():
        raise InputNotFoundError(
            f"There is no trained network at {file}.", "Give a finished run folder, a .keras model or .weights.h5 file."
        )
    return file


def write_json(path: Path, record: object) -> None:
    """Write one of a run's JSON files, whole or not at all.

    Raises:
        OutputError: it cannot be written.
    """
    write_atomically(path, (json.dumps(record, indent=2) + "\n").encode())
