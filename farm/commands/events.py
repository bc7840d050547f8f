"""`farm events` and `farm audit`: what has changed, and who changed it."""

from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from farm.commands.shared import AsJson, Home, print_json, say, settings_for
from farm.connect import open_client
from farm.service.event_views import AuditEntry, Event
from storage.errors import RequestError

Campaign = Annotated[str | None, typer.Option("--campaign", help="Only those of this campaign.")]
OneProject = Annotated[
    str | None, typer.Option("--project", help="Only those of this project; else of all.")
]
_MOST_SHOWN = 160


def events(
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on with each event as it comes.")
    ] = False,
    campaign: Campaign = None,
    kinds: Annotated[
        str | None,
        typer.Option("--kinds", help="Only these kinds, like campaign.*,worker.lost."),
    ] = None,
    after: Annotated[
        int | None, typer.Option("--after", min=0, help="Only those after the event of this id.")
    ] = None,
    project: OneProject = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Print what has changed: campaigns, renders, reviews, workers, the fleet."""
    wanted: dict[str, Any] = {
        "project": project,
        "campaign": campaign,
        "kinds": [kinds] if kinds else [],
    }
    with open_client(settings_for(home)) as client:
        last = after or 0
        for event in client.past_events(**wanted, after=last):
            _show(event, as_json=as_json)
            last = event.id
        if follow:
            for event in client.events(**wanted, after=last):
                _show(event, as_json=as_json)


def audit(
    since: Annotated[
        str | None,
        typer.Option("--since", help="A time like 2026-11-27 or 2026-11-27T08:00, in UTC."),
    ] = None,
    who: Annotated[str | None, typer.Option("--who", help="Only what this person did.")] = None,
    campaign: Campaign = None,
    project: OneProject = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Print who changed what, when and from where: with --json, one JSON object a line."""
    with open_client(settings_for(home)) as client:
        for entry in client.audit(
            project=project, campaign=campaign, who=who, since=moment_of(since)
        ):
            _show(entry, as_json=as_json)


def moment_of(text: str | None) -> float | None:
    """A time that a person wrote, in seconds since 1970; without a zone, it is in UTC."""
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as exc:
        raise RequestError(
            f"--since {text!r} cannot be read: write a time like 2026-11-27 or 2026-11-27T08:00."
        ) from exc
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _show(event: Event, *, as_json: bool) -> None:
    if as_json:
        print_json(event)
        return
    at = datetime.fromtimestamp(event.at, UTC).strftime("%Y-%m-%d %H:%M:%S")
    about = "/".join(filter(None, (event.project, event.campaign)))
    details = ", ".join(f"{key}: {_told(value)}" for key, value in _details(event).items())
    say(" ".join(filter(None, (f"{event.id}", at, event.kind, about, _by(event), details))))


def _by(event: Event) -> str:
    if event.author is None:
        return ""
    where = event.address if isinstance(event, AuditEntry) and event.address else None
    return f"by {event.author}" + (f" from {where}" if where else "")


def _details(event: Event) -> dict[str, Any]:
    details = {key: value for key, value in event.data.items() if key not in ("id", "stage")}
    if isinstance(event, AuditEntry):
        details |= {
            name: value
            for name, value in (("before", event.before), ("after", event.after))
            if value is not None
        }
    return details


def _told(value: Any) -> str:
    text = (
        ", ".join(f"{key} {inner}" for key, inner in value.items())
        if isinstance(value, dict)
        else ", ".join(map(str, value))
        if isinstance(value, list)
        else str(value)
    )
    text = " ".join(text.split())
    return text if len(text) <= _MOST_SHOWN else text[: _MOST_SHOWN - 1] + "…"
