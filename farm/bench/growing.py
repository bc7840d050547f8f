"""From no worker to the first picture and back to none, on a cluster whose nodes are processes of
this machine (`actors.bench.fake_cloud`).
"""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx

from farm.app import embedded_farm
from farm.campaign.checks import parse_campaign
from farm.client.client import Client
from farm.config import read_settings
from farm.connect import client_of
from storage.database import sqlite_address
from storage.errors import WorkError
from storage.states import WorkerState

Figures = dict[str, float]

IDLE_S = 4.0
"""Of a worker, and then of its node."""
REST_S = 0.1
_RENDERS = 400
_LOOK_S = 0.05
_PATIENCE_S = 180.0


class _Cloud:
    """The program, as this process speaks to it."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        self.address = str(self._answer())

    def nodes(self) -> list[str]:
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return list(self._answer())

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise WorkError("The cluster of the measurement ended.")
        return json.loads(line)


def growing(work: Path | None) -> Figures:
    """Seconds from a campaign's submission to its first picture, with those that its node and its
    worker took to start among them; and from its last picture until there is neither worker nor
    node, with the idle times of both among them.
    """
    with _cloud() as cloud, TemporaryDirectory(prefix="farm-grow-", dir=work) as folder:
        address = sqlite_address(Path(folder) / "farm.db")
        settings = read_settings(
            home=Path(folder),
            database_url=address,
            ray=cloud.address,
            gpu=1.0,
            rest=REST_S,
            workers=1,
            idle=IDLE_S,
            chunk=20,
        )
        with embedded_farm(settings, port=0) as farm, client_of(settings, farm.url) as client:
            farm.supervisor.start()
            _until(lambda: httpx.get(f"{farm.url}/api/v1/ready").is_success)  # there is a leader
            return _measured(client, cloud)


def _measured(client: Client, cloud: _Cloud) -> Figures:
    began = time.time()
    client.submit(_campaign())
    node_at = _until(lambda: bool(cloud.nodes()))
    ready_at = _until(lambda: any(WorkerState(row.state).takes_work for row in client.workers()))
    _until(lambda: client.status("grow").state == "done")
    ends = [line["finished_at"] or 0.0 for line in client.manifest("grow")]
    first_at, last_at = min(ends), max(ends)
    _until(lambda: not client.workers())
    gone_at = _until(lambda: not cloud.nodes())
    return {
        "zero_to_first_s": first_at - began,
        "node_start_s": node_at - began,
        "worker_start_s": ready_at - node_at,
        "back_to_zero_s": gone_at - last_at,
        "back_to_zero_over_idle_s": gone_at - last_at - 2 * IDLE_S,
    }


def _campaign() -> Any:
    return parse_campaign(
        {
            "name": "grow", "model": "seedling", "prompt": "a mug, take {take}",
            "vary": {"take": {"range": [1, 20, 1]}},
            "settings": {"steps": 1, "batch": 1}, "seeds": {"count": _RENDERS // 20},
        }
    )  # fmt: skip


def _until(holds: Callable[[], bool]) -> float:
    """The time when something came to hold."""
    deadline = time.monotonic() + _PATIENCE_S
    while not holds():
        if time.monotonic() > deadline:
            raise WorkError(f"What is measured did not happen in {_PATIENCE_S:.0f} seconds.")
        time.sleep(_LOOK_S)
    return time.time()


@contextmanager
def _cloud() -> Iterator[_Cloud]:
    with TemporaryDirectory(
        prefix="fc", ignore_cleanup_errors=True
    ) as folder:  # a short path, for the sake of its sockets
        command = [sys.executable, "-m", "actors.bench.fake_cloud", folder, str(IDLE_S)]
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as process:
            yield _Cloud(process)  # which ends when its input does
