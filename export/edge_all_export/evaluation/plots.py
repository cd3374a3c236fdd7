"""The plots of an evaluation, as matplotlib figures without any global state."""

from __future__ import annotations

import io
from typing import Literal

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure as Plot
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray
from sklearn.metrics import precision_recall_curve, roc_curve

from edge_all.model.card import Band
from edge_all.outputs.palette import PALETTE
from edge_all.slides.verdict import wilson_interval
from edge_all.wording.percentages import percent
from edge_all_calibration.figures.intervals import resample_rows
from edge_all_calibration.figures.measures import CALIBRATION_BINS, auc, calibration_bins, expected_calibration_error
from edge_all_export.evaluation.metrics import CLASS_NAMES, confusion
from edge_all_export.evaluation.predictions import Predictions
from edge_all_export.evaluation.training_log import TrainingLog

__all__ = [
    "comparison_plots",
    "evaluation_plots",
    "learning_curves",
    "render",
]

ALL_COLOUR, OTHER_COLOUR, BAND_COLOUR, SECOND_COLOUR = (
    f"#{red:02x}{green:02x}{blue:02x}"
    for red, green, blue in (PALETTE[name] for name in ("ALL", "non-ALL", "indeterminate", "candidate"))
)
INK, FAINT, GRID = "#1f2933", "#7b8794", "#e4e7eb"
STYLE = {
    "axes.axisbelow": True,
    "axes.edgecolor": FAINT,
    "axes.grid": True,
    "axes.labelcolor": INK,
    "axes.labelsize": 10,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 11.5,
    "axes.titleweight": "bold",
    "figure.constrained_layout.use": True,
    "figure.facecolor": "white",
    "font.family": "DejaVu Sans",
    "font.size": 9.5,
    "grid.color": GRID,
    "legend.fontsize": 9,
    "legend.frameon": False,
    "lines.linewidth": 1.8,
    "savefig.dpi": 150,
    "svg.fonttype": "path",
    "svg.hashsalt": "edge-all",
    "text.color": INK,
    "xtick.color": FAINT,
    "xtick.labelcolor": INK,
    "ytick.color": FAINT,
    "ytick.labelcolor": INK,
}
SQUARE = (5.2, 4.7)
CURVE_RESAMPLES = 200
"""Draws behind the shaded band of a curve: enough for its eye, the figures in the tables have more."""
CURVE_POINTS = 1001
GOOD_AUC = 0.95
"""From here on all that matters happens in the corner of the ROC, which is drawn larger."""


CURVES = {"loss": "Loss", "accuracy": "Accuracy", "auc": "ROC AUC"}


def render(plot: Plot, form: Literal["svg", "png"]) -> bytes:
    """The file content of a plot; the same plot gives the same bytes."""
    buffer = io.BytesIO()
    with mpl.rc_context(STYLE):
        plot.savefig(buffer, format=form, metadata={"Date": None} if form == "svg" else {"Software": None})
    return buffer.getvalue()


def evaluation_plots(predictions: Predictions, *, cutoff: float, band: Band | None, seed: int) -> dict[str, Plot]:
    """Name -> plot of one set of cells; a plot that needs both classes is left out where one is missing."""
    both = 0 < int(predictions.label.sum()) < len(predictions)
    with mpl.rc_context(STYLE):
        plots = {"roc": _roc(predictions, cutoff, seed)} if both else {}
        if predictions.label.any():
            plots["precision_recall"] = _precision_recall(predictions, cutoff, seed)
        plots["reliability"] = _reliability(predictions)
        plots["confusion"] = _confusion(predictions, cutoff)
        plots["probabilities"] = _probabilities(predictions, cutoff, band)
    return plots


