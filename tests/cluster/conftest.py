"""The farm as a person runs it: the `farm` command in processes of its own, with a home for each
test.
"""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import yaml
from sqlalchemy import select

from storage.campaigns import Campaigns
from storage.database import closing_engine
from storage.tables import attempts
from storage.watching import Watching

PATIENCE_S = 240


class Farm:
    """One home, and the commands that are run on it."""

    def __init__(self, home: Path, environment: dict[str, str]) -> None:
        self.home = home
        self.environment = {**os.environ, **environment, "FARM_HOME": str(home)}
        self._database = environment.get("FARM_DATABASE_URL", f"sqlite:///{home / 'farm.db'}")
        self.started: list[subprocess.Popen[str]] = []

    def start(self, *arguments: str, **environment: str) -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            [sys.executable, "-m", "farm.cli", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**self.environment, **environment},
            start_new_session=True,
        )
        self.started.append(process)
        return process

    def run(self, *arguments: str, code: int = 0, **environment: str) -> str:
        """Run a command to its end; returns its standard output, and for a failure its standard
        error.
        """
        process = self.start(*arguments, **environment)
        out, err = process.communicate(timeout=PATIENCE_S)
        assert process.returncode == code, (
            f"exit code {process.returncode}\n{out}\n{err}\n{self.log()}"
        )
        return out if code == 0 else err

    def json(self, *arguments: str, code: int = 0, **environment: str) -> dict:
        process = self.start(*arguments, "--json", **environment)
        out, err = process.communicate(timeout=PATIENCE_S)
        assert process.returncode == code, (
            f"exit code {process.returncode}\n{out}\n{err}\n{self.log()}"
        )
        return json.loads(out.splitlines()[-1])

    def file(self, name: str = "c", **changes) -> str:
        data = {
            "name": name,
            "model": "seedling",
            "prompt": "a {color} {product} on a beach",
            "negative": "watermark",
            "vary": {
                "product": ["mug", "bottle", "lamp", "vase"],
                "color": ["red", "blue", "yellow"],
            },
            "settings": {"steps": 10},
            "seeds": {"count": 4},
            **changes,
        }
        path = self.home.parent / f"{name}.yaml"
        path.write_text(yaml.safe_dump(data, sort_keys=False))
        return str(path)

    def row(self, name: str = "c", project: str = "default"):
        with closing_engine(self._database) as engine:
            return Campaigns(engine).get(project, name)

    def outcomes(self, name: str = "c", project: str = "default"):
        with closing_engine(self._database) as engine:
            return [
                outcome for outcome, _, _ in Campaigns(engine).outcomes(self.row(name, project).id)
            ]

    def facts(self, name: str = "c", project: str = "default") -> list[dict]:
        """What workers measured over each chunk of a campaign."""
        query = select(attempts.c.facts).where(
            attempts.c.campaign_id == self.row(name, project).id
        )
        with closing_engine(self._database) as engine, engine.connect() as connection:
            return [json.loads(text) for text in connection.execute(query).scalars()]

    def attempts(self, name: str = "c", project: str = "default") -> list[str]:
        """How each attempt at a chunk of a campaign ended."""
        query = select(attempts.c.outcome).where(
            attempts.c.campaign_id == self.row(name, project).id
        )
        with closing_engine(self._database) as engine, engine.connect() as connection:
            return list(connection.execute(query).scalars())

    def workers(self):
        with closing_engine(self._database) as engine:
            return Watching(engine).workers(fresh_s=None)

    def manifest(self, name: str = "c", project: str = "default") -> list[dict]:
        path = (
            Path(self.environment.get("FARM_OUTPUTS", self.home / "outputs"))
            / project
            / name
            / "manifest.jsonl"
        )
        return [json.loads(line) for line in path.read_text().splitlines()]

    def wait_until(self, condition, process: "subprocess.Popen[str] | None" = None) -> None:
        """Wait for something to be true; a process that ends meanwhile, or three minutes, is a
        failure.
        """
        deadline, tick = time.monotonic() + PATIENCE_S, threading.Event()
        while not _holds(condition):
            if process is not None and process.poll() is not None:
                raise AssertionError(f"the command ended: {process.communicate()}\n{self.log()}")
            assert time.monotonic() < deadline, self.log()
            tick.wait(0.05)

    def log(self) -> str:
        return "\n".join(
            path.read_text()[-3000:] for path in sorted((self.home / "logs").glob("*"))
        )

    def processes(self, word: str) -> list[int]:
        """Processes of this farm whose command line has a word; its Ray cluster is known by its
        folder.
        """
        mine = {process.pid for process in self.started}
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdecimal() and _session(entry) & (mine | set(self._children(mine))):
                try:
                    command = (
                        (entry / "cmdline")
                        .read_bytes()
                        .replace(b"\0", b" ")
                        .decode(errors="replace")
                    )
                except OSError:
                    continue
                if word in command:
                    found.append(int(entry.name))
        return found

    def _children(self, parents: set[int]) -> list[int]:
        return [
            int(e.name)
            for e in Path("/proc").iterdir()
            if e.name.isdecimal() and _parent(e) in parents
        ]

    def end(self) -> None:
        for process in self.started:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.communicate()


def _holds(condition) -> bool:
    try:
        return bool(condition())
    except Exception:  # noqa: BLE001  # the database may not be there yet
        return False


def _stat(entry: Path) -> list[str]:
    try:
        return (entry / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ["?", "0", "0", "0"]


def _parent(entry: Path) -> int:
    return int(_stat(entry)[1])


def _session(entry: Path) -> set[int]:
    return {int(_stat(entry)[3]), int(_stat(entry)[2])}


@pytest.fixture
def farm(tmp_path):
    farm = Farm(tmp_path / "home", {"FARM_WORKERS": "2"})
    yield farm
    farm.end()
