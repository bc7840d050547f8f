"""A cluster that grows and shrinks by itself, and what can go wrong with its machines."""

import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import yaml

from actors.bench.fake_cloud import FakeCloud
from tests.chaos.processes import (
    command_of,
    environment_of,
    of_session,
    parent_of,
    send,
    with_all_below,
)

IDLE_S = 4.0
"""Of a worker, and then of its machine."""
_KINDS = {"spot-node": "spot", "demand-node": "on-demand"}
_POOLS = [
    {
        "name": "spot",
        "labels": {"farm-market": "spot"},
        "limit": 3,
        "price_per_hour": 0.3,
        "start_s": 1,
        "grace_s": 20,
    },
    {
        "name": "demand",
        "labels": {"farm-market": "on-demand"},
        "limit": 3,
        "price_per_hour": 1.0,
        "start_s": 1,
    },
]
_KIND, _ID = "RAY_NODE_TYPE_NAME", "RAY_OVERRIDE_NODE_ID_FOR_TESTING"


@contextmanager
def growing_cluster() -> Iterator[FakeCloud]:
    """A head on which nothing is painted, with spot and on-demand machines to be had."""
    with TemporaryDirectory(
        prefix="fc", dir="/tmp", ignore_cleanup_errors=True
    ) as folder:  # a short path: sockets are in it
        cloud = FakeCloud(Path(folder), _KINDS, most=4, idle_s=IDLE_S)
        try:
            yield cloud
        finally:
            cloud.close()


def fleet_environment(folder: Path) -> dict[str, str]:
    """What a farm on such a cluster is told; its fleet file is put into a folder."""
    fleet = folder / "fleet.yaml"
    fleet.write_text(yaml.safe_dump({"pools": _POOLS}))
    return {"FARM_FLEET": str(fleet), "FARM_GPU": "1", "FARM_IDLE": str(IDLE_S)}


@dataclass(frozen=True)
class Machine:
    """A node of the cluster, with the process that is all of it that there is."""

    pid: int
    kind: str
    node_id: str

    def __str__(self) -> str:
        return f"{self.kind} {int(self.node_id[-5:])}"


class Machines:
    """The machines of a cluster."""

    def __init__(self, cloud: FakeCloud, folder: Path) -> None:
        self._cloud = cloud
        self.environment = fleet_environment(folder)

    def all(self) -> list[Machine]:
        """Those that there are beside the head, whether Ray knows them yet or not."""
        return [
            machine
            for pid in of_session(self._cloud.pid, "")
            if (machine := _machine(pid)) is not None
        ]

    def of(self, actor: int) -> Machine | None:
        """The machine of an actor: that of its raylet."""
        return _machine(parent_of(parent_of(actor)))

    def processes(self, machine: Machine) -> list[int]:
        return with_all_below(machine.pid)

    def is_gone(self, machine: Machine) -> bool:
        return _machine(machine.pid) != machine

    def kill(self, machine: Machine) -> None:
        """All at once, as when the power is cut."""
        if not self.is_gone(machine):
            self.send(self.processes(machine), signal.SIGKILL)

    def send(self, pids: Sequence[int], number: signal.Signals) -> None:
        for pid in pids:
            send(pid, number, "ray")

    def notice(self, machine: Machine, seconds: float) -> None:
        self._cloud.drain(machine.node_id, seconds)

    def tell_to_end(self, machine: Machine) -> None:
        send(machine.pid, signal.SIGTERM, "ray")

    def lack(self, kind: str) -> None:
        self._cloud.lack(kind)

    def give_all(self) -> None:
        self._cloud.lack()


def _machine(pid: int) -> Machine | None:
    """The machine that a process is, where it is a `ray start` of the cloud's."""
    if "start --block" not in command_of(pid):
        return None
    environment = environment_of(pid)
    return Machine(pid, environment[_KIND], environment[_ID]) if _KIND in environment else None
