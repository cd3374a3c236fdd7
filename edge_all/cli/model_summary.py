"""A model card on half a page: what decides whether to use the model, and what not to trust it with."""

from __future__ import annotations

from typing import Any

from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from edge_all.cli.tables import ReadableTable, output_console
from edge_all.model.card import ModelCard, Variant
from edge_all.model.figures import CardFigures, package_figures
from edge_all.model.gate_limits import other_limits
from edge_all.model.package import ModelPackage
from edge_all.model.trust import signature_state

__all__ = ["print_summary"]


def print_summary(package: ModelPackage) -> None:
    """Print what a model is, for and not for, its input, variants, key figures and known limitations."""
    card = package.card
    others = ", ".join(name for name in card.classes if name != card.positive_class)
    side, factor = card.preprocessing.input_size, card.preprocessing.factor
    console = output_console()
    console.print(Text(f"{card.name} {card.version}", style="bold"))
    console.print(Text(str(package.path)))
    facts = Table.grid(padding=(0, 2))
    for name, words in (
        ("for", f"telling {card.positive_class} cells from {others} in images of stained blood smears"),
        ("not for", f"diagnosis. {card.intended_use}"),
        ("network", f"{card.architecture}, of {card.created}"),
        ("signature", signature_state(package).words),
        ("input", f"{side} x {side} pixels, a square {factor:g} times as wide as the nucleus"),
    ):
        facts.add_row(Text(name, style="cyan"), Text(words))
    console.print(facts)
    _variants(package).print()
    groups = package_figures(card)
    _print_part(console, "Figures, with their 95 % intervals", [_figures(group) for group in groups])
    _print_part(console, "Known limitations", [Text(sentence) for sentence in card.limitations])
    console.print(Text("Training data, folds, checks of the gate and all else: --full; for programs: --json"))


def _variants(package: ModelPackage) -> ReadableTable:
    table = ReadableTable("variant", "MB", "non-ALL below", "ALL from", "gate", fold=("gate",))
    for name, variant in package.card.variants.items():
        table.add_row(
            name,
            f"{package.variant_file(name).stat().st_size / 1e6:.1f}",
            f"{variant.thresholds.non_all_below:.3f}",
            f"{variant.thresholds.all_from:.3f}",
            _gate_words(name, variant, package.card),
        )
    return table


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
    rest = "cells not counted" if group.cells is None else f"{group.cells} cells"
    if group.positive is not None:
        rest += f", {group.positive} of them ALL"
    figures = (
        f"{'AUC' if name == 'auc' else name.replace('_', ' ')} {_number(value)} ({_number(low)} to {_number(high)})"
        for name, (value, low, high) in group.figures.items()
    )
    return Text(f"{group.name or 'evaluation'} ({rest}): {', '.join(figures)}")


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
