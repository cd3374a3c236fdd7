"""One picture of a training run: how it learned, and what it says of the cells that it held out."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure as Plot
from matplotlib.ticker import MaxNLocator
from sklearn.metrics import roc_curve

from edge_all.errors import EdgeAllError
from edge_all.files.atomic import write_atomically
from edge_all.results import INTENDED_USE
from edge_all_calibration.figures.measures import auc
from edge_all_export.evaluation.metrics import CLASS_NAMES, CUTOFF, confusion
from edge_all_export.evaluation.plots import ALL_COLOUR, FAINT, INK, OTHER_COLOUR, STYLE, render
from edge_all_export.evaluation.predictions import Predictions, read_csv
from edge_all_export.evaluation.training_log import TrainingLog, read_log
from edge_all_export.run_folder import TrainingRunFolder

__all__ = ["write_run_picture"]

SIZE = (11.0, 8.0)
KEPT = "the network kept"
"""Its weights are a mean over epochs, so that its figures are other ones than the last epoch's."""


def write_run_picture(files: TrainingRunFolder) -> bool:
    """Draw loss and AUC by epoch, the ROC and the confusion matrix of the held-out cells into the run's folder.

    Args:
        files: of a finished run.

    Returns:
        Whether there was something to draw: a run that held nothing out, or keeps no log, has no picture.

    Raises:
        OutputError: it cannot be written.
    """
    try:
        log, predictions = read_log(files.log), read_csv(files.predictions)
    except EdgeAllError:
        return False
    with mpl.rc_context(STYLE):
        plot = Plot(figsize=SIZE)
        FigureCanvasAgg(plot)
        loss, area, roc, matrix = plot.subplots(2, 2).ravel().tolist()
        _draw_curve(loss, log, "loss", "Loss")
        _draw_curve(area, log, "auc", "ROC AUC")
        _draw_kept(area, log, predictions)
        _draw_roc(roc, predictions)
        _draw_matrix(matrix, predictions)
        plot.suptitle(f"{files.path.resolve().name}: {len(predictions)} held-out cells\n{INTENDED_USE}", fontsize=11)
    write_atomically(files.picture, render(plot, "png"))
    return True


def _draw_curve(axes: Axes, log: TrainingLog, name: str, title: str) -> None:
    epochs = log.columns["epoch"]
    for column, colour, label in ((name, FAINT, "training"), (f"held_out_{name}", OTHER_COLOUR, "held out")):
        axes.plot(epochs, log.columns[column], color=colour, label=label, marker="o", markersize=3)
    if log.head_epochs:
        axes.axvline(log.head_epochs + 0.5, color=INK, linewidth=1, linestyle="--", label="fine-tuning begins")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set(title=f"{title}, weights of each epoch", xlabel="Epoch")
    axes.legend(loc="best")


def _draw_kept(axes: Axes, log: TrainingLog, predictions: Predictions) -> None:
    """A star for the network that the run keeps, whose averaged weights no epoch had."""
    area = _held_out_auc(predictions)
    if area is not None:
        axes.plot(
            log.columns["epoch"][-1:],
            [area],
            color=ALL_COLOUR,
            marker="*",
            markersize=12,
            linestyle="",
            label=f"held out, {KEPT}",
        )
        axes.legend(loc="best")


def _held_out_auc(predictions: Predictions) -> float | None:
    """None where the held-out cells are of one class."""
    truth = predictions.label == 1
    return None if truth.all() or not truth.any() else auc(predictions.probability, truth)


def _draw_roc(axes: Axes, predictions: Predictions) -> None:
    axes.plot([0, 1], [0, 1], color=FAINT, linewidth=1, linestyle=":")
    title = "ROC: one class only"
    area = _held_out_auc(predictions)
    if area is not None:
        false_positive, true_positive, _ = roc_curve(predictions.label, predictions.probability)
        axes.plot(false_positive, true_positive, color=ALL_COLOUR)
        title = f"ROC of {KEPT}, AUC {area:.3f}"
    axes.set(title=title, xlabel="1 - specificity", ylabel="Sensitivity")


def _draw_matrix(axes: Axes, predictions: Predictions) -> None:
    table = np.asarray(confusion(predictions.label, (predictions.probability >= CUTOFF).astype(np.int64)))
    axes.imshow(table / np.maximum(table.sum(axis=1, keepdims=True), 1), cmap="Blues", vmin=0, vmax=1)
    for (row, column), cells in np.ndenumerate(table):
        dark = cells > table[row].sum() / 2
        axes.text(column, row, f"{cells}", ha="center", va="center", fontsize=18, color="white" if dark else INK)
    axes.set_xticks([0, 1], list(CLASS_NAMES))
    axes.set_yticks([0, 1], list(CLASS_NAMES))
    axes.grid(visible=False)
    axes.set(title=f"Confusion matrix of {KEPT}, at {CUTOFF:g}", xlabel="Called", ylabel="Truth")
