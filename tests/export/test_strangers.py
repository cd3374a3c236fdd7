"""Which laboratories the others would recognise as strangers."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from edge_all.classification.classifier import Judgement
from edge_all.errors import UsageError
from edge_all.model import store
from edge_all.model.card import Thresholds
from edge_all.model.package import ModelPackage, default_package_path, load_package
from edge_all.results import INTENDED_USE, Cell
from edge_all_calibration.labelled_cells.cells import LabelledCells
from edge_all_export.datasets.samples import Sample
from edge_all_export.evaluation.stranger_verdicts import (
    judged_answers,
    one_set_a_slide,
    refuse_known_cells,
    unseen_laboratories,
    verdicts_table,
)
from edge_all_export.evaluation.strangers import MOST_OF_A_SLIDE, measure_strangers, strangers_table

SIDE = 40
GREY, GREYISH, PEACH = (200, 200, 200), (201, 200, 199), (250, 226, 190)


def laboratory(name: str, light: tuple[int, int, int], seed: int, *, blasts: bool = False) -> LabelledCells:
    """120 crops of 12 slides, a dark disc on a ground of one colour."""
    generator = np.random.default_rng(seed)
    count = 120
    ground = np.array(light) + generator.normal(0, 3, (count, 1, 1, 3))
    row, column = np.mgrid[:SIDE, :SIDE] - SIDE / 2
    nucleus = (np.hypot(row, column) < 8)[None, ..., None]
    crops = np.where(nucleus, ground * generator.normal([0.5, 0.25, 0.7], 0.03, (count, 1, 1, 3)), ground)
    crops = np.clip(crops + generator.normal(0, 3, crops.shape), 0, 255).astype(np.uint8)
    slides = np.array([f"{name}/{index % 12}" for index in range(count)])
    return LabelledCells(
        crops, np.arange(count) % 2 == 0 if blasts else np.zeros(count, bool), slides, slides, np.full(count, name)
    )


def together(*cells: LabelledCells) -> LabelledCells:
    columns = ("crops", "labels", "groups", "slides", "laboratories")
    return LabelledCells(*(np.concatenate([getattr(one, column) for one in cells]) for column in columns))


def test_a_laboratory_of_another_colour_is_a_stranger_and_its_twin_is_none() -> None:
    cells = together(
        laboratory("grey", GREY, 1, blasts=True), laboratory("greyish", GREYISH, 2), laboratory("peach", PEACH, 3)
    )
    found = {row.laboratory: row for row in measure_strangers(cells)}
    assert (found["peach"].slides, found["peach"].cells) == (12, 120)
    assert found["peach"].slides_left_out.value == 1.0
    assert found["peach"].slides_left_out.low < 0.9  # twelve slides prove no certainty
    # Of slides of ten cells one or two of twelve are odd by chance.
    assert max(found["grey"].slides_left_out.value, found["greyish"].slides_left_out.value) < 0.25
    for row in found.values():
        assert row.slides_at_home is not None
        assert row.slides_at_home.value < 0.15
    assert found["grey"].blasts_at_home is not None
    assert found["peach"].blasts_at_home is None
    table = strangers_table(tuple(found.values())).splitlines()
    assert len({line.count("|") for line in table}) == 1
    assert table[-1].startswith("| peach | 120, 12 | 1.00 (")
    known = [dataclasses.replace(row, laboratory="allidb") for row in found.values()]
    assert strangers_table(known).splitlines()[-1].startswith("| ALL-IDB | 120")


def test_what_is_never_to_be_known_describes_nothing() -> None:
    cells = together(laboratory("grey", GREY, 1), laboratory("greyish", GREYISH, 2))
    grey, greyish = measure_strangers(cells, never_known=("greyish",))
    assert grey.slides_left_out.value == 1.0  # nothing else is known
    assert greyish.slides_left_out.value < 0.25
    assert greyish.slides_at_home is None


def test_a_slide_of_many_cells_does_not_outweigh_the_others() -> None:
    one = laboratory("grey", GREY, 1)
    crowded = LabelledCells(one.crops, one.labels, one.groups, np.full(len(one), "one slide"), one.laboratories)
    (row, _) = measure_strangers(together(crowded, laboratory("peach", PEACH, 2)))
    assert (row.cells, row.slides) == (MOST_OF_A_SLIDE, 1)


def cells_of(slides: dict[str, tuple[int, int]]) -> LabelledCells:
    """Cells of one laboratory: so many ALL and other ones of each slide, each slide a group."""
    rows = [
        (slide, blast) for slide, counts in slides.items() for blast in (True, False) for _ in range(counts[not blast])
    ]
    names = np.array([slide for slide, _ in rows])
    crops = np.random.default_rng(0).integers(0, 255, (len(rows), 8, 8, 3), np.uint8)
    return LabelledCells(crops, np.array([blast for _, blast in rows]), names, names, np.full(len(rows), "elsewhere"))


def test_slides_and_cells_of_a_stranger_are_counted_by_what_a_station_says() -> None:
    """A slide of blasts found, one unlike anything known, a healthy one of enough cells, and one of a single cell."""
    cells = cells_of({"found": (40, 0), "unlike": (40, 0), "healthy": (0, 40), "single": (1, 0)})
    said = {"found": (0.99, "ALL", 0.1), "unlike": (0.01, "non-ALL", 0.9), "healthy": (0.01, "non-ALL", 0.1)}
    judgements = [Judgement(*said.get(slide, (0.5, "indeterminate", 0.1))) for slide in cells.slides.tolist()]
    blasts, others = judged_answers("mine", cells, judgements, Thresholds(0.2, 0.8, None, 0.05))
    assert (blasts.truth, blasts.slides, blasts.cells, blasts.groups) == ("ALL", 2, 81, 3)
    assert {name: share.value for name, share in blasts.verdicts.items()} == {
        "suspicious": 0.5,
        "indeterminate": 0.5,
        "not detected": 0.0,
    }
    assert blasts.verdicts["not detected"].high > 0.5  # two groups prove next to nothing
    assert [round(share.value * 81) for share in blasts.labels.values()] == [40, 1, 40]
    assert (others.truth, others.slides, others.verdicts["not detected"].value) == ("non-ALL", 1, 1.0)
    table = verdicts_table((blasts, others)).splitlines()
    assert len({line.count("|") for line in table}) == 1
    assert table[2].startswith("| elsewhere | mine | ALL | 2 | 1: 0.50")
    assert table[3].endswith("| 40: 1.00 (0.21 to 1.00) |")


def test_what_a_second_set_shows_of_a_slide_is_not_counted_twice() -> None:
    cell = Cell(1, (0, 0, 9, 9), (4.0, 4.0), 60, (0, 0, 9, 9), (4.0, 4.0), 50, "candidate", contour=(), glass=None)

    def sample(source: str, slide: str, number: int) -> Sample:
        return Sample(f"{source}/{slide}/{number}", source, slide, slide, 1, Path("none.png"), cell, "blast")

    of_both = [sample("allidb1", "one", number) for number in range(3)] + [sample("allidb2", "one", 0)]
    alone = [sample("allidb2", "two", 0)]
    assert one_set_a_slide([*of_both, *alone]) == of_both[:3] + alone


def never_saw(laboratory: str) -> ModelPackage:
    """The embedded package, as if it had been trained without a laboratory."""
    package = load_package(default_package_path())
    return dataclasses.replace(
        package, card=dataclasses.replace(package.card, training={**package.card.training, "left_out": laboratory})
    )


def test_a_package_judges_what_it_never_saw_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    present = ("folders", "munich", "pbc_lymphocytes")
    assert unseen_laboratories(never_saw("folders"), present, ("pbc_lymphocytes",)) == ["folders", "pbc_lymphocytes"]
    embedded = load_package(default_package_path())
    assert unseen_laboratories(embedded, present, ("pbc_lymphocytes",)) == ["pbc_lymphocytes"]
    with pytest.raises(UsageError, match="names no laboratory of these data"):
        unseen_laboratories(embedded, ("folders", "munich"), ("pbc_lymphocytes",))
    from edge_all_export.evaluation import stranger_verdicts

    cells = cells_of({"one": (3, 0)})
    refuse_known_cells(embedded, cells)
    seen = stranger_verdicts.picture_digests(cells.crops[1:])
    monkeypatch.setattr(stranger_verdicts, "known_cells", lambda _: seen)
    with pytest.raises(UsageError, match="trained on 2 of the 3 cells"):
        refuse_known_cells(embedded, cells)


def folder_of_cells(tmp_path: Path) -> Path:
    """Two patients a class, a cell each."""
    for number, kind in enumerate(("ALL", "non-ALL")):
        for patient in range(2):
            folder = tmp_path / "cells" / kind / f"p{patient}"
            folder.mkdir(parents=True)
            picture = np.full((240, 240, 3), (214, 216, 226), np.uint8)
            cv2.circle(picture, (120, 120), 55 + number, (205, 160, 190), -1)
            cv2.circle(picture, (118, 122), 38, (120, 35 + patient, 80), -1)
            cv2.imwrite(str(folder / "0.png"), picture)
    return tmp_path / "cells"


def test_tensorflow_says_nothing_on_the_terminal(tmp_path: Path) -> None:
    command = [str(Path(sys.executable).with_name("edge-all")), "evaluate", "strangers", "--layout", "folders"]
    quiet = {name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"}
    done = subprocess.run(
        [*command, "--data", str(folder_of_cells(tmp_path))], capture_output=True, text=True, check=True, env=quiet
    )
    assert [line for line in done.stderr.splitlines() if not line.startswith("Reading and segmenting")] == []


def test_the_verb_prints_a_table_or_json(app: typer.Typer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    command = ["evaluate", "strangers", "--data", str(folder_of_cells(tmp_path)), "--layout", "folders"]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0, done.output
    assert INTENDED_USE in done.stdout
    assert "| folders | 4, " in done.stdout
    record = json.loads(CliRunner().invoke(app, [*command, "--json"]).stdout)
    (row,) = record["laboratories"]
    assert row["cells"] == 4
    assert row["cells_left_out"]["value"] == pytest.approx(1.0)  # of four cells nothing is known
    assert record["verdicts"] == []
    package = never_saw("folders")
    monkeypatch.setattr(store, "find_package", lambda _: package)
    judged = CliRunner().invoke(app, [*command, "--package", "mine"])
    assert judged.exit_code == 0, judged.output
    (line,) = (line for line in judged.stdout.splitlines() if line.startswith("| folders | edge-all-inception | ALL |"))
    # Two patients' folders of one cell each are slides of one cell in the class ALL.
    assert "| 2, 2 |" in line
    record = json.loads(CliRunner().invoke(app, [*command, "--package", "mine", "--json"]).stdout)
    assert [row["truth"] for row in record["verdicts"]] == ["ALL", "non-ALL"]
