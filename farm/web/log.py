"""The pages of events and of the audit log: the newest first, in pages, with filters."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from farm.api.live import Filter, events_wanted
from farm.api.needs import access_of, needs
from farm.service.access import Deed
from farm.service.events import EventReading
from farm.web.event_words import SUBJECTS, changed_words, event_sentence
from farm.web.rendering import Renderer
from farm.web.routing import page_router

Json = dict[str, Any]
ON_A_PAGE = 100
Subject = Annotated[str, Query(max_length=20)]
Text = Annotated[str, Query(max_length=200)]
Before = Annotated[int | None, Query(ge=1, lt=2**62)]


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """What somebody asked a log for; an empty text stands for all."""

    project: str = ""
    campaign: str = ""
    subject: str = ""
    who: str = ""
    since: str = ""
    before: int | None = None

    @property
    def kinds(self) -> str | None:
        """The kinds of events, as the API takes them."""
        return f"{self.subject}.*" if self.subject in SUBJECTS else None

    @property
    def since_s(self) -> float | None:
        """The beginning of the day in UTC, in seconds since 1970; None for a text that is no
        day.
        """
        try:
            day = date.fromisoformat(self.since)
        except ValueError:
            return None
        return datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()

    @property
    def query(self) -> dict[str, str]:
        """The filters of an address, without the place in the log."""
        names = ("project", "campaign", "subject", "who", "since")
        return {name: getattr(self, name) for name in names if getattr(self, name)}


def log_page_routes(renderer: Renderer, reading: EventReading) -> APIRouter:
    routes = page_router(renderer)

    @routes.get("/events")
    @needs(Deed.LOOK, across=True)
    def events(
        request: Request,
        project: Filter = None,
        campaign: Text = "",
        subject: Subject = "",
        before: Before = None,
    ) -> Response:
        chosen = Chosen(project=project or "", campaign=campaign, subject=subject, before=before)
        wanted = events_wanted(request, project or None, campaign or None, chosen.kinds)
        page = reading.page_before(before, wanted, ON_A_PAGE)
        return _log(renderer, request, "events", chosen, page["events"])

    @routes.get("/audit")
    @needs(Deed.OPERATE, across=True)
    def audit(
        request: Request,
        project: Filter = None,
        campaign: Text = "",
        subject: Subject = "",
        who: Text = "",
        since: Text = "",
        before: Before = None,
    ) -> Response:
        chosen = Chosen(
            project=project or "", campaign=campaign, subject=subject, who=who, since=since,
            before=before,
        )  # fmt: skip
        wanted = replace(
            events_wanted(
                request, project or None, campaign or None, chosen.kinds, deed=Deed.OPERATE
            ),
            author=who or None,
            since=chosen.since_s,
        )
        page = reading.audit_before(before, wanted, ON_A_PAGE)
        return _log(renderer, request, "audit", chosen, page["events"])

    return routes


def _log(
    renderer: Renderer, request: Request, log: str, chosen: Chosen, events: Sequence[Json]
) -> Response:
    access = access_of(request)
    return renderer.page(
        request,
        "log.html",
        page="events",
        log=log,
        chosen=chosen,
        rows=[_row(event) for event in events],
        older=events[-1]["id"] if len(events) == ON_A_PAGE else None,
        subjects=SUBJECTS,
        may_audit=access.may(Deed.OPERATE) or bool(access.projects(Deed.OPERATE)),
    )


def _row(event: Json) -> Json:
    changes = changed_words(event.get("before"), event.get("after"))
    return {**event, "sentence": event_sentence(event), "changes": changes}
