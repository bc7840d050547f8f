"""The queue at its full pace: a campaign claimed and settled chunk by chunk, by a renderer that
does nothing.
"""

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import accumulate
from time import perf_counter

from sqlalchemy import Engine, update

from storage.queue import Queue
from storage.rows import Chunk, RenderOutcome, Settlement
from storage.settling import Settling
from storage.states import AttemptOutcome, Reason, RenderState
from storage.tables import campaigns

_WORKER = "worker-0123abcd"


@dataclass(frozen=True, kw_only=True)
class Pace:
    """How fast renders went through a queue, and whether it was as fast at the end as at the
    beginning.
    """

    renders: int
    per_s: float
    flatness: float
    """The rate of the last tenth of the renders, over that of the first."""
    largest_lap: int
    """The most renders that were claimed and settled at once."""


def claim_and_settle(engine: Engine, campaign_id: int) -> Pace:
    """Take a campaign through the queue to its end: one transaction claims a chunk, one settles
    it.
    """
    queue, settling = Queue(engine), Settling(engine)
    session = queue.lead(owner="bench", host="bench", pid=1)
    assert session is not None, "the database is the benchmark's own"
    try:
        return pace(_chunks(queue, settling, session, campaign_id))
    finally:
        queue.end_session(session)


def pace(laps: Iterable[int]) -> Pace:
    """The pace of a series that says after each lap how many renders it took. Every tenth of them
    must have a lap of full size.
    """
    began = mark = perf_counter()
    timed = []
    for renders in laps:
        timed.append((renders, (now := perf_counter()) - mark))
        mark = now
    through, largest = sum(renders for renders, _ in timed), max(renders for renders, _ in timed)
    first, last = (
        _rate(timed, largest, 0, through / 10),
        _rate(timed, largest, through * 9 / 10, through),
    )
    return Pace(
        renders=through, per_s=through / (mark - began), flatness=last / first, largest_lap=largest
    )


def painted(number: int) -> RenderOutcome:
    """A render's end, as long as a real one in every column."""
    digest = hashlib.sha256(str(number).encode()).hexdigest()
    return RenderOutcome(
        number=number,
        digest=digest,
        state=RenderState.DONE,
        reason=Reason.PAINTED,
        key=f"default/bench/red-mug-on-a-beach_{digest[:16]}/{number:020d}.png",
        pixels=digest[::-1],
        bytes=34_567,
        numerics_class="cpu:x86_64:AVX512:threads-1:torch-2.13.0:diffusers-0.42.1",
        seconds=0.2125,
    )


def make_durable(engine: Engine) -> None:
    """Have all that was committed survive a loss of power. PostgreSQL has seen to it by itself."""
    if engine.dialect.name == "sqlite":
        with closing(engine.raw_connection()) as connection:  # it is not done within a transaction
            connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _chunks(queue: Queue, settling: Settling, session: int, campaign_id: int) -> Iterator[int]:
    while claimed := queue.claim(session, [(campaign_id, _WORKER)]):
        settling.settle(session, [_settlement(chunk) for chunk in claimed])
        yield sum(chunk.total for chunk in claimed)


def _rate(timed: list[tuple[int, float]], full: int, start: float, stop: float) -> float:
    """Renders a second of the full laps that began in a part of the series; a campaign's last
    chunks are small, and cost more each.
    """
    starts = accumulate((renders for renders, _ in timed), initial=0)
    inside = [
        seconds
        for began_at, (renders, seconds) in zip(starts, timed, strict=False)
        if renders == full and start <= began_at < stop
    ]
    return len(inside) * full / sum(inside)


def _settlement(chunk: Chunk) -> Settlement:
    return Settlement(
        chunk_id=chunk.id,
        campaign_id=chunk.campaign_id,
        lease=chunk.lease,
        worker=chunk.worker,
        outcome=AttemptOutcome.PAINTED,
        outcomes=tuple(painted(number) for number in range(chunk.start, chunk.stop)),
        device_s=0.2 * chunk.total,
        facts={
            "load_s": 0.0,
            "batch_s": [0.85] * (chunk.total // 4),
            "megapixel_steps": 0.32768 * chunk.total,
            "pictures": chunk.total,
        },
    )


def end_proofs(engine: Engine, campaign_id: int) -> None:
    """Take the proofs of a campaign for painted, without a row for each."""
    c = campaigns.c
    with engine.begin() as connection:
        connection.execute(
            update(campaigns)
            .where(c.proof_of == campaign_id)
            .values(done=c.total, started_at=0.0, finished_at=0.0)
        )
