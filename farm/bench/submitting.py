"""Submitting campaigns in a process of its own, so that its memory can be told."""

from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from time import perf_counter

from farm.bench.figures import Json
from farm.service.submission import Submissions
from storage.bench.queue import make_durable
from storage.brands import Brands
from storage.campaigns import Campaigns
from storage.control import Control
from storage.database import open_database
from storage.outputs import open_outputs
from storage.watching import Watching

STEP = 10_000
"""Campaigns are made in multiples of so many renders."""
FEWEST = 5 * STEP
"""Those of so many still have chunks of full size among their last tenth."""


@dataclass(frozen=True, kw_only=True)
class Submission:
    """A campaign of the benchmark's: how long it took until it was durable, and the most memory
    that the process had had by then.
    """

    campaign_id: int
    renders: int
    seconds: float
    peak_mb: float


def submit_apart(address: str, folder: Path, sizes: Sequence[int]) -> list[Submission]:
    """Submit campaigns of these sizes, one after the other, in a new process."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        return process.submit(_submit, address, folder, sizes).result()


def _submit(address: str, folder: Path, sizes: Sequence[int]) -> list[Submission]:
    engine = open_database(address)
    service = Submissions(
        campaigns=Campaigns(engine),
        control=Control(engine),
        watching=Watching(engine),
        outputs=open_outputs(str(folder / "outputs")),
        brands=Brands(engine),
    )
    submissions = []
    for k, renders in enumerate(sizes):
        began = perf_counter()
        row, _ = service.submit("bench", campaign_document(f"queue-{k}", renders))
        make_durable(engine)
        seconds = perf_counter() - began
        submissions.append(
            Submission(campaign_id=row.id, renders=row.total, seconds=seconds, peak_mb=peak_mb())
        )
    return submissions


def campaign_document(name: str, renders: int) -> Json:
    vary = {
        "product": [f"product {k}" for k in range(100)],
        "color": [f"color {k}" for k in range(100)],
    }
    return {
        "name": name,
        "model": "seedling",
        "prompt": "a {color} {product}",
        "vary": vary,
        "seeds": {"count": renders // STEP},
    }


def peak_mb() -> float:
    # Not `resource.getrusage`: what that says of a new process begins at what its parent had.
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024
