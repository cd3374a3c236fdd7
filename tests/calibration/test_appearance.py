"""Fitting what laboratories look like: limits from unseen groups, small laboratories, a newcomer, the release."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np

from edge_all.classification.appearance import read_appearance, traits_of
from edge_all.classification.classifier import Classifier
from edge_all.model.card import ModelCard
from edge_all.model.package import load_package
from edge_all.results import RgbImage
from edge_all_calibration.labelled_cells.cells import LabelledCells, load_cells
from edge_all_calibration.probability.appearance import FEWEST_CELLS, fit_appearance, with_laboratory
from edge_all_calibration.probability.left_out_alarms import LeftOutAlarms
from edge_all_calibration.releasing.publishing import embed_package
from edge_all_calibration.releasing.release import CellParts, ReleasePlan, build_release

SIDE = 40


def crops_of(light: tuple[int, int, int], count: int, seed: int) -> RgbImage:
    generator = np.random.default_rng(seed)
    ground = np.array(light) + generator.normal(0, 5, (count, 1, 1, 3))
    row, column = np.mgrid[:SIDE, :SIDE] - SIDE / 2
    nucleus = (np.hypot(row, column) < 8)[None, ..., None]
    crops = np.where(nucleus, ground * generator.normal([0.5, 0.25, 0.7], 0.03, (count, 1, 1, 3)), ground)
    return np.asarray(np.clip(crops + generator.normal(0, 3, crops.shape), 0, 255), np.uint8)


def cells_of(**laboratories: tuple[tuple[int, int, int], int]) -> LabelledCells:
    crops = [crops_of(light, count, seed) for seed, (light, count) in enumerate(laboratories.values())]
    names = np.repeat(list(laboratories), [count for _, count in laboratories.values()])
    groups = np.array([f"{name}/{index % 12}" for index, name in enumerate(names)])
    return LabelledCells(np.concatenate(crops), np.arange(len(names)) % 2 == 0, groups, groups, names)


GREY, PEACH, WHITE = (160, 160, 152), (250, 226, 200), (245, 245, 245)


def test_unseen_cells_of_a_laboratory_are_within_and_strangers_beyond() -> None:
    appearance = fit_appearance(cells_of(grey=(GREY, 150), peach=(PEACH, 150)))
    assert appearance is not None
    assert appearance.laboratories == ("grey", "peach")
    for light in (GREY, PEACH):
        assert (appearance.relative_distances(traits_of(crops_of(light, 100, 9))) > 1).mean() < 0.12
    assert (appearance.relative_distances(traits_of(crops_of(WHITE, 100, 9))) > 1).all()


def test_cells_of_nobody_and_of_too_small_a_laboratory_are_passed_over() -> None:
    appearance = fit_appearance(cells_of(grey=(GREY, 60), peach=(PEACH, FEWEST_CELLS - 1)))
    assert appearance is not None
    assert appearance.laboratories == ("grey",)
    nameless = cells_of(grey=(GREY, 60))
    assert fit_appearance(LabelledCells(nameless.crops, nameless.labels, nameless.groups, nameless.slides)) is None


def test_a_newcomer_is_known_by_few_cells() -> None:
    known = fit_appearance(cells_of(grey=(GREY, 150), peach=(PEACH, 150)))
    wider = with_laboratory(known, "white", traits_of(crops_of(WHITE, 25, 3)))
    assert wider.laboratories == ("grey", "peach", "white")
    assert (wider.relative_distances(traits_of(crops_of(WHITE, 100, 9))) > 1).mean() < 0.1
    again = with_laboratory(wider, "white", traits_of(crops_of(WHITE, 50, 4)))
    assert again.laboratories == wider.laboratories
    alone = with_laboratory(None, "white", traits_of(crops_of(WHITE, 50, 4)))
    assert (alone.relative_distances(traits_of(crops_of(GREY, 50, 9))) > 1).all()


def test_a_release_carries_what_its_laboratories_look_like(
    tmp_path: Path, network: Path, card: ModelCard, parts: CellParts
) -> None:
    training = parts.training
    assert training is not None
    named = dataclasses.replace(training, laboratories=np.full(len(training), "home"))
    folder = tmp_path / "package"
    folder.mkdir()
    build_release(
        folder,
        network,
        card,
        dataclasses.replace(parts, training=named),
        ReleasePlan(("fp32",), left_out=LeftOutAlarms((0.0,), (0.4,))),
    )
    embed_package(folder, tmp_path / "embedded", "fp32")
    for where in (folder, tmp_path / "embedded"):
        package = load_package(where)
        # Verdicts are held against what happens in laboratories that the recipe never saw.
        assert package.card.variants["fp32"].thresholds.false_positive_rate == 0.4
        found = read_appearance(package)
        assert found is not None
        assert found.laboratories == ("home",)
        judged = Classifier(package, device="cpu").judge(255 - parts.test.crops)
        assert {one.label for one in judged} == {"indeterminate"}


def test_a_cell_set_keeps_its_laboratories(tmp_path: Path) -> None:
    cells = cells_of(grey=(GREY, 3), peach=(PEACH, 2))
    columns = {field.name: getattr(cells, field.name) for field in dataclasses.fields(cells)}
    np.savez(tmp_path / "cells.npz", **columns)
    assert load_cells(tmp_path / "cells.npz").laboratories.tolist() == cells.laboratories.tolist()
    assert cells.subset(np.array([0, 4])).laboratories.tolist() == ["grey", "peach"]
