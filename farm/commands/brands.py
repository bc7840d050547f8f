"""`farm brands`: brand packs, added, listed, shown and looked at."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated

import typer
import yaml
from rich.box import SIMPLE_HEAD
from rich.table import Table

from actors.pictures.files import read
from actors.pictures.rules import judge
from farm.campaign.brand import load_pack, rules_of, version_named
from farm.commands.shared import (
    AsJson,
    Home,
    Project,
    print_json,
    say,
    settings_for,
    show_table,
)
from farm.config import Settings
from farm.connect import open_client
from farm.documents.counting import counted
from storage.errors import RequestError, WorkError

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
    assert answer.did is not None  # only the answer to adding has it
    print_json(answer) if as_json else say(_DID[answer.did].format(brand=answer.brand))


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
        used = "yes" if row.frozen_at is not None else "not yet"
        table.add_row(row.brand, row.digest[:12], used)
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
    say(f"# {answer.brand}, digest {answer.digest}")
    say(yaml.safe_dump(answer.pack, sort_keys=False, allow_unicode=True).rstrip())


@app.command("check")
def check(
    pack_file: PackPath,
    pictures: Annotated[
        list[Path] | None, typer.Argument(help="Picture files.", metavar="PICTURE...")
    ] = None,
    campaign: Annotated[
        str | None, typer.Option("--campaign", help="Judge the pictures of this campaign.")
    ] = None,
    home: Home = None,
    project: Project = None,
    as_json: AsJson = False,
) -> None:
    """Judge pictures by the rules of a pack's file: files, or those of a campaign. Nothing is
    recorded. Exit code 1 if one fails.
    """
    rules = rules_of(load_pack(pack_file))
    if rules is None:
        raise RequestError(f"The pack {pack_file} has no rules and no palette to judge by.")
    if not pictures and campaign is None:
        raise RequestError("Name picture files, or a campaign with --campaign NAME.")
    judged = failed = 0
    for name, data in _pictures(pictures or [], campaign, settings_for(home, project)):
        picture = read(data)
        if picture is None:
            raise RequestError(f"{name} is not a PNG, WebP, JPEG or JPEG XL picture.")
        verdict = judge(picture.pixels, rules)
        judged, failed = judged + 1, failed + bool(verdict.failed)
        counts = {"passed": verdict.passed, "tested": verdict.tested, "failed": verdict.failed}
        if as_json:
            print_json({"picture": name, **counts})
        else:
            fails = f": fails {', '.join(verdict.failed)}" if verdict.failed else ""
            say(f"{name}: {verdict.passed} of {verdict.tested} rules{fails}")
    if failed:
        raise WorkError(
            f"{failed:,} of {counted(judged, 'picture')} {'fails' if failed == 1 else 'fail'}"
            " a rule."
        )


def _pictures(
    paths: Iterable[Path], campaign: str | None, settings: Settings
) -> Iterator[tuple[str, bytes]]:
    """Each picture's name and file."""
    for path in paths:
        try:
            yield str(path), path.read_bytes()
        except OSError as exc:
            raise RequestError(f"{path} cannot be read ({exc.strerror}).") from exc
    if campaign is None:
        return
    with open_client(settings) as client:
        for line in client.manifest(campaign):
            if line["key"] is not None:
                yield line["key"], client.output(line["key"])


@app.command("lint")
def lint(file: PackPath, as_json: AsJson = False) -> None:
    """Check the file of a pack without giving it to a farm."""
    pack = load_pack(file)
    answer = {"name": pack.name, "digest": pack.digest}
    print_json(answer) if as_json else say(f"{file} is a pack of the brand {pack.name}.")
