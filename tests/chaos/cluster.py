"""A Ray head of one's own, what its actors are doing, and what they have said that they painted."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from storage.bench.postgres import free_port
from tests.chaos.processes import of_session

ACTOR = "ray::RenderActor"
PATIENCE_S = 240.0
_POLL_S = 0.1
_PAINTED = re.compile(r"action=paint campaign=(\d+) chunk=\d+ lease=\d+ numbers=([\d,]+)")

Painted = Counter[tuple[int, int]]
"""How often each render was painted, by campaign id and number."""


def wait_until(condition: Callable[[], bool], what: Callable[[], str], patience_s: float = PATIENCE_S) -> None:
    """Look again and again until something is so; `what` says how things stand when it never was."""
    deadline, tick = time.monotonic() + patience_s, threading.Event()
    while not condition():
        assert time.monotonic() < deadline, what()
        tick.wait(_POLL_S)


class RayHead:
    """A running Ray head, its files in a folder with a short path."""

    def __init__(self, folder: Path, *, cpus: int, port: int | None = None) -> None:
        self._folder = folder
        port = port or free_port()
        self.address = f"127.0.0.1:{port}"
        command = [
            sys.executable, "-m", "ray.scripts.scripts", "start", "--head", "--block", "--node-ip-address=127.0.0.1", f"--port={port}",
            f"--temp-dir={folder}", f"--num-cpus={cpus}", "--include-dashboard=false", "--disable-usage-stats",
            "--object-store-memory=100000000", f"--ray-client-server-port={free_port()}",
        ]  # fmt: skip
        log = folder / "head.log"
        with log.open("w") as file:
            self._process = subprocess.Popen(command, stdout=file, stderr=file, env=clean_environment(), start_new_session=True)
        wait_until(lambda: self._process.poll() is not None or "Ray runtime started" in log.read_text(), log.read_text)
        assert self._process.poll() is None, log.read_text()

    def actors(self) -> list[int]:
        """The processes of all actors, those that are still starting too."""
        return of_session(self._process.pid, ACTOR)

    def busy_actors(self) -> list[int]:
        """The processes of the actors that have painted."""
        said = {int(path.stem.rpartition("-")[2]) for path in self._logs() if "action=paint" in path.read_text(errors="replace")}
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
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not self.actors(), lambda: f"actors that do not end: {self.actors()}")
        return len(left)

    def end(self) -> None:
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def _logs(self) -> Iterator[Path]:
        return self._folder.glob("session_2*/logs/worker-*.err")


@contextmanager
def ray_head(folder: Path, *, cpus: int = 3, port: int | None = None) -> Iterator[RayHead]:
    head = RayHead(folder, cpus=cpus, port=port)
    try:
        yield head
    finally:
        head.clear()
        head.end()


def clean_environment(**more: str) -> dict[str, str]:
    """The environment without what a person has set for a farm or cluster of their own."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("FARM_", "RAY_"))}
    return {**kept, "RAY_AUTH_MODE": "disabled", **more}
