"""`farm drift`: how early it can be told that a composition leaves its anchor."""

from typing import Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table

from farm.commands.shared import (
    AsJson,
    CampaignName,
    Home,
    Project,
    print_json,
    say,
    settings_for,
    show_table,
)
from farm.connect import open_client
from farm.documents.counting import counted

app = typer.Typer(
    help="Drift: how far compositions are from their anchors.",
    no_args_is_help=True,
    add_completion=False,
)


@app.callback()
def drift() -> None:
    """Drift: how far compositions are from their anchors."""


@app.command("calibrate")
def calibrate(
    campaign: CampaignName,
    limit: Annotated[
        float | None,
        typer.Option(
            "--limit", min=0.01, max=0.99, help="Where pictures may end; the campaign's own limit."
        ),
    ] = None,
    home: Home = None,
    project: Project = None,
    as_json: AsJson = False,
) -> None:
    """Say how well the previews of a campaign told where its pictures ended, step by step. A
    campaign that stops pictures and names no limit takes the one found here.
    """
    with open_client(settings_for(home, project)) as client:
        answer = client.calibrate_drift(campaign, limit)
    if as_json:
        print_json(answer)
        return
    table = Table(
        "at", "pictures", "correlation", "stop beyond", "false stops", "stops", box=SIMPLE_HEAD
    )
    for at, found in answer.steps.items():
        table.add_row(
            at,
            f"{found.pictures:,}",
            _number(found.correlation),
            _number(found.limit),
            _share(found.false_stops),
            _share(found.stopped),
        )
    show_table(table)
    say(
        f"Of pictures of {answer.model} that end within {answer.limit:g} of their anchor, at"
        " most 1 % are stopped beyond these limits."
    )


@app.command("show")
def show(
    campaign: CampaignName, home: Home = None, project: Project = None, as_json: AsJson = False
) -> None:
    """Say how many pictures were stopped, what that saved, and how many of them wrongly."""
    with open_client(settings_for(home, project)) as client:
        answer = client.drift_savings(campaign)
    if as_json:
        print_json(answer)
        return
    if answer.limit is None:
        say(f"{campaign} has no limit of drift.")
        return
    whole = answer.device_s + answer.saved_s
    share = answer.saved_s / whole if whole else 0.0
    wrongly = (
        "How many of them wrongly is not known: `farm drift calibrate` measures it."
        if answer.wrongly_stopped is None
        else f"About {answer.wrongly_stopped:.1f} of them would have ended within the limit."
    )
    say(
        f"{campaign}: {counted(answer.stopped, 'picture was', 'pictures were')} stopped, which"
        " saved"
        f" {answer.saved_s:,.0f} of {whole:,.0f} s of device time ({share:.0%}). {wrongly}"
    )


def _number(value: float | None) -> str:
    return "none" if value is None else f"{value:.2f}"


def _share(value: float | None) -> str:
    return "none" if value is None else f"{value:.1%}"
