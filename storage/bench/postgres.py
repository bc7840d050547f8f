"""A PostgreSQL server of one's own, for benchmarks and tests: started from the binaries of this
machine, on loopback, in a folder.
"""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from sqlalchemy import create_engine, text

from storage.errors import DatabaseError

_PLACES = "/usr/lib/postgresql/*/bin"


class Postgres:
    """A server that can be started, killed and started again on the same data and port."""

    def __init__(self, folder: Path, port: int) -> None:
        self._folder = folder
        self._port = port
        self._binaries = _binaries()

    @property
    def url(self) -> str:
        return self._url("postgres")

    def initialize(self) -> None:
        if os.geteuid() == 0:
            shutil.chown(self._folder, "postgres", "postgres")
        self._run(
            "initdb",
            "-D",
            str(self._data),
            "-A",
            "trust",
            "-U",
            "farm",
            "--no-locale",
            "-E",
            "UTF8",
            "--no-sync",
        )

    def start(self) -> None:
        """Start, or start again after a kill, and wait until it answers."""
        options = (
            f"-p {self._port} -c listen_addresses=127.0.0.1 -c"
            f" unix_socket_directories={self._folder} -c max_connections=200"
        )
        self._run(
            "pg_ctl",
            "-D",
            str(self._data),
            "-w",
            "-l",
            str(self._folder / "log"),
            "-o",
            options,
            "start",
        )

    def stop(self) -> None:
        self._run("pg_ctl", "-D", str(self._data), "-m", "immediate", "stop", check=False)

    def kill(self) -> None:
        """End every process of the server at once, as a machine does that loses its power."""
        postmaster = int((self._data / "postmaster.pid").read_text().split()[0])
        os.kill(postmaster, signal.SIGSTOP)  # so that it starts no new ones meanwhile
        processes = [*_children(postmaster), postmaster]
        for process in processes:
            os.kill(process, signal.SIGKILL)
        # A server is not started again while a process of the old one has its memory.
        wait_for(lambda: not any(map(_is_alive, processes)))
        for lock in (self._data / "postmaster.pid", *self._folder.glob(".s.PGSQL.*")):
            lock.unlink(missing_ok=True)

    def new_database(self, template: str | None = None) -> str:
        """Make a database and return its address; a copy of another where a template is named."""
        name = f"farm_{uuid4().hex[:12]}"
        engine = create_engine(
            self.url.replace("postgresql://", "postgresql+psycopg://"),
            isolation_level="AUTOCOMMIT",
        )
        with engine.connect() as connection:
            like = f' TEMPLATE "{template.rpartition("/")[2]}"' if template else ""
            connection.execute(text(f'CREATE DATABASE "{name}"{like}'))
        engine.dispose()
        return self._url(name)

    @property
    def _data(self) -> Path:
        return self._folder / "data"

    def _url(self, database: str) -> str:
        return f"postgresql://farm@127.0.0.1:{self._port}/{database}"

    def _run(self, program: str, *arguments: str, check: bool = True) -> None:
        # PostgreSQL refuses to be run by root.
        user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        done = subprocess.run(
            [*user, str(self._binaries / program), *arguments],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            check=False,
        )
        if check and done.returncode:
            raise DatabaseError(
                f"{program} failed: {done.stderr.decode(errors='replace').strip()}"
                f" {(self._folder / 'log').read_text()[-800:]}"
            )


@contextmanager
def temporary_postgres(within: Path | None = None) -> Iterator[Postgres]:
    """A server in a temporary folder for as long as the block lasts. Raises DatabaseError where
    the machine has no PostgreSQL.
    """
    _binaries()
    with tempfile.TemporaryDirectory(
        prefix="farm-pg-", dir=within, ignore_cleanup_errors=True
    ) as folder:
        server = Postgres(Path(folder), free_port())
        server.initialize()
        server.start()
        try:
            yield server
        finally:
            server.stop()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _binaries() -> Path:
    on_path = shutil.which("initdb")
    found = (
        [Path(on_path).resolve().parent]
        if on_path
        else sorted(Path("/").glob(_PLACES[1:]), key=lambda path: path.parent.name)
    )
    if not found:
        raise DatabaseError(
            "There is no PostgreSQL on this machine: install it (Debian: apt install postgresql)."
        )
    if os.geteuid() == 0:
        try:
            pwd.getpwnam("postgres")
        except KeyError as exc:
            raise DatabaseError(
                "PostgreSQL does not run as root, and there is no user `postgres` to run it as."
            ) from exc
    return found[-1]


def wait_for(condition: Callable[[], bool], patience_s: float = 30.0) -> None:
    """Look again and again until something is so; raises DatabaseError after `patience_s`
    seconds.
    """
    deadline = time.monotonic() + patience_s
    while not condition():
        if time.monotonic() > deadline:
            raise DatabaseError("PostgreSQL did not end when it was killed.")
        time.sleep(0.005)


def _children(parent: int) -> list[int]:
    return [int(pid) for pid in Path(f"/proc/{parent}/task/{parent}/children").read_text().split()]


def _is_alive(pid: int) -> bool:
    try:
        return (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
