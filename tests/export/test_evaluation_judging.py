"""From samples and a model to predictions."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from edge_all.classification.classifier import Judgement
from edge_all.errors import InputError, ModelIncompatibleError, UsageError
from edge_all.model.card import Thresholds
from edge_all.preprocessing import PreprocessingSpec
from edge_all.results import Cell, ModelIdentity, ProviderReport
from edge_all_export.datasets import Sample
from edge_all_export.evaluation import judging
from edge_all_export.run_folder import TrainingRunFolder

CELL = Cell(1, (0, 0, 40, 40), (20.0, 20.0), 1600, (0, 0, 40, 40), (20.0, 20.0), 1600, "candidate", contour=())


@pytest.fixture
def samples(tmp_path: Path) -> list[Sample]:
    """Six whole-image samples of two blocks, ALL ones dark, non-ALL ones pale."""
    made = []
    for number in range(6):
        image = tmp_path / f"{number}.png"
        grain = np.random.default_rng(number).integers(-20, 21, (40, 40, 3))
        cv2.imwrite(str(image), (grain + (60 if number % 2 else 200)).astype(np.uint8))
        made.append(
            Sample(
                id=f"set/{number}",
                source="set/part",
                group=f"field {number // 2}",
                block=f"block {number // 4}",
                label=1 if number % 2 else 0,
                image=image,
                cell=CELL,
                kind="cell",
            )
        )
    return made


class Darkness:
    """Stands in for the runtime's classifier: the darker the crop, the likelier ALL."""

    identity = ModelIdentity("tiny", "1.0", "int8", "0" * 64, "c4")
    provider = ProviderReport("auto", "CPUExecutionProvider", "no other is installed", 1)
    spec = PreprocessingSpec(32, 2.0)
    thresholds = Thresholds(0.3, 0.7, 50.0, 0.04)

    def __init__(self, training: dict[str, object], distance: float | None = 0.5) -> None:
        self.card = SimpleNamespace(training=training)
        self.distance = distance

    def judge(self, crops: np.ndarray) -> tuple[Judgement, ...]:
        return tuple(Judgement(1 - float(crop.mean()) / 255, "ALL", self.distance) for crop in crops)


