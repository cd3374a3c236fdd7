"""Data sets become samples: labels, groups and blocks, from small look-alikes of each layout."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_all.errors import InputError, InputNotFoundError, UsageError
from edge_all.preprocessing import PreprocessingSpec, crop_cell
from edge_all.rendering import RenderedField, SmearSpec, render_field
from edge_all_export.crops import extract_crops
from edge_all_export.datasets import (
    ALL,
    NON_ALL,
    load_training_set,
    read_allidb1,
    read_allidb2,
    read_bccd,
    read_class_folders,
    read_cnmc,
    read_layout,
    read_munich,
    read_pbc_lymphocytes,
    read_raabin,
    read_segmentation_wbc,
    read_taleqani,
)
from edge_all_export.datasets.cnmc import parse_cnmc_name
from edge_all_export.datasets.samples import contiguous_block

CROP_ROW: dict[str, object] = {"crop": "Im131_0.png", "label": "other", "field": "Im041_0.jpg", "x": 1, "y": 2}


def write_image(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), pixels[..., ::-1])


def write_table(path: Path, rows: Sequence[Mapping[str, object]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)


@pytest.fixture(scope="module")
def blast_field() -> RenderedField:
    return render_field(3, width=640, height=520, spec=SmearSpec(blasts=4, lymphocytes=1, platelets=3))


@pytest.fixture(scope="module")
def healthy_field() -> RenderedField:
    return render_field(4, width=520, height=420, spec=SmearSpec(lymphocytes=2, neutrophils=1, platelets=3))


@pytest.fixture(scope="module")
def single(healthy_field: RenderedField) -> np.ndarray:
    """A crop with one white cell in its middle."""
    cell = next(cell for cell in healthy_field.cells if cell.kind == "lymphocyte" and not cell.cut)
    x, y = (round(value) for value in cell.centroid)
    padded = np.pad(healthy_field.pixels, ((100, 100), (100, 100), (0, 0)), mode="reflect")
    return padded[y : y + 200, x : x + 200]


@pytest.fixture
def allidb1(tmp_path: Path, blast_field: RenderedField, healthy_field: RenderedField) -> Path:
    folder = tmp_path / "allidb1"
    rows = []
    for name, field in (("Im003_1", blast_field), ("Im041_0", healthy_field)):
        write_image(folder / "fields" / f"{name}.png", field.pixels)
        for cell in field.cells:
            x, y = (round(value) for value in cell.centroid)
            label = "blast" if cell.kind == "blast" else "other"
            rows.append({"field": f"{name}.png", "x": x, "y": y, "label": label})
    write_table(folder / "points.csv", rows)
    return folder


def test_allidb1_cells_that_hold_a_blast_point_are_all(allidb1: Path, blast_field: RenderedField) -> None:
    cells = read_allidb1(allidb1)
    blasts = [sample for sample in cells.samples if sample.label == ALL]
    assert 3 <= len(blasts) <= 4
    assert {sample.group for sample in blasts} == {"allidb/Im003_1"}
    places = [cell.centroid for cell in blast_field.cells if cell.kind == "blast"]
    for sample in blasts:
        assert min(np.hypot(sample.cell.centroid[0] - x, sample.cell.centroid[1] - y) for x, y in places) < 20


def test_allidb1_healthy_fields_hold_no_blast(allidb1: Path) -> None:
    healthy = [sample for sample in read_allidb1(allidb1).samples if sample.group == "allidb/Im041_0"]
    assert sum(sample.kind == "white cell" for sample in healthy) >= 2
    assert all(sample.label == NON_ALL for sample in healthy)


def test_allidb1_large_objects_that_no_expert_marked_are_smudges(allidb1: Path, blast_field: RenderedField) -> None:
    (lymphocyte,) = (cell for cell in blast_field.cells if cell.kind == "lymphocyte")
    rows = [
        {"field": "Im003_1.png", "x": round(cell.centroid[0]), "y": round(cell.centroid[1]), "label": "blast"}
        for cell in blast_field.cells
        if cell.kind == "blast"
    ]
    write_table(allidb1 / "points.csv", rows)
    found = [sample for sample in read_allidb1(allidb1).samples if sample.kind == "smudge"]
    assert all(sample.label == NON_ALL and sample.group == "allidb/Im003_1" for sample in found)
    near = [np.hypot(*np.subtract(sample.cell.centroid, lymphocyte.centroid)) < 20 for sample in found]
    assert near == [True]


def test_allidb1_blocks_are_runs_of_numbers(allidb1: Path) -> None:
    blocks = {sample.group: sample.block for sample in read_allidb1(allidb1).samples}
    assert blocks == {"allidb/Im003_1": "allidb/001-005", "allidb/Im041_0": "allidb/041-045"}


def test_allidb2_crop_shares_the_group_of_its_field(tmp_path: Path, single: np.ndarray) -> None:
    write_image(tmp_path / "crops" / "Im131_0.png", single)
    write_table(
        tmp_path / "crops.csv", [{"crop": "Im131_0.png", "label": "other", "field": "Im041_0.jpg", "x": 1, "y": 2}]
    )
    (sample,) = read_allidb2(tmp_path).samples
    assert (sample.group, sample.block, sample.label) == ("allidb/Im041_0", "allidb/041-045", NON_ALL)


def test_unreadable_images_are_listed_and_the_rest_goes_on(allidb1: Path) -> None:
    (allidb1 / "fields" / "Im050_1.png").write_bytes(b"no image")
    (allidb1 / "fields" / "Im051_1.jpg").write_bytes(b"")
    (allidb1 / "fields" / "thumb.png").write_bytes((allidb1 / "fields" / "Im041_0.png").read_bytes())
    cells = read_allidb1(allidb1)
    assert [skipped.image.name for skipped in cells.skipped] == ["Im050_1.png", "Im051_1.jpg", "thumb.png"]
    assert all(skipped.reason for skipped in cells.skipped)
    assert {sample.group for sample in cells.samples} == {"allidb/Im003_1", "allidb/Im041_0"}


def test_reference_sets_are_non_all(tmp_path: Path, single: np.ndarray) -> None:
    for name in ("dataset1", "dataset2"):
        write_image(tmp_path / "segmentation_wbc" / name / "011.bmp", single)
        write_image(tmp_path / "segmentation_wbc" / name / "011.png", single)
        write_table(tmp_path / "segmentation_wbc" / name / "labels.csv", [{"image": "011.bmp", "class": "lymphocyte"}])
    write_image(tmp_path / "pbc" / "LY_1.jpg", single)
    wbc = read_segmentation_wbc(tmp_path / "segmentation_wbc")
    assert [sample.block for sample in wbc.samples] == [
        "segmentation_wbc/dataset1/011-020",
        "segmentation_wbc/dataset2/011-020",
    ]
    pbc = read_pbc_lymphocytes(tmp_path / "pbc")
    assert [sample.label for sample in (*wbc.samples, *pbc.samples)] == [NON_ALL] * 3


def test_bccd_takes_the_cells_in_white_cell_boxes(tmp_path: Path, healthy_field: RenderedField) -> None:
    write_image(tmp_path / "images" / "BloodImage_00012.jpg", healthy_field.pixels)
    inside = [cell for cell in healthy_field.cells if cell.label == "non-ALL" and not cell.cut]
    objects = "".join(
        f"<object><name>WBC</name><bndbox><xmin>{x}</xmin><ymin>{y}</ymin><xmax>{x + w}</xmax><ymax>{y + h}</ymax>"
        "</bndbox></object>"
        for x, y, w, h in (cell.bbox for cell in inside[:1])
    )
    (tmp_path / "annotations").mkdir()
    (tmp_path / "annotations" / "BloodImage_00012.xml").write_text(f"<annotation>{objects}</annotation>")
    samples = read_bccd(tmp_path).samples
    assert len(samples) == 1
    assert (samples[0].kind, samples[0].block) == ("white cell", "bccd/011-020")


def test_bccd_without_its_annotation_is_listed(tmp_path: Path, single: np.ndarray) -> None:
    write_image(tmp_path / "images" / "BloodImage_00012.jpg", single)
    cells = read_bccd(tmp_path)
    assert not cells.samples
    assert "annotation" in cells.skipped[0].reason


def test_raabin_takes_whole_cells_in_boxes_of_white_cells(tmp_path: Path, healthy_field: RenderedField) -> None:
    write_image(tmp_path / "images" / "a.jpg", healthy_field.pixels)
    height, width = healthy_field.pixels.shape[:2]
    boxes = [cell.bbox for cell in healthy_field.cells if cell.label == "non-ALL" and not cell.cut]
    lines = [
        f"{kind} {(x + w / 2) / width} {(y + h / 2) / height} {w / width} {h / height}"
        for kind, (x, y, w, h) in zip((0, 2), boxes, strict=False)
    ]
    (tmp_path / "boxes").mkdir()
    (tmp_path / "boxes" / "a.txt").write_text("\n".join(lines))
    (sample,) = read_raabin(tmp_path).samples
    assert (sample.label, sample.kind, sample.laboratory) == (NON_ALL, "white cell", "raabin")
    (tmp_path / "boxes" / "a.txt").write_text("0 0.5 x")
    (skipped,) = read_raabin(tmp_path).skipped
    assert "annotation" in skipped.reason


def test_munich_is_its_neutrophils_and_leaves_myeloblasts_alone(tmp_path: Path, single: np.ndarray) -> None:
    write_image(tmp_path / "neutrophils" / "NGS_0013.jpg", single)
    write_image(tmp_path / "myeloblasts" / "MYO_0001.jpg", single)
    (sample,) = read_munich(tmp_path).samples
    assert (sample.label, sample.kind, sample.block) == (NON_ALL, "neutrophil", "munich/011-020")


def test_sets_cut_out_of_one_another_are_one_laboratory(tmp_path: Path, allidb1: Path, single: np.ndarray) -> None:
    write_image(tmp_path / "allidb2" / "crops" / "Im131_0.png", single)
    write_table(tmp_path / "allidb2" / "crops.csv", [CROP_ROW])
    samples = (*read_allidb1(allidb1).samples, *read_allidb2(tmp_path / "allidb2").samples)
    assert {sample.source for sample in samples} == {"allidb1", "allidb2"}
    assert {sample.laboratory for sample in samples} == {"allidb"}


def test_class_folders_take_the_patient_folder_as_group(tmp_path: Path, single: np.ndarray) -> None:
    # One patient has cells of both classes; an image beside the folders is a group of its own.
    for name in ("ALL/p1/a.png", "ALL/p1/b.png", "non-ALL/p1/d.png", "non-ALL/c.png"):
        write_image(tmp_path / name, single)
    samples = read_class_folders(tmp_path).samples
    assert [(sample.group, sample.label) for sample in samples] == [
        ("folders/p1", ALL),
        ("folders/p1", ALL),
        ("folders/non-ALL/c", NON_ALL),
        ("folders/p1", NON_ALL),
    ]


def test_class_folders_take_groups_from_the_table(tmp_path: Path, single: np.ndarray) -> None:
    for name in ("ALL/a.png", "normal/c.png"):
        write_image(tmp_path / name, single)
    rows: list[dict[str, object]] = [{"image": "ALL/a.png", "group": "p7"}, {"image": "normal/c.png", "group": "p8"}]
    write_table(tmp_path / "groups.csv", rows)
    assert [sample.group for sample in read_class_folders(tmp_path).samples] == ["folders/p7", "folders/p8"]
    write_table(tmp_path / "groups.csv", rows[:1])
    with pytest.raises(UsageError, match=r"normal/c\.png"):
        read_class_folders(tmp_path)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"field,x,label\nIm003_1.png,4,blast\n", "no column y"),
        (b"field,x,y,label\nIm003_1.png,4,five,blast\n", "line 2: y is 'five'"),
        (b"field,x,y,label\nIm003_1.png,4\n", "line 2, is too short"),
        (b"\xff\xfe\x00", "cannot be read as a table"),
        (b"", "no column field, x, y, label"),
    ],
)
def test_a_damaged_table_is_named_with_its_line(allidb1: Path, content: bytes, words: str) -> None:
    (allidb1 / "points.csv").write_bytes(content)
    with pytest.raises(InputError, match=words) as caught:
        read_allidb1(allidb1)
    assert "points.csv" in caught.value.problem


def test_one_set_of_the_reference_is_a_layout_of_its_own(allidb1: Path) -> None:
    assert read_layout("allidb1", allidb1).samples == read_allidb1(allidb1).samples


def test_class_folders_need_both_classes_with_images(tmp_path: Path, single: np.ndarray) -> None:
    write_image(tmp_path / "ALL" / "a.png", single)
    with pytest.raises(UsageError, match="one folder for each class"):
        read_class_folders(tmp_path)
    (tmp_path / "non-ALL").mkdir()
    with pytest.raises(InputNotFoundError, match="holds no image"):
        read_class_folders(tmp_path)


def test_class_folders_are_known_by_what_they_are_called_elsewhere(tmp_path: Path, single: np.ndarray) -> None:
    names = ("a/ALL cells", "a/non_ALL-Cells", "b/Leukemie", "b/Gesund", "c/train/ALL", "c/train/HEM")
    for name in (*names, "d/Leukämie", "d/nonALL"):
        write_image(tmp_path / name / "p1" / "1.png", single)
    for folder in "abcd":
        samples = read_class_folders(tmp_path / folder).samples
        assert sorted(sample.label for sample in samples) == [NON_ALL, ALL]
        assert {sample.group for sample in samples} == {"folders/p1"}


@pytest.mark.parametrize(
    ("folders", "words"),
    [
        (["0", "1"], "holds the folders 0, 1."),
        (["ALL/p1", "ALL/p2", "ours/p1"], "holds the folders ALL (taken for ALL), ours."),
        (["train/ALL", "test/HEM"], "holds the folders test/HEM (taken for non-ALL), train/ALL (taken for ALL)."),
        (["test/ALL", "test/hem", "train/ALL", "train/hem"], "holds both classes more than once: in test, train."),
        (["patient-7"], "holds the folder patient-7."),
        ([], "holds no folder."),
        ([f"p{number:02d}" for number in range(20)], "p11 and 8 more."),
    ],
)
def test_a_class_that_is_missing_is_told_by_what_is_there(tmp_path: Path, folders: list[str], words: str) -> None:
    for name in folders:
        (tmp_path / name).mkdir(parents=True)
    with pytest.raises(UsageError, match=re.escape(words)):
        read_class_folders(tmp_path)


def test_an_image_in_which_no_cell_is_found_is_left_out_and_named(tmp_path: Path, single: np.ndarray) -> None:
    write_image(tmp_path / "ALL" / "a.png", np.full((80, 80, 3), 240, np.uint8))
    write_image(tmp_path / "hem" / "c.png", single)
    found = read_class_folders(tmp_path)
    assert [sample.id for sample in found.samples] == ["folders/hem/c"]
    assert [(one.image.name, one.reason) for one in found.skipped] == [("a.png", "no labelled cell was found in it")]


@given(st.integers(1, 999), st.integers(1, 99), st.integers(1, 99), st.booleans())
def test_cnmc_names_give_subject_and_label(subject: int, image: int, cell: int, blast: bool) -> None:
    stem = f"UID_{subject}_{image}_{cell}_all" if blast else f"UID_H{subject}_{image}_{cell}_hem"
    assert parse_cnmc_name(stem) == (f"{'' if blast else 'H'}{subject}", ALL if blast else NON_ALL)


def test_cnmc_reads_folds_and_the_preliminary_phase(tmp_path: Path, single: np.ndarray) -> None:
    write_image(tmp_path / "training" / "fold_0" / "all" / "UID_11_2_1_all.bmp", single)
    write_image(tmp_path / "training" / "fold_1" / "hem" / "UID_H3_1_2_hem.bmp", single)
    write_image(tmp_path / "prelim" / "images" / "1.bmp", single)
    write_image(tmp_path / "prelim" / "images" / "2.bmp", single)
    write_table(
        tmp_path / "prelim" / "C-NMC_test_prelim_phase_data_labels.csv",
        [{"Patient_ID": "UID_57_29_1_all.bmp", "new_names": "1.bmp", "labels": 1}],
    )
    samples = read_cnmc(tmp_path).samples
    assert sorted((sample.group, sample.label) for sample in samples) == [
        ("cnmc/11", 1),
        ("cnmc/57", 1),
        ("cnmc/H3", 0),
    ]


def test_cnmc_without_its_names_is_refused(tmp_path: Path, single: np.ndarray) -> None:
    write_image(tmp_path / "1.bmp", single)
    with pytest.raises(InputNotFoundError, match="C-NMC"):
        read_cnmc(tmp_path)


def squeezed(field: RenderedField) -> np.ndarray:
    """A field of 4:3 as the Taleqani set publishes it."""
    return cv2.resize(field.pixels, (224, 224), interpolation=cv2.INTER_AREA)


@pytest.fixture(scope="module")
def taleqani_fields() -> tuple[RenderedField, RenderedField]:
    blasts = render_field(3, width=1024, height=768, spec=SmearSpec(blasts=4, platelets=3))
    return blasts, render_field(4, width=1024, height=768, spec=SmearSpec(lymphocytes=3))


def test_taleqani_labels_cells_by_the_field_and_passes_segmented_over(
    tmp_path: Path, taleqani_fields: tuple[RenderedField, RenderedField]
) -> None:
    blasts, healthy = map(squeezed, taleqani_fields)
    write_image(tmp_path / "Original" / "Benign" / "WBC-Benign-021.png", healthy)
    write_image(tmp_path / "Original" / "Pro" / "WBC-Malignant-Pro-002.png", blasts)
    write_image(tmp_path / "Segmented" / "Pro" / "WBC-Malignant-Pro-002.png", blasts)
    samples = read_taleqani(tmp_path).samples
    assert {(sample.kind, sample.label) for sample in samples} == {("benign", NON_ALL), ("pro", ALL)}
    assert {sample.block for sample in samples} == {"taleqani/benign/021-040", "taleqani/pro/001-020"}
    assert all("Segmented" not in str(sample.image) for sample in samples)


def test_taleqani_cells_get_back_the_shape_that_squeezing_took(
    tmp_path: Path, taleqani_fields: tuple[RenderedField, RenderedField]
) -> None:
    field, _ = taleqani_fields
    write_image(tmp_path / "Pre" / "a.png", squeezed(field))
    samples = read_taleqani(tmp_path).samples
    assert samples
    spec = PreprocessingSpec(96, 2.5)
    for sample, crop in zip(samples, extract_crops(samples, spec), strict=True):
        assert sample.cell is not None
        # The same place of the field as it was photographed shows the same picture, only sharper.
        photographed = crop_cell(field.pixels, sample.cell, None, spec)
        assert np.abs(crop.astype(int) - photographed).mean() < 12


def test_taleqani_groups_come_from_the_table_and_keep_together(
    tmp_path: Path, taleqani_fields: tuple[RenderedField, RenderedField]
) -> None:
    for name in ("Pre/a.png", "Pre/b.png"):
        write_image(tmp_path / name, squeezed(taleqani_fields[0]))
    rows: list[dict[str, object]] = [{"image": "Pre/a.png", "group": "Pre-7"}, {"image": "Pre/b.png", "group": "Pre-9"}]
    write_table(tmp_path / "groups.csv", rows)
    samples = read_taleqani(tmp_path).samples
    assert {(sample.image.name, sample.group, sample.block) for sample in samples} == {
        ("a.png", "taleqani/Pre-7", "taleqani/Pre-7"),
        ("b.png", "taleqani/Pre-9", "taleqani/Pre-9"),
    }
    write_table(tmp_path / "groups.csv", rows[:1])
    with pytest.raises(InputError, match=r"Pre/b\.png"):
        read_taleqani(tmp_path)


def test_taleqani_leaves_out_what_stands_by_the_scale_bar(tmp_path: Path) -> None:
    # The same cell in the lower right corner and, turned by half, in the upper left one.
    for seed in range(40):
        field = render_field(seed, width=1024, height=768, spec=SmearSpec(blasts=6))
        if any(cell.centroid[0] > 870 and cell.centroid[1] > 620 and not cell.cut for cell in field.cells):
            break
    write_image(tmp_path / "Pro" / "corner.png", squeezed(field))
    write_image(tmp_path / "Pro" / "turned.png", squeezed(field)[::-1, ::-1])
    found = read_taleqani(tmp_path).samples
    assert not [
        s for s in found if s.image.name == "corner.png" and s.cell.centroid[0] > 870 and s.cell.centroid[1] > 620
    ]
    assert [s for s in found if s.image.name == "turned.png" and s.cell.centroid[0] < 154 and s.cell.centroid[1] < 148]


@pytest.mark.usefixtures("allidb1")
def test_ids_are_unique_over_all_reference_sets(tmp_path: Path, single: np.ndarray) -> None:
    write_image(tmp_path / "allidb2" / "crops" / "Im131_0.png", single)
    write_table(tmp_path / "allidb2" / "crops.csv", [CROP_ROW])
    cells = load_training_set(tmp_path)
    assert len({sample.id for sample in cells.samples}) == len(cells.samples)
    assert set(cells.counts()) == {"allidb1", "allidb2"}


def test_a_folder_without_any_set_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputNotFoundError, match="allidb1"):
        load_training_set(tmp_path)
    with pytest.raises(UsageError, match="no layout"):
        read_layout("nonsense", tmp_path)


@given(st.integers(1, 5000), st.integers(1, 5000), st.integers(1, 50))
def test_numbers_of_one_block_are_less_than_its_length_apart(first: int, second: int, length: int) -> None:
    if contiguous_block("x", first, length) == contiguous_block("x", second, length):
        assert abs(first - second) < length
    if abs(first - second) >= length:
        assert contiguous_block("x", first, length) != contiguous_block("x", second, length)


@pytest.mark.data
def test_real_sets_give_the_cells_that_the_readme_counts(data_root: Path) -> None:
    crops = read_allidb2(data_root / "allidb2")
    assert len(crops.samples) + len(crops.skipped) == 167
    assert sum(sample.label for sample in crops.samples) >= 95
