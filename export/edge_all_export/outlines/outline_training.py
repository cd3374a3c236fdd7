"""Training the network of outlines, from the reference sets to one ONNX file with a card."""

from __future__ import annotations

import csv
import dataclasses
import hashlib
import io
import json
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from edge_all.errors import UsageError
from edge_all.files.atomic import atomic_path, write_atomically
from edge_all.files.folder_claim import claimed_folder
from edge_all.results import INTENDED_USE
from edge_all.segmentation.outline_network import golden_answers, open_outlines
from edge_all.segmentation.outline_windows import CHANNELS, RED_CELL_PIXELS, WINDOW
from edge_all_export.outlines.composing import Composer
from edge_all_export.outlines.known_cells import LABORATORIES, SOURCES, KnownCells, read_known_cells
from edge_all_export.outlines.outline_export import write_onnx
from edge_all_export.outlines.unet import build_outline_network, outline_loss
from edge_all_export.run_folder import TrainingRunFolder, write_json

__all__ = ["CARD_FILE", "ONNX_FILE", "OutlineEpoch", "OutlineRecipe", "train_outlines"]

ONNX_FILE, CARD_FILE = "outline.onnx", "card.json"
HELD_OUT_ONE_IN = 8
"""One image in so many judges the epochs, drawn by its name."""
JUDGED_WINDOWS = 512
JUDGING_BATCH = 64


@dataclass(frozen=True, slots=True)
class OutlineRecipe:
    """What a network of outlines is trained by.

    Attributes:
        left_out: laboratory that takes no part, see `known_cells.LABORATORIES`; None for none.
        epochs: passes over the windows, each mirrored and turned anew.
        windows: composed once for all epochs.
        batch_size, learning_rate: of Adam; the rate falls to 0 along half a cosine.
        seed: of everything random.
    """

    left_out: str | None = None
    epochs: int = 10
    windows: int = 12288
    batch_size: int = 32
    learning_rate: float = 2e-3
    seed: int = 0

    def __post_init__(self) -> None:
        if self.left_out is not None and self.left_out not in LABORATORIES:
            raise UsageError(f"There is no laboratory {self.left_out!r}.", f"There are: {', '.join(LABORATORIES)}.")


@dataclass(frozen=True, slots=True)
class OutlineEpoch:
    """Figures of one epoch.

    Attributes:
        epoch: its number, from 1.
        loss: over the windows trained on.
        held_out: mean intersection over union in windows of held-out images of the laboratories trained on.
        left_out: the same of the laboratory left out; NaN where there is none.
    """

    epoch: int
    loss: float
    held_out: float
    left_out: float


Windows = tuple[NDArray[np.uint8], NDArray[np.uint8]]


def train_outlines(
    data: Path,
    folder: Path,
    recipe: OutlineRecipe,
    *,
    resume: bool = False,
    report: Callable[[OutlineEpoch], None] = lambda _: None,
    say: Callable[[str], None] = lambda _: None,
) -> Path:
    """Train one network.

    Args:
        data: folder of the reference sets.
        folder: of the run; new, unless resuming.
        recipe: what by.
        resume: go on from the last epoch that the folder holds.
        report: called with each epoch's figures.
        say: called with what is being done.

    Returns:
        The ONNX file; beside it lies its card.

    Raises:
        InputNotFoundError: there is no reference set.
        OutputError: the folder is in use, holds a run, or cannot be written.
        UsageError: the run to resume had another recipe.
    """
    files = TrainingRunFolder(folder)
    with claimed_folder(folder, marker=files.config.name, resume=resume):
        _require_same_recipe(files, recipe)
        write_json(files.config, dataclasses.asdict(recipe))
        say("Looking for cells whose outline is known")
        known = read_known_cells(data)
        training, held_out = _divided(known if recipe.left_out is None else known.without(recipe.left_out))
        say(f"{len(training.white)} white and {len(training.red)} red cells; composing {recipe.windows} windows")
        judged = [composed(held_out, JUDGED_WINDOWS, recipe.seed + 1)]
        if recipe.left_out is not None:
            judged.append(composed(known.of(recipe.left_out), JUDGED_WINDOWS, recipe.seed + 2))
        network = _fit(files, recipe, composed(training, recipe.windows, recipe.seed), judged, report)
        with atomic_path(files.network) as unfinished:
            network.save(unfinished)
        return _write_package(files, recipe, network, training, judged)


def composed(known: KnownCells, count: int, seed: int) -> Windows:
    """So many windows and their truth: ``uint8 [count, WINDOW, WINDOW, 4]`` and ``uint8 [count, WINDOW, WINDOW]``."""
    composer = Composer(known)
    windows = np.empty((count, WINDOW, WINDOW, CHANNELS), np.uint8)
    truth = np.empty((count, WINDOW, WINDOW), np.uint8)
    for index in range(count):
        windows[index], truth[index] = composer.window(np.random.default_rng((seed, index)))
    return windows, truth


def overlap_of(network: keras.Model, windows: Windows) -> float:
    """Mean intersection over union of what the network finds and what is true."""
    found = network.predict(windows[0], batch_size=JUDGING_BATCH, verbose=0) > 0.5
    truth = windows[1] > 0
    common, either = (found & truth).sum(axis=(1, 2)), (found | truth).sum(axis=(1, 2))
    return float(np.mean(common / np.maximum(1, either)))


