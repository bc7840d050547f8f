"""Approving the finals of very many proofs at once, on one engine, in a process of its own so that
its memory can be told.
"""

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

from farm.bench.figures import Json
from farm.bench.submitting import STEP, campaign_document, peak_mb
from farm.service.review_rules import Choice
from farm.service.reviews import ReviewService
from farm.service.submission import Submissions
from storage.bench.postgres import temporary_postgres
from storage.bench.queue import end_proofs, make_durable
from storage.brands import Brands
from storage.campaigns import Campaigns
from storage.control import Control
from storage.database import open_database, sqlite_address, upgrade
from storage.outputs import open_outputs
from storage.reviews import NewDecision, Reviews
from storage.states import Verdict
from storage.watching import Watching

MILLION = 1_000_000
_HALF = tuple(f"color=color {k}" for k in range(50))


def approve_apart(address: str, folder: Path, renders: int) -> Json:
    """Submit a campaign whose `renders` renders all have a proof, take the proofs for painted, and
    approve half of them by the value of an axis, then the rest. In a new process.

    Seconds until each decision is durable, and the most memory in MB beyond what submitting took.
    """
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        return process.submit(_approve, address, folder, renders).result()


def approvals(renders: int) -> dict[str, float]:
    """Seconds to approve all proofs, half by the value of an axis and then the rest, on SQLite and
    on PostgreSQL.
    """
    with TemporaryDirectory() as folder:
        found = {"sqlite": _approve_on(sqlite_address(Path(folder) / "farm.db"), folder, renders)}
    with TemporaryDirectory() as folder, temporary_postgres() as postgres:
        found["postgresql"] = _approve_on(postgres.new_database(), folder, renders)
    return {
        f"{name}_{part}": figures[part]
        for name, figures in found.items()
        for part in ("approve_half_s", "approve_rest_s", "approve_memory_mb")
    }


def _approve_on(address: str, folder: str, renders: int) -> Json:
    engine = open_database(address)
    upgrade(engine)
    engine.dispose()
    return approve_apart(address, Path(folder), renders)


def _approve(address: str, folder: Path, renders: int) -> Json:
    engine = open_database(address)
    outputs = open_outputs(str(folder / "outputs"))
    campaigns, watching = Campaigns(engine), Watching(engine)
    submissions = Submissions(
        campaigns=campaigns,
        control=Control(engine),
        watching=watching,
        outputs=outputs,
        brands=Brands(engine),
    )
    document = {**campaign_document("approve", renders), "proof": {"steps": 4}}
    row, _ = submissions.submit("bench", document)
    end_proofs(engine, row.id)
    service = ReviewService(
        campaigns=campaigns, reviews=Reviews(engine), watching=watching, outputs=outputs
    )
    before_mb = peak_mb()
    figures: Json = {"renders": renders}
    for sequence, (name, choice) in enumerate(
        {"approve_half_s": Choice(where=_HALF), "approve_rest_s": Choice()}.items()
    ):
        new = NewDecision(
            client="bench", sequence=sequence, verdict=Verdict.APPROVED, chosen_by={}
        )
        began = perf_counter()
        answer = service.decide("bench", "approve", choice, new)
        make_durable(engine)
        figures[name] = round(perf_counter() - began, 3)
        assert answer["queued"] == renders // 2, answer
    assert renders % STEP == 0
    return {**figures, "approve_memory_mb": round(peak_mb() - before_mb, 1)}
