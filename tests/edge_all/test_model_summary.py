"""The half page about a model, and the figures of a card that it shows."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from edge_all.cli.model import show
from edge_all.cli.model_summary import print_summary
from edge_all.model.card import VariantName
from edge_all.model.figures import card_figures, package_figures
from edge_all.model.gate_limits import USUAL_LIMITS
from edge_all.model.package import ModelPackage, default_package_path, load_package, write_card
from edge_all.wording.laboratories import laboratory_name

EVALUATION: dict[str, Any] = {
    "cross_validation": {
        "cells": 1227,
        "auc": [0.99, 0.983, 0.997],
        "calibration_error_after_temperature": 0.027,
        "folds": {"0": {"cells": 330, "auc": 0.987}},
        "within_ALL-IDB": {"cells": 810, "accuracy": [0.941, 0.919, 0.967]},
    },
    "test_cells": {"cells": 693, "ALL": 29},
    "test_figures_fp32": {
        "sensitivity": {"value": 1.0, "low": 0.883, "high": 1.0},
        "auc": {"value": None, "low": None, "high": None},
    },
}


def test_figures_are_found_with_the_cells_that_they_rest_on() -> None:
    groups = card_figures(EVALUATION)
    assert [(group.name, group.cells, group.positive) for group in groups] == [
        ("cross validation", 1227, None),
        ("cross validation, within ALL-IDB", 810, None),
        ("test figures fp32", 693, 29),
    ]
    assert [group.figures for group in groups] == [
        {"auc": (0.99, 0.983, 0.997)},
        {"accuracy": (0.941, 0.919, 0.967)},
        {"sensitivity": (1.0, 0.883, 1.0), "auc": (None, None, None)},
    ]


def test_figures_of_a_laboratory_have_its_name() -> None:
    figures = {"auc": [0.9, 0.8, 0.95]}
    groups = card_figures({"by_laboratory": {"pbc_lymphocytes": figures, "our_clinic": figures}})
    assert [group.name for group in groups] == ["by laboratory, PBC, lymphocytes", "by laboratory, our clinic"]


def test_a_card_without_figures_has_none() -> None:
    assert card_figures({"note": "none", "draws": [1, 2, 3], "folds": {"0": {"auc": 0.9}}}) == ()


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Makes standard output a terminal of so many columns."""

    def of(columns: int) -> None:
        def console() -> Console:
            return Console(width=columns, force_terminal=True, color_system=None)

        monkeypatch.setattr("edge_all.cli.model_summary.output_console", console)
        monkeypatch.setattr("edge_all.cli.tables.output_console", console)

    return of


def test_into_a_pipe_each_fact_has_a_line_of_its_own(tiny_package: Path, capsys: pytest.CaptureFixture[str]) -> None:
    long = "A sentence of a limitation that goes on and on, " * 6 + "and ends."
    card = dataclasses.replace(load_package(tiny_package).card, evaluation=EVALUATION, limitations=(long, "Short."))
    write_card(tiny_package, card)
    print_summary(load_package(tiny_package))
    lines = capsys.readouterr().out.splitlines()
    assert all(re.fullmatch(r"[\w ,-]+: \S.*\S", line) for line in lines), lines
    for line in (
        "model: tiny 1.0",
        f"path: {tiny_package}",
        "cross validation, AUC: 0.990 (0.983 to 0.997)",
        "test figures fp32, cells: 693 cells, 29 of them ALL",
        "test figures fp32, sensitivity: 1.000 (0.883 to 1.000)",
        f"known limitation: {long}",
        "known limitation: Short.",
    ):
        assert lines.count(line) == 1, line
    assert any(line.startswith("fp32, ALL from: 0.") for line in lines)


def test_the_summary_says_each_figure_with_its_interval_and_its_cells(
    tiny_package: Path, terminal: Callable[[int], None], capsys: pytest.CaptureFixture[str]
) -> None:
    terminal(200)
    write_card(tiny_package, dataclasses.replace(load_package(tiny_package).card, evaluation=EVALUATION))
    print_summary(load_package(tiny_package))
    output = capsys.readouterr().out
    for words in (
        "tiny 1.0",
        "cross validation (1227 cells): AUC 0.990 (0.983 to 0.997)",
        "test figures fp32 (693 cells, 29 of them ALL): sensitivity 1.000 (0.883 to 1.000), AUC unknown",
        "Made for tests.",
    ):
        assert words in output


