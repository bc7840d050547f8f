"""The API's connections: how many there may be, and how long one may say nothing. Descriptors that
clients hold are none that the farm could start its dispatcher with.
"""

import asyncio
import logging
import resource
import time
from collections import Counter
from http import HTTPStatus
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

from farm.api.errors import PROBLEM_JSON, refusal

MOST = 1000
LEAST = 16
RESERVE = 128
"""Descriptors that are no client's: about 40 of the API itself, those that starting a dispatcher
takes, and the files of logs, database and outputs. The rest is halved, because a request may open
a file for its connection.
"""
ACCEPTED = 64  # at a time, before any of them can be refused
# connections that wait in the kernel, which are no descriptors of the farm; beyond it, clients try
# again after a second
QUEUE = 1024
# from a connection's first moment, or its last answer, to the whole head of the next request
HEAD_S = 20.0
SILENCE_S = 60.0  # without a byte of a body that is being sent, or of an answer that is being read
_LOG_S = 60.0

log = logging.getLogger(__name__)


def connection_limit() -> int:
    """How many connections the API may have with the descriptors that this process has (`ulimit
    -n`).
    """
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MOST if soft == resource.RLIM_INFINITY else min(MOST, max(LEAST, (soft - RESERVE) // 2))


class Connections:
    """The connections of one server. All but the numbers is for the server's thread alone."""

    def __init__(self, limit: int | None = None) -> None:
        self.limit = limit or connection_limit()
        self.closed = Counter({"idle": 0, "full": 0, "refused": 0})
        """How many the farm has closed: `idle` ones that said nothing for too long, idle ones that
        gave way because it was `full`, and new ones that were `refused` because all others were
        busy.
        """
        self._open: dict[Connection, None] = {}
        self._said = -_LOG_S

    @property
    def open(self) -> int:
        return len(self._open)

    def admit(self, connection: "Connection") -> bool:
        """Take a new connection in; at the limit the one that has waited longest without a request
        gives way. False if none does.
        """
        if len(self._open) >= self.limit:
            idle = next((other for other in self._open if other.is_idle), None)
            if idle is None:
                self.count("refused")
                return False
            idle.end("full")
        self._open[connection] = None
        return True

    def touch(self, connection: "Connection") -> None:
        """Its turn to give way comes after all others'."""
        if connection in self._open:
            del self._open[connection]
            self._open[connection] = None

    def release(self, connection: "Connection") -> None:
        self._open.pop(connection, None)

    def count(self, reason: str) -> None:
        self.closed[reason] += 1
        now = time.monotonic()
        if reason != "idle" and now >= self._said + _LOG_S:
            self._said = now
            log.warning(
                "The API has all %d connections that it may have: idle ones give way (%d so far), "
                "others are refused (%d so far). "
                "Raise the limit of open files (`ulimit -n`) if that many clients are meant. "
                "action=connections",
                self.limit, self.closed["full"], self.closed["refused"],
            )  # fmt: skip


class Connection(H11Protocol):  # type: ignore[misc]  # uvicorn's types are not followed
    """uvicorn's connection, ended if it says nothing for too long, or if others need its place."""

    def __init__(self, connections: Connections, **given: Any) -> None:
        super().__init__(**given)
        self._connections = connections
        self._timer: asyncio.TimerHandle | None = None
        self._waits_for = ""

    @property
    def is_idle(self) -> bool:
        """Whether no request of it is under way."""
        return self.cycle is None or self.cycle.response_complete

    def connection_made(self, transport: asyncio.Transport) -> None:
        super().connection_made(transport)
        if self._connections.admit(self):
            self._watch()
        else:
            self._refuse(
                HTTPStatus.SERVICE_UNAVAILABLE,
                "full",
                "The farm has as many connections as it may have: try again in a moment.",
            )

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if not self.is_idle:
            self._connections.touch(self)
        self._watch()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._watch(is_stalled=True)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._watch()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._connections.release(self)
        self._stop_watching()

    def end(self, reason: str) -> None:
        """Close it at once, and let go of its descriptor."""
        self._connections.release(self)
        self._connections.count(reason)
        self.transport.abort()

    def send_400_response(self, _msg: str) -> None:
        """The answer to what is no HTTP, in the shape of all refusals."""
        self._refuse(
            HTTPStatus.BAD_REQUEST,
            "no-http",
            "This is not an HTTP request that can be read: its head is wrong, or too long.",
        )

    def _refuse(self, status: HTTPStatus, code: str, detail: str) -> None:
        body = bytes(refusal(status, code, detail).body)
        head = (
            f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type:"
            f" {PROBLEM_JSON}\r\nContent-Length: {len(body)}\r\n"
        )
        self.transport.write(head.encode() + b"Connection: close\r\n\r\n" + body)
        self.transport.close()

    def _watch(self, *, is_stalled: bool = False) -> None:
        """Give what the client owes the farm its time: the rest of a head in all, each next part
        of a body or an answer anew.
        """
        owed = (
            "answer"
            if is_stalled
            else "head"
            if self.is_idle
            else "body"
            if self.cycle.more_body
            else ""
        )
        if owed == "head" == self._waits_for:
            return
        self._stop_watching()
        self._waits_for = owed
        if owed and not self.transport.is_closing():
            self._timer = self.loop.call_later(
                HEAD_S if owed == "head" else SILENCE_S, self.end, "idle"
            )

    def _stop_watching(self) -> None:
        self._waits_for = ""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
