"""``cells.parquet``: one row per cell with typed columns, for pandas, Polars, DuckDB or R; written on request."""

from __future__ import annotations

import importlib.util
import io
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from edge_all.errors import MissingPackageError
from edge_all.files.atomic import write_atomically
from edge_all.outputs.cell_table import COLUMNS
from edge_all.wording.extras import install_words

__all__ = ["require_parquet", "write_parquet"]


def require_parquet() -> None:
    """See to it before a run that a Parquet file can be written after it.

    Raises:
        MissingPackageError: pyarrow is not installed.
    """
    if importlib.util.find_spec("pyarrow") is None:
        raise MissingPackageError(
            "A Parquet file is written with pyarrow, which is not installed.",
            f"Install edge-all with its extra, {install_words('parquet')}.",
        )


def write_parquet(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    """Write a table with the types of `COLUMNS`; what is not known is null.

    Args:
        path: the file to write.
        rows: from `edge_all.outputs.cell_table.cell_rows`.

    Raises:
        MissingPackageError: pyarrow is not installed.
        OutputError: the file cannot be written.
    """
    require_parquet()
    import pyarrow as pa
    from pyarrow import parquet

    types = {str: pa.string(), int: pa.int64(), float: pa.float64()}
    schema = pa.schema([(name, types[kind]) for name, kind in COLUMNS.items()])
    table = pa.Table.from_pylist([{name: _text(value) for name, value in row.items()} for row in rows], schema)
    file = io.BytesIO()
    parquet.write_table(table, file)
    write_atomically(path, file.getvalue())


def _text(value: Any) -> Any:  # noqa: ANN401 - whatever a row holds
    """A file name whose bytes are no valid text must not cost the whole table."""
    return value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value
