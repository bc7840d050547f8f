"""A log line as an event: a sentence, `action`, and the ids that it is about. Statements write
`action=settle campaign=%d` into their sentence; here these become fields.
"""

import json
import logging
import re
import threading
from collections import deque
from datetime import UTC, datetime
from typing import Any

from storage.redaction import Redaction

Json = dict[str, Any]

_PART = re.compile(r"(?:\b([a-z_]+)=)?(%(?:%|[-+ #0]*\d*(?:\.\d+)?[sdrfgx]))|\b([a-z_]+)=(\w+)")
_FIRST = ("at", "level", "logger", "message")
MOST_KEPT = 500
LONGEST = 4_000
"""Characters of a sentence or of a traceback's end: one line must not fill a log."""


def event_of(record: logging.LogRecord, redact: Redaction) -> Json:
    """A record as an event. Fields come from what the statement says, never from its values: a
    stranger's text cannot add one.
    """
    relayed = getattr(record, "event", None)
    if relayed is not None:
        return _redacted(relayed, redact)
    message, fields = _split(record)
    event = {
        "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="microseconds"),
        "level": record.levelname.lower(),
        "logger": record.name,
        "message": message[:LONGEST],
        **{name: value for name, value in fields.items() if name not in _FIRST},
    }
    if record.exc_info and record.exc_info[0] is not None:
        event["error"] = logging.Formatter().formatException(record.exc_info)[-LONGEST:]
    event["at"] = str(event["at"]).replace("+00:00", "Z")
    return _redacted(event, redact)


def _split(record: logging.LogRecord) -> tuple[str, Json]:
    """The sentence without its fields, and the fields."""
    if not isinstance(record.msg, str) or not isinstance(record.args, tuple):
        return record.getMessage(), {}
    values, fields, words, end = iter(record.args), Json(), list[str](), 0
    for part in _PART.finditer(record.msg):
        words.append(record.msg[end : part.start()])
        end = part.end()
        name, place, constant_name, constant = part.groups()
        if constant_name:
            fields[constant_name] = constant
        elif place == "%%":
            words.append("%")
        else:
            value = next(values, "")
            if name:
                fields[name] = value if isinstance(value, int | float) else str(value)
            else:
                words.append(place % (value,))
    words.append(record.msg[end:])
    return re.sub("  +", " ", "".join(words)).strip(), fields


def _redacted(event: Json, redact: Redaction) -> Json:
    return {
        name: redact(value) if isinstance(value, str) else value for name, value in event.items()
    }


class JsonLines(logging.Formatter):
    """An event as one line of JSON."""

    def __init__(self, redact: Redaction) -> None:
        super().__init__()
        self._redact = redact

    def format(self, record: logging.LogRecord) -> str:
        return json.dumps(event_of(record, self._redact), ensure_ascii=False, default=str)


class PlainLines(logging.Formatter):
    """A record as its statement wrote it, without secrets."""

    def __init__(self, redact: Redaction) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")
        self._redact = redact

    def format(self, record: logging.LogRecord) -> str:
        return self._redact(super().format(record))


class ReadableLines(logging.Formatter):
    """An event as a line for a person."""

    def __init__(self, redact: Redaction) -> None:
        super().__init__()
        self._redact = redact

    def format(self, record: logging.LogRecord) -> str:
        return readable(event_of(record, self._redact))


def readable(event: Json) -> str:
    """Time, level, sentence, then the fields; without what a terminal would obey."""
    fields = [f"{name}={value}" for name, value in event.items() if name not in (*_FIRST, "error")]
    error = str(event.get("error") or "").strip().rpartition("\n")[2]
    words = [
        str(event["at"])[11:19], f"{event['level']:7}", str(event["message"]), *fields,
        *([f"({error})"] if error else []),
    ]  # fmt: skip
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in " ".join(words))


class KeptEvents(logging.Handler):
    """The latest events of a process, until somebody takes them. Older ones give way."""

    def __init__(self, redact: Redaction, most: int = MOST_KEPT) -> None:
        super().__init__()
        self._redact = redact
        self._kept: deque[Json] = deque(maxlen=most)
        self._taking = threading.Lock()

    def emit(self, record: logging.LogRecord) -> None:
        with self._taking:
            self._kept.append(event_of(record, self._redact))

    def take(self) -> tuple[Json, ...]:
        """The events since this was asked last."""
        with self._taking:
            taken = tuple(self._kept)
            self._kept.clear()
        return taken


def relay(event: Json, **fields: Any) -> None:
    """Log an event of another process here, with fields about that process."""
    level = logging.getLevelName(str(event.get("level", "info")).upper())
    level = level if isinstance(level, int) else logging.INFO
    logger = logging.getLogger(str(event.get("logger", "worker")))
    if logger.isEnabledFor(level):
        record = logger.makeRecord(logger.name, level, "", 0, "", (), None)
        record.event = {**event, **fields}
        logger.handle(record)
