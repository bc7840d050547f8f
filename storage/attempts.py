"""What attempts at chunks have shown lately, read from the job database."""

from dataclasses import dataclass

from sqlalchemy import Engine, func, select

from storage.clock import now
from storage.spent import WASTES, PastPace
from storage.states import ChunkState
from storage.tables import attempts, campaigns, chunks

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
