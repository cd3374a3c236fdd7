from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest

from edge_all.classification.classifier import Classifier
from edge_all.classification.second_look import SECOND_LOOK
from edge_all.classification.verification import check_networks
from edge_all.errors import InputNotFoundError, UsageError
from edge_all.model.card import NetworkOrigin
from edge_all.model.figures import card_figures
from edge_all.model.package import load_package
from edge_all.preprocessing import PreprocessingSpec
from edge_all_calibration.gating.release_gate import GateCells, GateLimits, figures_json
from edge_all_calibration.labelled_cells.cell_folder import read_cells
from edge_all_calibration.labelled_cells.cells import LabelledCells
from edge_all_calibration.probability.operating_points import OperatingPolicy
from edge_all_calibration.releasing.publishing import PackageName, embed_package
from edge_all_calibration.releasing.recalibration import gate_package, judge_package, package_figures, recalibrate
from edge_all_calibration.releasing.release import CellParts, Release

SPEC = PreprocessingSpec(32, 2.0)


def test_a_gate_on_new_cells_agrees_with_that_of_the_release(released: tuple[Path, Release], parts: CellParts) -> None:
    reports = gate_package(load_package(released[0]), parts.test, GateLimits())
    assert [report.variant for report in reports] == ["fp16", "int8"]
    for report in reports:
        assert report.to_json() == released[1].card.variants[report.variant].gate  # type: ignore[index]


def test_calibration_decides_as_the_station_does_also_of_what_is_foreign(
    released: tuple[Path, Release], parts: CellParts
) -> None:
    package = load_package(released[0])
    foreign = np.roll(255 - parts.test.crops, 1, axis=3)
    cells = dataclasses.replace(
        parts.test,
        crops=np.concatenate([parts.test.crops, foreign]),
        labels=np.tile(parts.test.labels, 2),
        groups=np.tile(parts.test.groups, 2),
        slides=np.tile(parts.test.slides, 2),
    )
    for variant, (decisions, _) in judge_package(package, cells).items():
        station = Classifier(package, variant=variant, device="cpu").judge(cells.crops)
        assert decisions.label.tolist() == [one.label for one in station]
        assert decisions.probability == pytest.approx([one.probability for one in station], abs=1e-9)
        assert package.card.variants[variant].thresholds.second_look == SECOND_LOOK
        beyond = [one for one in station if one.out_of_distribution is not None and one.out_of_distribution > 1]
        assert len(beyond) >= len(foreign), "foreign cells that pass for known ones would prove nothing"
        assert any(not 0.1 < one.probability < 0.9 for one in beyond), "nor would those that are undecided anyway"


def test_a_package_without_fp32_cannot_be_gated(
    tmp_path: Path, released: tuple[Path, Release], parts: CellParts
) -> None:
    embed_package(released[0], tmp_path / "int8")
    lone = load_package(tmp_path / "int8")
    with pytest.raises(UsageError, match="compares variants with FP32"):
        gate_package(lone, parts.test, GateLimits())
    # Its own figures are known all the same, and are those that the gate saw.
    gate = released[1].card.variants["int8"].gate
    assert gate is not None
    assert figures_json(package_figures(lone, parts.test)["int8"]) == gate["variant"]


def test_an_embedded_package_is_gated_by_the_fp32_of_the_exported_one(
    tmp_path: Path, released: tuple[Path, Release], parts: CellParts
) -> None:
    embed_package(released[0], tmp_path / "int8")
    lone, whole = load_package(tmp_path / "int8"), load_package(released[0])
    (report,) = gate_package(lone, parts.test, GateLimits(), reference=whole)
    assert report.to_json() == released[1].card.variants["int8"].gate
    other = dataclasses.replace(whole, card=dataclasses.replace(whole.card, version="2.0"))
    with pytest.raises(UsageError, match="same model"):
        gate_package(lone, parts.test, GateLimits(), reference=other)


def test_recalibration_changes_the_card_and_no_network(
    tmp_path: Path, released: tuple[Path, Release], draw: Callable[..., LabelledCells]
) -> None:
    package = load_package(released[0])
    ours, test = draw(range(60, 70)), draw(range(70, 80))
    reports = recalibrate(package, tmp_path, ours, OperatingPolicy("sensitivity", 0.98), gate=GateCells(test))
    again = load_package(tmp_path)
    assert [report.variant for report in reports] == ["fp16", "int8"]
    for name, variant in again.card.variants.items():
        assert variant.sha256 == package.card.variants[name].sha256
        assert variant.thresholds != package.card.variants[name].thresholds
    assert again.card.evaluation["recalibrated_on"]["cells"] == len(ours)
    assert again.card.variants["int8"].gate == reports[1].to_json()
    # What `model show` says of these figures: on how many cells they rest.
    (figures,) = (one for one in card_figures(again.card.evaluation) if one.name == "recalibrated test figures")
    assert (figures.cells, figures.positive) == (len(test), int(test.labels.sum()))


