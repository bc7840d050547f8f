"""`farm tokens`: made, listed, revoked and replaced."""

from typing import Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table

from farm.commands.shared import (
    AsJson,
    Home,
    Project,
    print_json,
    say,
    say_aside,
    settings_for,
    show_table,
)
from farm.commands.times import iso, read_age
from farm.connect import open_client
from farm.service.access_views import NewTokenView
from storage.errors import RequestError

app = typer.Typer(
    help="Tokens: what people and programs show to be known.",
    no_args_is_help=True,
    add_completion=False,
)

TokenIds = Annotated[list[str], typer.Argument(help="Ids of tokens.", metavar="TOKEN...")]
Expires = Annotated[
    str | None,
    typer.Option("--expires", help="How long it lasts, like 90d or 12h; for ever if not given."),
]


@app.callback()
def tokens() -> None:
    """Tokens: what people and programs show to be known."""


@app.command("create")
def create(
    person: Annotated[
        str, typer.Argument(help="Who will show it: a person, or a program like `ci`.")
    ],
    role: Annotated[
        str | None,
        typer.Option(
            "--role",
            help="The role that they get: viewer, submitter, reviewer, operator or admin.",
        ),
    ] = None,
    everywhere: Annotated[
        bool, typer.Option("--all-projects", help="In all projects, not in --project alone.")
    ] = False,
    expires: Expires = None,
    home: Home = None,
    project: Project = None,
    as_json: AsJson = False,
) -> None:
    """Make a token, and print its secret, this once. With --role its holder gets that role in the
    project; without, they keep the roles that they have.
    """
    settings = settings_for(home, project)
    is_everywhere = everywhere or role == "admin" or role is None
    if everywhere and role is None:
        raise RequestError("Say which role they get in all projects: --role ROLE.")
    with open_client(settings) as client:
        made = client.create_token(
            person,
            role=role,
            project=None if is_everywhere else settings.project,
            expires_in_s=None if expires is None else read_age(expires),
        )
    _show(made, as_json=as_json)


@app.command("list")
def list_tokens(home: Home = None, as_json: AsJson = False) -> None:
    """Every token, or one's own if one is no admin."""
    with open_client(settings_for(home)) as client:
        rows = client.tokens()
    if as_json:
        for row in rows:
            print_json(row)
        return
    table = Table("token", "person", "state", "made", "ends", "last used", box=SIMPLE_HEAD)
    for row in rows:
        used = _moment(row.last_used_at)
        if row.last_used_from is not None:
            used += f" from {row.last_used_from}"
        ends = "never" if row.expires_at is None else _moment(row.expires_at)
        table.add_row(row.id, row.person, row.state, _moment(row.created_at), ends, used)
    show_table(table)


@app.command("revoke")
def revoke(names: TokenIds, home: Home = None, as_json: AsJson = False) -> None:
    """End tokens at once; answers under way to them are broken off."""
    with open_client(settings_for(home)) as client:
        for name in names:
            row = client.revoke_token(name)
            print_json(row) if as_json else say(f"Revoked {row.id} of {row.person}.")


@app.command("rotate")
def rotate(
    name: Annotated[str, typer.Argument(help="The id of the token.", metavar="TOKEN")],
    expires: Expires = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """End a token, and print the secret of another for the same person."""
    lasting = None if expires is None else read_age(expires)
    with open_client(settings_for(home)) as client:
        made = client.rotate_token(name, expires_in_s=lasting)
    _show(made, as_json=as_json)


def _show(made: NewTokenView, *, as_json: bool) -> None:
    """The secret alone on standard output, so that a script can keep it."""
    if as_json:
        print_json(made)
        return
    ends = "" if made.expires_at is None else f", until {_moment(made.expires_at)}"
    say_aside(
        f"The token {made.id} of {made.person}{ends}. It is shown this once: set it as FARM_TOKEN."
    )
    say(made.secret)


def _moment(seconds: float | None) -> str:
    return "never" if seconds is None else iso(seconds)[:16].replace("T", " ")
