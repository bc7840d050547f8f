"""Keeps the dispatcher alive: starts it as a child process, and starts it again if it ends."""

import contextlib
import errno
import logging
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from farm.config import Settings, dispatcher_environment
from farm.home import Home
from farm.logs import bound

STABLE_S = 60.0
LONGEST_BACKOFF_S = 30.0
QUICK_ENDS = 4
LOOK_S = 30.0

# Errors that keep a process from being started now, and may pass.
_PASSING = frozenset({errno.EMFILE, errno.ENFILE, errno.EAGAIN, errno.ENOMEM})

log = logging.getLogger(__name__)


def backoffs() -> Iterator[float]:
    """Seconds before each restart in a row: 0.5, 1, 2 … 30."""
    backoff_s = 0.5
    while True:
        yield min(backoff_s, LONGEST_BACKOFF_S)
        backoff_s *= 2


class Supervisor:
    """One child process, restarted with growing backoffs until `stop`."""

    def __init__(
        self, settings: Settings, command: Sequence[str], *, shows_log: bool = False
    ) -> None:
        """With `shows_log` the child has this process's standard output; else that, too, goes into
        its file.
        """
        self._settings = settings
        self._command = command
        self._shows_log = shows_log
        self._environment = dispatcher_environment(settings)
        self._stopping = threading.Event()
        self._child: subprocess.Popen[str] | None = None
        self._waiting: subprocess.Popen[str] | None = None
        """A child that has begun, and has no settings yet."""
        self._thread = threading.Thread(target=self._run, name="supervisor", daemon=True)
        self.gave_up: str | None = None
        """Why no dispatcher can be kept alive, once several have ended as soon as they began."""

    def begin(self) -> None:
        """Let the first child import what it needs before `start` gives it its settings. If it
        cannot be started now, that shows then.
        """
        with contextlib.suppress(OSError):
            self._child = self._waiting = self._begun()

    def start(self) -> None:
        self._thread.start()

    def stop(self, timeout_s: float = 15.0) -> None:
        """End the child, gently first."""
        self._stopping.set()
        child = self._child
        if child is not None and child.poll() is None:
            child.terminate()
            try:
                child.wait(timeout_s)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        if self._waiting is not None and self._waiting.stdin is not None:
            self._waiting.stdin.close()

    def _run(self) -> None:
        quick_ends, pending = 0, backoffs()
        while not self._stopping.is_set():
            try:
                lived_s = self._live_once()
            except OSError as exc:
                if exc.errno in _PASSING:
                    log.warning(
                        "The dispatcher cannot be started now (%s): it is tried again."
                        " action=restart",
                        exc.strerror,
                    )
                    self._stopping.wait(next(pending))
                    continue
                self.gave_up = f"The dispatcher cannot be started: {exc}."
                return
            if self._stopping.is_set():
                return
            if lived_s >= STABLE_S:
                quick_ends, pending = 0, backoffs()
            quick_ends += 1
            log.warning("The dispatcher ended after %.0f s. action=restart", lived_s)
            if quick_ends >= QUICK_ENDS:
                self.gave_up = (
                    f"The dispatcher ended {QUICK_ENDS} times in a row: {self._last_words()}"
                )
                return
            self._stopping.wait(next(pending))

    def _last_words(self) -> str:
        """The last line that the child printed, and the path of the others."""
        path = self._output
        lines = path.read_text(errors="replace").strip().splitlines()
        return f"{lines[-1][:500] if lines else 'it said nothing.'} (All it said is in {path}.)"

    def _live_once(self) -> float:
        began = time.monotonic()
        child = self._child = self._waiting or self._begun()
        self._waiting = None
        assert child.stdin is not None
        with contextlib.suppress(
            BrokenPipeError
        ):  # it may have ended at once; the pipe stays open while it lives
            child.stdin.write(
                self._settings.model_dump_json(exclude={"token"}) + "\n"
            )  # it speaks to nobody who asks
            child.stdin.flush()
        if self._stopping.is_set():
            child.terminate()
        self._wait(child)
        with contextlib.suppress(BrokenPipeError):
            child.stdin.close()
        return time.monotonic() - began

    def _begun(self) -> "subprocess.Popen[str]":
        """A child, which waits for its settings."""
        Home(self._settings.home).logs.mkdir(parents=True, exist_ok=True)
        bound(self._output)
        with self._output.open("a") as output:
            # A session of its own, so that a Ctrl-C at the terminal reaches only the parent.
            return subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=None if self._shows_log else output,
                stderr=output,
                text=True,
                env=self._environment,
                start_new_session=True,
            )

    @property
    def _output(self) -> Path:
        return Home(self._settings.home).logs / "dispatcher.out"

    def _wait(self, child: "subprocess.Popen[str]") -> None:
        """Wait for the child's end, and keep what it prints within bounds meanwhile."""
        while True:
            try:
                child.wait(LOOK_S)
                return
            except subprocess.TimeoutExpired:
                bound(self._output)