def comparison_plots(
    first: Predictions, second: Predictions, names: tuple[str, str], cutoffs: tuple[float, float]
) -> dict[str, Plot]:
    """Name -> plot of two paired sets of predictions."""
    label = first.label
    both = 0 < int(label.sum()) < len(label)
    sides = list(zip(names, (first, second), (OTHER_COLOUR, SECOND_COLOUR), strict=True))
    plots = {}
    with mpl.rc_context(STYLE):
        if both:
            plots["roc"], axes = _square("ROC", "1 - specificity", "Sensitivity")
            for name, side, colour in sides:
                false_positive, true_positive, _ = roc_curve(label, side.probability)
                axes.plot(false_positive, true_positive, color=colour, label=_short(name))
            axes.plot([0, 1], [0, 1], color=FAINT, linewidth=1, linestyle=":")
            axes.legend(loc="lower right")
        plots["reliability"], axes = _square("Reliability", "Stated probability of ALL", "Observed share of ALL")
        axes.plot([0, 1], [0, 1], color=FAINT, linewidth=1, linestyle=":")
        for name, side, colour in sides:
            count, total, positive = calibration_bins(side.probability, side.label == 1)
            filled = count > 0
            error = expected_calibration_error(side.probability, side.label == 1)
            axes.plot(
                total[filled] / count[filled],
                positive[filled] / count[filled],
                color=colour,
                marker="o",
                markersize=4,
                label=f"{error:.3f}  {_short(name)}",
            )
        axes.legend(loc="upper left", title="Calibration error", alignment="left")
        plots["pairs"] = _pairs(first, second, names, cutoffs)
    return plots


def learning_curves(log: TrainingLog) -> Plot:
    """Training and held-out values by epoch, with a mark where fine-tuning began."""
    columns, epochs = log.columns, log.columns["epoch"]
    shown = [(name, title) for name, title in CURVES.items() if name in columns and f"held_out_{name}" in columns]
    with mpl.rc_context(STYLE):
        plot = Plot(figsize=(4.2 * max(1, len(shown)), 3.6))
        FigureCanvasAgg(plot)
        for place, (name, title) in enumerate(shown, start=1):
            axes = plot.add_subplot(1, len(shown), place)
            axes.set_title(title)
            axes.set_xlabel("Epoch")
            axes.plot(epochs, columns[name], color=FAINT, label="training", marker="o", markersize=3)
            held_out = columns[f"held_out_{name}"]
            axes.plot(epochs, held_out, color=OTHER_COLOUR, label="held out", marker="o", markersize=3)
            if log.head_epochs:
                axes.axvline(log.head_epochs + 0.5, color=INK, linewidth=1, linestyle="--", label="fine-tuning begins")
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
            axes.legend(loc="best")
    return plot


def _square(title: str, x_label: str, y_label: str) -> tuple[Plot, Axes]:
    plot = Plot(figsize=SQUARE)
    FigureCanvasAgg(plot)
    axes = plot.add_subplot()
    axes.set(xlabel=x_label, ylabel=y_label, xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    axes.set_title(title)
    return plot, axes


def _short(name: str) -> str:
    return name if len(name) <= 34 else f"{name[:33]}…"


def _rests_on(predictions: Predictions) -> str:
    return f"{len(predictions)} cells, {len(set(predictions.group))} groups"


def _curve_band(
    predictions: Predictions, seed: int, kind: Literal["roc", "precision_recall"]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]] | None:
    # Pointwise 95 % band over groups, on a common grid of 1 - specificity or of recall.
    grid = np.linspace(0, 1, CURVE_POINTS)
    lines = []
    for rows in resample_rows(predictions.group, CURVE_RESAMPLES, seed):
        label, probability = predictions.label[rows], predictions.probability[rows]
        if not 0 < label.sum() < len(label):
            continue
        if kind == "roc":
            x, y, _ = roc_curve(label, probability)
        else:
            precision, recall, _ = precision_recall_curve(label, probability)
            x, y = recall[::-1], precision[::-1]
        lines.append(np.interp(grid, x, y))
    if len(set(predictions.group)) < 2 or len(lines) < CURVE_RESAMPLES / 2:
        return None
    low, high = np.quantile(np.asarray(lines), [0.025, 0.975], axis=0)
    return grid, low, high


