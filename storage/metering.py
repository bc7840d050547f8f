"""What metrics read of the job database: who leads, the attempts that were not counted yet, and
how everything is at one moment.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, Row, Select, func, select

from storage.attempts import attempts_after, last_attempt
from storage.clock import db_time
from storage.figures import Figures, read_figures
from storage.spent import AttemptRow
from storage.states import ChunkState, Stage
from storage.tables import attempts, campaigns, chunks, events, sessions, workers
from storage.watching import ROSTER_FRESH_S


@dataclass(frozen=True, kw_only=True)
class Leadership:
    """Who leads, as one process sees it."""

    leads: bool
    """Whether its own dispatcher leads, and was heard lately."""
    serves: bool
    """Whether it tells what is true of the whole farm: the process that led last does, so that
    these series go on if no dispatcher is left. Before anybody has led, each does.
    """
    silent_s: float | None
    """Since when the session that led last was not heard; None if nobody has led yet."""
    figures: Figures | None = None
    """What that session tells of itself, if it is this process's own."""


@dataclass(frozen=True, kw_only=True, slots=True)
class OpenRow:
    """A campaign that is not over, or a row of its proofs, with what metrics tell of it."""

    id: int
    project: str
    model: str
    model_digest: str
    stage: Stage
    left: int
    """Renders that may be painted and have not ended."""
    running: int
    workers: frozenset[str]
    undecided: int
    """Proofs that have ended and nobody has decided about."""
    proofed_at: float | None
    """When the last of its proofs ended; None if it has none, or some are still painted."""
    is_paused: bool
    halted: str | None
    cancelled_at: float | None
    waits_until: float | None
    refusal: str | None
    deadline: float | None
    device_s: float
    budget_s: float | None
    money: float
    budget_money: float | None
    created_at: float
    last_attempt_at: float | None


@dataclass(frozen=True, kw_only=True)
class WorkerCount:
    """How many workers of a pool are in a state, and their numerics class."""

    pool: str | None
    state: str
    numerics_class: str | None
    count: int


@dataclass(frozen=True, kw_only=True)
class Moment:
    """The farm at one moment of the database's clock."""

    now: float
    campaigns: tuple[OpenRow, ...]
    workers: tuple[WorkerCount, ...]
    held: dict[str, int]
    """Renders that are held for a person, by project, also of campaigns that are over."""


class Metering:
    """What the metrics of one process read. `owner` names the process, as the sessions of its
    dispatcher do.
    """

    def __init__(self, engine: Engine, owner: str) -> None:
        self._reader = engine.execution_options(readonly=True)
        self._owner = owner

    def leadership(self) -> Leadership:
        s = sessions.c
        query = select(s.owner, s.live, s.figures, (db_time() - s.heartbeat_at).label("silent_s"))
        with self._reader.connect() as connection:
            last = connection.execute(query.order_by(s.id.desc()).limit(1)).first()
        if last is None:
            return Leadership(leads=False, serves=True, silent_s=None)
        is_mine = last.owner == self._owner
        is_heard = last.live == 1 and abs(last.silent_s) <= ROSTER_FRESH_S
        return Leadership(
            leads=is_mine and is_heard,
            serves=is_mine,
            silent_s=last.silent_s,
            figures=read_figures(last.figures) if is_mine else None,
        )

    def last_attempt(self) -> int:
        with self._reader.connect() as connection:
            return last_attempt(connection)

    def attempts_after(self, attempt_id: int) -> list[AttemptRow]:
        """The next attempts that the process's own dispatcher has settled: so each is counted by
        one process, however often another takes over.
        """
        with self._reader.connect() as connection:
            return attempts_after(connection, attempt_id, owner=self._owner)

    def last_event(self) -> int:
        with self._reader.connect() as connection:
            return _newest(connection)

    def events_after(self, event_id: int) -> tuple[int, dict[str, int]]:
        """The id of the newest event, and how many of each kind were beyond one while the
        process's own dispatcher led. What happened while none did belongs to the one before.
        """
        e, s = events.c, sessions.c
        owner = (
            select(s.owner)
            .where(s.started_at <= e.at)
            .order_by(s.started_at.desc(), s.id.desc())
            .limit(1)
            .scalar_subquery()
        )
        with self._reader.connect() as connection:
            newest = _newest(connection)
            query = (
                select(e.kind, func.count().label("count"))
                .where(e.id > event_id, e.id <= newest, owner == self._owner)
                .group_by(e.kind)
            )
            return newest, {row.kind: int(row[1]) for row in connection.execute(query)}

    def moment(self) -> Moment:
        held = (
            select(campaigns.c.project, func.sum(campaigns.c.held))
            .where(campaigns.c.held > 0, campaigns.c.pruned_at.is_(None))
            .group_by(campaigns.c.project)
        )
        with self._reader.connect() as connection:
            leased = _leased(connection)
            rows = connection.execute(_OPEN).all()
            return Moment(
                now=connection.execute(select(db_time())).scalar_one(),
                campaigns=tuple(_open(row, leased.get(row.id, {})) for row in rows),
                workers=_workers(connection),
                held={row.project: int(row[1]) for row in connection.execute(held)},
            )


