"""A node of the cluster is told to end, as Kubernetes and `ray up` tell it."""

import signal
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from sqlalchemy import select

from storage.database import closing_engine, sqlite_address
from storage.tables import attempts, chunks
from tests.chaos.cluster import ray_head, ray_node
from tests.cluster.conftest import Farm

pytestmark = pytest.mark.cluster

RAYS_OWN_S = 30.0
"""After that, a node that was sent SIGTERM ends what is left on it, by Ray's default."""


def test_a_node_that_is_told_to_end_does_so_as_soon_as_its_batch_is_painted(tmp_path):
    with (
        TemporaryDirectory(prefix="n", dir="/tmp") as folder,
        ray_head(Path(folder), cpus=1) as head,
    ):
        environment = {
            "FARM_WORKERS": "2",
            "FARM_REST": "1",
            "FARM_CHUNK": "40",
            "FARM_RAY": head.address,
            "RAY_AUTH_MODE": "disabled",
        }
        farm = Farm(tmp_path / "home", environment)
        try:
            with ray_node(Path(folder), head, cpus=1) as node:
                process = farm.start("run", farm.file(seeds={"count": 10}))
                farm.wait_until(lambda: node.busy_actors() and head.busy_actors(), process)
                node.process.send_signal(signal.SIGTERM)
                told = time.monotonic()
                node.process.wait(RAYS_OWN_S)
                assert time.monotonic() - told < RAYS_OWN_S / 2
                assert node.actors() == []
                assert farm.row().state == "running"
                _, err = process.communicate(timeout=240)
                assert process.returncode == 0, (err, farm.log())
        finally:
            farm.end()
        painted = head.painted({})
    assert (farm.row().done, farm.row().total) == (120, 120)
    # Whatever batch was under way is in what was handed back, and nothing of it was painted again,
    # or charged to anybody.
    assert (len(painted), set(painted.values())) == (120, {1})
    with (
        closing_engine(sqlite_address(farm.home / "farm.db")) as engine,
        engine.connect() as connection,
    ):
        ended = connection.execute(select(attempts.c.outcome, attempts.c.done)).all()
        charged = connection.execute(select(chunks.c.failures, chunks.c.losses)).all()
    assert any(outcome == "stopped" and 0 < done < 40 for outcome, done in ended), ended
    assert {outcome for outcome, _ in ended} == {"painted", "stopped"}
    assert set(map(tuple, charged)) == {(0, 0)}
