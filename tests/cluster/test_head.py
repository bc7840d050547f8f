"""The head of the cluster is killed, with everything on its machine, and another is started in its place, which knows of nothing."""

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.chaos.cluster import ray_head
from tests.cluster.conftest import Farm

pytestmark = pytest.mark.cluster


def test_a_head_that_is_lost_costs_nothing_but_time(tmp_path):
    environment = {
        "FARM_WORKERS": "2", "FARM_REST": "0.2", "FARM_CHUNK": "12", "RAY_AUTH_MODE": "disabled",
        "RAY_gcs_rpc_server_reconnect_timeout_s": "5",  # in which a driver gives a head up that is away
    }  # fmt: skip
    with TemporaryDirectory(prefix="h", dir="/tmp") as first, TemporaryDirectory(prefix="h", dir="/tmp") as second:  # short, for sockets
        with ray_head(Path(first)) as head:
            port = int(head.address.rpartition(":")[2])
            farm = Farm(tmp_path / "home", {**environment, "FARM_RAY": head.address})
            process = farm.start("run", farm.file(seeds={"count": 10}))
            farm.wait_until(lambda: farm.row().done >= 24, process)
        before = {outcome.number: outcome for outcome in farm.outcomes()}
        assert 24 <= len(before) < 120
        try:
            with ray_head(Path(second), port=port):
                _, err = process.communicate(timeout=240)
                assert process.returncode == 0, (err, farm.log())
        finally:
            farm.end()
    after = {outcome.number: outcome for outcome in farm.outcomes()}
    assert (len(after), farm.row().state) == (120, "done")
    assert {number: after[number] for number in before} == before, "what was settled has not been touched"
    assert set(farm.attempts()) <= {"painted", "preempted", "worker_lost"}
