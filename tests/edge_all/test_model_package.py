"""Reading a package, and refusing one that is not what its card says."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_all.errors import (
    ModelError,
    ModelIncompatibleError,
    ModelIntegrityError,
    ModelNotFoundError,
    OutputError,
)
from edge_all.model.card import CARD_SCHEMA, ModelCard
from edge_all.model.golden import golden_crops
from edge_all.model.package import load_package, write_card

EditCard = Callable[[Path, Callable[[dict], object]], None]


def test_a_valid_package_is_read_with_all_that_its_card_says(tiny_package: Path) -> None:
    package = load_package(tiny_package)
    assert package.card.name == "tiny"
    assert package.variant_file("fp32") == tiny_package / "model.fp32.onnx"
    assert package.feature_statistics_file == tiny_package / "features.npz"


def test_the_card_survives_writing_and_reading(tiny_package: Path) -> None:
    card = load_package(tiny_package).card
    changed = dataclasses.replace(card, version="2.0", limitations=("Only tested on tests, 5 µm.",))
    write_card(tiny_package, changed)
    assert load_package(tiny_package).card == changed
    assert ModelCard.from_json(json.loads(json.dumps(changed.to_json()))) == changed
    assert [file.name for file in tiny_package.iterdir() if file.suffix == ".tmp"] == []


@pytest.mark.parametrize("name", ["model.fp32.onnx", "features.npz"])
@pytest.mark.parametrize("where", [0, -1])
def test_one_changed_byte_is_refused(tiny_package: Path, name: str, where: int) -> None:
    content = bytearray((tiny_package / name).read_bytes())
    content[where] ^= 1
    (tiny_package / name).write_bytes(content)
    with pytest.raises(ModelIntegrityError, match=name):
        load_package(tiny_package)


def test_a_file_changed_after_it_was_verified_once_is_still_noticed(tiny_package: Path) -> None:
    load_package(tiny_package)
    with (tiny_package / "model.fp32.onnx").open("ab") as stream:
        stream.write(b"x")
    with pytest.raises(ModelIntegrityError, match=r"model\.fp32\.onnx"):
        load_package(tiny_package)


@pytest.mark.parametrize("name", ["model.fp32.onnx", "features.npz"])
def test_a_missing_file_is_refused(tiny_package: Path, name: str) -> None:
    (tiny_package / name).unlink()
    with pytest.raises(ModelIntegrityError, match=f"lacks {name}"):
        load_package(tiny_package)


def test_no_package_there(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFoundError, match="no model package"):
        load_package(tmp_path)
    with pytest.raises(ModelNotFoundError, match="no model package"):
        load_package(tmp_path / "nowhere")


@pytest.mark.parametrize("schema", ["9", "0", "true"])
def test_a_damaged_number_of_the_schema_is_no_newer_edge_all(tiny_package: Path, schema: str) -> None:
    card = tiny_package / "card.json"
    text = card.read_text()
    card.write_text(text.replace(f'"schema": {CARD_SCHEMA}', f'"schema": {schema}'))
    assert card.read_text() != text
    with pytest.raises(ModelIntegrityError, match="changed after it was written"):
        load_package(tiny_package)


def test_a_card_of_another_schema_without_a_checksum_is_left_to_that_schema(tiny_package: Path) -> None:
    record = json.loads((tiny_package / "card.json").read_text())
    del record["card_sha256"]
    (tiny_package / "card.json").write_text(json.dumps(record | {"schema": CARD_SCHEMA + 1}))
    with pytest.raises(ModelIncompatibleError, match=f"schema {CARD_SCHEMA + 1}"):
        load_package(tiny_package)


def test_a_newer_schema_is_refused_as_incompatible(tiny_package: Path, edit_card: EditCard) -> None:
    edit_card(tiny_package, lambda record: record.update(schema=CARD_SCHEMA + 1))
    with pytest.raises(ModelIncompatibleError, match=f"schema {CARD_SCHEMA + 1}"):
        load_package(tiny_package)


def test_other_preprocessing_is_refused_as_incompatible(tiny_package: Path, edit_card: EditCard) -> None:
    edit_card(tiny_package, lambda record: record["preprocessing"].update(colour_order="BGR"))
    with pytest.raises(ModelIncompatibleError, match="preprocessing"):
        load_package(tiny_package)


@pytest.mark.parametrize(
    "name", ["../model.fp32.onnx", "/etc/passwd", "a/b.onnx", "..", "", "card.json", "C:\\m.onnx", "..\\m.onnx", 7]
)
def test_a_card_cannot_point_outside_its_package(tiny_package: Path, edit_card: EditCard, name: object) -> None:
    shutil.copy(tiny_package / "model.fp32.onnx", tiny_package.parent / "model.fp32.onnx")
    edit_card(tiny_package, lambda record: record["variants"]["fp32"].update(file=name))
    with pytest.raises(ModelIntegrityError, match="not a file of the package"):
        load_package(tiny_package)


def test_a_card_without_a_network_is_refused(tiny_package: Path, edit_card: EditCard) -> None:
    edit_card(tiny_package, lambda record: record.update(variants={}))
    with pytest.raises(ModelError, match="no network"):
        load_package(tiny_package)


@pytest.mark.parametrize(
    "change",
    [
        lambda record: record.update(variants=[]),
        lambda record: record.update(variants={"int3": record["variants"]["fp32"]}),
        lambda record: record.update(classes=3),
        lambda record: record.update(feature_statistics={"file": "features.npz"}),
        lambda record: record.update(feature_statistics=[]),
        lambda record: record.update(positive_class="blast"),
        lambda record: record["variants"]["fp32"].update(temperature=0),
        lambda record: record["variants"]["fp32"].update(temperature="warm"),
        lambda record: record["variants"]["fp32"].update(temperature=float("nan")),
        lambda record: record["variants"]["fp32"]["thresholds"].update(all_from=0.1),
        lambda record: record["variants"]["fp32"]["thresholds"].update(non_all_below=None),
        lambda record: record["variants"]["fp32"]["thresholds"].update(out_of_distribution=-1),
        lambda record: record["variants"]["fp32"].update(surprise=1),
        lambda record: record["variants"]["fp32"].update(golden=[2.0]),
        lambda record: record.pop("variants"),
        lambda record: record.pop("preprocessing"),
        lambda record: record.update(name=None),
        lambda record: record.update(schema="1"),
        lambda record: record.update(networks_from="1.0"),
        lambda record: record.update(networks_from={"version": 1, "preprocessing": {}}),
        lambda record: record.update(networks_from={"version": "1", "preprocessing": "version 2"}),
    ],
)
def test_a_damaged_card_is_a_model_error_and_nothing_else(
    tiny_package: Path, edit_card: EditCard, change: Callable[[dict], object]
) -> None:
    edit_card(tiny_package, change)
    with pytest.raises(ModelError):
        load_package(tiny_package)


@given(junk=st.one_of(st.binary(max_size=200), st.text(max_size=50).map(str.encode), st.just(b"[" * 100_000)))
def test_junk_in_place_of_a_card_is_a_model_error(tmp_path_factory: pytest.TempPathFactory, junk: bytes) -> None:
    folder = tmp_path_factory.mktemp("junk")
    (folder / "card.json").write_bytes(junk)
    with pytest.raises(ModelError):
        load_package(folder)


def test_an_unwritable_folder_is_an_output_error(tiny_package: Path, tmp_path: Path) -> None:
    card = load_package(tiny_package).card
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match=r"card\.json"):
        write_card(tmp_path / "file", card)


def test_a_variant_that_is_not_there_names_those_that_are(tiny_package: Path) -> None:
    with pytest.raises(ModelNotFoundError, match="It has: fp32"):
        load_package(tiny_package).variant_file("int8")


@pytest.mark.parametrize("size", [32, 75, 224])
def test_golden_crops_are_cells_of_different_kinds(size: int) -> None:
    crops = golden_crops(size)
    assert crops.shape == (4, size, size, 3)
    assert crops.dtype == np.uint8
    assert len({crop.tobytes() for crop in crops}) == 4
    assert np.array_equal(crops, golden_crops(size))


def test_one_changed_digit_in_the_card_is_refused(tiny_package: Path) -> None:
    card = tiny_package / "card.json"
    assert card.read_text().count("0.65") == 1
    card.write_text(card.read_text().replace("0.65", "0.66"))
    with pytest.raises(ModelIntegrityError, match=r"card\.json was changed"):
        load_package(tiny_package)


def test_line_ends_of_another_system_are_not_a_change(tiny_package: Path) -> None:
    card = tiny_package / "card.json"
    card.write_bytes(card.read_bytes().replace(b"\n", b"\r\n"))
    assert load_package(tiny_package).card.name == "tiny"
