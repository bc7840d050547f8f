"""The part of the client that is about events: pages of them, the audit log, and a stream that
goes on when a connection breaks.
"""

import json
import time
from collections.abc import Callable, Iterable, Iterator

from farm.client.transport import Transport
from farm.service.event_views import AuditEntry, AuditPage, Event, EventPage
from storage.errors import Unreachable

_LAST = 2**62  # no id of an event is larger
PAUSES_S = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0)


class EventCalls:
    """Calls about events, for a class that has the transport."""

    _http: Transport

    def events(
        self,
        *,
        project: str | None = None,
        campaign: str | None = None,
        kinds: Iterable[str] = (),
        after: int | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> Iterator[Event]:
        """Every event from now on, or from after one that was seen, for as long as the iterator is
        read. A connection that breaks is made again, and no event is missed or told twice. Raises
        Unreachable once the farm has been away for about a minute.
        """
        params = _params(project=project, campaign=campaign, kinds=",".join(kinds) or None)
        last, failed = after, 0
        if last is None:
            last = self._newest()
        while True:
            try:
                lines = self._http.text_lines("events", {**params, "after": str(last)})
                for event in _parsed(lines):
                    last, failed = event.id, 0
                    yield event
            except Unreachable:
                if failed == len(PAUSES_S):
                    raise
                sleep(PAUSES_S[failed])
                failed += 1

    def past_events(
        self,
        *,
        project: str | None = None,
        campaign: str | None = None,
        kinds: Iterable[str] = (),
        after: int = 0,
    ) -> Iterator[Event]:
        """The events that there are, in their order, read in pages."""
        params = _params(project=project, campaign=campaign, kinds=",".join(kinds) or None)
        while True:
            page = self._http.get(EventPage, "events/page", {**params, "after": str(after)})
            yield from page.events
            if not page.events:
                return
            after = page.last

    def last_events(self, *, kinds: Iterable[str] = (), limit: int = 10) -> list[Event]:
        """The newest events of some kinds, the newest first."""
        params = {"kinds": ",".join(kinds), "before": str(_LAST), "limit": str(limit)}
        return self._http.get(EventPage, "events/page", params).events

    def audit(
        self,
        *,
        project: str | None = None,
        campaign: str | None = None,
        who: str | None = None,
        since: float | None = None,
        after: int = 0,
    ) -> Iterator[AuditEntry]:
        """What people have changed, in its order: by whom, from where, before and after. `since`
        is in seconds since 1970.
        """
        when = None if since is None else str(since)
        params = _params(project=project, campaign=campaign, who=who, since=when)
        while True:
            page = self._http.get(AuditPage, "audit", {**params, "after": str(after)})
            yield from page.events
            if not page.events:
                return
            after = page.last

    def _newest(self) -> int:
        """The id to begin after. The stream itself would begin anew at each connection."""
        return self._http.get(EventPage, "events/page", {"after": "0", "newest": "true"}).last


def _params(**given: str | None) -> dict[str, str]:
    return {name: value for name, value in given.items() if value is not None}


def _parsed(lines: Iterable[str]) -> Iterator[Event]:
    """The events of a stream: each has its data in one line."""
    for line in lines:
        if line.startswith("data: "):
            yield Event.model_validate(json.loads(line.removeprefix("data: ")), extra="ignore")
