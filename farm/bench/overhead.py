"""What the farm costs: pictures a second with everything on, against a bare diffusers loop with
the same processes and threads.

The sides take turns in one run, so that a machine whose speed drifts favours neither. The figure
is the median of the ratios.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from actors.models.models import find_model
from farm.app import embedded_farm
from farm.bench.figures import Json, machine, spread
from farm.campaign.checks import parse_campaign
from farm.campaign.schema import Campaign
from farm.client.client import Client
from farm.config import Settings, read_settings
from farm.connect import client_of
from storage.database import open_database
from storage.errors import WorkError
from storage.watching import Watching

PROMPT, NEGATIVE, STEPS, GUIDANCE = "a {color} {product} {place}", "film grain", 20, 4.0
VARY = {
    "product": ["mug", "bottle", "box", "lamp", "ball", "vase"],
    "color": ["red", "orange", "yellow", "green", "blue", "purple", "white", "black"],
    "place": ["in a studio", "on a beach", "in a forest", "at sunset"],
}
NAIVE_PICTURES = 16


@dataclass(frozen=True)
class Round:
    """Pictures a second of each side in one round, and where the farm's time went."""

    farm: float
    bare: float
    naive: float
    busy: float
    encode_s: float


def measure(*, pairs: int, pictures: int, work: Path | None) -> Json:
    """Run every side `pairs` times in turn, after one round that is not counted."""
    with tempfile.TemporaryDirectory(prefix="farm-overhead-", dir=work) as folder:
        settings = read_settings(home=Path(folder) / "home")
        rounds = list(_rounds(settings, pairs, pictures, Path(folder)))[1:]
    fleet = settings.fleet_settings()
    figures = {
        "farm_vs_bare": spread([r.farm / r.bare for r in rounds]),
        "farm_vs_naive": spread([r.farm / r.naive for r in rounds]),
        "pictures_per_s": spread([r.farm for r in rounds]),
        "device_busy": spread([r.busy for r in rounds]),
        "encode_and_write_s_per_picture": spread([r.encode_s / pictures for r in rounds]),
    }
    peers = {
        "bare_pictures_per_s": spread([r.bare for r in rounds]),
        "naive_pictures_per_s": spread([r.naive for r in rounds]),
    }
    setup = {
        "pairs": pairs,
        "pictures": pictures,
        "steps": STEPS,
        "model": "seedling",
        "batch": find_model("seedling").batch,
    }
    on = machine(workers=fleet.fleet_size, threads=fleet.threads)
    return {"bench": "overhead", "machine": on, "setup": setup, "figures": figures, "peers": peers}


def _rounds(settings: Settings, pairs: int, pictures: int, folder: Path) -> Iterator[Round]:
    fleet = settings.fleet_settings()
    with ExitStack() as stack:
        loops = [stack.enter_context(_Loop.open(fleet.threads)) for _ in range(fleet.fleet_size)]
        alone = stack.enter_context(_Loop.open(fleet.threads * fleet.fleet_size))
        farm = stack.enter_context(embedded_farm(settings, port=0))
        farm.supervisor.start()
        client = stack.enter_context(client_of(settings, farm.url))
        watching = Watching(open_database(settings.database_address))
        for k in range(pairs + 1):
            bare = _bare(loops, pictures)
            wall, facts = _farm(client, watching, pictures, k)
            yield Round(
                farm=pictures / wall,
                bare=bare,
                naive=_naive(alone, folder),
                busy=sum(sum(fact["batch_s"]) for fact in facts) / (wall * fleet.fleet_size),
                encode_s=sum(fact["encode_s"] for fact in facts),
            )


def _farm(client: Client, watching: Watching, pictures: int, k: int) -> tuple[float, list[Json]]:
    """Submit a campaign to the warm farm and wait for it; returns its wall time and its workers'
    facts.
    """
    seen = watching.last_attempt()
    began = time.perf_counter()
    client.submit(_campaign(pictures, k))
    while True:
        status = client.status(f"overhead-{k}")
        if status.state == "done":
            return time.perf_counter() - began, [
                row.facts for row in watching.attempts_after(seen)
            ]
        if status.state in ("failed", "stopped"):
            raise WorkError(
                f"The campaign of the measurement is {status.state}:"
                f" {status.halted or status.failures}"
            )
        time.sleep(0.1)


def _campaign(pictures: int, k: int) -> Campaign:
    products = VARY["product"][: pictures // 32]
    return parse_campaign(
        {
            "name": f"overhead-{k}",
            "model": "seedling",
            "prompt": PROMPT,
            "negative": NEGATIVE,
            "vary": {**VARY, "product": products},
            "settings": {"steps": STEPS, "guidance": GUIDANCE},
            "seeds": [k],
        }
    )


class _Loop:
    """One process of a loop that the farm is compared with."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    @classmethod
    @contextmanager
    def open(cls, threads: int) -> Iterator["_Loop"]:
        process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", "farm.bench.loops"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        loop = cls(process)
        try:
            loop.order({"threads": threads, "model": find_model("seedling").folder})
            loop.answer()
            yield loop
        finally:
            process.kill()
            process.wait()

    def order(self, order: Json) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()

    def answer(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise WorkError(
                "A loop that the farm is compared with ended: run `python -m farm.bench.loops` to"
                " see why."
            )
        return line


def _bare(loops: list[_Loop], pictures: int) -> float:
    """Pictures a second of all loops together, each with its share of the same prompts and batches
    of the same shape.
    """
    share = pictures // len(loops)
    began = time.perf_counter()
    for k, loop in enumerate(loops):
        loop.order(_order("bare", share, first=k * share))
    for loop in loops:
        loop.answer()
    return share * len(loops) / (time.perf_counter() - began)


def _naive(loop: _Loop, folder: Path) -> float:
    began = time.perf_counter()
    loop.order({**_order("naive", NAIVE_PICTURES), "folder": str(folder)})
    loop.answer()
    return NAIVE_PICTURES / (time.perf_counter() - began)


def _order(kind: str, count: int, first: int = 0) -> Json:
    prompts = [
        PROMPT.format(product=product, color=color, place=place)
        for product in VARY["product"]
        for color in VARY["color"]
        for place in VARY["place"]
    ]
    return {
        "loop": kind,
        "prompts": [prompts[(first + n) % len(prompts)] for n in range(count)],
        "seeds": list(range(first, first + count)),
        "negative": NEGATIVE,
        "steps": STEPS,
        "guidance": GUIDANCE,
        "batch": find_model("seedling").batch,
    }
