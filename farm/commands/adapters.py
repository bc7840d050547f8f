"""`farm adapters`: LoRA adapters that the farm keeps for every machine."""

from typing import Annotated

import typer

from farm.campaign.addresses import registered_name
from farm.commands import registered
from farm.commands.registered import Digest, KnownAdapter, RegisteredName
from farm.commands.shared import AsJson, Home, Yes, print_json, settings_for
from farm.connect import open_client
from storage.errors import RequestError

app = typer.Typer(
    help="Registered adapters: LoRA files that campaigns name.",
    no_args_is_help=True,
    add_completion=False,
)
Source = Annotated[
    str,
    typer.Argument(
        help="A .safetensors file, or a folder with exactly one, of the farm's machine or behind"
        " an s3:// address."
    ),
]


@app.callback()
def adapters() -> None:
    """Registered adapters: LoRA files that campaigns name."""


@app.command("add")
def add(name: RegisteredName, source: Source, home: Home = None, as_json: AsJson = False) -> None:
    """Keep an adapter in the farm's outputs, so that campaigns can name it and every machine can
    have it.
    """
    registered.add("adapters", name, source, None, settings_for(home), as_json=as_json)


@app.command("list")
def list_adapters(home: Home = None, as_json: AsJson = False) -> None:
    """List the registered adapters, the newest version of each first."""
    registered.list_all("adapters", settings_for(home), as_json=as_json)


@app.command("show")
def show(name: KnownAdapter, home: Home = None, as_json: AsJson = False) -> None:
    """Show a registered adapter, or one version of it as NAME@DIGEST."""
    named = registered_name(name)
    if named is None:
        raise RequestError(
            f"{name} cannot be a registered adapter: name one that `farm adapters list` shows, or"
            " a version as NAME@DIGEST."
        )
    with open_client(settings_for(home)) as client:
        row = client.show_registered(named[0], digest=named[1], kind="adapters")
    print_json(row) if as_json else registered.say_what(row)


@app.command("remove")
def remove(
    name: KnownAdapter,
    digest: Digest = None,
    yes: Yes = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Remove a registered adapter, or one version, with the files that no other one needs."""
    registered.remove("adapters", name, digest, settings_for(home), yes=yes, as_json=as_json)