def gate_report(**limits: float) -> dict[str, Any]:
    """A gate that was passed, with other limits for the checks that are named."""
    named = {name.replace("_", " "): limit for name, limit in limits.items()}
    return {
        "passed": True,
        "cells": {"cells": 120, "ALL": 40},
        "checks": {name: {"limit": named.get(name, usual)} for name, usual in USUAL_LIMITS.items()},
        "variant": {"sensitivity": {"value": 0.9, "low": 0.8, "high": 0.95}},
    }


@pytest.mark.parametrize(
    ("gate", "words"),
    [
        (gate_report(), "passed on 120 cells"),
        (gate_report(label_agreement=0.5), "passed on 120 cells, with weaker limits: label agreement 0.5"),
        (gate_report(label_agreement=0.999), "passed on 120 cells, with stricter limits: label agreement 0.999"),
        (
            gate_report(sensitivity_lost=0.2, differing_slide_verdicts=3, AUC_difference=0.001),
            (
                "passed on 120 cells, with weaker limits: sensitivity lost 0.2, differing slide verdicts 3, "
                "with stricter limits: AUC difference 0.001"
            ),
        ),
    ],
)
def test_the_summary_says_with_which_limits_a_gate_was_passed(
    tiny_package_factory: Callable[..., Path],
    terminal: Callable[[int], None],
    capsys: pytest.CaptureFixture[str],
    gate: dict[str, Any],
    words: str,
) -> None:
    terminal(250)
    print_summary(gated(tiny_package_factory(variants=("fp32", "int8")), gate))
    # Lines of a folded cell follow each other once the frame is gone.
    assert f"{words} " in re.sub(r"[│\s]+", " ", capsys.readouterr().out)


def gated(folder: Path, gate: dict[str, Any], **changes: Any) -> ModelPackage:  # noqa: ANN401
    """A package with this gate for its INT8."""
    card = load_package(folder).card
    int8 = dataclasses.replace(card.variants["int8"], gate=gate)
    write_card(folder, dataclasses.replace(card, variants={**card.variants, "int8": int8}, **changes))
    return load_package(folder)


@pytest.mark.parametrize("variants", [("fp32", "int8"), ("int8",)])
def test_test_figures_are_those_of_the_variants_in_the_package(
    tiny_package_factory: Callable[..., Path], variants: tuple[VariantName, ...]
) -> None:
    package = gated(tiny_package_factory(variants=variants), gate_report(), evaluation=EVALUATION)
    groups = {group.name: group for group in package_figures(package.card)}
    assert ("test figures fp32" in groups) == ("fp32" in variants)
    assert (groups["test figures int8"].cells, groups["test figures int8"].positive) == (120, 40)
    assert groups["test figures int8"].figures == {"sensitivity": (0.9, 0.8, 0.95)}
    assert "cross validation" in groups


def test_the_whole_card_tells_of_the_network_of_the_outlines(capsys: pytest.CaptureFixture[str]) -> None:
    show(full=True)
    output = capsys.readouterr().out
    outlines = load_package(default_package_path()).card.outlines
    assert outlines is not None
    named = [laboratory_name(name) for name in outlines["trained_on"]]
    assert all(name in output for name in named)
    assert "ALL-IDB" in named
    assert "allidb" not in output


def test_the_summary_of_the_embedded_model_is_half_a_page_with_every_limitation(
    terminal: Callable[[int], None], capsys: pytest.CaptureFixture[str]
) -> None:
    terminal(80)
    package = load_package(default_package_path())
    print_summary(package)
    output = capsys.readouterr().out
    assert len(output.splitlines()) <= 50
    assert "…" not in output
    gate = package.card.variants["int8"].gate
    assert gate is not None
    assert f"test figures int8 ({gate['cells']['cells']} cells, {gate['cells']['ALL']} of them ALL)" in output
    assert "fp32" not in output
    words = " ".join(output.split())
    for sentence in (*package.card.limitations, package.card.intended_use):
        assert sentence in words
