"""`farm estimate`: what a campaign would take, before it is submitted."""

from pathlib import Path
from typing import Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table

from farm.campaign.loading import CampaignFile
from farm.client.client import Client
from farm.commands.bulk import for_each
from farm.commands.campaign_files import CampaignFiles, campaign_paths, load_given
from farm.commands.campaigns import Given, Named, given_keys
from farm.commands.progress import follow, leaving_it, patience
from farm.commands.shared import (
    AsJson,
    Home,
    Project,
    Timeout,
    print_json,
    say,
    say_aside,
    say_warnings,
    settings_for,
    show_table,
)
from farm.connect import open_client, running_farm
from farm.documents.counting import counted
from farm.scheduling.budget import gpu_hours
from farm.scheduling.money_text import clock_text, money_text
from farm.service.estimate_views import Estimate, FleetEstimate
from storage.errors import RequestError, Unreachable, WorkError

_MOST_PROBED = 1_000
_UNITS = ((1e9, "GB"), (1e6, "MB"), (1e3, "kB"))


def estimate(
    files: CampaignFiles,
    home: Home = None,
    project: Project = None,
    name: Named = None,
    given: Given = None,
    workers: Annotated[
        int | None,
        typer.Option(
            help="Estimate for so many workers; without it, for as many as the farm may have.",
            min=1,
            max=1_000,
        ),
    ] = None,
    probe: Annotated[
        int | None,
        typer.Option(
            help="Paint the first N renders in a campaign of their own, then estimate by them.",
            min=1,
            max=_MOST_PROBED,
            metavar="N",
        ),
    ] = None,
    timeout: Timeout = None,
    as_json: AsJson = False,
) -> None:
    """What a campaign would take, before it is submitted: time, money, bytes, and what binds."""
    settings = settings_for(home, project)
    paths = campaign_paths(files)
    keys = given_keys(paths, given, name)
    if timeout is not None and probe is None:
        raise RequestError("--timeout says how long --probe waits: give both.")
    if probe is not None and running_farm(settings) is None:
        raise Unreachable("No farm is running to paint a probe: start one with `farm up`.")
    with open_client(settings) as client:

        def one(path: Path) -> None:
            loaded = load_given(path, keys)
            if probe is not None:
                _paint_probe(client, loaded, probe, timeout, quiet=as_json)
            answer = client.estimate(loaded, workers=workers)
            say_warnings(loaded.document, answer.warnings)
            print_json(answer) if as_json else _show(answer)

        for_each(paths, one, as_json=as_json)


def _paint_probe(
    client: Client, loaded: CampaignFile, renders: int, timeout: str | None, *, quiet: bool
) -> None:
    """Have the first renders painted, and wait for them. Raises WorkError if they cannot be."""
    probe = client.probe(loaded, renders)
    with leaving_it(probe.campaign):
        check = patience(probe.campaign, timeout)
        status = follow(client, probe.campaign, quiet=quiet, check=check)
    if not status.renders.done:
        raise WorkError(
            f"The probe {probe.campaign} is {status.state}, and none of its renders was painted:"
            f" {status.halted or f'`farm why {probe.campaign}` says why.'}"
        )
    if not quiet:
        say_aside(
            f"{counted(status.renders.done, 'render was', 'renders were')} painted as"
            f" {probe.campaign}; the campaign"
            " reuses them."
        )


def _show(answer: Estimate) -> None:
    proofs = f" and {counted(answer.proofs, 'proof')}" if answer.proofs else ""
    reused = f", of which {answer.reused:,} are there already" if answer.reused else ""
    say(f"{answer.campaign}: {counted(answer.renders, 'render')}{proofs}{reused}.")
    if answer.device_s is not None:
        told = "its own shapes" if answer.basis == "shape" else "its model, at other shapes too"
        say(
            f"About {gpu_hours(answer.device_s)} GPU hours to paint, by"
            f" {counted(answer.attempts, 'attempt')} at {told}."
        )
    say(
        "Unknown bytes: no picture of its model is stored here in its encoding."
        if answer.bytes is None
        else f"About {bytes_text(answer.bytes)} of pictures."
    )
    fleets = [
        (label, fleet)
        for label, fleet in (("now", answer.now), ("planned", answer.planned))
        if fleet is not None
    ]
    if fleets:
        _show_fleets(fleets)
    for bind in answer.binds:
        say(f"- {bind.text}")


def _show_fleets(fleets: list[tuple[str, FleetEstimate]]) -> None:
    table = Table(
        "fleet", "workers", "done in", "done at", "pool", "pool's hours", "money", box=SIMPLE_HEAD
    )
    for label, fleet in fleets:
        first = [label, f"{fleet.workers:,}", f"{fleet.seconds:,.0f} s", clock_text(fleet.eta)]
        for name, share in fleet.pools.items():
            money = "" if share.money is None else money_text(share.money)
            table.add_row(*first, name, gpu_hours(share.seconds), money)
            first = [""] * 4
    show_table(table)


def bytes_text(count: int) -> str:
    """Bytes in the largest unit that fits."""
    for unit, word in _UNITS:
        if count >= unit:
            return f"{count / unit:,.1f} {word}"
    return f"{count} bytes"
