"""Connections to addresses that strangers name: never into the farm's own network.

A name is resolved once, each of its addresses is checked, and the connection goes to an address
that was checked: a name that points elsewhere a moment later changes nothing.
"""

import socket
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import httpcore

from farm.dispatch.reachable import Network, may_reach

Resolve = Callable[[str, int], Sequence[str]]


class Forbidden(Exception):
    """That address is none that the farm may send to."""


def resolve(host: str, port: int) -> list[str]:
    """The addresses that a name has now, or that another spelling of a number stands for."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class GuardedNetwork(httpcore.NetworkBackend):
    """Connects to what `may_reach` lets through, until a moment after which nothing more is read
    or written.
    """

    def __init__(
        self,
        allowed: Sequence[Network],
        *,
        deadline: float,
        look_up: Resolve = resolve,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._allowed = allowed
        self._deadline = deadline
        self._look_up = look_up
        self._clock = clock
        self._plain = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        try:
            addresses = self._look_up(host, port)
        except (OSError, UnicodeError) as exc:
            raise httpcore.ConnectError(f"{host} is no name that is known") from exc
        forbidden = [one for one in addresses if not may_reach(one, self._allowed)]
        if forbidden or not addresses:
            raise Forbidden(
                f"{host} is an address inside the farm's network, or none: an operator can allow"
                " it with FARM_WEBHOOK_NETWORKS."
            )
        stream = self._plain.connect_tcp(
            addresses[0], port, timeout, local_address, socket_options
        )
        return _Bounded(stream, self._left)

    def _left(self) -> float:
        left = self._deadline - self._clock()
        if left <= 0:
            raise httpcore.ReadTimeout("the answer took too long")
        return left


class _Bounded(httpcore.NetworkStream):
    """A stream whose reads and writes end by the deadline, however slowly bytes come."""

    def __init__(self, stream: httpcore.NetworkStream, left: Callable[[], float]) -> None:
        self._stream = stream
        self._left = left

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, self._bounded(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, self._bounded(timeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: Any, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        secured = self._stream.start_tls(ssl_context, server_hostname, self._bounded(timeout))
        return _Bounded(secured, self._left)

    def _bounded(self, timeout: float | None) -> float:
        left = self._left()
        return left if timeout is None else min(timeout, left)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)
