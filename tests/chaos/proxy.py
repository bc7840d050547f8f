"""A TCP proxy on loopback, between the farm and its database, whose connections can be cut, held
up, or made deaf.
"""

import socket
import struct
import threading
from contextlib import suppress

_HOST = "127.0.0.1"
_AT_ONCE = 65536
_RESET = struct.pack(
    "ii", 1, 0
)  # closing answers with RST, as a host does that has lost the connection


class Proxy:
    """Forwards to one port until it is told otherwise."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._listener = socket.create_server((_HOST, 0))
        self.port = int(self._listener.getsockname()[1])
        self._flows = threading.Event()
        self._is_cut = self._is_deaf = False
        self._ends: set[socket.socket] = set()
        self._lock = threading.Lock()
        self.restore()
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """Break every connection and take no new one."""
        self._is_cut = True
        with self._lock:
            ends = list(self._ends)
        for end in ends:
            _drop(end, reset=True)

    def stall(self) -> None:
        """Hold back every byte; none is lost."""
        self._flows.clear()

    def deafen(self) -> None:
        """Lose what the target answers, and forward what it is asked."""
        self._is_deaf = True

    def restore(self) -> None:
        self._is_cut = self._is_deaf = False
        self._flows.set()

    def close(self) -> None:
        _drop(self._listener)
        self.cut()
        self._flows.set()

    def _accept(self) -> None:
        with suppress(OSError):  # closed
            while True:
                client, _ = self._listener.accept()
                self._join(client)

    def _join(self, client: socket.socket) -> None:
        try:
            if self._is_cut:
                raise ConnectionRefusedError
            target = socket.create_connection((_HOST, self._target), timeout=5)
        except OSError:
            _drop(client, reset=True)
            return
        target.settimeout(None)
        with self._lock:
            self._ends |= {client, target}
        threading.Thread(target=self._pump, args=(client, target), daemon=True).start()
        threading.Thread(
            target=self._pump, args=(target, client), kwargs={"answers": True}, daemon=True
        ).start()

    def _pump(self, source: socket.socket, sink: socket.socket, *, answers: bool = False) -> None:
        with suppress(OSError):
            while data := source.recv(_AT_ONCE):
                self._flows.wait()
                if not (answers and self._is_deaf):
                    sink.sendall(data)
        for end in (source, sink):
            _drop(end)
            with self._lock:
                self._ends.discard(end)


def _drop(end: socket.socket, *, reset: bool = False) -> None:
    with suppress(OSError):
        if reset:
            end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        end.shutdown(socket.SHUT_RDWR)  # wakes the thread that waits for it
    end.close()
