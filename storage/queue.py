"""The queue: sessions that hold leases, claims of chunks, and the settling of what came back."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from sqlalchemy import ColumnElement, Connection, Engine, bindparam, exists, func, insert, select, update

from storage.rows import Chunk, OpenCampaign, RenderOutcome, Settlement, dump
from storage.states import TRANSITIONS, ChunkState, RenderState
from storage.tables import attempts, campaigns, chunks, renders, sessions

_waiting = select(chunks.c.id).where(chunks.c.campaign_id == campaigns.c.id, chunks.c.state == ChunkState.QUEUED).limit(1)

OPEN_CAMPAIGNS = (
    select(campaigns.c.id, campaigns.c.model_digest, campaigns.c.priority, campaigns.c.max_workers, exists(_waiting).label("waiting"))
    .where(campaigns.c.finished_at.is_(None), campaigns.c.halted.is_(None))
    .order_by(campaigns.c.id)
)

LEASES = select(chunks.c.campaign_id, chunks.c.worker).where(
    chunks.c.state == ChunkState.LEASED, chunks.c.session_id == bindparam("session")
)

CLAIM = (
    update(chunks)
    .where(
        chunks.c.id
        == select(chunks.c.id)
        .where(chunks.c.campaign_id == bindparam("campaign"), chunks.c.state == ChunkState.QUEUED)
        .order_by(chunks.c.id)
        .limit(1)
        .scalar_subquery()
    )
    .values(state=ChunkState.LEASED, lease=chunks.c.lease + 1, session_id=bindparam("session"), worker=bindparam("holder"))
    .returning(chunks)
)

RETURN = (
    update(chunks)
    .where(chunks.c.id == bindparam("chunk"), chunks.c.lease == bindparam("token"), chunks.c.state == ChunkState.LEASED)
    .values(
        state=bindparam("next"),
        failures=bindparam("failed_times"),
        losses=bindparam("lost_times"),
        session_id=None,
    )
)


class Queue:
    """The queue of one job database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._reader = engine.execution_options(readonly=True)

    # --- sessions ---

    def begin_session(self, *, host: str, pid: int, now: float) -> int:
        with self._engine.begin() as connection:
            values = {"host": host, "pid": pid, "started_at": now, "heartbeat_at": now}
            return int(connection.execute(insert(sessions).returning(sessions.c.id), values).scalar_one())

    def heartbeat(self, session: int, now: float) -> None:
        with self._engine.begin() as connection:
            connection.execute(update(sessions).where(sessions.c.id == session).values(heartbeat_at=now))

    def end_session(self, session: int, now: float) -> int:
        """End a session and put its chunks back; returns how many."""
        return self._end(sessions.c.id == session, now)

    def end_all_sessions(self, now: float) -> int:
        """End every session. Only for who knows that no other dispatcher lives: a home has one, and its parent holds the lock."""
        return self._end(sessions.c.ended_at.is_(None), now)

    def _end(self, which: ColumnElement[bool], now: float) -> int:
        with self._engine.begin() as connection:
            ended = connection.execute(update(sessions).where(which).values(ended_at=now).returning(sessions.c.id)).scalars().all()
            freed = connection.execute(
                update(chunks)
                .where(chunks.c.state == ChunkState.LEASED, chunks.c.session_id.in_(ended))
                .values(state=ChunkState.QUEUED, session_id=None)
            )
            return int(freed.rowcount)

    # --- claims ---

    def open_campaigns(self, session: int) -> list[OpenCampaign]:
        """The campaigns that are neither over nor halted, oldest first, with the workers that hold chunks of each."""
        holders: dict[int, set[str]] = defaultdict(set)
        with self._reader.connect() as connection:
            for row in connection.execute(LEASES, {"session": session}):
                holders[row.campaign_id].add(row.worker)
            rows = connection.execute(OPEN_CAMPAIGNS).all()
        return [
            OpenCampaign(
                id=row.id,
                model_digest=row.model_digest,
                priority=row.priority,
                max_workers=row.max_workers,
                waiting=bool(row.waiting),
                workers=frozenset(holders[row.id]),
            )
            for row in rows
        ]

    def waiting_chunks(self, limit: int) -> int:
        """How many chunks wait in open campaigns, counted up to a limit."""
        some = (
            select(chunks.c.id)
            .join(campaigns, campaigns.c.id == chunks.c.campaign_id)
            .where(campaigns.c.finished_at.is_(None), campaigns.c.halted.is_(None), chunks.c.state == ChunkState.QUEUED)
            .limit(limit)
        )
        with self._reader.connect() as connection:
            return int(connection.execute(select(func.count()).select_from(some.subquery())).scalar_one())

    def claim(self, session: int, seats: Iterable[tuple[int, str]], now: float) -> list[Chunk]:
        """Lease the next chunk of a campaign to a worker, for each (campaign id, worker name) given; where a campaign has no
        chunk left, its seat stays empty.
        """
        seats = list(seats)
        if not seats:
            return []
        claimed: list[Chunk] = []
        with self._engine.begin() as connection:
            for campaign_id, worker in seats:
                row = connection.execute(CLAIM, {"campaign": campaign_id, "session": session, "holder": worker}).first()
                if row is not None:
                    fields = {name: row._mapping[name] for name in Chunk.__dataclass_fields__}
                    claimed.append(Chunk(**fields))
            begun = {chunk.campaign_id for chunk in claimed}
            first = campaigns.c.id.in_(begun) & campaigns.c.started_at.is_(None)
            connection.execute(update(campaigns).where(first).values(started_at=now))
        return claimed

    # --- settling ---

    def settle(self, settlements: Sequence[Settlement], now: float) -> list[Settlement]:
        """Record what came of attempts, in one transaction, and return those that counted.

        One whose lease is stale changes nothing. One with outcomes settles its chunk; one without puts it back.
        """
        if not settlements:
            return []
        with self._engine.begin() as connection:
            counted = [s for s in settlements if self._return_chunk(connection, s)]
            rows = [_render_row(s, o, now) for s in counted for o in s.outcomes]
            if rows:
                connection.execute(insert(renders), rows)
            if counted:
                connection.execute(insert(attempts), [_attempt_row(s, now) for s in counted])
            for campaign_id in {s.campaign_id for s in counted}:
                _count(connection, campaign_id, [o for s in counted if s.campaign_id == campaign_id for o in s.outcomes], now)
        return counted

    def _return_chunk(self, connection: Connection, settlement: Settlement) -> bool:
        changed = connection.execute(
            RETURN,
            {
                "chunk": settlement.chunk_id,
                "token": settlement.lease,
                "next": ChunkState.SETTLED if settlement.outcomes else ChunkState.QUEUED,
                "failed_times": settlement.failures,
                "lost_times": settlement.losses,
            },
        )
        return changed.rowcount == 1


