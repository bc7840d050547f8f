"""The queues of others, for comparison: each keeps a row for each render, and is used as its
makers would have it.
"""

import asyncio
import importlib.util
from collections.abc import Iterator
from time import perf_counter

import psycopg
from psycopg.types.json import Json
from sqlalchemy import Engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from storage.bench.queue import Pace, pace, painted

_JOBS = """
CREATE TABLE jobs (
    id bigserial PRIMARY KEY, number bigint NOT NULL, state text NOT NULL DEFAULT 'queued',
    lease int NOT NULL DEFAULT 0, worker text, digest text, pixels text, key text, bytes bigint,
    numerics_class text, seconds double precision, finished_at timestamptz
);
CREATE INDEX ix_jobs_queued ON jobs (id) WHERE state = 'queued';
"""
_FILL = "INSERT INTO jobs (number) SELECT * FROM generate_series(0, %s::bigint - 1)"
_CLAIM = """
UPDATE jobs SET state = 'running', lease = lease + 1, worker = 'worker-0123abcd'
WHERE id IN (
    SELECT id FROM jobs WHERE state = 'queued' ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED
)
RETURNING id, lease
"""
_SETTLE = """
UPDATE jobs SET state = 'done', digest = given.digest, pixels = given.pixels, key = given.key,
    bytes = given.bytes, numerics_class = given.numerics_class, seconds = given.seconds,
    finished_at = now()
FROM json_to_recordset(%s) AS given(
    id bigint, lease int, digest text, pixels text, key text, bytes bigint, numerics_class text,
    seconds double precision
)
WHERE jobs.id = given.id AND jobs.lease = given.lease AND jobs.state = 'running'
"""


class _Base(DeclarativeBase):
    pass


class _Render(_Base):
    __tablename__ = "orm_renders"

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    campaign_id: Mapped[int]
    prompt: Mapped[str]
    seed: Mapped[int]
    state: Mapped[str]
    key: Mapped[str]


def orm_inserts_per_s(engine: Engine, renders: int) -> float:
    """Renders a second that SQLAlchemy's ORM submits, one object each, all in one transaction."""
    _Base.metadata.create_all(engine)
    began = perf_counter()
    with Session(engine) as session:
        session.add_all(
            _Render(
                number=n,
                campaign_id=1,
                prompt=f"a red mug on a beach {n}",
                seed=n,
                state="queued",
                key=f"red-mug/{n:020d}.png",
            )
            for n in range(renders)
        )
        session.commit()
    return renders / (perf_counter() - began)


def row_queue(url: str, renders: int, *, at_once: int) -> Pace:
    """A queue with a row for each render, on PostgreSQL: `at_once` of them are claimed in one
    transaction and settled in another.
    """
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(_JOBS)
        connection.execute(_FILL, (renders,))
        connection.execute("ANALYZE jobs")
        return pace(_rows(connection, at_once))


def has_procrastinate() -> bool:
    return importlib.util.find_spec("procrastinate") is not None


def procrastinate_per_s(url: str, renders: int, *, concurrency: int) -> float:
    """Renders a second through procrastinate: a job for each, which does nothing."""
    return asyncio.run(_procrastinate(url, renders, concurrency))


def _rows(connection: psycopg.Connection, at_once: int) -> Iterator[int]:
    while claimed := connection.execute(_CLAIM, (at_once,)).fetchall():
        connection.execute(_SETTLE, (Json([_settled(job, lease) for job, lease in claimed]),))
        yield len(claimed)


def _settled(job: int, lease: int) -> dict[str, object]:
    outcome = painted(job)
    written = ("digest", "pixels", "key", "bytes", "numerics_class", "seconds")
    return {"id": job, "lease": lease, **{name: getattr(outcome, name) for name in written}}


async def _procrastinate(url: str, renders: int, concurrency: int) -> float:
    # Of the development tools: the farm itself has no need of it.
    from procrastinate import App, PsycopgConnector  # noqa: PLC0415
    from procrastinate.types import JSONDict  # noqa: PLC0415

    app = App(connector=PsycopgConnector(conninfo=url))

    @app.task(name="paint")
    async def paint(number: int) -> None:
        pass

    async with app.open_async():
        await app.schema_manager.apply_schema_async()
        jobs: list[JSONDict] = [{"number": number} for number in range(renders)]
        await paint.batch_defer_async(*jobs)
        began = perf_counter()
        await app.run_worker_async(
            wait=False, concurrency=concurrency, listen_notify=False, install_signal_handlers=False
        )
        return renders / (perf_counter() - began)
