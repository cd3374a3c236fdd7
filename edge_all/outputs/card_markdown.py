"""A model card as a page of Markdown, in the order of Mitchell et al. (FAT* 2019); nothing that is not in the card."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from edge_all.model.card import ModelCard, Variant
from edge_all.model.figures import package_figures, with_interval
from edge_all.wording.laboratories import laboratory_name

__all__ = ["card_markdown"]

_LEFT_OUT = "left_out_laboratories"
_LEFT_OUT_WORDS = _LEFT_OUT.replace("_", " ")
_COLUMNS = ("auc", "slide_auc", "sensitivity", "false_positives")


def card_markdown(card: ModelCard) -> str:
    """The page.

    Args:
        card: of a package.
    """
    others = ", ".join(name for name in card.classes if name != card.positive_class)
    spec, origin = card.preprocessing, card.networks_from
    lies = "" if spec.orientation == "field" else ", one way up"
    networks = [] if origin is None else [("network files", f"those of {card.name} {origin.version}, byte for byte")]
    parts = [
        f"# {card.name} {card.version}",
        f"**{card.intended_use}**",
        "## What it is",
        _table(
            ("", ""),
            [
                ("architecture", card.architecture),
                ("made on", card.created),
                ("tells", f"{card.positive_class} cells from {others}, one cell at a time"),
                ("input", f"{spec.input_size} x {spec.input_size} pixels RGB, {spec.factor:g} nucleus boxes{lies}"),
                *networks,
                ("made with", ", ".join(f"{name} {version}" for name, version in sorted(card.tools.items()))),
            ],
        ),
        "## What it is not for, and its limitations",
        f"Not for diagnosis. {card.intended_use} A person looks at every slide.",
        _list(card.limitations),
        "## Files and thresholds",
        _variants(card.variants),
        "## Trained on",
        *_training(card.training),
        "## How good it is",
        *_figures(card),
        *_outlines(card.outlines),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _variants(variants: Mapping[Any, Variant]) -> str:
    rows = []
    for name, variant in variants.items():
        gate = variant.gate
        limits = variant.thresholds
        rows.append(
            (
                str(name),
                f"`{variant.sha256}`",
                f"{limits.non_all_below:.3f}",
                f"{limits.all_from:.3f}",
                f"{limits.false_positive_rate:.3f}",
                "not gated" if gate is None else "passed" if gate.get("passed") else "NOT passed",
            )
        )
    table = _table(("variant", "SHA-256", "non-ALL below", "ALL from", "false positives allowed for", "gate"), rows)
    near = sorted({variant.thresholds.second_look for variant in variants.values()} - {0.0})
    if not near:
        return table
    within = " or ".join(f"{one:g}" for one in near)
    return (
        f"{table}\n\nA cell whose calibrated logit lies within {within} of a threshold is looked at a second time, "
        "turned by 180 degrees; its probability is that of the mean logit."
    )


def _training(training: Mapping[str, Any]) -> list[str]:
    """Data sets as a table, the rest as a list."""
    data = training.get("data")
    rest = {name: value for name, value in training.items() if name != "data" and not isinstance(value, list)}
    parts = [_list(f"{name.replace('_', ' ')}: {_words(value)}" for name, value in rest.items())]
    if isinstance(data, list) and all(isinstance(one, Mapping) for one in data):
        rows = [(str(one.get("name")), str(one.get("terms", "not stated")), str(one.get("citation"))) for one in data]
        parts.append(_table(("set", "terms", "from"), rows))
    return parts


def _words(value: Any) -> str:  # noqa: ANN401 - a card holds whatever JSON can hold
    if isinstance(value, Mapping):
        return ", ".join(
            f"{name.replace('_', ' ')} {_words(inner)}" for name, inner in value.items() if inner is not None
        )
    return f"{value:,}" if isinstance(value, int) else str(value)


def _figures(card: ModelCard) -> list[str]:
    parts = []
    matrix = card.evaluation.get(_LEFT_OUT)
    if isinstance(matrix, Mapping):
        described = matrix.get("what", "see the card")
        parts.append(f"On laboratories that took no part in training, which is what counts elsewhere; {described}:")
        parts.append(_laboratories(matrix))
    rows = []
    for group in package_figures(card):
        if not group.name.startswith(_LEFT_OUT_WORDS):
            cells = "" if group.cells is None else f"{group.cells:,}"
            positive = "" if group.positive is None else f"{group.positive:,}"
            rows += [
                (group.name, cells, positive, name.replace("_", " "), _interval(figure))
                for name, figure in group.figures.items()
            ]
    if rows:
        described = card.evaluation.get("test_cells_are")
        parts.append(f"On test cells{f': {described}' if isinstance(described, str) else ''}.")
        parts.append(_table(("figures", "cells", "of them ALL", "", "95 % interval"), rows))
    calibrated = card.evaluation.get("calibration_cells_are")
    if isinstance(calibrated, str):
        parts.append(f"Temperature and thresholds are fitted to {calibrated}.")
    return parts


def _outlines(outlines: Mapping[str, Any] | None) -> list[str]:
    """The network that says where cells end, which has a card of its own inside the card."""
    if outlines is None:
        return []
    said = ("file", "sha256", "parameters", "window", "red_cell_pixels", "recipe", "figures")
    sets = outlines.get("trained_on")
    rows = [(laboratory_name(name), *_row(part)) for name, part in sets.items()] if isinstance(sets, Mapping) else []
    return [
        "## The outlines of cells",
        "Where colour cannot decide where a cell ends, a network of its own does, before any cell is judged.",
        _list(f"{name.replace('_', ' ')}: {_words(outlines[name])}" for name in said if name in outlines),
        _table(("trained on", "white cells", "red cells", "from"), rows),
    ]


def _row(part: object) -> tuple[str, ...]:
    """Of one set that outlines were learned from: how many white and red cells, and its source."""
    known = part if isinstance(part, Mapping) else {}
    return tuple(_words(known.get(name)) for name in ("white cells", "red cells", "source"))


def _laboratories(matrix: Mapping[str, Any]) -> str:
    rows = []
    for run in matrix.get("runs", []):
        for laboratory, figures in run["judged_on"].items():
            role = "left out" if run.get("left_out") == laboratory else "held-out cells"
            if run.get("left_out") not in (None, laboratory):
                role = f"without {laboratory_name(run['left_out'])}"
            values = (with_interval(figures.get(name)) for name in _COLUMNS)
            rows.append(
                (
                    laboratory_name(laboratory),
                    role,
                    f"{figures['cells']:,}",
                    *("" if one is None else _interval(one) for one in values),
                )
            )
    headings = ("laboratory", "model", "cells", "AUC of cells", "AUC of slides", "sensitivity", "false positives")
    return _table(headings, sorted(rows, key=lambda row: row[1] != "left out"))


def _interval(figure: Sequence[Any]) -> str:
    value, low, high = (f"{one:.3f}" if isinstance(one, int | float) else "unknown" for one in figure)
    return f"{value} ({low} to {high})"


def _list(entries: Iterable[str]) -> str:
    return "\n".join(f"- {_safe(entry)}" for entry in entries)


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join(f"| {' | '.join(_safe(cell).replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


def _safe(text: str) -> str:
    """One line, without what Markdown would take for a tag: a card may come from anywhere."""
    return " ".join(text.split()).replace("<", "&lt;")
