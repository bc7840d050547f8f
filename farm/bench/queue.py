"""What the queue takes: a million renders submitted, claimed and settled on both engines, beside
queues that keep a row for each render.

The sides take turns in one run, so that a machine whose speed drifts favours none of them.
"""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from farm.bench.dispatch import WORKERS, farm_efficiencies, has_ray_data, ray_data_efficiencies
from farm.bench.figures import Json, machine, spreads
from farm.bench.submitting import FEWEST, submit_apart
from storage.bench.peers import (
    has_procrastinate,
    orm_inserts_per_s,
    procrastinate_per_s,
    row_queue,
)
from storage.bench.postgres import Postgres, temporary_postgres
from storage.bench.queue import claim_and_settle
from storage.database import open_database, sqlite_address, upgrade

# The peers' rates hardly depend on how many renders they are given, and a million would take some
# of them half an hour.
ORM_RENDERS = 20_000
ROW_RENDERS = 10_000
PROCRASTINATE_RENDERS = 5_000
PROCRASTINATE_CONCURRENCY = 4  # of 1, 4, 8 and 16 where it does best
ROWS_AT_ONCE = 256


class Queues(NamedTuple):
    """What one round of the queues has measured: of the farm's, of its peers, and how many renders
    the farm's chunks had.
    """

    figures: dict[str, float]
    peers: dict[str, float]
    chunk: int


def measure(*, rounds: int, renders: int, batches: int, work: Path | None) -> Json:
    """Run every side `rounds` times in turn: the queues alone, then a farm whose workers rest
    instead of painting.
    """
    queues, farms, pools = [], [], []
    for _ in range(rounds):
        queues.append(measure_queues(renders, work))
        farms.append(farm_efficiencies(batches, work))
        pools.append(ray_data_efficiencies(batches) if has_ray_data() else {})
    setup = {
        "rounds": rounds,
        "renders": renders,
        "chunk": queues[0].chunk,
        "orm_renders": ORM_RENDERS,
        "row_queue_renders": ROW_RENDERS,
        "procrastinate_renders": PROCRASTINATE_RENDERS,
        "batches": batches,
        "actors": WORKERS,
        "left_out": _left_out(),
    }
    figures = spreads([q.figures for q in queues]) | spreads(farms)
    peers = spreads([q.peers for q in queues]) | spreads(pools)
    return {
        "bench": "queue",
        "machine": machine(),
        "setup": setup,
        "figures": figures,
        "peers": peers,
    }


def measure_queues(renders: int, work: Path | None) -> Queues:
    """One round of the queues, in databases of its own. Raises DatabaseError where the machine has
    no PostgreSQL.
    """
    with (
        TemporaryDirectory(prefix="farm-queue-", dir=work) as folder,
        temporary_postgres(work) as server,
    ):
        sides = [
            _engine("sqlite", sqlite_address(Path(folder) / "farm.db"), renders, Path(folder)),
            _engine("postgresql", server.new_database(), renders, Path(folder)),
        ]
        peers = _row_queues(server, renders)
    return Queues(
        figures={name: value for side in sides for name, value in side.figures.items()},
        peers={**{name: value for side in sides for name, value in side.peers.items()}, **peers},
        chunk=sides[0].chunk,
    )


def _left_out() -> list[str]:
    """Peers that are not installed: they are tools of development."""
    return [
        name
        for name, is_there in (
            ("procrastinate", has_procrastinate()),
            ("ray_data", has_ray_data()),
        )
        if not is_there
    ]


def _engine(name: str, address: str, renders: int, folder: Path) -> Queues:
    """A million renders and ten, submitted; the million claimed and settled, after a small
    campaign that warms up.
    """
    engine = open_database(address, looks_first=False)  # as the dispatcher does
    upgrade(engine)
    warm, million, ten = submit_apart(address, folder, [FEWEST, renders, 10 * renders])
    orm = orm_inserts_per_s(engine, min(ORM_RENDERS, renders))
    claim_and_settle(engine, warm.campaign_id)
    pace = claim_and_settle(engine, million.campaign_id)
    engine.dispose()
    figures = {
        "submit_1m_s": million.seconds,
        "submit_10x_ratio": ten.seconds / million.seconds,
        "submit_rss_mb_growth": ten.peak_mb - warm.peak_mb,
        "submit_vs_orm": million.renders / million.seconds / orm,
        "claim_settle_per_s": pace.per_s,
        "flatness": pace.flatness,
    }
    named = {f"{name}.{figure}": value for figure, value in figures.items()}
    return Queues(figures=named, peers={f"{name}.orm.submit_per_s": orm}, chunk=pace.largest_lap)


def _row_queues(server: Postgres, renders: int) -> dict[str, float]:
    one = row_queue(server.new_database(), min(ROW_RENDERS, renders), at_once=1)
    many = row_queue(server.new_database(), renders, at_once=ROWS_AT_ONCE)
    peers = {
        "row_queue.claim_settle_per_s": one.per_s,
        "row_queue.flatness": one.flatness,
        "row_queue_256.claim_settle_per_s": many.per_s,
        "row_queue_256.flatness": many.flatness,
    }
    if has_procrastinate():
        jobs = min(PROCRASTINATE_RENDERS, renders)
        peers["procrastinate.claim_settle_per_s"] = procrastinate_per_s(
            server.new_database(), jobs, concurrency=PROCRASTINATE_CONCURRENCY
        )
    return peers
