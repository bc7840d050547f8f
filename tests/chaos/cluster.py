"""A Ray head of one's own, what its actors are doing, and what they have said that they
painted.
"""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from storage.bench.postgres import free_port
from tests.chaos.processes import of_session, send

ACTOR = "ray::RenderActor"
PATIENCE_S = 240.0
_POLL_S = 0.1
_PAINTED = re.compile(r"action=paint campaign=(\d+) chunk=\d+ lease=\d+ numbers=([\d,]+)")

Painted = Counter[tuple[int, int]]
"""How often each render was painted, by campaign id and number."""


def wait_until(
    condition: Callable[[], bool], what: Callable[[], str], patience_s: float = PATIENCE_S
) -> None:
    """Look again and again until something is so; `what` says how things stand when it never
    was.
    """
    deadline, tick = time.monotonic() + patience_s, threading.Event()
    while not condition():
        assert time.monotonic() < deadline, what()
        tick.wait(_POLL_S)


class Cluster:
    """A running Ray cluster whose processes are all in the sessions of those that were started
    here, its files in a folder.
    """

    def __init__(self, folder: Path, address: str, *leaders: int) -> None:
        self.folder = folder
        self.address = address
        self._leaders = list(leaders)

    def actors(self) -> list[int]:
        """The processes of all actors, those that are still starting too."""
        return sorted(pid for leader in self._leaders for pid in of_session(leader, ACTOR))

    def busy_actors(self) -> list[int]:
        """The processes of the actors that have painted."""
        said = {
            int(path.stem.rpartition("-")[2])
            for path in self._logs()
            if "action=paint" in path.read_text(errors="replace")
        }
        return [pid for pid in self.actors() if pid in said]

    def mark(self) -> Mapping[Path, int]:
        """How long each actor's log is now, for `painted`."""
        return {path: path.stat().st_size for path in self._logs()}

    def painted(self, since: Mapping[Path, int]) -> Painted:
        """What the logs say was painted behind a mark."""
        painted: Painted = Counter()
        for path in self._logs():
            text = path.read_bytes()[since.get(path, 0) :].decode(errors="replace")
            for campaign, numbers in _PAINTED.findall(text):
                painted.update((int(campaign), int(number)) for number in numbers.split(","))
        return painted

    def clear(self) -> int:
        """End the actors that are left, and say how many they were."""
        left = self.actors()
        for pid in left:
            send(pid, signal.SIGKILL, ACTOR)
        wait_until(lambda: not self.actors(), lambda: f"actors that do not end: {self.actors()}")
        return len(left)

    def _logs(self) -> Iterator[Path]:
        return self.folder.glob("session_2*/logs/worker-*.err")


class RayHead(Cluster):
    """A Ray head of one's own, its files in a folder with a short path; with `keeps`, in a store
    there what it knows, too.

    One with a store, killed and started again in its place, knows its nodes and actors again.
    """

    def __init__(
        self, folder: Path, *, cpus: int, port: int | None = None, keeps: bool = False
    ) -> None:
        self.port = port or free_port()
        command = [
            "--head", "--node-ip-address=127.0.0.1", f"--port={self.port}", f"--temp-dir={folder}",
            f"--num-cpus={cpus}",
            "--include-dashboard=false", f"--ray-client-server-port={free_port()}",
        ]  # fmt: skip
        store = (
            {"RAY_gcs_storage": "rocksdb", "RAY_gcs_storage_path": str(folder / "store")}
            if keeps
            else {}
        )
        (folder / "ray_current_cluster").unlink(
            missing_ok=True
        )  # where one was killed, Ray takes it for running
        self.process = _ray_start(folder / "head.log", *command, **store)
        super().__init__(folder, f"127.0.0.1:{self.port}", self.process.pid)

    def end(self) -> None:
        _end_session(self.process)


class RayNode(Cluster):
    """One more node, as `ray start --block` on a machine of its own would be."""

    def __init__(self, folder: Path, head: RayHead, *, cpus: int, **environment: str) -> None:
        """Its files are where the head's are; `folder` is for what it says."""
        command = [
            f"--address={head.address}",
            "--node-ip-address=127.0.0.1",
            f"--num-cpus={cpus}",
        ]
        self.process = _ray_start(folder / "node.log", *command, **environment)
        super().__init__(head.folder, head.address, self.process.pid)

    def end(self) -> None:
        _end_session(self.process)


def _ray_start(log: Path, *options: str, **environment: str) -> "subprocess.Popen[bytes]":
    """Start a head or a node, and wait until it runs."""
    command = [
        sys.executable, "-m", "ray.scripts.scripts", "start", "--block", "--disable-usage-stats",
        "--object-store-memory=100000000", *options,
    ]  # fmt: skip
    with log.open("wb") as file:
        process = subprocess.Popen(
            command,
            stdout=file,
            stderr=file,
            env=clean_environment(**environment),
            start_new_session=True,
        )
    wait_until(
        lambda: process.poll() is not None or "Ray runtime started" in log.read_text(),
        log.read_text,
    )
    assert process.poll() is None, log.read_text()
    return process


def _end_session(process: "subprocess.Popen[bytes]") -> None:
    """End a process and all that it has started, at once, as a machine ends."""
    for pid in of_session(process.pid, ""):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    process.wait()


@contextmanager
def ray_head(
    folder: Path, *, cpus: int = 3, port: int | None = None, keeps: bool = False
) -> Iterator[RayHead]:
    head = RayHead(folder, cpus=cpus, port=port, keeps=keeps)
    try:
        yield head
    finally:
        head.clear()
        head.end()


@contextmanager
def ray_node(
    folder: Path, head: RayHead, *, cpus: int = 2, **environment: str
) -> Iterator[RayNode]:
    node = RayNode(folder, head, cpus=cpus, **environment)
    try:
        yield node
    finally:
        node.end()


def clean_environment(**more: str) -> dict[str, str]:
    """The environment without what a person has set for a farm or cluster of their own."""
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("FARM_", "RAY_"))
    }
    return {**kept, "RAY_AUTH_MODE": "disabled", **more}