def test_a_package_is_judged_with_its_own_band_and_score(
    samples: list[Sample], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(judging, "CHUNK", 4)
    progress: list[int] = []
    found = judging.judge_with_classifier(Darkness({"data": "other"}), samples, progress.append)  # type: ignore[arg-type]
    assert progress == [4, 2]
    assert found.predictions.sample == tuple(sample.id for sample in samples)
    assert found.predictions.probability == pytest.approx([1 - 200 / 255, 1 - 60 / 255] * 3, abs=0.01)
    assert found.predictions.group == ("block 0",) * 4 + ("block 1",) * 2
    assert found.predictions.slide == tuple(sample.group for sample in samples)
    assert found.predictions.out_of_distribution == pytest.approx([0.5] * 6)
    assert found.band is not None
    assert (found.band.non_all_below, found.band.all_from, found.band.false_positive_rate) == (0.3, 0.7, 0.04)
    assert found.name == "tiny 1.0 (int8)"
    assert "CPUExecutionProvider" in found.model["Execution provider"]
    assert found.notes == ()


@pytest.mark.parametrize("chunk", [2, 256])
def test_blocks_that_show_the_same_cell_are_one_to_a_package_too(
    unlike: list[Sample], monkeypatch: pytest.MonkeyPatch, chunk: int
) -> None:
    monkeypatch.setattr(judging, "CHUNK", chunk)
    shutil.copyfile(unlike[1].image, unlike[4].image)
    found = judging.judge_with_classifier(Darkness({}), unlike, lambda _: None)  # type: ignore[arg-type]
    assert found.predictions.group == ("block 0", "block 1", "block 2", "block 3", "block 1", "block 5")
    # As the blocks of a run are, so that the two can be compared.
    left, _ = judging.unseen_samples(record(unlike[0].image.parent, ["block 2"]), unlike, SPEC)
    assert [sample.block for sample in left] == [group for group in found.predictions.group if group != "block 2"]


def test_a_package_without_a_score_has_none(samples: list[Sample]) -> None:
    found = judging.judge_with_classifier(Darkness({}, None), samples, lambda _: None)  # type: ignore[arg-type]
    assert found.predictions.out_of_distribution is None


def test_data_that_the_card_names_in_training_are_pointed_out(samples: list[Sample]) -> None:
    model = Darkness({"data_sets": [{"name": "set", "cells": 6}]})
    found = judging.judge_with_classifier(model, samples, lambda _: None)  # type: ignore[arg-type]
    assert len(found.notes) == 1
    assert "names set in its training" in found.notes[0]


SPEC = PreprocessingSpec(32, 2.0)


@pytest.fixture
def unlike(samples: list[Sample]) -> list[Sample]:
    """The samples with pictures of which no two are copies, each in a block of its own."""
    for number, sample in enumerate(samples):
        cv2.imwrite(str(sample.image), np.random.default_rng(number).integers(0, 255, (40, 40, 3), np.uint8))
    return [
        dataclasses.replace(sample, group=f"field {number}", block=f"block {number}")
        for number, sample in enumerate(samples)
    ]


def record(folder: Path, blocks: list[str], names: list[str] | None = None) -> TrainingRunFolder:
    run = TrainingRunFolder(folder)
    sides = {"train": {"blocks": blocks, "samples": names or []}, "held_out": {"blocks": [], "samples": []}}
    run.split.write_text(json.dumps(sides))
    return run


def test_cells_of_blocks_that_were_trained_on_are_left_out(unlike: list[Sample], tmp_path: Path) -> None:
    split = record(tmp_path, ["block 0", "block 3"])
    left, notes = judging.unseen_samples(split, unlike, SPEC)
    assert [sample.block for sample in left] == ["block 1", "block 2", "block 4", "block 5"]
    assert "2 cell(s)" in notes[0]


def test_a_block_that_training_joined_to_another_is_no_unseen_one(unlike: list[Sample], tmp_path: Path) -> None:
    """Blocks 4 and 1 show one cell: training makes them block 1, and block 4 is nowhere in its record."""
    shutil.copyfile(unlike[1].image, unlike[4].image)
    left, _ = judging.unseen_samples(record(tmp_path, ["block 1", "block 2"]), unlike, SPEC)
    assert [sample.id for sample in left] == ["set/0", "set/3", "set/5"]
    # Held out, they are one block here as they were there; and the name alone tells, should its first block be missing.
    left, _ = judging.unseen_samples(record(tmp_path, ["block 2"]), unlike, SPEC)
    assert [sample.block for sample in left] == ["block 0", "block 1", "block 3", "block 1", "block 5"]
    by_name = record(tmp_path, ["block 1", "block 2"], ["set/1", "set/2", "set/4"])
    left, _ = judging.unseen_samples(by_name, [*unlike[:1], *unlike[3:]], SPEC)
    assert [sample.id for sample in left] == ["set/0", "set/3", "set/5"]


def test_nothing_unseen_is_an_error_and_no_split_is_said(unlike: list[Sample], tmp_path: Path) -> None:
    run = TrainingRunFolder(tmp_path)
    left, notes = judging.unseen_samples(run, unlike, SPEC)
    assert len(left) == 6
    assert "may be among these" in notes[0]
    record(run.path, [sample.block for sample in unlike])
    with pytest.raises(UsageError, match="every block"):
        judging.unseen_samples(run, unlike, SPEC)
    run.split.write_text("{")
    with pytest.raises(InputError, match=r"split\.json does not say"):
        judging.unseen_samples(run, unlike, SPEC)


def test_the_gallery_holds_what_was_wanted(samples: list[Sample]) -> None:
    found = judging.gallery_images(samples, ["set/1", "set/4"], PreprocessingSpec(32, 2.0, "blank"))
    assert set(found) == {"set/1", "set/4"}
    assert found["set/1"].shape == (judging.GALLERY_SIDE, judging.GALLERY_SIDE, 3)
    assert found["set/1"].mean() == pytest.approx(60, abs=1)
    assert judging.gallery_images(samples, [], PreprocessingSpec(32, 2.0)) == {}


@pytest.mark.training
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras's own
def test_a_keras_model_is_judged_by_its_own_probabilities(samples: list[Sample], tmp_path: Path) -> None:
    import keras

    pixels = keras.Input((32, 32, 3), dtype="uint8", name="image")
    pooled = keras.layers.GlobalAveragePooling2D()(keras.layers.Rescaling(1 / 255)(pixels))
    scores = keras.layers.Dense(2, activation="softmax")(pooled)
    model = keras.Model(pixels, scores)
    model.layers[-1].set_weights([np.array([[2.0, 0.0]] * 3), np.array([-3.0, 0.0])])
    model.save(tmp_path / "model.keras")
    found = judging.judge_with_keras(tmp_path, PreprocessingSpec(32, 2.0), samples, lambda _: None)
    expected = [1 / (1 + np.exp(6 * value / 255 - 3)) for value in (200, 60)] * 3
    # The grain of the pictures moves their means a little.
    assert found.predictions.probability == pytest.approx(expected, abs=0.01)
    assert found.band is None
    with pytest.raises(ModelIncompatibleError, match="32 pixels"):
        judging.judge_with_keras(tmp_path, PreprocessingSpec(64, 2.0), samples, lambda _: None)
