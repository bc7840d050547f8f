"""`farm models`: measurements of models."""

from typing import Annotated

import typer

from actors.models.models import find_model
from actors.pictures.drift import NAME
from farm.commands.shared import AsJson, Home, Project, print_json, say, settings_for
from farm.connect import open_client
from farm.scheduling.drift import LEAST_GRIP

app = typer.Typer(help="Measurements of models.", no_args_is_help=True, add_completion=False)

ModelName = Annotated[str, typer.Argument(help="`seedling`, or the folder of a model.")]


@app.callback()
def models() -> None:
    """Measurements of models."""


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

    found = find_model(model)
    grip = round(measured_grip(found, steps), 4)
    with open_client(settings_for(home, project)) as client:
        profile = client.learn_grip(found.digest, grip, NAME)
    answer = {"model": model, **profile.as_json()}
    print_json(answer) if as_json else say(_said(model, grip))


@app.command("show")
def show(
    model: ModelName, home: Home = None, project: Project = None, as_json: AsJson = False
) -> None:
    """Show the measurements of a model."""
    found = find_model(model)
    with open_client(settings_for(home, project)) as client:
        profile = client.model_profile(found.digest)
    if as_json:
        print_json({"model": model, **profile.as_json()})
        return
    grip = profile.grip
    say(_said(model, grip) if grip is not None else f"Nothing was measured of {model} yet.")
    for at, stop in profile.stops.items():
        say(
            f"At {at} of the steps, pictures that drift are stopped beyond {stop.limit:.2f}:"
            f" {stop.false_stops:.1%} of good ones are."
        )


def _said(model: str, grip: float) -> str:
    """What a seed's grip allows."""
    share = f"Of a composition by {model}, the seed decides {grip:.0%}."
    if grip >= LEAST_GRIP:
        return f"{share} The median of a set can be an anchor of drift."
    return (
        f"{share} That is less than {LEAST_GRIP:.0%}: the median of a set is no anchor of drift,"
        " but a reference or an approved proof is."
    )
