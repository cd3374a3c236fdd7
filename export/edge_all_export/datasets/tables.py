"""The CSV tables that come with data sets."""

from __future__ import annotations

import csv
from pathlib import Path

from edge_all.errors import InputError, InputNotFoundError

__all__ = ["read_table"]


def read_table(table: Path, columns: tuple[str, ...], whole_numbers: tuple[str, ...] = ()) -> list[dict[str, str]]:
    """The rows of a table whose first line names its columns.

    Args:
        table: a CSV file in UTF-8.
        columns: that it must have; it may have more.
        whole_numbers: those of them that must hold one.

    Raises:
        InputNotFoundError: there is no such file.
        InputError: no table, a missing column, or a value that is no number; the message names the line.
    """
    if not table.is_file():
        raise InputNotFoundError(f"There is no {table}.", "The data set's README says which files belong to it.")
    try:
        with table.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            missing = [name for name in columns if name not in (reader.fieldnames or ())]
            if missing:
                raise InputError(
                    f"{table} has no column {', '.join(missing)}.", f"Its first line must name {', '.join(columns)}."
                )
            rows = []
            for row in reader:
                if any(row[name] is None for name in columns):
                    raise InputError(f"{table}, line {reader.line_num}, is too short.", "Complete that line.")
                wrong = next((name for name in whole_numbers if not row[name].strip().lstrip("-").isdecimal()), None)
                if wrong is not None:
                    raise InputError(
                        f"{table}, line {reader.line_num}: {wrong} is {row[wrong]!r}, not a whole number.",
                        "Correct that line.",
                    )
                rows.append(row)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{table} cannot be read as a table ({error}).", "Give a CSV file in UTF-8.") from error
    return rows
