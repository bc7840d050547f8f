"""Attempts at chunks, read from the job database: what they have shown lately, and each of them
once for metrics.
"""

import json
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, Row, Select, func, select

from storage.clock import now
from storage.keys import campaign_name
from storage.spent import WASTES, AttemptRow, PastPace, Spent
from storage.states import AttemptOutcome, ChunkState, Stage
from storage.tables import attempts, campaigns, chunks, sessions

MOST_AT_ONCE = 1_000
_SPENT = tuple(Spent.__dataclass_fields__)
_LATELY = 2_000  # attempts of all campaigns that tell how fast and how often each is served


@dataclass(frozen=True, kw_only=True)
class Lately:
    """The last attempts of all campaigns, the oldest first; the renders of leased chunks, by
    campaign and worker; and the database's time.
    """

    now: float
    attempts: tuple[PastPace, ...]
    under_way: dict[tuple[int, str], int]


class Attempts:
    """The attempts of one job database."""

    def __init__(self, engine: Engine) -> None:
        self._reader = engine.execution_options(readonly=True)

    def lately(self, limit: int = _LATELY) -> Lately:
        a = attempts.c
        batches_s = a.painted_s + a.padding_s + a.retries_s + a.stopped_s
        given_s = a.painted_s + a.idle_s
        for name in WASTES:
            given_s += a[name]
        query = (
            select(
                a.campaign_id,
                campaigns.c.model_digest.label("model"),
                a.worker,
                a.ended_at,
                given_s.label("given_s"),
                batches_s.label("painted_s"),
                (a.done + a.failed + a.held).label("renders"),
                a.megapixel_steps,
            )
            .join(campaigns, campaigns.c.id == a.campaign_id)
            .where(given_s > 0)
            .order_by(a.id.desc())
            .limit(limit)
        )
        leased = (
            select(
                chunks.c.campaign_id, chunks.c.worker, func.sum(chunks.c.total).label("renders")
            )
            .where(chunks.c.state == ChunkState.LEASED)
            .group_by(chunks.c.campaign_id, chunks.c.worker)
        )
        with self._reader.connect() as connection:
            past = connection.execute(query).all()
            held = connection.execute(leased).all()
            time = now(connection)
        return Lately(
            now=time,
            attempts=tuple(PastPace(**row._mapping) for row in reversed(past)),
            under_way={(row.campaign_id, row.worker): int(row.renders) for row in held},
        )


def last_attempt(connection: Connection) -> int:
    """The id of the last attempt; 0 if there was none yet."""
    query = select(func.coalesce(func.max(attempts.c.id), 0))
    return int(connection.execute(query).scalar_one())


def attempts_after(
    connection: Connection, attempt_id: int, *, owner: str | None = None
) -> list[AttemptRow]:
    """The next attempts beyond one, MOST_AT_ONCE at most. With `owner`, those that sessions of its
    have settled: they are committed in the order of their ids.
    """
    query = _attempts().where(attempts.c.id > attempt_id)
    if owner is not None:
        settled = sessions.c.id == attempts.c.session_id
        query = query.join(sessions, settled).where(sessions.c.owner == owner)
    return [_attempt(row) for row in connection.execute(query.limit(MOST_AT_ONCE))]


def _attempts() -> Select[Any]:
    a, c = attempts.c, campaigns.c
    earlier = attempts.alias("earlier")
    is_first = ~(
        select(earlier.c.id)
        .where(earlier.c.campaign_id == a.campaign_id, earlier.c.id < a.id, earlier.c.done > 0)
        .exists()
    )
    return (
        select(
            a.id, a.chunk_id, a.outcome, a.done, a.failed, a.held, a.facts,
            *(a[name] for name in _SPENT),
            c.project, c.name, c.model, c.model_digest, c.proof_of,
            (a.ended_at - c.created_at).label("since_s"), is_first.label("is_first"),
        )
        .join(campaigns, c.id == a.campaign_id)
        .order_by(a.id)
    )  # fmt: skip


def _attempt(row: Row[Any]) -> AttemptRow:
    return AttemptRow(
        id=row.id,
        project=row.project,
        campaign=campaign_name(row.name),
        chunk_id=row.chunk_id,
        model=row.model,
        model_digest=row.model_digest,
        stage=Stage.FINAL if row.proof_of is None else Stage.PROOF,
        outcome=_outcome(row.outcome),
        done=row.done,
        failed=row.failed,
        held=row.held,
        first_picture_s=max(0.0, row.since_s) if row.done and row.is_first else None,
        spent=Spent(**{name: row._mapping[name] for name in _SPENT}),
        facts=json.loads(row.facts),
    )


def _outcome(text: str) -> AttemptOutcome:
    """An outcome as it is stored. A later version of the farm on the same database may write
    outcomes that this one does not know.
    """
    try:
        return AttemptOutcome(text)
    except ValueError:
        return AttemptOutcome.UNKNOWN
