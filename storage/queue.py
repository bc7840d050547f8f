"""The queue: the session that leads, and its claims of chunks. `storage.settling` records how they
ended.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    Row,
    and_,
    bindparam,
    exists,
    func,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError

from storage.campaigns import chunk_row
from storage.claiming import claim_next
from storage.clock import db_time, now
from storage.errors import SessionLost
from storage.event_kinds import EventKind
from storage.moments import FARTHEST_S
from storage.rows import Chunk, OpenCampaign, Snapshot
from storage.settling import cancel_queued
from storage.states import ChunkState
from storage.tables import campaigns, chunks, sessions
from storage.telling import tell

HEARTBEAT_S = 3.0
LEASE_S = 2 * HEARTBEAT_S
"""A session that has been silent for longer has lost its leases, as soon as another dispatcher
sees it.
"""

_waiting = (
    select(chunks.c.id)
    .where(chunks.c.campaign_id == campaigns.c.id, chunks.c.state == ChunkState.QUEUED)
    .limit(1)
)
_may_run = (
    campaigns.c.finished_at.is_(None)
    & campaigns.c.halted.is_(None)
    & campaigns.c.paused_at.is_(None)
    & campaigns.c.cancelled_at.is_(None)
    & campaigns.c.pruned_at.is_(None)
)
_before = chunks.alias("before")
_under_way_before = exists().where(
    _before.c.campaign_id == campaigns.c.replaces, _before.c.state == ChunkState.LEASED
)
_waits = func.coalesce(campaigns.c.waits_until, 0).between(
    db_time(), db_time() + FARTHEST_S
)  # as `is_to_come` has it
_is_ready = and_(~_waits, or_(campaigns.c.replaces.is_(None), ~_under_way_before))

OPEN_CAMPAIGNS = (
    select(
        *(column for column in campaigns.c if column.name != "spec"),
        and_(exists(_waiting), _is_ready).label("waiting"),
        db_time().label("now"),
    )
    .where(_may_run)
    .order_by(campaigns.c.id)
)

LEASES = select(
    chunks.c.id, chunks.c.lease, chunks.c.campaign_id, chunks.c.worker, chunks.c.total
).where(chunks.c.state == ChunkState.LEASED, chunks.c.session_id == bindparam("session"))

RENEW = (
    update(sessions)
    .where(sessions.c.id == bindparam("session"), sessions.c.live == 1)
    .values(heartbeat_at=db_time())
    .returning(sessions.c.heartbeat_at)
)

# With whether some of the campaigns have not been started yet: in all later claims that saves a
# statement.
RENEW_AND_LOOK = RENEW.returning(
    exists()
    .where(
        campaigns.c.id.in_(bindparam("wanted", expanding=True)), campaigns.c.started_at.is_(None)
    )
    .label("has_new")
)
_LOST = "Another dispatcher leads now: this one's leases are its."


class Queue:
    """The queue of one job database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._reader = engine.execution_options(readonly=True)

    # --- sessions ---

    def lead(self, *, owner: str, host: str, pid: int) -> int | None:
        """Begin the session that leads, with the leases of the one before it; None while that one
        lives.

        An owner has one dispatcher at a time: it takes over from its own at once, from others when
        they have been silent for a lease.
        """
        try:
            with self._engine.begin() as connection:
                before = connection.execute(
                    select(sessions).where(sessions.c.live == 1).with_for_update()
                ).first()
                time = now(connection)
                if before is not None:
                    # A heartbeat from the future is from before the clock was set back: a session
                    # that lives sends another soon.
                    if before.owner != owner and abs(time - before.heartbeat_at) < LEASE_S:
                        return None
                    connection.execute(
                        update(sessions)
                        .where(sessions.c.id == before.id)
                        .values(live=None, ended_at=time)
                    )
                values = {
                    "owner": owner,
                    "host": host,
                    "pid": pid,
                    "live": 1,
                    "started_at": time,
                    "heartbeat_at": time,
                }
                session = int(
                    connection.execute(
                        insert(sessions).returning(sessions.c.id), values
                    ).scalar_one()
                )
                leased = chunks.c.state == ChunkState.LEASED
                _lock_campaigns(connection, leased)
                connection.execute(update(chunks).where(leased).values(session_id=session))
                return session
        except IntegrityError:
            return None  # another was quicker: one session alone can be live

    def renew(self, session: int) -> float:
        """Say that a session lives; returns the time. Raises SessionLost if another has taken
        over.
        """
        with self._engine.begin() as connection:
            return _renew(connection, session)

    def release(self, session: int, *, keep: Iterable[str] = ()) -> int:
        """Put a session's chunks back, except those of the workers to keep; returns how many were
        put back.
        """
        with self._engine.begin() as connection:
            mine = (chunks.c.state == ChunkState.LEASED) & (chunks.c.session_id == session)
            _lock_campaigns(connection, mine)
            back = (
                update(chunks)
                .where(mine, chunks.c.worker.not_in(list(keep)))
                .values(state=ChunkState.QUEUED, session_id=None)
            )
            released = connection.execute(back.returning(chunks.c.campaign_id)).scalars().all()
            cancel_queued(connection, set(released))
            return len(released)

    def end_session(self, session: int) -> int:
        """End a session and put its chunks back; returns how many."""
        released = self.release(session)
        with self._engine.begin() as connection:
            mine = update(sessions).where(sessions.c.id == session, sessions.c.live == 1)
            connection.execute(mine.values(live=None, ended_at=db_time()))
        return released

    # --- claims ---

    def snapshot(self, session: int) -> Snapshot:
        """The campaigns that may be painted now, oldest first, with the workers that hold chunks
        of each.
        """
        with self._reader.connect() as connection:
            leases = connection.execute(LEASES, {"session": session}).all()
            rows = connection.execute(OPEN_CAMPAIGNS).all()
            closed = _closed(
                connection, {lease.campaign_id for lease in leases} - {row.id for row in rows}
            )
            time = rows[0].now if rows else now(connection)
        holders: dict[int, set[str]] = defaultdict(set)
        running: dict[int, int] = defaultdict(int)
        for lease in leases:
            holders[lease.campaign_id].add(lease.worker)
            running[lease.campaign_id] += lease.total
        closing: dict[str, frozenset[str]] = defaultdict(frozenset)
        for row in closed:
            closing[row.project] |= holders[row.id]
        unwanted = {row.id for row in closed if row.is_unwanted}
        return Snapshot(
            now=time,
            campaigns=tuple(
                _open_campaign(row, running[row.id], frozenset(holders[row.id])) for row in rows
            ),
            leases=frozenset(
                (lease.id, lease.lease) for lease in leases if lease.campaign_id not in unwanted
            ),
            closing=dict(closing),
        )

    def waiting_chunks(self, limit: int, rooms: Sequence[tuple[Collection[int], int]] = ()) -> int:
        """How many chunks wait in campaigns that may be painted now, counted up to a limit.
        `rooms` has groups of campaigns, each with the most chunks of it that count.
        """
        bounded = [campaign_id for ids, _ in rooms for campaign_id in ids]
        with self._reader.connect() as connection:
            waiting = _count_waiting(
                connection, limit, *([campaigns.c.id.not_in(bounded)] if bounded else [])
            )
            for ids, room in rooms:
                if most := min(room, limit - waiting):
                    waiting += _count_waiting(connection, most, campaigns.c.id.in_(ids))
        return waiting

    def claim(
        self,
        session: int,
        assignments: Iterable[tuple[int, str]],
        classes: Mapping[str, str] | None = None,
    ) -> list[Chunk]:
        """Lease the next chunk of a campaign to a worker, for each assignment (campaign id, worker
        name). Some may get none: the campaign has no chunk left, or is of another numerics class.

        `classes` has those of the workers: a campaign is pinned to that of its first worker.
        Raises SessionLost if another session leads.
        """
        classes = classes or {}
        assignments = list(assignments)
        if not assignments:
            return []
        claimed: list[Chunk] = []
        with self._engine.begin() as connection:
            # No lease outlives its session: whoever ends the session waits for this transaction.
            wanted = sorted({campaign_id for campaign_id, _ in assignments})
            renewed = connection.execute(
                RENEW_AND_LOOK, {"session": session, "wanted": wanted}
            ).first()
            if renewed is None:
                raise SessionLost(_LOST)
            if renewed.has_new:
                _start(connection, wanted, renewed.heartbeat_at)
            for campaign_id, worker in assignments:
                chunk = claim_next(connection, session, campaign_id, worker, classes.get(worker))
                if chunk is not None:
                    claimed.append(chunk)
        return claimed

    def leases(self, session: int) -> list[Chunk]:
        """The chunks that a session has leased."""
        query = (
            select(chunks)
            .where(chunks.c.state == ChunkState.LEASED, chunks.c.session_id == session)
            .order_by(chunks.c.id)
        )
        with self._reader.connect() as connection:
            return [chunk_row(row) for row in connection.execute(query)]


