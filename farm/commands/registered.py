"""What `farm models` and `farm adapters` share: adding to the registry, listing and removing."""

import os
from pathlib import Path
from typing import Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.filesize import decimal
from rich.table import Table

from actors.models.models import hub_id
from farm.campaign.addresses import whole_address
from farm.client.registry_calls import Kind
from farm.commands import completion
from farm.commands.shared import ask, print_json, say, show_table
from farm.commands.times import iso
from farm.config import Settings
from farm.connect import open_client
from farm.documents.counting import counted
from farm.service.registry_views import RegisteredView

RegisteredName = Annotated[str, typer.Argument(help="The name that campaigns use.")]
KnownModel = Annotated[
    str,
    typer.Argument(help="A registered model.", autocompletion=completion.registered_model_names),
]
KnownAdapter = Annotated[
    str, typer.Argument(help="A registered adapter.", autocompletion=completion.adapter_names)
]
Source = Annotated[
    str,
    typer.Argument(
        help="A folder or a .safetensors checkpoint of the farm's machine, a hub id as"
        " OWNER/NAME@REVISION, or an s3:// prefix."
    ),
]
Like = Annotated[
    str | None,
    typer.Option("--like", help="A folder of the same kind of model, for a checkpoint's configs."),
]
Digest = Annotated[
    str | None, typer.Option("--digest", help="The beginning of one version's digest.")
]


def add(
    kind: Kind, name: str, source: str, like: str | None, settings: Settings, *, as_json: bool
) -> None:
    with open_client(settings) as client:
        row = client.register(name, _address(source), like=like and _address(like), kind=kind)
    if as_json:
        print_json(row)
        return
    known = " It was there already." if row.did == "known" else ""
    say(f"{row.label} is registered: {_files(row)}, {decimal(row.bytes)}.{known}")


def list_all(kind: Kind, settings: Settings, *, as_json: bool) -> None:
    with open_client(settings) as client:
        rows = client.registered(kind)
    if as_json:
        for row in rows:
            print_json(row)
        return
    pipeline = ("pipeline",) if kind == "models" else ()
    table = Table("name", *pipeline, "size", "licence", "added", "by", box=SIMPLE_HEAD)
    for row in rows:
        table.add_row(
            row.label, *([row.pipeline] if pipeline else []), decimal(row.bytes),
            row.licence or "not said", iso(row.added_at), row.added_by or "",
        )  # fmt: skip
    show_table(table)


def remove(
    kind: Kind, name: str, digest: str | None, settings: Settings, *, yes: bool, as_json: bool
) -> None:
    which = f"{name}@{digest}" if digest else f"all versions of {name}"
    ask(f"Remove {which}? Pictures that need it cannot be painted again.", yes=yes)
    with open_client(settings) as client:
        rows = client.unregister(name, digest=digest, kind=kind)
    for row in rows:
        print_json(row) if as_json else say(f"{row.label} is removed.")


def say_what(row: RegisteredView) -> None:
    pipeline = f"{row.pipeline}, " if row.pipeline else ""
    say(f"{row.label}: {pipeline}{_files(row)}, {decimal(row.bytes)}.")
    say(f"Licence: {row.licence or 'its card names none'}.")
    by = f" by {row.added_by}" if row.added_by else ""
    say(f"Added {iso(row.added_at)}{by} from {row.source}.")
    say(f"Digest: {row.digest}")


def _files(row: RegisteredView) -> str:
    return counted(row.files, "file")


def _address(source: str) -> str:
    """A source as it means the same from everywhere on this machine."""
    is_folder = os.path.exists(os.path.expanduser(source))  # noqa: PTH110, PTH111  # never raises
    if not is_folder and hub_id(source):
        return source
    return whole_address(source, Path.cwd())
