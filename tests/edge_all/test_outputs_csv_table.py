from __future__ import annotations

import csv
import dataclasses
import math
import os
from pathlib import Path

import openpyxl
import pyarrow.parquet
import pytest

from edge_all.errors import MissingPackageError, OutputError
from edge_all.files.run_folder import RunFolder
from edge_all.outputs.cell_table import COLUMNS, cell_rows
from edge_all.outputs.csv_table import write_csv
from edge_all.outputs.parquet import require_parquet, write_parquet
from edge_all.outputs.spreadsheet import write_spreadsheet
from edge_all.results import Cell, FieldResult, ModelIdentity, roundness_of

CANDIDATE = Cell(
    1,
    (1, 2, 30, 40),
    (15.5, 20.123),
    900,
    (5, 6, 20, 21),
    (14.0, 16.0),
    300,
    "candidate",
    None,
    0.7512345678,
    "ALL",
    0.25,
    contour=((1, 2), (30, 2), (30, 41)),
)
REJECTED = Cell(
    2,
    (0, 0, 5, 5),
    (2.0, 2.0),
    20,
    (0, 0, 4, 4),
    (1.0, 1.0),
    10,
    "rejected",
    "platelet",
    contour=((0, 0), (4, 0), (4, 4)),
)


def write_cells(path: Path, fields: list[FieldResult]) -> None:
    folder = RunFolder.for_images(path.parent, [field.image for field in fields])
    write_csv(path, cell_rows(folder, fields))


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def test_one_row_a_cell(tmp_path: Path) -> None:
    model = ModelIdentity("tiny", "1", "int8", "00", "c4")
    fields = [
        FieldResult("a.jpg", "Präparat, 1", "ok", cells=(CANDIDATE, REJECTED), model=model),
        FieldResult("b.jpg", "Präparat, 1", "error", error="why"),
    ]
    write_cells(tmp_path / "cells.csv", fields)
    first, second = rows(tmp_path / "cells.csv")
    assert tuple(first) == tuple(COLUMNS)
    assert first["slide"] == "Präparat, 1"
    assert (first["image"], first["id"], first["kind"], first["reason"]) == ("a.jpg", "1", "candidate", "")
    assert (first["label"], first["probability"], first["out_of_distribution"]) == ("ALL", "0.751235", "0.25")
    assert [first[f"bbox_{name}"] for name in ("x", "y", "width", "height")] == ["1", "2", "30", "40"]
    assert (first["centroid_x"], first["centroid_y"], first["area"]) == ("15.5", "20.12", "900")
    assert [first[f"nucleus_bbox_{name}"] for name in ("x", "y", "width", "height")] == ["5", "6", "20", "21"]
    assert [first[f"nucleus_{name}"] for name in ("centroid_x", "centroid_y", "area")] == ["14.0", "16.0", "300"]
    assert first["model_variant"] == "int8"
    assert (second["kind"], second["reason"], second["label"], second["probability"]) == (
        "rejected",
        "platelet",
        "",
        "",
    )


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", "＝", "＠"])  # noqa: RUF001
def test_no_name_becomes_a_formula(tmp_path: Path, start: str) -> None:
    name = f'{start}HYPERLINK("http://evil")'
    write_cells(tmp_path / "cells.csv", [FieldResult(name, name, "ok", cells=(CANDIDATE,))])
    (row,) = rows(tmp_path / "cells.csv")
    assert row["image"] == row["slide"] == f"'{name}"


TAKEN_FOR_VALUES = [
    "0012",
    "1E5",
    "1e-3",
    "MAR1",
    "1-Mar",
    "Sept 7",
    "3/4",
    "2026-11-27",
    "1.5",
    "1,5",
    "10:30",
    "50%",
    "TRUE",
]


@pytest.mark.parametrize("name", TAKEN_FOR_VALUES)
def test_no_name_becomes_a_number_or_a_date(tmp_path: Path, name: str) -> None:
    write_cells(tmp_path / "cells.csv", [FieldResult(f"{name}/a.jpg", name, "ok", cells=(CANDIDATE,))])
    (row,) = rows(tmp_path / "cells.csv")
    assert (row["slide"], row["image"]) == (f"'{name}", f"{name}/a.jpg")
    assert row["probability"] == "0.751235", "a number stays one"


@pytest.mark.parametrize("name", ["healthy", "S-1042", "may", "Müller", "slide 12", "12 a", "Im001_1", "H12-3456-B"])
def test_an_ordinary_name_is_left_as_it_is(tmp_path: Path, name: str) -> None:
    write_cells(tmp_path / "cells.csv", [FieldResult("a.jpg", name, "ok", cells=(CANDIDATE,))])
    assert rows(tmp_path / "cells.csv")[0]["slide"] == name


def test_a_spreadsheet_knows_the_table_for_utf_8(tmp_path: Path) -> None:
    write_cells(tmp_path / "cells.csv", [FieldResult("a.jpg", "Müller", "ok", cells=(CANDIDATE,))])
    assert (tmp_path / "cells.csv").read_bytes().startswith("\ufeffslide,".encode())


def test_a_doubtful_outline_is_told_by_a_number(tmp_path: Path) -> None:
    cells = tuple(dataclasses.replace(CANDIDATE, outline_unsure=doubtful) for doubtful in (True, False, None))
    write_cells(tmp_path / "cells.csv", [FieldResult("a.jpg", "s", "ok", cells=cells)])
    assert [row["outline_unsure"] for row in rows(tmp_path / "cells.csv")] == ["1", "0", ""]


