"""The model card in the report: what the model is worth, in words and tables that a technician reads.

A card's evaluation and training are whatever JSON its maker wrote. What edge-all's own commands write is put into words
and translated; the rest stands below, folded, as it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from edge_all.model.card import ModelCard, Variant
from edge_all.model.figures import CardFigures, package_evaluation, package_figures, with_interval
from edge_all.outputs.report.facts import facts
from edge_all.outputs.report.markup import text
from edge_all.wording.laboratories import laboratory_name
from edge_all.wording.language import Language

__all__ = ["model_card"]

_SHARES = frozenset({"sensitivity", "specificity", "indeterminate", "false_positives"})
"""Figures that are shares, shown in per cent; the others are numbers from 0 to 1."""
_LEFT_OUT = "left_out_laboratories"


def model_card(card: ModelCard, variants: set[str], say: Language) -> str:
    """What the package says about itself.

    Args:
        card: of the package; what its maker wrote is shown as it is.
        variants: the precisions that judged.
        say: the reader's language.
    """
    parts = [f"<h3>{say('Model card')}: {text(card.name)} {text(card.version)}</h3>"]
    if card.limitations:
        limitations = "".join(f'<li lang="en">{text(sentence)}</li>' for sentence in card.limitations)
        parts.append(f'<h4>{say("Limitations")}</h4><ul class="limitations">{limitations}</ul>')
    parts.append(f"<h4>{say('How it decides')}</h4>")
    parts += [_decides(variant, say) for name, variant in card.variants.items() if name in variants]
    parts.append('<div class="evaluated">')
    if groups := [group for group in package_figures(card) if not group.name.startswith(_LEFT_OUT.replace("_", " "))]:
        parts.append(f"<h4>{say('How good it is')}</h4>")
        parts += [_group(group, say) for group in groups]
    parts.append(_left_out(card.evaluation.get(_LEFT_OUT), say))
    parts.append(_training(card, say))
    everything = {
        say("architecture"): card.architecture,
        say("created"): card.created,
        say("How good it is"): package_evaluation(card),
        say("What it was trained on"): card.training,
    }
    heading = say("All that the card says, as its maker wrote it")
    parts.append(f'<details><summary>{heading}</summary><div lang="en">{facts(everything)}</div></details></div>')
    return "".join(parts)


def _decides(variant: Variant, say: Language) -> str:
    limits = variant.thresholds
    low, high = (say.figure(f"{end:.3f}") for end in (limits.non_all_below, limits.all_from))
    if low == high:
        words = say(
            "Below a probability of {low} a cell is called non-ALL, from there on ALL; only where it is unlike the "
            "training cells, it is indeterminate.",
            low=low,
        )
    else:
        words = say(
            "Below a probability of {low} a cell is called non-ALL, from {high} on ALL; between them, and where it is "
            "unlike the training cells, it is indeterminate.",
            low=low,
            high=high,
        )
    alarms = say(
        "The verdict allows for {share} of a healthy slide's cells being called ALL.",
        share=say.percent(limits.false_positive_rate),
    )
    return f"<p>{words} {alarms}</p>"


def _group(group: CardFigures, say: Language) -> str:
    """Figures of one set of cells: what each means, its value, and its interval."""
    known = {
        "sensitivity": say("ALL cells called ALL"),
        "specificity": say("other cells called non-ALL"),
        "indeterminate": say("cells left to a person"),
        "auc": say("order of the probabilities (AUC): 1 is perfect, 0.5 is chance"),
        "calibration_error": say("mean error of the probability"),
    }
    rows = [
        (
            known.get(name, name.replace("_", " ")),
            _figure(name, value, say),
            _bounds(name, low, high, say),
        )
        for name, (value, low, high) in group.figures.items()
    ]
    headings = (_cells_of(group, say), say("Figure"), say("95 % interval"))
    return _table(headings, rows)


def _cells_of(group: CardFigures, say: Language) -> str:
    """On which cells figures rest."""
    if group.name.startswith("test figures "):
        name = say("Test cells ({precision})", precision=group.name.removeprefix("test figures ").upper())
    else:
        name = group.name or say("Evaluation")
    if group.cells is None:
        return name
    if group.positive is None:
        return say("{name}: {cells} cells", name=name, cells=group.cells)
    return say("{name}: {cells} cells, {positive} of them ALL", name=name, cells=group.cells, positive=group.positive)


def _left_out(matrix: Any, say: Language) -> str:  # noqa: ANN401 - a card holds whatever JSON can hold
    """What the recipe was worth in laboratories that took no part in training, where the card says so."""
    runs = matrix.get("runs") if isinstance(matrix, Mapping) else None
    rows = list(_rows_of_runs(runs, say)) if isinstance(runs, list) else []
    if not rows:
        return ""
    heading = say("In a laboratory that it never saw")
    words = say(
        "Trained the same way without one laboratory, and judged there at a probability of one half: the nearest to "
        "what another laboratory may expect."
    )
    columns = (
        say("Laboratory"),
        say("Cells"),
        say("of them ALL"),
        say("ALL cells called ALL"),
        say("other cells called ALL"),
        "AUC",
    )
    return f"<h4>{heading}</h4><p>{words}</p>{_table(columns, rows)}"


def _rows_of_runs(runs: Iterable[Any], say: Language) -> Iterator[tuple[str, ...]]:
    for run in runs:
        laboratory = run.get("left_out") if isinstance(run, Mapping) else None
        judged = run.get("judged_on") if laboratory is not None else None
        found = judged.get(laboratory) if isinstance(judged, Mapping) else None
        if isinstance(found, Mapping):
            figures = (_with_bounds(name, found.get(name), say) for name in ("sensitivity", "false_positives", "auc"))
            yield laboratory_name(laboratory), str(found.get("cells", "")), str(found.get("blasts", "")), *figures


def _with_bounds(name: str, value: Any, say: Language) -> str:  # noqa: ANN401 - as above
    figure = with_interval(value)
    if figure is None:
        return ""
    shown, low, high = figure
    return f"{_figure(name, shown, say)} ({_bounds(name, low, high, say)})"


def _figure(name: str, value: Any, say: Language) -> str:  # noqa: ANN401 - as above
    if not isinstance(value, int | float):
        return say("not known")
    return say.percent(value) if name in _SHARES else say.figure(f"{value:.3f}")


def _bounds(name: str, low: Any, high: Any, say: Language) -> str:  # noqa: ANN401 - as above
    if low is None:
        return say("no interval")
    if name in _SHARES and all(isinstance(one, int | float) for one in (low, high)):
        return say.percent_range(low, high)
    return say("{low} to {high}", low=_figure(name, low, say), high=_figure(name, high, say))


def _training(card: ModelCard, say: Language) -> str:
    """On how many cells of which sets it was trained."""
    cells, sets = card.training.get("cells"), card.training.get("data")
    parts = []
    if isinstance(cells, Mapping) and isinstance(cells.get("cells"), int) and isinstance(cells.get("ALL"), int):
        words = say("{cells} cells, {positive} of them ALL.", cells=cells["cells"], positive=cells["ALL"])
        parts.append(f"<p>{words}</p>")
    if isinstance(sets, list) and sets and all(isinstance(one, Mapping) for one in sets):
        headings = (say("Data set"), say("Terms of use"), say("Source"))
        names = ("name", "terms", "citation")
        parts.append(_table(headings, [tuple(str(one.get(name, "")) for name in names) for one in sets], words=True))
    return f"<h4>{say('What it was trained on')}</h4>{''.join(parts)}" if parts else ""


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]], *, words: bool = False) -> str:
    """A table whose first column names its rows.

    Args:
        headings: of the columns.
        rows: a cell for each heading.
        words: whether the cells hold words, which stand at the left, and no figures.
    """
    top = "".join(f'<th scope="col">{text(heading)}</th>' for heading in headings)
    body = "".join(
        f'<tr><th scope="row">{text(first)}</th>{"".join(f"<td>{text(cell)}</td>" for cell in others)}</tr>'
        for first, *others in rows
    )
    kind = "sets" if words else "worth"
    return f'<table class="{kind}"><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>'
