"""`farm share` and `farm links`: campaigns shown to people outside."""

import sys
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table

from farm.commands.shared import (
    AsJson,
    CampaignName,
    Home,
    Project,
    is_interactive,
    print_json,
    say,
    say_aside,
    settings_for,
    show_table,
)
from farm.commands.times import iso
from farm.connect import open_client
from storage.errors import RequestError

app = typer.Typer(
    help="Links: campaigns shown to people outside.", no_args_is_help=True, add_completion=False
)


@app.callback()
def links() -> None:
    """Links: campaigns shown to people outside."""


def share(
    campaign: CampaignName,
    recipient: Annotated[
        str | None,
        typer.Option("--for", help="Whom it is for: the log and reviews call them by this."),
    ] = None,
    may_review: Annotated[
        bool, typer.Option("--review", help="They may approve and reject, not look alone.")
    ] = False,
    until: Annotated[
        str | None,
        typer.Option("--until", help="The last day, like 2026-12-31; a week if not given."),
    ] = None,
    with_passphrase: Annotated[
        bool,
        typer.Option("--passphrase", help="Ask for a passphrase, or read a line."),
    ] = False,
    home: Home = None,
    project: Project = None,
    as_json: AsJson = False,
) -> None:
    """Make a link that shows one campaign to people outside, and print it, this once."""
    ends = None if until is None else read_day(until)
    passphrase = _passphrase() if with_passphrase else None
    with open_client(settings_for(home, project)) as client:
        made = client.share(
            campaign, name=recipient, may_review=may_review, until=ends, passphrase=passphrase
        )
        url = client.url
    if as_json:
        print_json(made)
        return
    may = "may look and decide" if made.may_review else "may look"
    say_aside(
        f"Until {_day(made.expires_at)}, whoever has this link {may}. It is shown this once."
    )
    say(url + made.path)


@app.command("list")
def list_links(
    campaign: Annotated[str | None, typer.Argument(help="The links of this campaign.")] = None,
    home: Home = None,
    project: Project = None,
    as_json: AsJson = False,
) -> None:
    """The links of the project, or of one campaign, those that have ended too."""
    with open_client(settings_for(home, project)) as client:
        rows = client.links(campaign)
    if as_json:
        for row in rows:
            print_json(row)
        return
    table = Table("link", "campaign", "for", "may", "state", "ends", "opened", box=SIMPLE_HEAD)
    for row in rows:
        may = ("review" if row.may_review else "look") + (" *" if row.has_passphrase else "")
        opened = "never" if row.opened_at is None else _day(row.opened_at)
        table.add_row(row.id, row.campaign, row.name, may, row.state, _day(row.expires_at), opened)
    show_table(table)
    if any(row.has_passphrase for row in rows):
        say_aside("* asks for a passphrase")


@app.command("revoke")
def revoke(
    names: Annotated[list[str], typer.Argument(help="Ids of links.", metavar="LINK...")],
    home: Home = None,
    project: Project = None,
    as_json: AsJson = False,
) -> None:
    """End links at once, for those too who have opened them."""
    with open_client(settings_for(home, project)) as client:
        for name in names:
            row = client.revoke_link(name)
            print_json(row) if as_json else say(
                f"Revoked {row.id} for {row.name}: it opens {row.campaign} no more."
            )


def read_day(text: str) -> float:
    """The end of a day in UTC, or a moment in ISO 8601, in seconds since 1970. Raises
    RequestError.
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise RequestError(
            f"--until: {text!r} is no date: write one like 2026-12-31, or a moment like"
            " 2026-12-31T18:00+01:00."
        ) from None
    if "T" not in text:
        moment += timedelta(days=1)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _passphrase() -> str:
    """Never an argument: other people of a machine can read those."""
    if not is_interactive():
        return sys.stdin.readline().rstrip("\r\n")
    asked: str = typer.prompt("Passphrase", hide_input=True, confirmation_prompt=True, err=True)
    return asked


def _day(seconds: float) -> str:
    return iso(seconds)[:16].replace("T", " ")