def _roc(predictions: Predictions, cutoff: float, seed: int) -> Plot:
    plot, axes = _square("ROC", "1 - specificity", "Sensitivity")
    label, probability = predictions.label, predictions.probability
    false_positive, true_positive, _ = roc_curve(label, probability)
    band = _curve_band(predictions, seed, "roc")
    if band is not None:
        axes.fill_between(*band, color=ALL_COLOUR, alpha=0.15, linewidth=0, label="95 % band, bootstrap over groups")
    axes.plot([0, 1], [0, 1], color=FAINT, linewidth=1, linestyle=":")
    axes.plot(false_positive, true_positive, color=ALL_COLOUR, label=_rests_on(predictions))
    called = probability >= cutoff
    at = float(called[label == 0].mean()), float(called[label == 1].mean())
    axes.plot(*at, "o", color=INK, markersize=7, markeredgecolor="white", label=f"cut-off {cutoff:g}", zorder=4)
    if auc(probability, label == 1) > GOOD_AUC:
        corner = axes.inset_axes((0.38, 0.3, 0.56, 0.5), xlim=(-0.005, 0.2), ylim=(0.8, 1.005))
        if band is not None:
            corner.fill_between(*band, color=ALL_COLOUR, alpha=0.15, linewidth=0)
        corner.plot(false_positive, true_positive, color=ALL_COLOUR)
        corner.plot(*at, "o", color=INK, markersize=6, markeredgecolor="white", zorder=4)
        corner.tick_params(labelsize=8)
        corner.set_title("upper left corner", fontsize=8.5, fontweight="normal", color=FAINT)
        for line in axes.indicate_inset_zoom(corner, edgecolor=FAINT).connectors or ():
            line.set_visible(False)  # they would cross the diagonal
    axes.legend(loc="lower right")
    return plot


def _precision_recall(predictions: Predictions, cutoff: float, seed: int) -> Plot:
    plot, axes = _square("Precision and recall", "Recall (sensitivity)", "Precision (positive predictive value)")
    label, probability = predictions.label, predictions.probability
    precision, recall, _ = precision_recall_curve(label, probability)
    band = _curve_band(predictions, seed, "precision_recall")
    if band is not None:
        axes.fill_between(*band, color=ALL_COLOUR, alpha=0.15, linewidth=0, label="95 % band, bootstrap over groups")
    share = float(label.mean())
    axes.axhline(share, color=FAINT, linewidth=1, linestyle=":", label=f"chance: {percent(share)} of the cells are ALL")
    axes.plot(recall, precision, color=ALL_COLOUR, label=_rests_on(predictions))
    called = probability >= cutoff
    if called.any():
        at = float(called[label == 1].mean()), float(label[called].mean())
        axes.plot(*at, "o", color=INK, markersize=7, markeredgecolor="white", label=f"cut-off {cutoff:g}", zorder=4)
    axes.legend(loc="lower left")
    return plot