def _newest(connection: Connection) -> int:
    query = select(func.coalesce(func.max(events.c.id), 0))
    return int(connection.execute(query).scalar_one())


def _open_campaigns() -> Select[Any]:
    c, proofs = campaigns.c, campaigns.alias("proofs")
    proofs_ended = proofs.c.done + proofs.c.failed + proofs.c.held + proofs.c.cancelled
    wanted = func.coalesce(c.released, c.total - c.rejected)
    last_attempt = (
        select(attempts.c.ended_at)
        .where(attempts.c.campaign_id == c.id)
        .order_by(attempts.c.id.desc())
        .limit(1)
        .scalar_subquery()
    )
    return (
        select(
            c.id, c.project, c.model, c.model_digest, c.proof_of,
            (wanted - c.done - c.failed - c.held - c.cancelled).label("left"),
            (proofs_ended - c.released - c.rejected).label("undecided"),
            proofs.c.finished_at.label("proofed_at"),
            c.paused_at, c.halted, c.cancelled_at, c.waits_until, c.refusal, c.deadline,
            c.device_s, c.budget_s, c.money, c.budget_money, c.created_at,
            last_attempt.label("last_attempt_at"),
        )
        .select_from(campaigns.outerjoin(proofs, proofs.c.proof_of == c.id))
        .where(c.finished_at.is_(None), c.pruned_at.is_(None))
    )  # fmt: skip


_OPEN = _open_campaigns()


def _leased(connection: Connection) -> dict[int, dict[str, int]]:
    """The renders of leased chunks, by campaign and worker."""
    query = (
        select(chunks.c.campaign_id, chunks.c.worker, func.sum(chunks.c.total))
        .where(chunks.c.state == ChunkState.LEASED)
        .group_by(chunks.c.campaign_id, chunks.c.worker)
    )
    found: dict[int, dict[str, int]] = {}
    for campaign, worker, total in connection.execute(query):
        found.setdefault(campaign, {})[worker] = int(total)
    return found


def _open(row: Row[Any], leased: dict[str, int]) -> OpenRow:
    return OpenRow(
        id=row.id,
        project=row.project,
        model=row.model,
        model_digest=row.model_digest,
        stage=Stage.FINAL if row.proof_of is None else Stage.PROOF,
        left=row.left,
        running=sum(leased.values()),
        workers=frozenset(leased),
        undecided=max(0, row.undecided or 0),
        proofed_at=row.proofed_at,
        is_paused=row.paused_at is not None,
        halted=row.halted,
        cancelled_at=row.cancelled_at,
        waits_until=row.waits_until,
        refusal=row.refusal,
        deadline=row.deadline,
        device_s=row.device_s,
        budget_s=row.budget_s,
        money=row.money or 0.0,
        budget_money=row.budget_money,
        created_at=row.created_at,
        last_attempt_at=row.last_attempt_at,
    )


def _workers(connection: Connection) -> tuple[WorkerCount, ...]:
    w = workers.c
    query = (
        select(w.pool, w.state, w.numerics_class, func.count().label("count"))
        .where(func.abs(w.seen_at - db_time()) <= ROSTER_FRESH_S)
        .group_by(w.pool, w.state, w.numerics_class)
    )
    return tuple(WorkerCount(**row._mapping) for row in connection.execute(query))