def _start(connection: Connection, wanted: Collection[int], time: float) -> None:
    """Note that campaigns have begun of which nothing was claimed before."""
    c = campaigns.c
    first = update(campaigns).where(c.id.in_(wanted), c.started_at.is_(None))
    begun = first.values(started_at=time).returning(c.id, c.project, c.name, c.proof_of)
    for row in connection.execute(begun).all():
        is_final = row.proof_of is None
        kind = EventKind.CAMPAIGN_STARTED if is_final else EventKind.PROOFS_STARTED
        tell(connection, row, kind)


def _renew(connection: Connection, session: int) -> float:
    time = connection.execute(RENEW, {"session": session}).scalar()
    if time is None:
        raise SessionLost(_LOST)
    return float(time)


def _lock_campaigns(connection: Connection, of: ColumnElement[bool]) -> None:
    """Keep others from the campaigns of chunks, before they are changed: two that lock them in
    different orders would wait for each other, and none goes back into the queue of a campaign
    that is being cancelled.
    """
    concerned = select(chunks.c.campaign_id).where(of)
    connection.execute(
        select(campaigns.c.id)
        .where(campaigns.c.id.in_(concerned))
        .order_by(campaigns.c.id)
        .with_for_update()
    )


def _count_waiting(connection: Connection, limit: int, *of: ColumnElement[bool]) -> int:
    waiting = _may_run & _is_ready & (chunks.c.state == ChunkState.QUEUED)
    some = (
        select(chunks.c.id)
        .join(campaigns, campaigns.c.id == chunks.c.campaign_id)
        .where(waiting, *of)
        .limit(limit)
    )
    return int(connection.execute(select(func.count()).select_from(some.subquery())).scalar_one())


