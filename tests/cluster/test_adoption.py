"""A cluster that outlives the farm's processes: workers are found again by name, and what they
finished meanwhile is kept.
"""

import os
import re
import signal
import socket
import subprocess
import sys

import pytest

from tests.cluster.conftest import Farm
from tests.cluster.test_run import farm_rows

pytestmark = pytest.mark.cluster


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def cluster(tmp_path_factory):
    folder = tmp_path_factory.mktemp("r")
    port = free_port()
    command = [
        sys.executable, "-m", "ray.scripts.scripts", "start", "--head", "--block",
        "--node-ip-address=127.0.0.1", f"--port={port}",
        f"--temp-dir={folder}", "--num-cpus=2", "--include-dashboard=false",
        "--disable-usage-stats", "--object-store-memory=100000000",
        f"--ray-client-server-port={free_port()}",
    ]  # fmt: skip
    environment = {**os.environ, "RAY_AUTH_MODE": "disabled"}
    with (folder / "head.log").open("w") as log:
        head = subprocess.Popen(
            command, stdout=log, stderr=log, env=environment, start_new_session=True
        )
    yield f"127.0.0.1:{port}", head, folder / "head.log"
    os.killpg(head.pid, signal.SIGKILL)
    head.wait()


def test_a_new_dispatcher_adopts_the_workers_of_a_dead_one(cluster, tmp_path):
    address, head, log = cluster
    host, _, port = address.partition(":")
    farm = Farm(
        tmp_path / "home",
        {"FARM_WORKERS": "2", "FARM_RAY": address, "FARM_CHUNK": "4", "RAY_AUTH_MODE": "disabled"},
    )
    try:
        farm.wait_until(
            lambda: socket.create_connection((host, int(port)), timeout=1).close() is None, head
        )
        farm.wait_until(lambda: "Ray runtime started" in log.read_text(), head)
        process = farm.start("run", farm.file())
        farm.wait_until(lambda: farm.row().done >= 8, process)
        before = {worker.name for worker in farm.workers()}
        (dispatcher,) = farm.processes("farm.dispatch.process")
        os.kill(dispatcher, signal.SIGKILL)
        out, err = process.communicate(timeout=240)
        assert process.returncode == 0, (out, err, farm.log())
    finally:
        farm.end()
    rows = farm_rows(farm)
    assert len(before) == 2
    assert {row["worker"] for row in rows} == before
    assert len(rows) == len({row["key"] for row in rows}) == 48
    # Their chunks were waited for, not painted again.
    log = (farm.home / "logs" / "dispatcher.log").read_text()
    assert re.search(r"Took over [1-9][0-9]* chunks and put 0 back", log), log
    assert all(row["attempts"] == 1 for row in rows)
