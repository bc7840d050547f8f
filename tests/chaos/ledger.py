"""What the job database says while a run goes on, read past the proxy."""

from dataclasses import dataclass

from sqlalchemy import Engine, func, or_, select

from storage.database import open_database
from storage.states import ChunkState
from storage.tables import campaigns, chunks, renders, sessions, workers


@dataclass(frozen=True, kw_only=True)
class Look:
    """The database at one moment."""

    ended: int
    total: int
    open: int
    """Campaigns that are not over."""
    halted: tuple[str, ...]
    """Why campaigns were stopped."""
    broken: tuple[str, ...]
    """What must not be, at any moment."""


_leaderless = (
    select(func.count())
    .select_from(chunks.outerjoin(sessions, sessions.c.id == chunks.c.session_id))
    .where(
        chunks.c.state == ChunkState.LEASED,
        or_(sessions.c.live.is_(None), chunks.c.worker.is_(None)),
    )
)
_rows = select(func.count()).where(renders.c.campaign_id == campaigns.c.id).scalar_subquery()
_counts = select(campaigns, _rows.label("rows"))


class Ledger:
    """A job database, as whoever watches a run reads it. Raises DatabaseAway while it is away."""

    def __init__(self, url: str) -> None:
        self.engine: Engine = open_database(url)
        self._reader = self.engine.execution_options(readonly=True)

    def leader(self) -> int:
        """The process of the dispatcher that leads; 0 where none does."""
        with self._reader.connect() as connection:
            return (
                connection.execute(select(sessions.c.pid).where(sessions.c.live == 1)).scalar()
                or 0
            )

    def workers_on(self, node_id: str) -> set[str]:
        """The workers that the leader has seen on a node."""
        with self._reader.connect() as connection:
            return set(
                connection.execute(
                    select(workers.c.name).where(workers.c.node_id == node_id)
                ).scalars()
            )

    def look(self) -> Look:
        with self._reader.connect() as connection:
            rows = connection.execute(_counts).all()
            leaderless = connection.execute(_leaderless).scalar_one()
        broken = [
            f"{row.name}: {row.done + row.failed + row.held} are counted, {row.rows} written"
            for row in rows
            if _differs(row)
        ]
        broken += (
            [f"{leaderless} chunks are leased to a session that has ended"] if leaderless else []
        )
        return Look(
            ended=sum(row.rows for row in rows),
            total=sum(row.total - row.rejected for row in rows),
            open=sum(row.finished_at is None for row in rows),
            halted=tuple(f"{row.name}: {row.halted}" for row in rows if row.halted),
            broken=tuple(broken),
        )

    def close(self) -> None:
        self.engine.dispose()


def _differs(row) -> bool:
    return row.done + row.failed + row.held != row.rows
