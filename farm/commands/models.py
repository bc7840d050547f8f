"""`farm models`: registered models, and measurements of models."""

import re
from pathlib import Path
from typing import Annotated

import typer

from actors.models.cache import WeightsCache
from actors.models.models import find_model, inspect_model
from actors.pictures.drift import NAME
from farm.client.client import Client
from farm.commands import completion, registered
from farm.commands.registered import Digest, KnownModel, Like, RegisteredName, Source
from farm.commands.shared import AsJson, Home, Project, Yes, print_json, say, settings_for
from farm.config import Settings, cache_folder
from farm.connect import open_client
from farm.scheduling.drift import LEAST_GRIP
from farm.service.registry_views import RegisteredView
from storage.errors import NotFound

app = typer.Typer(
    help="Registered models, and measurements of models.",
    no_args_is_help=True,
    add_completion=False,
)

ModelName = Annotated[
    str,
    typer.Argument(
        help="`seedling`, a registered model, or the folder of a model.",
        autocompletion=completion.registered_model_names,
    ),
]
_NAMED = re.compile(r"(?P<name>[a-z0-9][a-z0-9._-]*)(@(?P<digest>[0-9a-f]{8,64}))?")


@app.callback()
def models() -> None:
    """Registered models, and measurements of models."""


@app.command("add")
def add(
    name: RegisteredName,
    source: Source,
    like: Like = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Keep a model in the farm's outputs, so that campaigns can name it and every machine can
    have it.
    """
    registered.add("models", name, source, like, settings_for(home), as_json=as_json)


@app.command("list")
def list_models(home: Home = None, as_json: AsJson = False) -> None:
    """List the registered models, the newest version of each first."""
    registered.list_all("models", settings_for(home), as_json=as_json)


@app.command("remove")
def remove(
    name: KnownModel,
    digest: Digest = None,
    yes: Yes = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Remove a registered model, or one version of it, with the files that no other one needs."""
    registered.remove("models", name, digest, settings_for(home), yes=yes, as_json=as_json)


@app.command("measure")
def measure(
    model: ModelName,
    steps: Annotated[int, typer.Option("--steps", min=2, max=50, help="Of each picture.")] = 8,
    home: Home = None,
    project: Project = None,
    as_json: AsJson = False,
) -> None:
    """Paint 8 prompts with 8 seeds here, and say how much of a composition the seed decides."""
    from farm.bench.grip import measured_grip  # noqa: PLC0415  # it loads torch

    settings = settings_for(home, project)
    with open_client(settings) as client:
        row = _registered(client, model)
        if row is None:
            found = find_model(model)
            grip = round(measured_grip(found, steps), 4)
        else:
            with _cache(settings).use(row.manifest) as folder:
                found = inspect_model(row.label, folder, row.digest)
                grip = round(measured_grip(found, steps), 4)
        profile = client.learn_grip(found.digest, grip, NAME)
    answer = {"model": model, **profile.as_json()}
    print_json(answer) if as_json else say(_said(model, grip))


@app.command("show")
def show(
    model: ModelName, home: Home = None, project: Project = None, as_json: AsJson = False
) -> None:
    """Show a model: its files if it is a registered one, and its measurements."""
    with open_client(settings_for(home, project)) as client:
        row = _registered(client, model)
        digest = row.digest if row else find_model(model).digest
        profile = client.model_profile(digest)
    if as_json:
        print_json({"model": model, **profile.as_json(), **(row.as_json() if row else {})})
        return
    if row is not None:
        registered.say_what(row)
    grip = profile.grip
    say(_said(model, grip) if grip is not None else f"No grip was measured of {model} yet.")
    if profile.seconds_per_megapixel_step is not None:
        say(
            "A step of a million pixels has taken the farm"
            f" {profile.seconds_per_megapixel_step:.3g} s."
        )
    for at, stop in profile.stops.items():
        say(
            f"At {at} of the steps, pictures that drift are stopped beyond {stop.limit:.2f}:"
            f" {stop.false_stops:.1%} of good ones are."
        )


def _registered(client: Client, model: str) -> RegisteredView | None:
    """The registered model of that name, if there is one."""
    named = _NAMED.fullmatch(model)
    if named is None or model == "seedling":
        return None
    try:
        return client.show_registered(named["name"], digest=named["digest"])
    except NotFound:
        if named["digest"] or not Path(model).is_dir():
            raise
        return None


def _cache(settings: Settings) -> WeightsCache:
    limit = settings.fleet_settings().cache_bytes
    return WeightsCache(cache_folder(settings), settings.open_outputs(), limit=limit)


def _said(model: str, grip: float) -> str:
    """What a seed's grip allows."""
    share = f"Of a composition by {model}, the seed decides {grip:.0%}."
    if grip >= LEAST_GRIP:
        return f"{share} The median of a set can be an anchor of drift."
    return (
        f"{share} That is less than {LEAST_GRIP:.0%}: the median of a set is no anchor of drift,"
        " but a reference or an approved proof is."
    )
