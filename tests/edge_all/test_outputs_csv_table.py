from __future__ import annotations

import csv
import os
from pathlib import Path

import pytest

from edge_all.errors import OutputError
from edge_all.outputs.csv_table import COLUMNS, write_cells
from edge_all.results import Cell, FieldResult, ModelIdentity

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


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_one_row_a_cell(tmp_path: Path) -> None:
    model = ModelIdentity("tiny", "1", "int8", "00", "c4")
    fields = [
        FieldResult("a.jpg", "Präparat, 1", "ok", cells=(CANDIDATE, REJECTED), model=model),
        FieldResult("b.jpg", "Präparat, 1", "error", error="why"),
    ]
    write_cells(tmp_path / "cells.csv", fields)
    first, second = rows(tmp_path / "cells.csv")
    assert tuple(first) == COLUMNS
    assert first["slide"] == "Präparat, 1"
    assert (first["image"], first["id"], first["kind"], first["reason"]) == ("a.jpg", "1", "candidate", "")
    assert (first["label"], first["probability"], first["out_of_distribution"]) == ("ALL", "0.751235", "0.25")
    assert [first[f"bbox_{name}"] for name in ("x", "y", "width", "height")] == ["1", "2", "30", "40"]
    assert (first["centroid_y"], first["area"], first["nucleus_area"]) == ("20.12", "900", "300")
    assert (first["nucleus_bbox_height"], first["model_variant"]) == ("21", "int8")
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


def test_a_name_that_is_no_text_does_not_cost_the_table(tmp_path: Path) -> None:
    write_cells(tmp_path / "cells.csv", [FieldResult(os.fsdecode(b"\xff.jpg"), "s", "ok", cells=(CANDIDATE,))])
    assert rows(tmp_path / "cells.csv")[0]["image"].endswith(".jpg")


def test_no_cell_at_all_leaves_the_heading(tmp_path: Path) -> None:
    write_cells(tmp_path / "cells.csv", [])
    assert (tmp_path / "cells.csv").read_text().strip() == ",".join(COLUMNS)


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
