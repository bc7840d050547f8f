"""Views for operators: workers as last seen, who leads, how fast models are, and what was
attempted.
"""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Engine, Row, delete, func, insert, select, update

from storage.attempts import attempts_after, last_attempt
from storage.clock import db_time, now
from storage.event_kinds import EventKind
from storage.events import record
from storage.figures import Figures, dump_figures
from storage.orders import FleetOrders, Orders
from storage.queue import HEARTBEAT_S
from storage.rows import Json, WorkerRow, dump
from storage.spent import AttemptRow
from storage.states import WorkerState
from storage.tables import attempts, campaigns, sessions, workers

NOBODY: Mapping[str, EventKind] = {}
ROSTER_FRESH_S = 5 * HEARTBEAT_S  # a dispatcher that has been silent for longer is taken for dead


@dataclass(frozen=True, kw_only=True)
class Leader:
    """The dispatcher that leads, and how long ago it was heard."""

    host: str
    silent_s: float

    @property
    def is_fresh(self) -> bool:
        return abs(self.silent_s) <= ROSTER_FRESH_S


class Watching:
    """Read-mostly views of one job database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._reader = engine.execution_options(readonly=True)

    def save_workers(
        self,
        session: int,
        seen: Sequence[WorkerRow],
        *,
        let_go: Mapping[str, EventKind] = NOBODY,
        is_end: bool = False,
    ) -> None:
        """Replace the roster with the workers that the leading dispatcher sees. It says whom it
        has let go, and how; at its end, these are all. A session that leads no longer changes
        nothing.
        """
        with self._engine.begin() as connection:
            if (
                connection.execute(
                    select(sessions.c.id)
                    .where(sessions.c.id == session, sessions.c.live == 1)
                    .with_for_update()
                ).first()
                is None
            ):
                return
            before = {row.name: row for row in connection.execute(select(workers))}
            for kind, name, data in roster_events(before, seen, let_go, is_end=is_end):
                record(connection, kind, data={"worker": name, **data})
            connection.execute(delete(workers))
            seen_at = now(connection)
            if seen:
                rows = [
                    {
                        **asdict(worker),
                        "blamed": dump(worker.blamed),
                        "loaded": dump(worker.loaded),
                        "session_id": session,
                        "seen_at": seen_at,
                    }
                    for worker in seen
                ]
                connection.execute(insert(workers), rows)

    def save_figures(self, session: int, figures: Figures) -> None:
        """Keep what a session tells of itself. It matters to nobody once another leads."""
        mine = update(sessions).where(sessions.c.id == session)
        with self._engine.begin() as connection:
            connection.execute(mine.values(figures=dump_figures(figures)))

    def workers(self, *, fresh_s: float | None = ROSTER_FRESH_S) -> list[WorkerRow]:
        """The workers that a dispatcher has seen in the last `fresh_s` seconds: a dispatcher that
        was killed sees none. With None, all that it saw last.
        """
        query = select(workers).order_by(workers.c.name)
        if fresh_s is not None:
            query = query.where(func.abs(workers.c.seen_at - db_time()) <= fresh_s)
        with self._reader.connect() as connection:
            return [_worker(row) for row in connection.execute(query)]

    def orders(self) -> FleetOrders:
        """The orders of an operator to the fleet."""
        return Orders(self._engine).get()

    def dispatcher(self) -> str | None:
        """The host of the dispatcher that leads, if it has been heard lately."""
        query = select(sessions.c.host).where(
            sessions.c.live == 1, func.abs(sessions.c.heartbeat_at - db_time()) <= ROSTER_FRESH_S
        )
        with self._reader.connect() as connection:
            return connection.execute(query).scalar()

    def leader(self) -> Leader | None:
        """The dispatcher that has led last and has not ended its session, however long ago it was
        heard.
        """
        silent = (db_time() - sessions.c.heartbeat_at).label("silent")
        query = select(sessions.c.host, silent).where(sessions.c.live == 1)
        with self._reader.connect() as connection:
            row = connection.execute(query).first()
        return None if row is None else Leader(host=row.host, silent_s=float(row.silent))

    def now(self) -> float:
        """The time by the database's clock."""
        with self._reader.connect() as connection:
            return now(connection)

    def clock_skew_s(self) -> float:
        """How far the database's clock is ahead of this machine's."""
        with self._reader.connect() as connection:
            return now(connection) - time.time()

    def seconds_per_megapixel_step(
        self, model_digest: str, attempts_looked_at: int = 50
    ) -> float | None:
        """The seconds that a megapixel-step of a model has taken a worker lately; None if it has
        no history.
        """
        lately = (
            select(campaigns.c.id)
            .where(campaigns.c.model_digest == model_digest)
            .order_by(campaigns.c.id.desc())
            .limit(20)
        )
        query = (
            select(attempts.c.facts)
            .where(attempts.c.campaign_id.in_(lately), attempts.c.done > 0)
            .order_by(attempts.c.id.desc())
            .limit(attempts_looked_at)
        )
        with self._reader.connect() as connection:
            facts = [json.loads(text) for text in connection.execute(query).scalars()]
        work = sum(fact["megapixel_steps"] for fact in facts)
        return sum(sum(fact["batch_s"]) for fact in facts) / work if work else None

    def last_attempt(self) -> int:
        with self._reader.connect() as connection:
            return last_attempt(connection)

    def attempts_after(self, attempt_id: int) -> list[AttemptRow]:
        """The next attempts beyond one."""
        with self._reader.connect() as connection:
            return attempts_after(connection, attempt_id)


def roster_events(
    before: Mapping[str, Any],
    seen: Sequence[WorkerRow],
    let_go: Mapping[str, EventKind] = NOBODY,
    *,
    is_end: bool = False,
) -> Iterator[tuple[EventKind, str, Json]]:
    """The events that lie between two rosters: their kinds, the workers' names, and details."""
    for worker in seen:
        old = before.get(worker.name)
        if old is None:
            place = {"pool": worker.pool, "node": worker.node, "device": worker.device}
            yield EventKind.WORKER_JOINED, worker.name, place
        if worker.state is WorkerState.QUARANTINED and (
            old is None or old.state != WorkerState.QUARANTINED
        ):
            why = {"until": worker.quarantined_until, "why": worker.quarantined_why}
            yield EventKind.WORKER_QUARANTINED, worker.name, why
    for name in sorted(before.keys() - {worker.name for worker in seen}):
        unsaid = EventKind.WORKER_LEFT if is_end else EventKind.WORKER_LOST
        yield let_go.get(name, unsaid), name, {"node": before[name].node}


def _worker(row: Row[Any]) -> WorkerRow:
    fields = {name: row._mapping[name] for name in WorkerRow.__dataclass_fields__}
    return WorkerRow(
        **{
            **fields,
            "state": WorkerState(row.state),
            "blamed": tuple(json.loads(row.blamed)),
            "loaded": tuple(json.loads(row.loaded)),
        }
    )
