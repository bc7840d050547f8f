"""`farm notify`: people who are told of a project's events, by mail or in a chat."""

import sys
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
from farm.connect import open_client
from farm.documents.counting import counted

HELP = "People who are told of a project's events, by mail or in a chat."
app = typer.Typer(help=HELP, no_args_is_help=True, add_completion=False)
Number = Annotated[int, typer.Argument(help="The notification's number.", metavar="N", min=1)]


@app.callback(help=HELP)
def notify() -> None:
    """Stands for the group, of which each command is a function below."""


@app.command("add")
def add(
    address: Annotated[
        str,
        typer.Argument(
            help=(
                "As Apprise has it, like mailtos://user:password@example.com; - reads it from"
                " standard input, so that no history has its secrets."
            ),
            metavar="ADDRESS",
        ),
    ],
    kinds: Annotated[
        str | None,
        typer.Option("--kinds", help="Kinds of events, like campaign.finished,webhook.dead."),
    ] = None,
    name: Annotated[
        str | None, typer.Option("--name", help="Shown in the place of the address.")
    ] = None,
    home: Home = None,
    project: Project = None,
    as_json: AsJson = False,
) -> None:
    """Have the project's events told to an address."""
    if address == "-":
        address = sys.stdin.readline().strip()
    with open_client(settings_for(home, project)) as client:
        added = client.add_notification(address, kinds=kinds, name=name)
    if as_json:
        print_json(added)
        return
    say(f"{added.name} ({added.service}) is told of {', '.join(added.kinds)}.")
    say_aside(f"`farm notify test {added.id}` tries it. Its address is not shown again.")


@app.command("list")
def list_notifications(
    home: Home = None, project: Project = None, as_json: AsJson = False
) -> None:
    """List who is told of the project's events, without their addresses."""
    with open_client(settings_for(home, project)) as client:
        found = client.notifications()
    if as_json:
        for one in found:
            print_json(one)
        return
    table = Table("n", "name", "service", "kinds", "given up", box=SIMPLE_HEAD)
    for one in found:
        given_up = f"{one.given_up}: {one.error}" if one.given_up else ""
        table.add_row(f"{one.id}", one.name, one.service, ", ".join(one.kinds), given_up)
    show_table(table)


@app.command("remove")
def remove(
    number: Number, home: Home = None, project: Project = None, as_json: AsJson = False
) -> None:
    """Tell somebody nothing more."""
    with open_client(settings_for(home, project)) as client:
        gone = client.remove_notification(number)
    print_json(gone) if as_json else say(f"{gone.name} is told nothing more.")


@app.command("test")
def send_test(
    number: Number, home: Home = None, project: Project = None, as_json: AsJson = False
) -> None:
    """Have something told that is no event, in the same way as events."""
    with open_client(settings_for(home, project)) as client:
        asked = client.test_notification(number)
    print_json(asked) if as_json else say(
        f"A test is sent to {asked.name}; if it fails for good, `farm notify list` says why."
    )


@app.command("again")
def again(home: Home = None, project: Project = None, as_json: AsJson = False) -> None:
    """Try again what could not be delivered."""
    with open_client(settings_for(home, project)) as client:
        queued = client.notify_again()
    print_json({"queued": queued}) if as_json else say(
        f"{counted(queued, 'is', 'are')} tried again."
    )
