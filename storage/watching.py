"""What operators look at: workers as last seen, how much waits, and the attempts that metrics have not counted yet."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from sqlalchemy import Engine, delete, func, insert, select

from storage.rows import AttemptRow, WorkerRow
from storage.states import ChunkState
from storage.tables import attempts, campaigns, chunks, workers

ROSTER_FRESH_S = 15.0  # five heartbeats of a dispatcher: one that has been silent for longer is taken for dead


@dataclass(frozen=True, kw_only=True)
class Backlog:
    """Renders of one model that are not over."""

    model: str
    queued: int
    running: int


class Watching:
    """Read-mostly views of one job database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._reader = engine.execution_options(readonly=True)

    def save_workers(self, session: int, seen: Sequence[WorkerRow], now: float) -> None:
        """Replace the roster: there is one dispatcher, and what it sees is what there is."""
        with self._engine.begin() as connection:
            connection.execute(delete(workers))
            if seen:
                rows = [{**asdict(worker), "session_id": session, "seen_at": now} for worker in seen]
                connection.execute(insert(workers), rows)

    def workers(self, *, seen_since: float) -> list[WorkerRow]:
        """The workers that a dispatcher has seen since then; those of one that was killed fall silent."""
        with self._reader.connect() as connection:
            rows = connection.execute(select(workers).where(workers.c.seen_at >= seen_since).order_by(workers.c.name)).all()
        return [WorkerRow(**{name: row._mapping[name] for name in WorkerRow.__dataclass_fields__}) for row in rows]

    def backlog(self) -> list[Backlog]:
        """Renders that wait or are being painted, by model; models of which nothing waits are told as 0, so that no series ends."""
        leased = select(func.coalesce(func.sum(chunks.c.total), 0)).where(
            chunks.c.campaign_id == campaigns.c.id, chunks.c.state == ChunkState.LEASED
        )
        left = campaigns.c.total - campaigns.c.done - campaigns.c.failed - campaigns.c.held
        each = select(campaigns.c.model, left.label("left"), leased.scalar_subquery().label("running")).subquery()
        query = select(each.c.model, func.sum(each.c.left - each.c.running), func.sum(each.c.running)).group_by(each.c.model)
        with self._reader.connect() as connection:
            rows = connection.execute(query.order_by(each.c.model)).all()
        return [Backlog(model=model, queued=int(queued), running=int(running)) for model, queued, running in rows]

    def seconds_per_megapixel_step(self, model_digest: str, attempts_looked_at: int = 50) -> float | None:
        """What a megapixel-step of a model has cost a worker lately; None where it has no history."""
        query = (
            select(attempts.c.facts)
            .join(campaigns, campaigns.c.id == attempts.c.campaign_id)
            .where(campaigns.c.model_digest == model_digest, attempts.c.done > 0)
            .order_by(attempts.c.id.desc())
            .limit(attempts_looked_at)
        )
        with self._reader.connect() as connection:
            facts = [json.loads(text) for text in connection.execute(query).scalars()]
        work = sum(fact["megapixel_steps"] for fact in facts)
        return sum(sum(fact["batch_s"]) for fact in facts) / work if work else None

    def last_attempt(self) -> int:
        with self._reader.connect() as connection:
            return int(connection.execute(select(func.coalesce(func.max(attempts.c.id), 0))).scalar_one())

    def attempts_after(self, attempt_id: int, limit: int = 1000) -> list[AttemptRow]:
        query = (
            select(attempts, campaigns.c.model)
            .join(campaigns, campaigns.c.id == attempts.c.campaign_id)
            .where(attempts.c.id > attempt_id)
            .order_by(attempts.c.id)
            .limit(limit)
        )
        with self._reader.connect() as connection:
            rows = connection.execute(query).all()
        return [
            AttemptRow(
                id=row.id,
                model=row.model,
                outcome=row.outcome,
                done=row.done,
                failed=row.failed,
                held=row.held,
                facts=json.loads(row.facts),
            )
            for row in rows
        ]
