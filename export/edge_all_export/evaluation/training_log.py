"""The log that a training run leaves behind."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from pathlib import Path

from edge_all.errors import InputError, InputNotFoundError
from edge_all_export.run_folder import TrainingRunFolder

__all__ = ["TrainingLog", "read_log"]


@dataclass(frozen=True, slots=True)
class TrainingLog:
    """One value an epoch of each quantity.

    Attributes:
        columns: by name; ``held_out_<name>`` stands beside ``<name>``. NaN where an epoch has no value.
        head_epochs: epochs before fine-tuning began; None where the run's configuration does not say.
    """

    columns: dict[str, list[float]]
    head_epochs: int | None


def read_log(path: Path) -> TrainingLog:
    """Read the log of a run, and from the configuration beside it when fine-tuning began.

    Raises:
        InputNotFoundError: no such file.
        InputError: the file is no such log, or holds no epoch.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            rows = list(csv.DictReader(stream))
        columns = {name: [float(row[name]) for row in rows] for name in (rows[0] if rows else {})}
    except FileNotFoundError as error:
        raise InputNotFoundError(f"There is no training log {path}.", "Give the log.csv of a training run.") from error
    except (OSError, UnicodeDecodeError, csv.Error, ValueError, TypeError) as error:
        raise InputError(f"{path} is no training log ({error}).", "Give the log.csv of a training run.") from error
    if "epoch" not in columns:
        raise InputError(f"{path} holds no epoch.", "Give the log.csv of a training run that finished an epoch.")
    return TrainingLog(columns, _head_epochs(TrainingRunFolder.around(path).config))


def _head_epochs(configuration: Path) -> int | None:
    try:
        found = json.loads(configuration.read_text(encoding="utf-8"))["head_epochs"]
    except (OSError, ValueError, KeyError, TypeError):
        # A log without its configuration is still a log: its curves lack one mark.
        return None
    return found if isinstance(found, int) else None
