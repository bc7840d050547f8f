"""`farm logs`: what the farm's processes and workers say."""

import time
from collections import deque
from collections.abc import Iterator
from typing import Annotated, Any

import typer

from farm.client.client import Client
from farm.commands.completion import campaign_and_worker_names
from farm.commands.exits import ExitCode
from farm.commands.shared import AsJson, Home, Project, print_json, say, say_aside, settings_for
from farm.commands.times import iso
from farm.connect import open_client
from farm.service.operation_views import LogEvent
from storage.errors import NotFound
from storage.log_events import readable

LOOK_S = 1.0
_OVERLAP_S = 2.0
"""Processes write to their own files: an event may be seen after a later one of another."""


def logs(
    about: Annotated[
        str | None,
        typer.Argument(
            help="A campaign or a worker; all of the farm if not given.",
            metavar="[CAMPAIGN|WORKER]",
            autocompletion=campaign_and_worker_names,
        ),
    ] = None,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on with new lines, until Ctrl-C.")
    ] = False,
    lines: Annotated[
        int, typer.Option("--lines", "-n", help="How many to begin with.", min=1, max=5_000)
    ] = 100,
    home: Home = None,
    project: Project = None,
    as_json: AsJson = False,
) -> None:
    """What the farm and its workers say, the latest lines, about a campaign or a worker."""
    with open_client(settings_for(home, project)) as client:
        is_silent = True
        try:
            for event in _events(client, about, lines, is_endless=follow):
                is_silent = False
                told = as_event(event)
                print_json(told) if as_json else say(readable({**told, "at": iso(event.at)}))
        except KeyboardInterrupt:
            raise typer.Exit(ExitCode.INTERRUPTED) from None
        if is_silent and about is not None:
            _say_why_silent(client, about)


def _say_why_silent(client: Client, about: str) -> None:
    """Say that the log has nothing about a campaign or a worker. Raises NotFound if the farm knows
    neither of that name.
    """
    try:
        client.status(about)
    except NotFound:
        if about not in {worker.name for worker in client.workers()}:
            raise NotFound(
                f"No line of the log is about {about}, and no campaign of the project"
                f" {client.project} and no worker is called that: `farm list` and `farm workers`"
                " list them."
            ) from None
    say_aside(f"No line of the log is about {about}. Old lines are removed.")


def _events(
    client: Client, about: str | None, lines: int, *, is_endless: bool
) -> Iterator[LogEvent]:
    """The latest events, then, if it is endless, those that come."""
    page = client.logs(about, limit=lines)
    yield from page
    seen = deque((event.model_dump_json() for event in page), maxlen=10_000)
    last = page[-1].at if page else 0.0
    while is_endless:
        time.sleep(LOOK_S)
        for event in client.logs(about, after=last - _OVERLAP_S, limit=5_000):
            if (text := event.model_dump_json()) not in seen:
                seen.append(text)
                last = max(last, event.at)
                yield event


def as_event(event: LogEvent) -> dict[str, Any]:
    """An event as a line of a log has it: its fields beside its sentence."""
    known = {"at": event.at, "level": event.level, "logger": event.logger}
    error = {} if event.error is None else {"error": event.error}
    return {**known, "message": event.message, **event.fields, **error}
