"""How busy the farm keeps its workers: actors that rest for each batch instead of painting it, and
Ray Data with actors that rest as long.

The efficiency is the ideal time, the rests that the actors took shared evenly among them, over the
real one.
"""

import importlib.util
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from farm.app import embedded_farm
from farm.campaign.checks import parse_campaign
from farm.campaign.schema import Campaign
from farm.client.client import Client
from farm.config import read_settings
from farm.connect import client_of
from storage.database import sqlite_address
from storage.errors import WorkError
from storage.states import WorkerState

Figures = dict[str, float]

RESTS_S = (0.1, 0.02)
WORKERS = 4
TAKES = 20
WARM_BATCHES = 100
PATIENCE_S = 300.0
_LOOK_S = 0.05
# Blocks of 20 batches: of 10 to 100 those with which Ray Data did best.
_BATCHES_PER_BLOCK = 20


def has_ray_data() -> bool:
    return all(importlib.util.find_spec(name) for name in ("pandas", "pyarrow"))


def has_ray_serve() -> bool:
    return all(importlib.util.find_spec(name) for name in ("grpc_reflection", "watchfiles"))


def farm_efficiencies(batches: int, work: Path | None) -> Figures:
    """Of a warm farm on SQLite, for each rest: from the submission of a campaign until it is
    done.
    """
    return {_name(rest_s): farm_efficiency(rest_s, batches, work) for rest_s in RESTS_S}


def ray_data_efficiencies(batches: int) -> Figures:
    """Of Ray Data's `map_batches`, for each rest: from when its actors are ready until the last
    batch is back.
    """
    return {f"ray_data.{_name(rest_s)}": _peer("ray_data", rest_s, batches) for rest_s in RESTS_S}


def _name(rest_s: float) -> str:
    return f"dispatch_eff_{rest_s * 1000:.0f}ms"


def uneven_efficiencies(batches: int, spread: float, work: Path | None) -> Figures:
    """As `farm_efficiencies`, with batches of which the longest takes `spread` times the
    shortest.
    """
    return {
        f"eff_{rest_s * 1000:.0f}ms": farm_efficiency(rest_s, batches, work, spread)
        for rest_s in RESTS_S
    }


def peer_efficiencies(peer: str, batches: int, spread: float) -> Figures:
    return {
        f"{peer}.eff_{rest_s * 1000:.0f}ms": _peer(peer, rest_s, batches, spread)
        for rest_s in RESTS_S
    }


def farm_efficiency(rest_s: float, batches: int, work: Path | None, spread: float = 1.0) -> float:
    with TemporaryDirectory(prefix="farm-queue-", dir=work) as folder:
        address = sqlite_address(Path(folder) / "farm.db")
        settings = read_settings(
            home=Path(folder),
            database_url=address,
            ray="local",
            rest=rest_s,
            rest_spread=spread,
            workers=WORKERS,
            floor=WORKERS,
            threads=1,
        )
        with embedded_farm(settings, port=0) as farm, client_of(settings, farm.url) as client:
            farm.supervisor.start()
            _warm_up(client)
            seconds = _paint(client, "measured", batches)
            return client.status("measured").device_s / WORKERS / seconds


def _peer(peer: str, rest_s: float, batches: int, spread: float = 1.0) -> float:
    with TemporaryDirectory(
        prefix="farm-ray-", ignore_cleanup_errors=True
    ) as folder:  # a short path, for the sake of its sockets
        order = {
            "peer": peer, "rest_s": rest_s, "spread": spread, "batches": batches,
            "actors": WORKERS,
            "blocks": max(WORKERS, batches // _BATCHES_PER_BLOCK), "folder": folder,
        }  # fmt: skip
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-m", "actors.bench.peers"],
            input=json.dumps(order),
            env={**os.environ, "RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_MODE": "disabled"},
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        raise WorkError(
            f"{peer}, which the farm is compared with, ended: {done.stderr.strip()[-800:]}"
        )
    return float(json.loads(done.stdout.splitlines()[-1])["efficiency"])


def _warm_up(client: Client) -> None:
    """Have all workers started, and two campaigns go through them, the second once all are
    ready.
    """
    _paint(client, "warm-0", WARM_BATCHES)
    deadline = time.monotonic() + PATIENCE_S
    while [row.state for row in client.workers()] != [WorkerState.IDLE] * WORKERS:
        if time.monotonic() > deadline:
            raise WorkError(
                f"The workers of the measurement were not ready after {PATIENCE_S:.0f} seconds."
            )
        time.sleep(_LOOK_S)
    _paint(client, "warm-1", WARM_BATCHES)


def _paint(client: Client, name: str, batches: int) -> float:
    """Submit a campaign and wait for it; returns its seconds, by the database's clock, which is
    this machine's.
    """
    campaign = _campaign(name, batches)
    began = time.time()
    client.submit(campaign)
    while (status := client.status(name)).state != "done":
        if status.state in ("failed", "stopped", "cancelled"):
            raise WorkError(
                f"The campaign of the measurement is {status.state}:"
                f" {status.halted or status.failures}"
            )
        time.sleep(_LOOK_S)
    assert status.finished_at is not None
    return status.finished_at - began


def _campaign(name: str, batches: int) -> Campaign:
    """Batches of one render each, so that writing small pictures is the least of what is
    measured. No two campaigns have a recipe in common, or pictures would be copied.
    """
    return parse_campaign(
        {
            "name": name,
            "model": "seedling",
            "prompt": f"a mug for {name}, take {{take}}",
            "vary": {"take": {"range": [1, TAKES, 1]}},
            "settings": {"steps": 1, "batch": 1},
            "seeds": {"count": batches // TAKES},
        }
    )
