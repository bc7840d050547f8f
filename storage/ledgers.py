"""What a dispatcher knows of all attempts so far, kept with its session for the next one."""

import json

from sqlalchemy import Connection, Engine, func, select, update

from storage.spent import PastAttempt
from storage.states import AttemptOutcome
from storage.tables import attempts, campaigns, sessions

_LATELY = 500  # attempts that tell paces and loading times, if no ledger was ever saved
_MOST = 100_000


class Ledgers:
    """The ledgers of the sessions of one job database: only the last that was saved is kept."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._reader = engine.execution_options(readonly=True)

    def save(self, session: int, ledger: str) -> None:
        """Save the ledger of the session that leads: all attempts that are written down by now are
        accounted for in it. A session that leads no longer changes nothing.
        """
        newest = select(func.coalesce(func.max(attempts.c.id), 0)).scalar_subquery()
        with self._engine.begin() as connection:
            saved = connection.execute(
                update(sessions)
                .where(sessions.c.id == session, sessions.c.live == 1)
                .values(ledger=ledger, accounted=newest)
            )
            if saved.rowcount:
                earlier = sessions.c.ledger.is_not(None) & (sessions.c.id != session)
                connection.execute(update(sessions).where(earlier).values(ledger=None))

    def text(self) -> str | None:
        """The ledger that was saved last; None if none was."""
        query = select(sessions.c.ledger).where(sessions.c.ledger.is_not(None))
        with self._reader.connect() as connection:
            return connection.execute(query.order_by(sessions.c.id.desc()).limit(1)).scalar()

    def last(self) -> tuple[str | None, list[PastAttempt]]:
        """The ledger that was saved last, and the attempts since, the oldest first. If none was
        ever saved: None, and the last attempts.
        """
        query = (
            select(sessions.c.ledger, sessions.c.accounted)
            .where(sessions.c.ledger.is_not(None))
            .order_by(sessions.c.id.desc())
            .limit(1)
        )
        with self._reader.connect() as connection:
            row = connection.execute(query).first()
            if row is None:
                return None, _attempts(connection, after=0, limit=_LATELY)
            return row.ledger, _attempts(connection, after=row.accounted, limit=_MOST)


def _attempts(connection: Connection, *, after: int, limit: int) -> list[PastAttempt]:
    query = (
        select(attempts, campaigns.c.project, campaigns.c.model_digest)
        .join(campaigns, campaigns.c.id == attempts.c.campaign_id)
        .where(attempts.c.id > after, attempts.c.outcome != AttemptOutcome.STALE)
        .order_by(attempts.c.id.desc())
        .limit(limit)
    )
    return [
        PastAttempt(
            campaign_id=row.campaign_id,
            project=row.project,
            model_digest=row.model_digest,
            worker=row.worker,
            outcome=row.outcome,
            detail=row.detail,
            has_ended=row.done + row.failed + row.held > 0,
            facts=json.loads(row.facts),
            ended_at=row.ended_at,
        )
        for row in reversed(connection.execute(query).all())
    ]
