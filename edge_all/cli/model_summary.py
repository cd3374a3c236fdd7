"""A model card on half a page: what decides whether to use the model, and what not to trust it with."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from edge_all.cli.tables import ReadableTable, output_console
from edge_all.cli.terminal import harmless
from edge_all.model.card import ModelCard, Variant
from edge_all.model.figures import CardFigures, package_figures
from edge_all.model.gate_limits import other_limits
from edge_all.model.package import ModelPackage
from edge_all.model.trust import signature_state

__all__ = ["print_summary"]

_VARIANT_HEADINGS = ("variant", "MB", "non-ALL below", "ALL from", "gate")
_MORE = "Training data, folds, checks of the gate and all else: --full; for programs: --json"


def print_summary(package: ModelPackage) -> None:
    """Print what a model is, for and not for, its input, variants, key figures and known limitations.

    On a terminal half a page of tables and paragraphs; into a pipe or a file a line for each fact, ``name: fact``,
    however long, so that nothing is broken and each can be found.
    """
    console = output_console()
    if not console.is_terminal:
        for name, fact in _lines(package):
            console.print(Text(f"{name}: {harmless(fact, terminal=False)}"))
        return
    console.print(Text(f"{package.card.name} {package.card.version}", style="bold"))
    console.print(Text(str(package.path)))
    facts = Table.grid(padding=(0, 2))
    for name, words in _facts(package):
        facts.add_row(Text(name, style="cyan"), Text(words))
    console.print(facts)
    _variants(package).print()
    groups = package_figures(package.card)
    _print_part(console, "Figures, with their 95 % intervals", [_figures(group) for group in groups])
    _print_part(console, "Known limitations", [Text(sentence) for sentence in package.card.limitations])
    console.print(Text(_MORE))


def _facts(package: ModelPackage) -> tuple[tuple[str, str], ...]:
    """What the model is for, and how it sees."""
    card = package.card
    others = ", ".join(name for name in card.classes if name != card.positive_class)
    side, factor = card.preprocessing.input_size, card.preprocessing.factor
    return (
        ("for", f"telling {card.positive_class} cells from {others} in images of stained blood smears"),
        ("not for", f"diagnosis. {card.intended_use}"),
        ("network", f"{card.architecture}, of {card.created}"),
        ("signature", signature_state(package).words),
        ("input", f"{side} x {side} pixels, a square {factor:g} times as wide as the nucleus"),
    )


def _lines(package: ModelPackage) -> Iterator[tuple[str, str]]:
    """All that the summary says, a fact at a time."""
    yield "model", f"{package.card.name} {package.card.version}"
    yield "path", str(package.path)
    yield from _facts(package)
    for heading, *cells in _variant_rows(package):
        yield from ((f"{heading}, {name}", cell) for name, cell in zip(_VARIANT_HEADINGS[1:], cells, strict=True))
    for group in package_figures(package.card):
        yield f"{group.name or 'evaluation'}, cells", _cells(group)
        yield from ((f"{group.name or 'evaluation'}, {name}", figure) for name, figure in _each_figure(group))
    yield from (("known limitation", sentence) for sentence in package.card.limitations)
    yield "more", _MORE


def _variants(package: ModelPackage) -> ReadableTable:
    table = ReadableTable(*_VARIANT_HEADINGS, fold=("gate",))
    for row in _variant_rows(package):
        table.add_row(*row)
    return table


def _variant_rows(package: ModelPackage) -> Iterator[tuple[str, ...]]:
    for name, variant in package.card.variants.items():
        yield (
            name,
            f"{package.variant_file(name).stat().st_size / 1e6:.1f}",
            f"{variant.thresholds.non_all_below:.3f}",
            f"{variant.thresholds.all_from:.3f}",
            _gate_words(name, variant, package.card),
        )


def _gate_words(name: str, variant: Variant, card: ModelCard) -> str:
    """What the release gate said; FP32 is what the others are held against."""
    gate = variant.gate
    if gate is None:
        return "the reference" if name == "fp32" and len(card.variants) > 1 else "not gated"
    cells: Any = gate.get("cells")
    on = f" on {cells['cells']} cells" if isinstance(cells, dict) and "cells" in cells else ""
    words = f"{'passed' if gate.get('passed') else 'NOT passed'}{on}"
    for kind, limits in zip(("weaker", "stricter"), other_limits(gate), strict=True):
        if limits:
            listed = ", ".join(f"{check} {limit}" for check, limit in limits.items())
            words += f", with {kind} limits: {listed}"
    return words


def _figures(group: CardFigures) -> Text:
    figures = ", ".join(f"{name} {figure}" for name, figure in _each_figure(group))
    return Text(f"{group.name or 'evaluation'} ({_cells(group)}): {figures}")


def _cells(group: CardFigures) -> str:
    """On how many cells figures rest."""
    counted = "cells not counted" if group.cells is None else f"{group.cells} cells"
    return counted if group.positive is None else f"{counted}, {group.positive} of them ALL"


def _each_figure(group: CardFigures) -> Iterator[tuple[str, str]]:
    for name, (value, low, high) in group.figures.items():
        shown = "AUC" if name == "auc" else name.replace("_", " ")
        interval = "no interval" if low is None else f"{_number(low)} to {_number(high)}"
        yield shown, f"{_number(value)} ({interval})"


def _number(value: object) -> str:
    return f"{value:.3f}" if isinstance(value, int | float) else "unknown"


def _print_part(console: Console, title: str, entries: list[Text]) -> None:
    """A title with a list below it, the lines of an entry set in; nothing for no entries."""
    if not entries:
        return
    console.print(Text(title, style="cyan"))
    items: list[RenderableType] = []
    for entry in entries:
        line = Table.grid(padding=(0, 1))
        line.add_row("-", entry)
        items.append(Padding(line, (0, 0, 0, 2), expand=False))
    console.print(*items, sep="")
