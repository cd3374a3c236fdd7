"""Going on from an earlier run: which network to start from, and whether it has seen what is held out now.

Training on small pictures first and on larger ones afterwards is several times cheaper than on large ones alone
(Howard and others, DAWNBench 2018, "progressive resizing"), but only honest if both runs hold the same cells out.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from edge_all.errors import InputNotFoundError, UsageError
from edge_all_export.datasets.samples import Sample
from edge_all_export.run_folder import TrainingRunFolder
from edge_all_export.splitting.recorded_split import RecordedSplit
from edge_all_export.splitting.splits import Split

__all__ = ["earlier_network", "refuse_seen_cells", "require_weights"]


def require_weights(weights: str) -> None:
    """Check, before any long work, that there is something to start from.

    Raises:
        InputNotFoundError: ``weights`` names a file or folder that does not exist.
    """
    if weights not in ("imagenet", "none") and not Path(weights).exists():
        raise InputNotFoundError(
            f"There is no weights file {weights}.", "Name imagenet, none, or a file or run folder that exists."
        )


def earlier_network(weights: str, fold: int | None) -> str:
    """The file to start from where ``weights`` names the folder of an earlier run; other values are handed back.

    Args:
        weights: as in `edge_all_export.training.TrainingConfig`.
        fold: the fold that is held out; None where nothing is.

    Raises:
        UsageError: a folder without a finished network for this fold.
    """
    folder = Path(weights)
    if not folder.is_dir():
        return weights
    earlier = TrainingRunFolder(folder)
    for run in (earlier,) if fold is None else (earlier.fold(fold), earlier):
        if run.network.is_file():
            return str(run.network)
    wanted = "the whole data" if fold is None else f"fold {fold}"
    raise UsageError(
        f"{folder} holds no finished network for {wanted}.",
        "Name the folder of a finished run, or of a cross-validation with the same --folds.",
    )


def refuse_seen_cells(weights: str, samples: Sequence[Sample], split: Split, *, allow: bool) -> None:
    """Stop where the network to start from was trained on cells that are held out now.

    Args:
        weights: as in the configuration; only the ``model.keras`` of a run can be looked into, by the ``split.json``
            beside it.
        samples: all labelled cells.
        split: which of them are held out.
        allow: go on all the same.

    Raises:
        UsageError: it was, and that is not allowed.
        InputError: its ``split.json`` is damaged.
    """
    record = TrainingRunFolder.around(Path(weights)).split
    if allow or not weights.endswith(".keras") or not record.is_file():
        return
    held_out = [samples[index] for index in split.held_out]
    seen = sum(RecordedSplit.read(record).train.having(held_out))
    if seen:
        raise UsageError(
            f"{weights} was trained on {seen} of the {len(held_out)} cells that are held out now.",
            "Start from a run with the same --folds, or pass --allow-leaks and do not trust the figures.",
        )