def _count(connection: Connection, campaign_id: int, outcomes: list[RenderOutcome], now: float) -> None:
    done, failed, held = (sum(o.state is state for o in outcomes) for state in (RenderState.DONE, RenderState.FAILED, RenderState.HELD))
    c = campaigns.c
    mine = update(campaigns).where(c.id == campaign_id)
    connection.execute(mine.values(done=c.done + done, failed=c.failed + failed, held=c.held + held))
    over = (c.done + c.failed + c.held >= c.total) & c.finished_at.is_(None)
    connection.execute(mine.where(over).values(finished_at=now))


def _render_row(settlement: Settlement, outcome: RenderOutcome, now: float) -> dict[str, object]:
    assert outcome.state in TRANSITIONS[RenderState.RUNNING], f"{outcome.state} is not how an attempt ends"
    return {
        **{name: getattr(outcome, name) for name in RenderOutcome.__dataclass_fields__},
        "campaign_id": settlement.campaign_id,
        "attempts": settlement.lease,
        "worker": settlement.worker,
        "finished_at": now,
    }


def _attempt_row(settlement: Settlement, now: float) -> dict[str, object]:
    return {
        "campaign_id": settlement.campaign_id,
        "chunk_id": settlement.chunk_id,
        "lease": settlement.lease,
        "worker": settlement.worker,
        "outcome": settlement.outcome,
        "detail": settlement.detail,
        "done": sum(o.state is RenderState.DONE for o in settlement.outcomes),
        "failed": sum(o.state is RenderState.FAILED for o in settlement.outcomes),
        "held": sum(o.state is RenderState.HELD for o in settlement.outcomes),
        "facts": dump(settlement.facts),
        "ended_at": now,
    }
