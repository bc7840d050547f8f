"""The manifest as a Parquet table, for those who ask about pictures with pandas, DuckDB or
Spark.
"""

import json
from collections.abc import Iterable
from itertools import islice
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq

from farm.results.line import ExportedLine

_ROWS = 10_000  # in a group of rows, which is all that is in memory
_TYPES = {
    **dict.fromkeys(("number", "seed", "bytes", "attempts"), pa.int64()),
    **dict.fromkeys(("seconds", "money", "finished_at"), pa.float64()),
    **dict.fromkeys(("previews", "preview_paths", "size_paths"), pa.list_(pa.string())),
}


def write_parquet(lines: Iterable[ExportedLine], file: IO[bytes]) -> None:
    """Write a row for each line, and a column for each of its keys, in their order.

    Columns that are not numbers are text. Coordinates and settings are JSON in it, because an axis
    may have texts in one campaign, numbers in another, and mappings in a third, and their tables
    shall have the same columns.
    """
    left = iter(lines)
    rows = list(islice(left, _ROWS))
    schema = pa.schema(
        [(name, _TYPES.get(name, pa.string())) for name in (rows[0] if rows else ())]
    )
    with pq.ParquetWriter(file, schema, compression="zstd") as writer:
        while rows:
            writer.write_table(_table(rows, schema))
            rows = list(islice(left, _ROWS))


def _table(lines: list[ExportedLine], schema: pa.Schema) -> pa.Table:
    columns = [
        pa.array([_cell(line.get(field.name), field.type) for line in lines], field.type)
        for field in schema
    ]
    return pa.Table.from_arrays(columns, schema=schema)


def _cell(value: Any, kind: pa.DataType) -> Any:
    is_json = kind == pa.string() and value is not None and not isinstance(value, str)
    return json.dumps(value, ensure_ascii=False) if is_json else value
