"""`farm projects`: made known, listed, shown and changed."""

import re
from collections.abc import Iterable
from typing import Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table

from farm.commands.shared import AsJson, Home, print_json, say, settings_for, show_table
from farm.connect import open_client
from farm.service.access_views import ProjectView
from storage.errors import RequestError

app = typer.Typer(
    help="Projects: their quotas, and who has which role in them.",
    no_args_is_help=True,
    add_completion=False,
)

ProjectArgument = Annotated[str, typer.Argument(help="The project's name.", metavar="PROJECT")]
Workers = Annotated[
    str | None, typer.Option("--workers", help="The most workers at a time; none for no limit.")
]
Queued = Annotated[
    str | None,
    typer.Option("--queued", help="The most renders that may wait; none for no limit."),
]
Stored = Annotated[
    str | None,
    typer.Option("--stored", help="The most bytes of files, like 2TB; none for no limit."),
]
Hours = Annotated[
    str | None,
    typer.Option(
        "--device-hours",
        help="The most device hours in a calendar month (UTC); none for no limit.",
    ),
]
RoleOptions = Annotated[
    list[str] | None,
    typer.Option(
        "--role",
        help="Like mira=reviewer, or mira=none to take the role away. May be given several times.",
    ),
]
_UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12, "PB": 10**15}


@app.callback()
def projects() -> None:
    """Projects: their quotas, and who has which role in them."""


@app.command("create")
def create(
    name: ProjectArgument,
    workers: Workers = None,
    queued: Queued = None,
    stored: Stored = None,
    device_hours: Hours = None,
    role: RoleOptions = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Make a project known, with its quota and the people who have a role in it."""
    limits = _limits(workers, queued, stored, device_hours)
    with open_client(settings_for(home)) as client:
        made = client.create_project(name, limits=limits, roles=read_roles(role or []))
    print_json(made) if as_json else say("\n".join(lines_of(made)))


@app.command("list")
def list_projects(home: Home = None, as_json: AsJson = False) -> None:
    """The projects in which you have a role."""
    with open_client(settings_for(home)) as client:
        rows = client.projects()
    if as_json:
        for row in rows:
            print_json(row)
        return
    table = Table("project", "workers", "queued", "stored", "hours a month", box=SIMPLE_HEAD)
    for row in rows:
        quota = row.quota
        table.add_row(
            row.project,
            _figure(quota.workers),
            _figure(quota.queued),
            "no limit" if quota.stored_bytes is None else bytes_text(quota.stored_bytes),
            _figure(quota.device_hours),
        )
    show_table(table)


@app.command("show")
def show(name: ProjectArgument, home: Home = None, as_json: AsJson = False) -> None:
    """A project's quota, and the people who have a role in it."""
    with open_client(settings_for(home)) as client:
        row = client.project_of(name)
    print_json(row) if as_json else say("\n".join(lines_of(row)))


@app.command("set")
def set_project(
    name: Annotated[
        str | None, typer.Argument(help="The project's name.", metavar="PROJECT")
    ] = None,
    workers: Workers = None,
    queued: Queued = None,
    stored: Stored = None,
    device_hours: Hours = None,
    role: RoleOptions = None,
    everywhere: Annotated[
        bool, typer.Option("--all-projects", help="Roles in all projects, not in one.")
    ] = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Change a project's quota and roles; all others stay. --workers 0 stops all that a
    project paints.
    """
    limits = _limits(workers, queued, stored, device_hours)
    roles = read_roles(role or [])
    if (name is None) != everywhere or (everywhere and limits):
        raise RequestError("Name a project, or give --all-projects with roles alone.")
    if not limits and not roles:
        raise RequestError("Say what changes: a limit, or --role PERSON=ROLE.")
    with open_client(settings_for(home)) as client:
        if name is None:
            given = client.set_roles(roles)
            print_json({"roles": given}) if as_json else say("\n".join(_role_lines(given)))
            return
        row = client.set_project(name, limits=limits, roles=roles)
    print_json(row) if as_json else say("\n".join(lines_of(row)))


def read_roles(given: Iterable[str]) -> dict[str, str | None]:
    """Roles by person. Raises RequestError for what is not written like mira=reviewer."""
    roles: dict[str, str | None] = {}
    for text in given:
        person, sign, role = text.partition("=")
        if not (person and sign and role):
            raise RequestError(f"{text!r} is no role of a person: write it like mira=reviewer.")
        roles[person] = None if role == "none" else role
    return roles


def read_bytes(text: str) -> int:
    """A number of bytes, like 2TB. Raises RequestError."""
    found = re.fullmatch(r"([0-9]{1,15}(?:\.[0-9]{1,6})?) ?([KMGTP]?B|)", text.upper())
    if found is None:
        raise RequestError(f"{text!r} is no number of bytes: write it like 500GB or 2TB.")
    return int(float(found[1]) * _UNITS[found[2]])


def _number(text: str, name: str) -> float:
    if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,6})?", text) is None:
        raise RequestError(f"{name}: {text!r} is no number; `none` is for no limit.")
    return float(text)


def _limits(
    workers: str | None, queued: str | None, stored: str | None, device_hours: str | None
) -> dict[str, float | None]:
    """The limits that are named, by the names of the API."""
    given = {"workers": workers, "queued": queued, "device_hours": device_hours}
    limits = {
        name: None if text == "none" else _number(text, f"--{name.replace('_', '-')}")
        for name, text in given.items()
        if text is not None
    }
    if stored is not None:
        limits["stored_bytes"] = None if stored == "none" else read_bytes(stored)
    return limits


def lines_of(row: ProjectView) -> list[str]:
    """A project for a person."""
    quota = row.quota
    stored = None if quota.stored_bytes is None else bytes_text(quota.stored_bytes)
    return [
        f"Project {row.project}",
        f"  workers at a time     {_figure(quota.workers)}",
        f"  renders that wait     {_figure(quota.queued)}",
        f"  files stored          {stored or 'no limit'}",
        f"  device hours a month  {_figure(quota.device_hours)}",
        *_role_lines(row.roles),
    ]


def _role_lines(roles: dict[str, str]) -> list[str]:
    return [f"  {person} is {role}" for person, role in roles.items()] or ["  nobody has a role"]


def _figure(limit: float | None) -> str:
    return "no limit" if limit is None else f"{limit:,.6g}"


def bytes_text(count: float) -> str:
    """A number of bytes as a person reads it."""
    unit = max((size, name) for name, size in _UNITS.items() if name and size <= max(count, 1))
    return f"{count / unit[0]:,.4g} {unit[1]}"
