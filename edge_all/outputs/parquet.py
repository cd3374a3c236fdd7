"""``cells.parquet``: one row per cell with typed columns, for pandas, Polars, DuckDB or R; written on request."""

from __future__ import annotations

import importlib.util
import io
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from edge_all.errors import MissingPackageError
from edge_all.files.atomic import write_atomically
from edge_all.outputs.cell_table import COLUMNS
from edge_all.results import INTENDED_USE
from edge_all.wording.extras import install_words

__all__ = ["parquet_content", "require_parquet", "write_parquet"]


def require_parquet(extra: str = "parquet") -> None:
    """See to it before a run that Parquet can be read, and written after it.

    Args:
        extra: the one to name, which brings pyarrow and what else is needed for what was asked.

    Raises:
        MissingPackageError: pyarrow is not installed.
    """
    if importlib.util.find_spec("pyarrow") is None:
        raise MissingPackageError(
            "Parquet is read and written with pyarrow, which is not installed.",
            f"Install edge-all with its extra, {install_words(extra)}.",
        )


def write_parquet(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write a table of cells with the types of `COLUMNS`; what is not known is null.

    Args:
        path: the file to write.
        rows: from `edge_all.outputs.cell_table.cell_rows`.

    Raises:
        MissingPackageError: pyarrow is not installed.
        OutputError: the file cannot be written.
    """
    write_atomically(path, parquet_content(COLUMNS, rows))


def parquet_content(columns: Mapping[str, Any], rows: Iterable[Mapping[str, Any]]) -> bytes:
    """A table as a Parquet file.

    Args:
        columns: their names and what they hold: ``str``, ``int``, ``float``, ``list[str]`` or ``dict[str, float]``.
        rows: a value for each column; None where it is not known.

    Raises:
        MissingPackageError: pyarrow is not installed.
    """
    require_parquet()
    import pyarrow as pa
    from pyarrow import parquet

    types = {
        str: pa.string(),
        int: pa.int64(),
        float: pa.float64(),
        list[str]: pa.list_(pa.string()),
        dict[str, float]: pa.map_(pa.string(), pa.float64()),
    }
    fields = [(name, types[kind]) for name, kind in columns.items()]
    schema = pa.schema(fields, metadata={"intended_use": INTENDED_USE})
    table = pa.Table.from_pylist([{name: _text(value) for name, value in row.items()} for row in rows], schema)
    file = io.BytesIO()
    parquet.write_table(table, file)
    return file.getvalue()


def _text(value: Any) -> Any:  # noqa: ANN401 - whatever a row holds
    """A file name whose bytes are no valid text must not cost the whole table."""
    return value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value
