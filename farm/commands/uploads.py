"""`farm files`: pictures and tables that are uploaded for campaigns."""

from pathlib import Path
from typing import Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table

from farm.commands.projects import bytes_text
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

app = typer.Typer(
    help="Files: pictures and tables that were uploaded for campaigns.",
    no_args_is_help=True,
    add_completion=False,
)


@app.callback()
def files() -> None:
    """Files: pictures and tables that were uploaded for campaigns."""


@app.command("add")
def add(
    paths: Annotated[list[Path], typer.Argument(help="Pictures or CSV files.", metavar="FILE...")],
    home: Home = None,
    project: Project = None,
    as_json: AsJson = False,
) -> None:
    """Upload files, and print the addresses by which campaigns name them."""
    with open_client(settings_for(home, project)) as client:
        for path in paths:
            added = client.upload(path)
            if as_json:
                print_json(added)
                continue
            say(added.address)
            say_aside(f"{path} is a {added.kind} of {bytes_text(added.bytes)}.")


@app.command("list")
def list_files(home: Home = None, project: Project = None, as_json: AsJson = False) -> None:
    """List the project's uploaded files, the newest first."""
    with open_client(settings_for(home, project)) as client:
        found = client.uploads()
    if as_json:
        for file in found:
            print_json(file)
        return
    table = Table("address", "kind", "bytes", "name", "by", box=SIMPLE_HEAD)
    for file in found:
        size = bytes_text(file.bytes)
        table.add_row(file.address, file.kind, size, file.name or "", file.added_by or "")
    show_table(table)


@app.command("remove")
def remove(
    names: Annotated[
        list[str], typer.Argument(help="Addresses, or SHA-256 digests.", metavar="FILE...")
    ],
    home: Home = None,
    project: Project = None,
    as_json: AsJson = False,
) -> None:
    """Remove uploaded files. Campaigns that were submitted with them have copies."""
    with open_client(settings_for(home, project)) as client:
        for name in names:
            gone = client.remove_upload(name)
            print_json(gone) if as_json else say(f"{gone.name or gone.address} is removed.")
