"""One `farm up` in processes of its own: started, killed, started again, and stopped."""

import json
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from tempfile import mkdtemp

from tests.chaos.cluster import PATIENCE_S, clean_environment, wait_until
from tests.chaos.processes import send, with_words

_RESTART_S = 2.0
_LEAVING_S = 60.0
_SAID = 4000


class Home:
    """A home and the farm that runs on it."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.folder = folder
        # Of its own, and short: Ray's sockets have paths of 107 bytes at most, and elsewhere
        # nobody could tell whose they are.
        self._scratch = mkdtemp(prefix="f-", dir="/tmp")
        self._environment = clean_environment(
            **environment, FARM_HOME=str(folder), TMPDIR=self._scratch
        )
        self._process: subprocess.Popen[bytes] | None = None
        self._started_at = 0.0
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def dispatcher(self) -> str:
        """What stands in the command line of its dispatcher and of no other: Ray's folder is under
        TMPDIR.
        """
        return f"farm.dispatch.process {self._scratch}/"

    @property
    def is_down(self) -> bool:
        return self._process is None

    def start(self) -> None:
        command = [sys.executable, "-m", "farm.cli", "up", "--port", "0"]
        self._started_at = time.monotonic()
        with (self.folder / "up.log").open("a") as log:
            self._process = subprocess.Popen(
                command, stdout=log, stderr=log, env=self._environment, start_new_session=True
            )

    def keep_up(self) -> bool:
        """Start it again where it has ended by itself, as a service manager does; says whether it
        had.
        """
        if (
            self._process is None
            or self._process.poll() is None
            or time.monotonic() - self._started_at < _RESTART_S
        ):
            return False
        self.start()
        return True

    def kill(self) -> None:
        """End the parent alone, and let it be."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()
        self._process = None

    def url(self) -> str | None:
        """Where it answers, once it does."""
        with suppress(OSError, ValueError):
            published = json.loads((self.folder / "farm.json").read_text())
            if self._process is not None and published["pid"] == self._process.pid:
                return str(published["url"])
        return None

    def ask_to_stop(self) -> None:
        if self._process is not None:
            self._process.terminate()

    def wait(self) -> int | None:
        """Its exit code, once it has stopped; None where it was down."""
        process, self._process = self._process, None
        if process is None:
            return None
        with suppress(subprocess.TimeoutExpired):
            return process.wait(PATIENCE_S)
        process.kill()
        return process.wait()

    def end_dispatchers(self) -> int:
        """Wait for dispatchers whose parent was killed, and end those that stay; returns how many
        they are.
        """
        with suppress(AssertionError):
            wait_until(lambda: not with_words(self.dispatcher), str, _LEAVING_S)
        left = with_words(self.dispatcher)
        for pid in left:
            send(pid, signal.SIGKILL, self.dispatcher)
        shutil.rmtree(self._scratch, ignore_errors=True)
        return len(left)

    def said(self) -> str:
        """The ends of its logs."""
        logs = [self.folder / "up.log", *sorted((self.folder / "logs").glob("dispatcher.*"))]
        return "\n".join(
            f"--- {path}\n{path.read_text(errors='replace')[-_SAID:]}"
            for path in logs
            if path.exists()
        )
