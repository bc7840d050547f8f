"""Which chunk of a campaign a worker gets next: one statement, so that no two get the same."""

from sqlalchemy import Connection, bindparam, exists, or_, select, update

from storage.campaigns import chunk_row
from storage.rows import ANY_CLASS, Chunk
from storage.states import ChunkState, WorkerState
from storage.tables import campaigns, chunks, refusals, workers

_next = chunks.alias("next")
_by_me = exists().where(
    refusals.c.chunk_id == _next.c.id, refusals.c.worker == bindparam("holder")
)
_by_other = (
    exists()
    .where(refusals.c.chunk_id == _next.c.id, refusals.c.worker == workers.c.name)
    .correlate(_next, workers)
)

# A worker of another class would paint other pixels. The dispatcher looks at the class too, but
# the pin that it saw may be a moment old.
_class = campaigns.c.numerics_class
_its_campaign = campaigns.c.id == _next.c.campaign_id
_is_of_class = exists().where(
    _its_campaign, or_(_class.is_(None), _class == ANY_CLASS, _class == bindparam("numerics"))
)
_takes_any = exists().where(_its_campaign, _class == ANY_CLASS).correlate(_next)
_another = exists().where(
    workers.c.state.in_([state for state in WorkerState if state.takes_work]),
    workers.c.name != bindparam("holder"),
    or_(workers.c.numerics_class.is_not_distinct_from(bindparam("numerics")), _takes_any),
    ~_by_other,
)

CLAIM = (
    update(chunks)
    .where(
        chunks.c.id
        == select(_next.c.id)
        .where(
            _next.c.campaign_id == bindparam("campaign"),
            _next.c.state == ChunkState.QUEUED,
            # A chunk that this worker failed before is left to the others, as long as there are
            # workers that have not failed it.
            or_(~_by_me, ~_another),
            _is_of_class,
        )
        .order_by(_next.c.id)
        .limit(1)
        .with_for_update(skip_locked=True, of=_next)
        .scalar_subquery()
    )
    .values(
        state=ChunkState.LEASED,
        lease=chunks.c.lease + 1,
        session_id=bindparam("session"),
        worker=bindparam("holder"),
    )
    .returning(chunks)
)


PIN = (
    update(campaigns)
    .where(campaigns.c.id == bindparam("campaign"), campaigns.c.numerics_class.is_(None))
    .values(numerics_class=bindparam("numerics"))
)


def claim_next(
    connection: Connection, session: int, campaign_id: int, worker: str, numerics: str | None
) -> Chunk | None:
    """Lease a campaign's next chunk to a worker of a numerics class, to which the campaign is
    pinned by its first chunk; None if there is no chunk for that worker.
    """
    values = {
        "campaign": campaign_id,
        "session": session,
        "holder": worker,
        "numerics": numerics,
    }
    row = connection.execute(CLAIM, values).first()
    if row is None:
        return None
    if numerics is not None:
        connection.execute(PIN, {"campaign": campaign_id, "numerics": numerics})
    return chunk_row(row)