def _require_same_recipe(files: TrainingRunFolder, recipe: OutlineRecipe) -> None:
    if files.config.is_file() and json.loads(files.config.read_bytes()) != dataclasses.asdict(recipe):
        raise UsageError(f"The run in {files.path} had another recipe.", "Give its own, or choose another folder.")


def _divided(known: KnownCells) -> tuple[KnownCells, KnownCells]:
    """Training cells and held-out ones, by image."""

    def is_held_out(image: str) -> bool:
        return zlib.crc32(image.encode()) % HELD_OUT_ONE_IN == 0

    parts = [
        KnownCells(
            tuple(cell for cell in known.white if is_held_out(cell.image) == side),
            tuple(cell for cell in known.red if is_held_out(cell.image) == side),
        )
        for side in (False, True)
    ]
    return parts[0], parts[1]


class _Turning(keras.utils.PyDataset):  # type: ignore[misc]
    """The windows in another order and otherwise mirrored and turned in each epoch, the same after a restart."""

    def __init__(self, windows: Windows, recipe: OutlineRecipe, first_epoch: int) -> None:
        super().__init__()
        self._windows, self._recipe, self._epoch = windows, recipe, first_epoch
        self._order = self._drawn()

    def _drawn(self) -> NDArray[np.intp]:
        return np.random.default_rng((self._recipe.seed, self._epoch)).permutation(len(self._windows[0]))

    def __len__(self) -> int:
        return len(self._order) // self._recipe.batch_size

    def __getitem__(self, index: int) -> Windows:
        size = self._recipe.batch_size
        chosen = self._order[index * size : (index + 1) * size]
        turns, mirrored = divmod(int(np.random.default_rng((self._recipe.seed, self._epoch, index)).integers(8)), 2)
        images, truth = (np.rot90(part[chosen], turns, axes=(1, 2)) for part in self._windows)
        return (images[:, :, ::-1], truth[:, :, ::-1]) if mirrored else (images, truth)

    def on_epoch_end(self) -> None:
        """Move on to the next epoch."""
        self._epoch += 1
        self._order = self._drawn()


def _fit(
    files: TrainingRunFolder,
    recipe: OutlineRecipe,
    windows: Windows,
    judged: list[Windows],
    report: Callable[[OutlineEpoch], None],
) -> keras.Model:
    steps = len(windows[0]) // recipe.batch_size
    done = max(files.checkpointed_epochs(), default=0)
    if done:
        network = keras.models.load_model(files.checkpoint(done), custom_objects={"outline_loss": outline_loss})
    else:
        keras.utils.set_random_seed(recipe.seed)
        network = build_outline_network()
        rate = keras.optimizers.schedules.CosineDecay(recipe.learning_rate, steps * recipe.epochs)
        network.compile(keras.optimizers.Adam(rate), outline_loss)
    log = _read_log(files.log)[:done]
    for epoch in range(done, recipe.epochs):
        history = network.fit(_Turning(windows, recipe, epoch), verbose=0)
        overlaps = [overlap_of(network, one) for one in judged]
        left_out = overlaps[1] if len(overlaps) > 1 else float("nan")
        figures = OutlineEpoch(epoch + 1, float(history.history["loss"][0]), overlaps[0], left_out)
        log.append({name: str(value) for name, value in dataclasses.asdict(figures).items()})
        with atomic_path(files.checkpoint(epoch + 1)) as unfinished:
            network.save(unfinished)
        files.checkpoint(epoch).unlink(missing_ok=True)
        _write_log(files.log, log)
        report(figures)
    return network


def _read_log(path: Path) -> list[dict[str, str]]:
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _write_log(path: Path, rows: list[dict[str, str]]) -> None:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    write_atomically(path, text.getvalue().encode())


def _write_package(
    files: TrainingRunFolder, recipe: OutlineRecipe, network: keras.Model, known: KnownCells, judged: list[Windows]
) -> Path:
    """Write the ONNX file, and beside it the card that describes it."""
    target = files.path / ONNX_FILE
    write_onnx(network, target)
    overlaps = [overlap_of(network, one) for one in judged]
    counts = {
        name: {
            "white cells": len(known.of(name).white),
            "red cells": len(known.of(name).red),
            "source": SOURCES[name],
        }
        for name in LABORATORIES
    }
    card: dict[str, Any] = {
        "schema": 1,
        "kind": "outlines",
        "intended_use": INTENDED_USE,
        "file": ONNX_FILE,
        "sha256": hashlib.sha256(target.read_bytes()).hexdigest(),
        "window": WINDOW,
        "red_cell_pixels": RED_CELL_PIXELS,
        "parameters": network.count_params(),
        "recipe": dataclasses.asdict(recipe),
        "trained_on": {name: count for name, count in counts.items() if count["white cells"]},
        "figures": {
            "overlap_held_out_images": round(overlaps[0], 4),
            "overlap_left_out_laboratory": round(overlaps[1], 4) if len(overlaps) > 1 else None,
            "windows": JUDGED_WINDOWS,
        },
    }
    write_json(files.path / CARD_FILE, card)
    # Only a network with its card can be opened.
    write_json(files.path / CARD_FILE, card | {"golden": golden_answers(open_outlines(files.path))})
    return target
