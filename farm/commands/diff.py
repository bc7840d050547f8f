"""The command `diff`: what changed from one version of a campaign to another, listed and side by
side.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from farm.client.client import Client
from farm.commands.shared import AsJson, Home, Project, print_json, say, settings_for, show_table
from farm.connect import open_client
from storage.errors import RequestError

Json = dict[str, Any]
_ROWS = 100


def diff(
    old: Annotated[
        str, typer.Argument(help="A campaign or a version of it, like NAME@1.", metavar="OLD")
    ],
    new: Annotated[
        str | None,
        typer.Argument(
            help="What it became; if left out, OLD is compared with the version before.",
            metavar="[NEW]",
        ),
    ] = None,
    image: Annotated[
        Path | None,
        typer.Option("--image", help="Where a picture of the changed cells goes (PNG)."),
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option(
            "--limit",
            min=1,
            help="The most cells to list (100; with --json all) and to draw (200, at most 1,000).",
        ),
    ] = None,
    home: Home = None,
    project: Project = None,
    as_json: AsJson = False,
) -> None:
    """List what changed between two versions of a campaign, or two campaigns, and draw it side by
    side.
    """
    name, against = (old, None) if new is None else (new, old)
    with open_client(settings_for(home, project)) as client:
        lines = client.diff(name, against, limit=limit if as_json else limit or _ROWS)
        counts = _print_lines(lines) if as_json else _show(lines)
        drawn = (
            None if image is None else str(_draw(client, name, against, limit, image.absolute()))
        )
    if as_json:
        print_json({**counts, "image": drawn})
    elif drawn:
        say(f"Side by side: {drawn}")


def _print_lines(lines: Iterator[Json]) -> Json:
    """Print each line but the last, which is returned."""
    last: Json = {}
    for last in lines:
        if last["kind"] != "counts":
            print_json(last)
    return last


def _show(lines: Iterator[Json]) -> Json:
    """A table of every line but the last, which is told in a sentence and returned."""
    table = Table("", "old", "new", "cell", "what changed", box=SIMPLE_HEAD)
    last: Json = {}
    for last in lines:
        if last["kind"] != "counts":
            words = "; ".join(change["words"] for change in last["changes"])
            table.add_row(
                last["kind"],
                _number(last["old"]),
                _number(last["new"]),
                escape(last["label"]),
                escape(words),
            )
    if table.row_count:
        show_table(table)
    counts = last["counts"]
    if left := sum(counts.values()) - counts["kept"] - table.row_count:
        say(f"{left:,} more are not listed: --limit lists more.")
    told = ", ".join(f"{count:,} {kind}" for kind, count in counts.items())
    say(f"{_title(last['old'])} to {_title(last['new'])}: {told}.")
    return last


def _number(render: Json | None) -> str:
    return "" if render is None else f"#{render['number']}"


def _title(side: Json) -> str:
    return f"{side['campaign']}@{side['version']}"


def _draw(client: Client, name: str, against: str | None, limit: int | None, target: Path) -> Path:
    data = client.diff_sheet(name, against, limit=limit)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    except OSError as exc:
        raise RequestError(
            f"The picture cannot be written to {target} ({exc.strerror}): choose another place"
            " with --image."
        ) from exc
    return target