def test_recalibrating_under_a_new_name_renames_the_networks_too(
    tmp_path: Path, released: tuple[Path, Release], draw: Callable[..., LabelledCells]
) -> None:
    package = load_package(released[0])
    # As if its networks were those of an earlier version; a new name is written into the files, and they are its own.
    borrowed = NetworkOrigin("6", package.card.preprocessing.to_json())
    package = dataclasses.replace(package, card=dataclasses.replace(package.card, networks_from=borrowed))
    recalibrate(package, tmp_path, draw(range(60, 70)), OperatingPolicy(), named=PackageName("ours", "7"))
    again = load_package(tmp_path)
    assert (again.card.name, again.card.version, again.card.networks_from) == ("ours", "7", None)
    check_networks(again)
    for name in package.card.variants:
        old, new = (onnx.load(one.variant_file(name)) for one in (package, again))
        assert old.graph == new.graph


def test_a_package_of_int8_alone_can_be_recalibrated(
    tmp_path: Path, released: tuple[Path, Release], draw: Callable[..., LabelledCells]
) -> None:
    embed_package(released[0], tmp_path / "int8")
    (tmp_path / "ours").mkdir()
    reports = recalibrate(load_package(tmp_path / "int8"), tmp_path / "ours", draw(range(60, 70)), OperatingPolicy())
    assert reports == ()
    found = load_package(tmp_path / "ours").card.variants["int8"]
    assert found.gate is None
    assert found.thresholds.second_look == SECOND_LOOK


def test_cells_that_calibrate_do_not_test(
    tmp_path: Path, released: tuple[Path, Release], draw: Callable[..., LabelledCells]
) -> None:
    with pytest.raises(UsageError, match="share 1 group"):
        recalibrate(
            load_package(released[0]),
            tmp_path,
            draw(range(60, 70)),
            OperatingPolicy(),
            gate=GateCells(draw(range(69, 75))),
        )


def test_too_few_cells_for_the_gate_are_refused_at_once(
    tmp_path: Path, released: tuple[Path, Release], draw: Callable[..., LabelledCells]
) -> None:
    steps: list[str] = []
    with pytest.raises(UsageError, match="12 cells prove nothing"):
        recalibrate(
            load_package(released[0]),
            tmp_path,
            draw(range(60, 70)),
            OperatingPolicy(),
            gate=GateCells(draw(range(71, 72))),
            progress=steps.append,
        )
    assert steps == []


def test_cells_that_contradict_the_network_do_not_recalibrate_it(
    tmp_path: Path, released: tuple[Path, Release], draw: Callable[..., LabelledCells]
) -> None:
    cells = draw(range(60, 70))
    swapped = dataclasses.replace(cells, labels=~cells.labels)
    with pytest.raises(UsageError, match="do not fit the network"):
        recalibrate(load_package(released[0]), tmp_path, swapped, OperatingPolicy())
    assert list(tmp_path.iterdir()) == []


def test_cells_of_another_size_are_refused(released: tuple[Path, Release]) -> None:
    other = LabelledCells(
        np.zeros((2, 16, 16, 3), np.uint8), np.array([True, False]), np.array(["a", "b"]), np.array(["a", "b"])
    )
    with pytest.raises(UsageError, match="16 pixels"):
        gate_package(load_package(released[0]), other, GateLimits(cells=2))


def write_cell(file: Path) -> None:
    """A purple nucleus on pale ground, soft enough to look like a picture."""
    file.parent.mkdir(parents=True, exist_ok=True)
    picture = np.full((160, 160, 3), (232, 224, 230), np.uint8)
    cv2.circle(picture, (80, 80), 42, (200, 180, 215), -1)
    cv2.circle(picture, (80, 80), 32, (105, 50, 140), -1)
    picture = cv2.GaussianBlur(picture, (5, 5), 0)
    grain = np.random.default_rng(0).normal(0, 3, picture.shape)
    picture = np.clip(picture + grain, 0, 255).astype(np.uint8)
    cv2.imwrite(str(file), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))


def test_a_folder_of_pictures_is_read_by_class_and_patient(tmp_path: Path) -> None:
    for name in ("ALL/anna/1.png", "ALL/anna/2.png", "ALL/lone.png", "non-ALL/anna/3.png", "non-ALL/lone.png"):
        write_cell(tmp_path / name)
    (tmp_path / "ALL" / "anna" / "broken.png").write_bytes(b"no picture")
    empty = np.random.default_rng(0).integers(222, 238, (160, 160, 3), dtype=np.uint8)
    cv2.imwrite(str(tmp_path / "ALL" / "empty.png"), empty)
    skipped: list[str] = []
    cells = read_cells(tmp_path, SPEC, lambda path, _: skipped.append(path.name))
    assert sorted(zip(cells.labels.tolist(), cells.groups.tolist(), strict=True)) == [
        (False, "anna"),
        (False, "non-ALL/lone.png"),
        (True, "ALL/lone.png"),
        (True, "anna"),
        (True, "anna"),
    ]
    assert cells.crops.shape == (5, 32, 32, 3)
    assert sorted(skipped) == ["broken.png", "empty.png"]


def test_a_folder_of_another_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="ALL and non-ALL"):
        read_cells(tmp_path, SPEC, lambda *_: None)
    for name in ("ALL", "non-ALL"):
        (tmp_path / name).mkdir()
    with pytest.raises(InputNotFoundError, match="could be used"):
        read_cells(tmp_path, SPEC, lambda *_: None)
