"""The log that a training run leaves behind, as columns."""

from __future__ import annotations

import csv
from pathlib import Path

from edge_all.errors import InputError, InputNotFoundError

__all__ = ["read_log"]


def read_log(path: Path) -> dict[str, list[float]]:
    """Read a CSV training log (the form of Keras's ``CSVLogger``, to which columns may have been added).

    Returns:
        Column name -> a value an epoch, NaN where the log has none. A column of words (such as ``phase``) becomes the
        number of its word, in the order of appearance.

    Raises:
        InputNotFoundError: no such file.
        InputError: the file is no table, or has no ``epoch`` or no row.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            rows = list(csv.DictReader(stream))
    except FileNotFoundError as error:
        raise InputNotFoundError(f"There is no training log {path}.", "Give the log.csv of a training run.") from error
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(
            f"{path} cannot be read as a table ({error}).", "Give the log.csv of a training run."
        ) from error
    if not rows or "epoch" not in rows[0]:
        raise InputError(f"{path} holds no epoch.", "Give the log.csv of a training run that finished an epoch.")
    return {name: _numbers([row[name] or "" for row in rows]) for name in rows[0] if name}


def _numbers(texts: list[str]) -> list[float]:
    try:
        return [float(text) if text not in ("", "NA") else float("nan") for text in texts]
    except ValueError:
        words = list(dict.fromkeys(texts))
        return [float(words.index(text)) for text in texts]