def _reliability(predictions: Predictions) -> Plot:
    plot = Plot(figsize=SQUARE)
    FigureCanvasAgg(plot)
    axes, below = plot.subplots(2, 1, sharex=True, height_ratios=(4, 1))
    count, total, positive = calibration_bins(predictions.probability, predictions.label == 1)
    error = expected_calibration_error(predictions.probability, predictions.label == 1)
    axes.plot([0, 1], [0, 1], color=FAINT, linewidth=1, linestyle=":", label="perfect calibration")
    for cells, stated, hits in zip(count, total, positive, strict=True):
        if cells:
            low, high = wilson_interval(int(hits), int(cells))
            axes.plot([stated / cells] * 2, [low, high], color=ALL_COLOUR, linewidth=1.2, alpha=0.55)
    filled = count > 0
    axes.plot(
        total[filled] / count[filled],
        positive[filled] / count[filled],
        color=ALL_COLOUR,
        marker="o",
        markersize=5,
        label=f"calibration error {error:.3f}, {CALIBRATION_BINS} bins",
    )
    axes.set(ylabel="Observed share of ALL", xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    axes.set_title("Reliability")
    axes.legend(loc="lower right")
    edges = np.linspace(0, 1, CALIBRATION_BINS + 1)
    below.bar(edges[:-1], count, np.diff(edges), align="edge", color=FAINT, alpha=0.6, edgecolor="white")
    below.set(xlabel="Stated probability of ALL (bars: 95 % Wilson interval of the bin)", ylabel="Cells", yscale="log")
    below.set_ylim(bottom=0.7)
    return plot


def _confusion(predictions: Predictions, cutoff: float) -> Plot:
    table = np.asarray(confusion(predictions.label, (predictions.probability >= cutoff).astype(np.int64)))
    totals = table.sum(axis=1, keepdims=True)
    shares = np.divide(table, totals, out=np.zeros(table.shape), where=totals > 0)
    plot = Plot(figsize=SQUARE)
    FigureCanvasAgg(plot)
    axes = plot.add_subplot()
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    axes.set_xticks([0, 1], list(CLASS_NAMES))
    axes.set_yticks([0, 1], [f"{name}\n(n = {total})" for name, total in zip(CLASS_NAMES, totals[:, 0], strict=True)])
    for (row, column), cells in np.ndenumerate(table):
        colour = "white" if shares[row, column] > 0.5 else INK
        axes.text(column, row - 0.05, f"{cells}", ha="center", va="bottom", fontsize=20, color=colour)
        if totals[row, 0]:
            axes.text(
                column, row + 0.06, percent(shares[row, column]), ha="center", va="top", fontsize=11, color=colour
            )
    axes.grid(visible=False)
    axes.set(xlabel=f"Called (cut-off {cutoff:g})", ylabel="Truth")
    axes.set_title("Confusion matrix")
    axes.spines[:].set_visible(False)
    return plot


def _probabilities(predictions: Predictions, cutoff: float, band: Band | None) -> Plot:
    plot = Plot(figsize=SQUARE)
    FigureCanvasAgg(plot)
    axes = plot.add_subplot()
    edges = np.linspace(0, 1, 41)
    if band is not None and band.all_from > band.non_all_below:
        axes.axvspan(
            band.non_all_below, band.all_from, color=BAND_COLOUR, alpha=0.3, linewidth=0, label="indeterminate"
        )
    for truth, colour in ((0, OTHER_COLOUR), (1, ALL_COLOUR)):
        values = predictions.probability[predictions.label == truth]
        axes.hist(
            values,
            bins=edges.tolist(),
            color=colour,
            alpha=0.5,
            edgecolor=colour,
            linewidth=0.8,
            histtype="stepfilled",
            label=f"{CLASS_NAMES[truth]} (n = {len(values)})",
        )
    axes.axvline(cutoff, color=INK, linewidth=1, linestyle="--", label=f"cut-off {cutoff:g}")
    axes.set(xlabel="Probability of ALL", ylabel="Cells (logarithmic)", yscale="log", xlim=(-0.02, 1.02))
    tallest = max(np.histogram(predictions.probability, edges)[0])
    axes.set_ylim(0.7, tallest * 8)  # room for the legend
    axes.set_title("Probabilities")
    axes.legend(loc="upper center", ncols=2)
    return plot


def _pairs(first: Predictions, second: Predictions, names: tuple[str, str], cutoffs: tuple[float, float]) -> Plot:
    plot, axes = _square("Cell by cell", f"{_short(names[0])}: probability", f"{_short(names[1])}: probability")
    axes.axvline(cutoffs[0], color=FAINT, linewidth=1, linestyle="--")
    axes.axhline(cutoffs[1], color=FAINT, linewidth=1, linestyle="--")
    axes.plot([0, 1], [0, 1], color=FAINT, linewidth=1, linestyle=":")
    for truth, colour, marker in ((0, OTHER_COLOUR, "o"), (1, ALL_COLOUR, "^")):
        inside = first.label == truth
        axes.scatter(
            first.probability[inside],
            second.probability[inside],
            s=16,
            color=colour,
            marker=marker,
            alpha=0.55,
            linewidths=0,
            label=f"{CLASS_NAMES[truth]} (n = {int(inside.sum())})",
        )
    axes.legend(loc="upper left")
    return plot
