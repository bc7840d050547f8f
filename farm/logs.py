"""Logging of a process: an event a line, as JSON in a rotating file, and beside it on standard
output for a server.
"""

import logging
import queue
import sys
import threading
from collections.abc import Iterable
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import TextIO

from storage.log_events import JsonLines, ReadableLines
from storage.redaction import Redaction

_MEGABYTES = 10 * 1024 * 1024
BACKUPS = 3
_WAITING = 10_000
"""Lines that wait for whoever reads standard output; beyond that, they are dropped."""


def log_to_file(
    path: Path, *, known: Iterable[str] = (), beside: logging.Handler | None = None
) -> None:
    """Send every event of this process to one rotating file, without the secrets that are known,
    and to another handler beside it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handler = RotatingFileHandler(
        path, maxBytes=_MEGABYTES, backupCount=BACKUPS, encoding="utf-8", errors="replace"
    )
    handler.setFormatter(JsonLines(Redaction(known)))
    handlers = [handler] if beside is None else [handler, beside]
    logging.basicConfig(level=logging.INFO, handlers=handlers, force=True)
    logging.getLogger("alembic").setLevel(logging.WARNING)  # its tables are no news
    logging.getLogger("httpx").setLevel(
        logging.WARNING
    )  # else whoever follows a campaign leaves two lines a second


def shown_on(stream: TextIO, how: str, *, known: Iterable[str] = ()) -> "ShownEvents":
    """A handler that writes events to a stream: all of them as `json`, warnings as `text`."""
    redact = Redaction(known)
    handler = ShownEvents(stream)
    handler.setFormatter(JsonLines(redact) if how == "json" else ReadableLines(redact))
    handler.setLevel(logging.INFO if how == "json" else logging.WARNING)
    return handler


def way_of(chosen: str, stream: TextIO | None = None) -> str:
    """How logs are shown: as it was chosen; if nothing was, as JSON unless a person looks on."""
    if chosen != "auto":
        return chosen
    return "text" if (stream or sys.stdout).isatty() else "json"


class ShownEvents(logging.Handler):
    """Writes to a stream in a thread of its own: whoever does not read it stops nobody."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self._stream = stream
        self._lines: queue.Queue[str | None] = queue.Queue(_WAITING)
        self._thread = threading.Thread(target=self._write, name="log", daemon=True)
        self._thread.start()

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._lines.put_nowait(self.format(record))
        except queue.Full:
            return

    def close(self) -> None:
        """Write what waits, for a second at most."""
        try:
            self._lines.put_nowait(None)
        except queue.Full:
            pass
        else:
            self._thread.join(1.0)
        super().close()

    def _write(self) -> None:
        while (line := self._lines.get()) is not None:
            try:
                self._stream.write(line + "\n")
                self._stream.flush()
            except (OSError, ValueError):  # nobody reads it any more
                return


def bound(path: Path, most: int = _MEGABYTES) -> None:
    """Keep a file that another process appends to within bounds: its contents become `FILE.1`,
    and it begins anew.
    """
    try:
        if path.stat().st_size <= most:
            return
        with path.open("rb") as file:
            file.seek(-most, 2)
            path.with_name(f"{path.name}.1").write_bytes(file.read())
        with path.open("r+b") as file:
            file.truncate(0)
    except FileNotFoundError:
        return
