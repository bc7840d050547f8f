"""`farm webhooks`: addresses that hear of a project's events."""

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

app = typer.Typer(
    help="Webhooks: addresses that hear of a project's events.",
    no_args_is_help=True,
    add_completion=False,
)
Number = Annotated[int, typer.Argument(help="The webhook's number.", metavar="N", min=1)]


@app.callback()
def webhooks() -> None:
    """Webhooks: addresses that hear of a project's events."""


@app.command("add")
def add(
    url: Annotated[str, typer.Argument(help="Like https://example.com/hook.", metavar="URL")],
    kinds: Annotated[
        str | None,
        typer.Option("--kinds", help="Kinds of events, like campaign.finished,renders.*."),
    ] = None,
    home: Home = None,
    project: Project = None,
    as_json: AsJson = False,
) -> None:
    """Have the project's events sent to an address, and print the secret that signs them."""
    with open_client(settings_for(home, project)) as client:
        added = client.add_webhook(url, kinds)
    if as_json:
        print_json(added)
        return
    say(f"{added.secret}")
    say_aside(f"Webhook {added.id} is told of {len(added.kinds)} kinds of events. Its secret is"
              " shown this once.")  # fmt: skip


@app.command("list")
def list_webhooks(home: Home = None, project: Project = None, as_json: AsJson = False) -> None:
    """List the project's webhooks, without their secrets."""
    with open_client(settings_for(home, project)) as client:
        found = client.webhooks()
    if as_json:
        for webhook in found:
            print_json(webhook)
        return
    table = Table("n", "address", "kinds", box=SIMPLE_HEAD)
    for webhook in found:
        table.add_row(f"{webhook.id}", webhook.url, ", ".join(webhook.kinds))
    show_table(table)


@app.command("remove")
def remove(
    number: Number, home: Home = None, project: Project = None, as_json: AsJson = False
) -> None:
    """Send nothing more to a webhook."""
    with open_client(settings_for(home, project)) as client:
        gone = client.remove_webhook(number)
    print_json(gone) if as_json else say(f"Nothing more is sent to {gone.url}.")


@app.command("test")
def send_test(
    number: Number, home: Home = None, project: Project = None, as_json: AsJson = False
) -> None:
    """Have something sent that is no event, signed like those that are."""
    with open_client(settings_for(home, project)) as client:
        asked = client.test_webhook(number)
    print_json(asked) if as_json else say(
        f"A test is sent to {asked.url}; if it fails for good, `farm webhooks dead` says why."
    )


@app.command("dead")
def dead(
    again: Annotated[bool, typer.Option("--again", help="Try all of them again.")] = False,
    home: Home = None,
    project: Project = None,
    as_json: AsJson = False,
) -> None:
    """List what could not be delivered, and why."""
    with open_client(settings_for(home, project)) as client:
        letters = client.dead_letters()
        queued = client.send_again() if again else None
    if as_json:
        for letter in letters:
            print_json(letter)
        return
    for letter in letters:
        say(f"webhook {letter.webhook}, event {letter.event}: {letter.error}")
    if queued is not None:
        say(f"{counted(queued, 'is', 'are')} tried again.")
