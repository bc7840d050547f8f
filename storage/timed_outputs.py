"""Outputs that note how long each operation takes."""

from collections.abc import Iterator
from typing import IO

from storage.errors import BadKey, NotFound, RequestError
from storage.store import Outputs
from storage.timings import Timings

_ANSWERS = (NotFound, BadKey, RequestError)  # the store has answered


class TimedOutputs:
    """The outputs of another store. A file that is not there is no error of the store."""

    def __init__(self, outputs: Outputs, timings: Timings) -> None:
        self._outputs = outputs
        self._timings = timings
        self.address = outputs.address

    def put(self, key: str, data: bytes | IO[bytes]) -> None:
        with self._timings.timing("write", _ANSWERS):
            self._outputs.put(key, data)

    def copy(self, source: str, key: str) -> None:
        with self._timings.timing("copy", _ANSWERS):
            self._outputs.copy(source, key)

    def open(self, key: str) -> IO[bytes]:
        with self._timings.timing("read", _ANSWERS):
            return self._outputs.open(key)

    def read(self, key: str, limit: int) -> bytes:
        with self._timings.timing("read", _ANSWERS):
            return self._outputs.read(key, limit)

    def part(self, key: str, start: int, stop: int) -> bytes:
        with self._timings.timing("read", _ANSWERS):
            return self._outputs.part(key, start, stop)

    def pieces(self, key: str, start: int, stop: int) -> Iterator[bytes]:
        return self._outputs.pieces(key, start, stop)  # whoever takes them takes time, too

    def size(self, key: str) -> int:
        with self._timings.timing("look", _ANSWERS):
            return self._outputs.size(key)

    def has(self, key: str) -> bool:
        with self._timings.timing("look", _ANSWERS):
            return self._outputs.has(key)

    def address_of(self, key: str, seconds: int) -> str | None:
        return self._outputs.address_of(key, seconds)

    def delete(self, key: str) -> None:
        with self._timings.timing("delete", _ANSWERS):
            self._outputs.delete(key)

    def keys(self, prefix: str) -> Iterator[str]:
        return self._outputs.keys(prefix)

    def sweep(self, older_than_s: float) -> int:
        return self._outputs.sweep(older_than_s)

    def clock_skew_s(self) -> float:
        return self._outputs.clock_skew_s()
