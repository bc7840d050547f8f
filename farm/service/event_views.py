"""What the API says of events."""

from typing import Any

from farm.service.views import View


class Event(View):
    """A change: `at` in seconds since 1970, `kind` as docs/events.md lists them. `author` is None
    for what the farm did by itself, and `project` for what concerns all of it.
    """

    id: int
    at: float
    kind: str
    project: str | None
    campaign: str | None
    data: dict[str, Any]
    author: str | None


class AuditEntry(Event):
    """A change that somebody made: with which token, from which network address, and what was
    changed.
    """

    token: str | None
    address: str | None
    before: Any
    after: Any


class EventPage(View):
    """Some events in their order. `last` is where the next page begins after."""

    events: list[Event]
    last: int


class AuditPage(View):
    """Some entries of the audit log in their order. `last` is where the next page begins after."""

    events: list[AuditEntry]
    last: int
