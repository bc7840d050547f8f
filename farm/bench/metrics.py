"""How long a page of metrics takes on large farms, and which part of a processor that is."""

import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from farm.api.metrics.exposition import Metrics
from farm.bench.figures import Json, machine, spread
from storage.campaigns import Campaigns
from storage.database import JobDatabase, closing_engine, sqlite_address, upgrade
from storage.metering import Metering
from storage.queue import Queue
from storage.rows import NewCampaign, NewChunk, WorkerRow
from storage.states import WorkerState
from storage.watching import Watching

CAMPAIGNS = (1, 100, 1000)
WORKERS = 10_000
SCRAPED_EVERY_S = 15
_POOLS, _PROJECTS, _MODELS = 4, 40, 20
_OWNER = "bench"


def measure(*, rounds: int, campaigns: Sequence[int] = CAMPAIGNS, workers: int = WORKERS) -> Json:
    """Pages of farms with so many open campaigns each. Milliseconds of wall time, and for the
    largest farm the part of one processor that Prometheus takes if it asks every 15 s.
    """
    figures = {}
    for count in campaigns:
        with TemporaryDirectory(prefix="farm-metrics-") as folder:
            walls, spent, size = _pages(Path(folder), count, workers, rounds)
        figures[f"page_ms.{count}"] = spread([seconds * 1000 for seconds in walls])
        figures[f"page_kb.{count}"] = spread([size / 1000])
        figures[f"processor_share.{count}"] = spread(
            [seconds / SCRAPED_EVERY_S for seconds in spent]
        )
    return {
        "bench": "metrics",
        "machine": machine(),
        "setup": {"rounds": rounds, "workers": workers},
        "figures": figures,
        "peers": {},
    }


def _pages(
    folder: Path, campaigns: int, workers: int, rounds: int
) -> tuple[list[float], list[float], int]:
    """Wall time and processor time of each page, in seconds, and the bytes of the last."""
    with closing_engine(sqlite_address(folder / "farm.db")) as engine:
        upgrade(engine)
        _fill(engine, campaigns, workers)
        metrics = Metrics(Metering(engine, _OWNER), patience_s=60)
        page, _ = metrics.page()  # the first page of a process begins all series
        walls, spent = [], []
        for _ in range(rounds):
            wall, used = time.perf_counter(), time.process_time()
            page, _ = metrics.page()
            walls.append(time.perf_counter() - wall)
            spent.append(time.process_time() - used)
        return walls, spent, len(page)


def _fill(engine: JobDatabase, campaigns: int, workers: int) -> None:
    """Open campaigns of several projects and models, and workers that paint."""
    rows = Campaigns(engine)
    for k in range(campaigns):
        rows.add(
            NewCampaign(
                project=f"project-{k % _PROJECTS}", name=f"c{k}", spec={}, fingerprint=str(k),
                model=f"models/m{k % _MODELS}", model_digest=f"{k % _MODELS:064}", priority=50,
                max_workers=None, total=100, budget_s=1e6,
            ),
            [NewChunk(group_no=0, start=0, stop=100, total=100)],
        )  # fmt: skip
    session = Queue(engine).lead(owner=_OWNER, host="bench", pid=1)
    assert session is not None, "nobody else leads on a database of its own"
    seen = [
        WorkerRow(
            name=f"pool-{k % _POOLS}-{k}", state=WorkerState.PAINTING, pool=f"pool-{k % _POOLS}",
            node=f"n{k}", device="cuda", numerics_class="c", warm=None,
        )
        for k in range(workers)
    ]  # fmt: skip
    Watching(engine).save_workers(session, seen)
