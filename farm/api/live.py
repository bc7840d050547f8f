"""The API's routes about events: pages of them, the audit log, and a stream of server-sent events.

A listener holds no thread: it sleeps between looks, and a look is one short query in the pool.
"""

import json
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Annotated, Any

import anyio
from fastapi import APIRouter, Depends, Header, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.sse import EventSourceResponse, ServerSentEvent

from farm.api.errors import to_json
from farm.api.needs import access_of, needs
from farm.api.routing import api_router, shows
from farm.service.access import Deed
from farm.service.event_views import AuditPage, EventPage
from farm.service.events import EventReading, kinds_named
from storage.errors import SeedbedError, TooManyRequests
from storage.events import Wanted

Json = dict[str, Any]
LOOK_S = 0.5
MOST_LISTENERS = 250
_AT_ONCE = 200
_LARGEST = 2**62

Filter = Annotated[str | None, Query(max_length=100)]
Kinds = Annotated[str | None, Query(max_length=2000)]
After = Annotated[int, Query(ge=0, le=_LARGEST)]
Before = Annotated[
    int | None,
    Query(ge=1, le=_LARGEST, description="Those before this id, in place of those after one."),
]
Limit = Annotated[int, Query(ge=1, le=1000)]
Sleep = Callable[[float], Awaitable[None]]


class Listeners:
    """Those who listen now: at most MOST_LISTENERS, and nobody once the server ends."""

    def __init__(self) -> None:
        self.count = 0
        self.is_over = threading.Event()

    def check_room(self, request: Request) -> None:
        """Refuse what cannot be answered, before the answer has begun."""
        kinds_named(request.query_params.get("kinds"))
        if self.count >= MOST_LISTENERS:
            raise TooManyRequests(f"{MOST_LISTENERS} listen to events already: try again later.")

    @contextmanager
    def one_more(self) -> Iterator[None]:
        self.count += 1
        try:
            yield
        finally:
            self.count -= 1


def stream_routes(
    reading: EventReading, listeners: Listeners, sleep: Sleep = anyio.sleep
) -> APIRouter:
    routes = api_router("events")
    room = Depends(listeners.check_room)

    @routes.get("/events", response_class=EventSourceResponse, dependencies=[room])
    @needs(Deed.LOOK, across=True)
    async def stream(
        request: Request,
        project: Filter = None,
        campaign: Filter = None,
        kinds: Kinds = None,
        after: Annotated[int | None, Query(ge=0, le=_LARGEST)] = None,
        last_event_id: Annotated[int | None, Header(ge=0, le=_LARGEST)] = None,
    ) -> AsyncIterator[ServerSentEvent]:
        """Every event from now on, or from after the one that was seen last. An answer ends soon
        after whoever listens has lost the right to it.
        """
        wanted = events_wanted(request, project, campaign, kinds)
        last = after if last_event_id is None else last_event_id
        with listeners.one_more():
            seen = await run_in_threadpool(reading.newest) if last is None else last
            yield ServerSentEvent(comment="listening", retry=2000)
            while not listeners.is_over.is_set():
                try:
                    news, seen = await run_in_threadpool(reading.news, seen, wanted, _AT_ONCE)
                except SeedbedError:
                    return  # the client comes again, and hears then what is wrong
                for event in news:
                    yield _sent(event)
                if len(news) < _AT_ONCE:
                    await sleep(LOOK_S)

    return routes


def event_routes(reading: EventReading) -> APIRouter:
    routes = api_router("events")

    @routes.get("/events/page", **shows(EventPage))
    @needs(Deed.LOOK, across=True)
    def page(
        request: Request,
        project: Filter = None,
        campaign: Filter = None,
        kinds: Kinds = None,
        after: After = 0,
        before: Before = None,
        limit: Limit = 200,
        newest: bool = False,
    ) -> Json:
        """The events after one that was seen; with `before` those before one, the newest first.
        With `newest`, none of them but the id of the last: whoever wants to hear what comes begins
        after it.
        """
        if newest:
            return {"events": [], "last": reading.newest()}
        wanted = events_wanted(request, project, campaign, kinds)
        if before is not None:
            return reading.page_before(before, wanted, limit)
        return reading.page(after, wanted, limit)

    @routes.get("/audit", **shows(AuditPage))
    @needs(Deed.OPERATE, across=True)
    def audit(
        request: Request,
        project: Filter = None,
        campaign: Filter = None,
        kinds: Kinds = None,
        who: Annotated[str | None, Query(max_length=200)] = None,
        since: Annotated[float | None, Query(ge=0, allow_inf_nan=False)] = None,
        after: After = 0,
        before: Before = None,
        limit: Limit = 200,
    ) -> Json:
        """What people have changed after one change; with `before` before it, the newest first."""
        wanted = replace(
            events_wanted(request, project, campaign, kinds, deed=Deed.OPERATE),
            author=who,
            since=since,
        )
        if before is not None:
            return reading.audit_before(before, wanted, limit)
        return reading.audit(after, wanted, limit)

    return routes


def events_wanted(
    request: Request,
    project: str | None,
    campaign: str | None,
    kinds: str | None,
    *,
    deed: Deed = Deed.LOOK,
) -> Wanted:
    """Of one project, or of all in which whoever asks may do the deed. Who may everywhere hears
    of the farm itself too.
    """
    projects = access_of(request).projects(deed) if project is None else (project,)
    return Wanted(projects=projects, campaign=campaign, kinds=kinds_named(kinds))


def _sent(event: Json) -> ServerSentEvent:
    """An event as it is sent: one line of ASCII, whatever texts are in it, as some clients end
    lines at characters that others do not.
    """
    line = json.dumps(json.loads(to_json(event)))
    return ServerSentEvent(raw_data=line, event=event["kind"], id=str(event["id"]))