def _closed(connection: Connection, campaign_ids: set[int]) -> Sequence[Row[Any]]:
    """Campaigns that have chunks under way and are not open: whose they are, and whether those
    chunks are wanted no more.
    """
    if not campaign_ids:
        return []
    is_unwanted = or_(
        campaigns.c.cancelled_at.is_not(None), campaigns.c.pruned_at.is_not(None)
    ).label("is_unwanted")
    query = select(campaigns.c.id, campaigns.c.project, is_unwanted).where(
        campaigns.c.id.in_(campaign_ids)
    )
    return connection.execute(query).all()


def _open_campaign(row: Any, running: int, holders: frozenset[str]) -> OpenCampaign:
    ended = row.done + row.failed + row.held + row.cancelled
    wanted = row.total - row.rejected if row.released is None else row.released
    return OpenCampaign(
        id=row.id,
        project=row.project,
        name=row.name,
        model_digest=row.model_digest,
        priority=row.priority,
        max_workers=row.max_workers,
        deadline=row.deadline,
        left=wanted - ended,
        ended=ended,
        running=running,
        device_s=row.device_s,
        megapixel_steps=row.megapixel_steps,
        budget_s=row.budget_s,
        money=row.money or 0.0,
        budget_money=row.budget_money,
        backoffs=row.waits,
        waiting=bool(row.waiting),
        workers=holders,
        numerics_class=row.numerics_class,
        refusal=row.refusal,
    )
