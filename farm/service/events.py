"""The log of changes as people and programs read it."""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from typing import Any

from storage.errors import RequestError
from storage.event_kinds import EventKind
from storage.events import EventRow, Events, Wanted

Json = dict[str, Any]
FRESH_S = 0.4
"""How old the newest id may be that listeners share."""
_SHOWN = ("id", "at", "kind", "project", "campaign", "data", "author")


class EventReading:
    """The events of one farm. All listeners share one look at the newest id, so that a thousand of
    them that hear nothing cost one query every FRESH_S seconds.
    """

    def __init__(self, events: Events, clock: Callable[[], float] = time.monotonic) -> None:
        self._events = events
        self._clock = clock
        self._lock = threading.Lock()
        self._newest = 0
        self._looked_at = float("-inf")

    def newest(self) -> int:
        """The id of the last event, as it was a moment ago at most."""
        with self._lock:
            if self._clock() - self._looked_at >= FRESH_S:
                self._newest = self._events.newest()
                self._looked_at = self._clock()
            return self._newest

    def news(self, last: int, wanted: Wanted, limit: int) -> tuple[list[Json], int]:
        """The next events after an id, and the id to ask after next time."""
        newest = self.newest()
        if newest <= last:
            return [], last
        rows = self._events.after(last, wanted, limit=limit)
        if len(rows) == limit:
            return [event_json(row) for row in rows], rows[-1].id
        return [event_json(row) for row in rows], max(newest, rows[-1].id if rows else 0)

    def page(self, after: int, wanted: Wanted, limit: int) -> Json:
        rows = self._events.after(after, wanted, limit=limit)
        events = [event_json(row) for row in rows]
        return {"events": events, "last": _last(rows, after)}

    def page_before(self, before: int | None, wanted: Wanted, limit: int) -> Json:
        """The last events before one, or of all, the newest first."""
        rows = self._events.before(before, wanted, limit=limit)
        return {"events": [event_json(row) for row in rows], "last": _last(rows, before)}

    def audit(self, after: int, wanted: Wanted, limit: int) -> Json:
        """Changes that somebody made."""
        rows = self._events.after(after, replace(wanted, only_audited=True), limit=limit)
        return {"events": [asdict(row) for row in rows], "last": _last(rows, after)}

    def audit_before(self, before: int | None, wanted: Wanted, limit: int) -> Json:
        """The last changes that somebody made before one, or of all, the newest first."""
        rows = self._events.before(before, replace(wanted, only_audited=True), limit=limit)
        return {"events": [asdict(row) for row in rows], "last": _last(rows, before)}


def _last(rows: Sequence[EventRow], otherwise: int | None) -> int:
    """The id that the next page goes on from."""
    return rows[-1].id if rows else otherwise or 0


def event_json(row: EventRow) -> Json:
    return {name: getattr(row, name) for name in _SHOWN}


def kinds_named(text: str | None) -> Sequence[str] | None:
    """Kinds as a request names them, parted by commas. `campaign.*` stands for all of a subject.
    Raises RequestError for one that there is not.
    """
    if text is None:
        return None
    found: list[str] = []
    for name in filter(None, (part.strip() for part in text.split(","))):
        mine = [
            kind.value
            for kind in EventKind
            if kind.value == name or (name.endswith(".*") and kind.startswith(name[:-1]))
        ]
        if not mine:
            raise RequestError(
                f"There are no events of the kind {name[:60]!r}: docs/events.md lists the kinds."
            )
        found += mine
    return found
