"""`farm brands`: brand packs, added, listed, shown and looked at."""

from pathlib import Path
from typing import Annotated

import typer
import yaml
from rich.box import SIMPLE_HEAD
from rich.table import Table

from farm.campaign.brand import load_pack, version_named
from farm.commands.shared import (
    AsJson,
    Home,
    Project,
    print_json,
    say,
    settings_for,
    show_table,
)
from farm.connect import open_client

app = typer.Typer(
    help="Brand packs: what a brand wants of its campaigns.",
    no_args_is_help=True,
    add_completion=False,
)

PackPath = Annotated[Path, typer.Argument(help="The file of a pack.", metavar="FILE")]
_DID = {
    "added": "Added {brand}.",
    "changed": "Changed {brand}, which no campaign has used yet.",
    "known": "Known already: {brand} has the same contents.",
}


@app.callback()
def brands() -> None:
    """Brand packs: what a brand wants of its campaigns."""


@app.command("add")
def add(
    file: PackPath, home: Home = None, project: Project = None, as_json: AsJson = False
) -> None:
    """Give a pack to the farm, so that campaigns can name it. A version that a campaign has used
    stays as it is, and the pack becomes the next one.
    """
    with open_client(settings_for(home, project)) as client:
        answer = client.add_brand(file)
    print_json(answer) if as_json else say(_DID[answer["did"]].format(**answer))


@app.command("list")
def list_brands(home: Home = None, project: Project = None, as_json: AsJson = False) -> None:
    """Every version of every pack of the project."""
    with open_client(settings_for(home, project)) as client:
        rows = client.brands()
    if as_json:
        for row in rows:
            print_json(row)
        return
    table = Table("brand", "digest", "used", box=SIMPLE_HEAD)
    for row in rows:
        used = "yes" if row["frozen_at"] is not None else "not yet"
        table.add_row(row["brand"], row["digest"][:12], used)
    show_table(table)


@app.command("show")
def show(
    brand: Annotated[str, typer.Argument(help="The brand's name, or a version like acme@3.")],
    home: Home = None,
    project: Project = None,
    as_json: AsJson = False,
) -> None:
    """The contents of a pack, as YAML."""
    name, version = version_named(brand) or (brand, None)
    with open_client(settings_for(home, project)) as client:
        answer = client.brand(name, version)
    if as_json:
        print_json(answer)
        return
    say(f"# {answer['brand']}, digest {answer['digest']}")
    say(yaml.safe_dump(answer["pack"], sort_keys=False, allow_unicode=True).rstrip())


@app.command("lint")
def lint(file: PackPath, as_json: AsJson = False) -> None:
    """Check the file of a pack without giving it to a farm."""
    pack = load_pack(file)
    answer = {"name": pack.name, "digest": pack.digest}
    print_json(answer) if as_json else say(f"{file} is a pack of the brand {pack.name}.")
