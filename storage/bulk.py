"""Many rows at once, in the way that each engine takes them fastest."""

import json
from collections.abc import Iterable, Sequence
from itertools import groupby, islice

from sqlalchemy import Connection, insert

from storage.database import driver_cursor
from storage.rows import NewChunk, dump
from storage.states import ChunkState
from storage.tables import chunks, refusals, renders

# explicit chunks take a while to plan, and a server ends a transaction that has been idle for 15 s
_AT_ONCE = 500
_RENDER_COLUMNS = tuple(renders.c.keys())
_RENDER_TYPES = (
    "int8", "int8", "text", "text", "text", "text", "text", "text", "int8", "int4", "text", "text",
    "float8", "float8", "text", "int4", "text", "float8", "text",
)  # fmt: skip
_COPY_RENDERS = f"COPY renders ({', '.join(_RENDER_COLUMNS)}) FROM STDIN (FORMAT BINARY)"
_CHUNK_COLUMNS = (
    "campaign_id",
    "group_no",
    "start",
    "stop",
    "numbers",
    "total",
    "state",
    "lease",
    "failures",
    "losses",
    "bad_outputs",
)
_CHUNK_TYPES = (
    "bigint",
    "int",
    "bigint",
    "bigint",
    "text",
    "int",
    "text",
    "int",
    "int",
    "int",
    "int",
)


def insert_renders(connection: Connection, rows: Sequence[tuple[object, ...]]) -> None:
    """Rows of `renders`, as tuples in the order of its columns."""
    if connection.dialect.name == "sqlite":
        _insert(connection, "renders", _RENDER_COLUMNS, _RENDER_TYPES, rows)
    elif rows:
        # 180 of them in 6.0 ms, where a JSON document took 10.8 ms.
        with driver_cursor(connection) as cursor, cursor.copy(_COPY_RENDERS) as copy:
            copy.set_types(_RENDER_TYPES)
            for row in rows:
                copy.write_row(row)


def insert_chunks(connection: Connection, campaign_id: int, new: Iterable[NewChunk]) -> None:
    """Queue chunks, in the order given; an endless iterator would do as well as a list, as few
    stand in memory at once.
    """
    series = iter(new)
    while some := list(islice(series, _AT_ONCE)):
        for is_plain, run in groupby(some, key=lambda chunk: not chunk.refused_by):
            if is_plain:
                _insert(
                    connection,
                    "chunks",
                    _CHUNK_COLUMNS,
                    _CHUNK_TYPES,
                    [_chunk_row(campaign_id, chunk) for chunk in run],
                )
            else:
                for chunk in run:
                    _insert_refused(connection, campaign_id, chunk)


def carry_over(
    connection: Connection, old_id: int, new_id: int, pairs: Sequence[tuple[int, int]]
) -> None:
    """Copy renders from one campaign to another, those named as (new number, old number)."""
    same = ", ".join(f'r."{name}"' for name in _RENDER_COLUMNS[2:])
    names = ", ".join(f'"{name}"' for name in _RENDER_COLUMNS)
    head = f"INSERT INTO renders ({names}) SELECT"
    if connection.dialect.name == "sqlite":
        statement = (
            f"{head} ?, json_extract(p.value, '$[0]'), {same} FROM json_each(?) p "
            "JOIN renders r ON r.campaign_id = ? AND r.number = json_extract(p.value, '$[1]')"
        )
        connection.exec_driver_sql(statement, (new_id, json.dumps(list(pairs)), old_id))
    else:
        statement = (
            f"{head} %s::bigint, p.new, {same} FROM unnest(%s::bigint[], %s::bigint[]) AS p(new,"
            " old) JOIN renders r ON r.campaign_id = %s AND r.number = p.old"
        )
        connection.exec_driver_sql(
            statement, (new_id, [new for new, _ in pairs], [old for _, old in pairs], old_id)
        )


def _insert(
    connection: Connection,
    table: str,
    columns: Sequence[str],
    types: Sequence[str],
    rows: Sequence[tuple[object, ...]],
) -> None:
    """SQLite takes its driver's executemany, PostgreSQL one JSON document: 256 renders in 2.7 ms,
    where an array for each column took 4.0 ms, most of it in the driver's Python.
    """
    if not rows:
        return
    names = ", ".join(f'"{name}"' for name in columns)
    if connection.dialect.name == "sqlite":
        marks = ", ".join("?" * len(columns))
        # our own words
        statement = f"INSERT INTO {table} ({names}) VALUES ({marks})"  # noqa: S608
        connection.exec_driver_sql(statement, list(rows))
    else:
        typed = ", ".join(f'"{name}" {kind}' for name, kind in zip(columns, types, strict=True))
        # our own words
        series = f"SELECT * FROM json_to_recordset(%s::json) AS given({typed})"  # noqa: S608
        document = dump([dict(zip(columns, row, strict=True)) for row in rows])
        connection.exec_driver_sql(f"INSERT INTO {table} ({names}) {series}", (document,))


def _chunk_row(campaign_id: int, chunk: NewChunk) -> tuple[object, ...]:
    numbers = None if chunk.numbers is None else json.dumps(chunk.numbers, separators=(",", ":"))
    return (
        campaign_id, chunk.group_no, chunk.start, chunk.stop, numbers, chunk.total,
        ChunkState.QUEUED.value, chunk.lease, chunk.failures,
        chunk.losses, chunk.bad_outputs,
    )  # fmt: skip


def _insert_refused(connection: Connection, campaign_id: int, chunk: NewChunk) -> None:
    row = dict(zip(_CHUNK_COLUMNS, _chunk_row(campaign_id, chunk), strict=True))
    chunk_id = connection.execute(insert(chunks).returning(chunks.c.id), row).scalar_one()
    connection.execute(
        insert(refusals),
        [{"chunk_id": chunk_id, "worker": name} for name in sorted(chunk.refused_by)],
    )
