"""Renders that are added to a campaign: other pictures of its cells, asked for again."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select, update

from storage.bulk import insert_chunks
from storage.campaigns import with_proofs
from storage.rows import NewChunk, dump
from storage.tables import campaigns

Json = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Redos:
    """Renders to add: their numbers, and the specs of the campaign and of its proofs with them."""

    numbers: Sequence[int]
    are_proofs: bool
    """Whether their proofs are painted first, for a person to decide about."""
    spec: Json
    proofs_spec: Json | None
    chunks: Sequence[NewChunk]


MakeRedos = Callable[[Json, Sequence[int]], Redos]
"""Makes redos of the renders with these numbers, from the campaign's spec."""


def add_redos(
    connection: Connection, campaign_id: int, make: MakeRedos, numbers: Sequence[int]
) -> list[int]:
    """Add renders to a campaign and to its proofs, and queue them with one of the two; returns
    their numbers.
    """
    query = select(campaigns).where(with_proofs(campaign_id)).order_by(campaigns.c.id)
    rows = connection.execute(query.with_for_update()).all()
    spec = next(row.spec for row in rows if row.id == campaign_id)
    redos = make(json.loads(spec), numbers)
    for row in rows:
        is_final = row.id == campaign_id
        is_queue = redos.are_proofs is not is_final
        more = len(redos.numbers) if is_final or is_queue else 0
        values: Json = {"spec": dump(redos.spec if is_final else redos.proofs_spec)}
        if more:
            values |= {"total": row.total + more, "finished_at": None}
        if is_final and is_queue and row.released is not None:
            values["released"] = row.released + more
        connection.execute(update(campaigns).where(campaigns.c.id == row.id).values(**values))
        if is_queue:
            insert_chunks(connection, row.id, redos.chunks)
    return list(redos.numbers)