def test_sizes_stand_in_microns_where_the_size_of_a_pixel_is_known(tmp_path: Path) -> None:
    known = FieldResult("a.jpg", "s", "ok", cells=(CANDIDATE, REJECTED), microns_per_pixel=0.1)
    write_cells(tmp_path / "cells.csv", [known, FieldResult("b.jpg", "s", "ok", cells=(CANDIDATE,))])
    first, rejected, unknown = rows(tmp_path / "cells.csv")
    assert (first["area_um2"], first["nucleus_area_um2"], first["microns_per_pixel"]) == ("9.0", "3.0", "0.1")
    assert float(first["diameter_um"]) == pytest.approx(2 * (9 / 3.14159) ** 0.5, abs=1e-4)
    assert float(first["nucleus_to_cytoplasm"]) == 0.5
    assert 0 < float(first["roundness"]) < 1
    assert (first["crop"], rejected["crop"]) == ("crops/a.0001.jpg", "")
    assert (unknown["area_um2"], unknown["diameter_um"], unknown["area"]) == ("", "", "900")


def test_a_summary_has_the_row_of_its_result() -> None:
    field = FieldResult("a.jpg", "s", "ok", cells=(CANDIDATE, REJECTED))
    assert field.summary().rows() == field.rows()


def test_how_round_outlines_are() -> None:
    circle = [(round(1000 * math.cos(a / 50)), round(1000 * math.sin(a / 50))) for a in range(314)]
    assert roundness_of(circle) == pytest.approx(1, abs=0.01)
    assert roundness_of([(0, 0), (100, 0), (100, 1), (0, 1)]) == pytest.approx(0.03, abs=0.01)
    assert roundness_of([(0, 0), (9, 0)]) is None


@pytest.mark.parametrize("name", [*TAKEN_FOR_VALUES, "=1+1", "Müller", "a<&>b", "=HYPERLINK(1)", " lead", "x\x01y"])
def test_a_spreadsheet_gives_names_back_as_they_were(tmp_path: Path, name: str) -> None:
    folder = RunFolder.for_images(tmp_path, ["a.jpg"])
    field = FieldResult("a.jpg", name, "ok", cells=(CANDIDATE, REJECTED))
    write_spreadsheet(tmp_path / "cells.xlsx", cell_rows(folder, [field]))
    sheet = openpyxl.load_workbook(tmp_path / "cells.xlsx").active
    heading, first, second = sheet.iter_rows(values_only=True)
    assert heading == tuple(COLUMNS)
    row = dict(zip(heading, first, strict=True))
    assert row["slide"] == name.replace("\x01", "\ufffd")
    assert (row["id"], row["probability"], row["label"], row["area_um2"]) == (1, 0.751235, "ALL", None)
    assert second[0] == row["slide"]
    assert sheet["A2"].data_type == "s"
    assert (sheet.freeze_panes, sheet.auto_filter.ref) == ("A2", f"A1:{sheet.dimensions.split(':')[1]}")
    assert sheet["G2"].data_type == "n"


def test_the_same_cells_give_the_same_spreadsheet_and_an_empty_run_one_too(tmp_path: Path) -> None:
    for file in ("one.xlsx", "two.xlsx"):
        write_spreadsheet(tmp_path / file, [])
    assert (tmp_path / "one.xlsx").read_bytes() == (tmp_path / "two.xlsx").read_bytes()
    sheet = openpyxl.load_workbook(tmp_path / "one.xlsx").active
    assert sheet.max_row == 1
    # Names and paths have room, and no heading is cut.
    assert sheet.column_dimensions["B"].width == 42
    assert all(sheet.column_dimensions[cell.column_letter].width > len(cell.value) for cell in sheet[1])


def test_parquet_has_types_and_nulls(tmp_path: Path) -> None:
    fields = [FieldResult("a.jpg", "0012", "ok", cells=(CANDIDATE, REJECTED))]
    write_parquet(tmp_path / "cells.parquet", cell_rows(RunFolder.for_images(tmp_path, ["a.jpg"]), fields))
    table = pyarrow.parquet.read_table(tmp_path / "cells.parquet")
    assert tuple(table.column_names) == tuple(COLUMNS)
    assert table["slide"].to_pylist() == ["0012", "0012"]
    assert table["probability"].to_pylist() == [0.751235, None]
    assert str(table.schema.field("area_um2").type) == "double"


def test_parquet_is_asked_for_before_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(MissingPackageError, match=r"pyarrow.*'\.\[parquet\]'"):
        require_parquet()


def test_a_name_that_is_no_text_does_not_cost_the_table(tmp_path: Path) -> None:
    write_cells(tmp_path / "cells.csv", [FieldResult(os.fsdecode(b"\xff.jpg"), "s", "ok", cells=(CANDIDATE,))])
    assert rows(tmp_path / "cells.csv")[0]["image"].endswith(".jpg")


def test_no_cell_at_all_leaves_the_heading(tmp_path: Path) -> None:
    write_cells(tmp_path / "cells.csv", [])
    assert (tmp_path / "cells.csv").read_text(encoding="utf-8-sig").strip() == ",".join(COLUMNS)


def test_an_unwritable_place_is_an_output_error(tmp_path: Path) -> None:
    (tmp_path / "cells.csv").mkdir()
    with pytest.raises(OutputError, match=r"cells\.csv"):
        write_cells(tmp_path / "cells.csv", [])


@pytest.mark.parametrize("separator", [";", "|", "\t"])
@pytest.mark.parametrize("formula", ["=HYPERLINK(1)", " +1", '"=1', "@SUM(1)"])
def test_no_part_of_a_name_is_a_formula_where_a_spreadsheet_splits_elsewhere(separator: str, formula: str) -> None:
    from edge_all.outputs.csv_table import _text

    assert _text(f"a{separator}{formula}.jpg") == f"a{separator}'{formula}.jpg"
    assert _text("S-1042; second=try, a-b.jpg") == "S-1042; second=try, a-b.jpg"
