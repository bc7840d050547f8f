"""Commands that run a farm: `demo`, `run`, `up`."""

import logging
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from farm.campaign.loading import CampaignFile, load_campaign
from farm.client.client import Client
from farm.commands.progress import follow
from farm.commands.shared import (
    AsJson,
    CampaignPath,
    Fresh,
    Home,
    Project,
    Update,
    print_json,
    say,
    say_aside,
    say_error,
    say_warnings,
    settings_for,
)
from farm.config import Settings
from farm.connect import client_of
from farm.dispatch.beginning import beginning
from farm.documents.counting import counted
from farm.logs import way_of
from farm.service.views import CampaignStatus, Warned
from farm.setting_groups import HOST
from storage.errors import SeedbedError, WorkError

if TYPE_CHECKING:
    from farm.app import RunningFarm

log = logging.getLogger(__name__)

Workers = Annotated[int | None, typer.Option("--workers", help="How many workers (FARM_WORKERS).")]


def run(
    file: CampaignPath,
    home: Home = None,
    project: Project = None,
    workers: Workers = None,
    update: Update = False,
    fresh: Fresh = False,
    sheet: Annotated[
        Path | None, typer.Option("--sheet", help="Where the contact sheet goes.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Paint one campaign on a farm of its own, then stop. The same file again goes on where it was
    left.
    """
    settings = settings_for(home, project, workers=workers)
    _run(settings, load_campaign(file), sheet=sheet, as_json=as_json, update=update, fresh=fresh)


def demo(
    home: Home = None,
    workers: Workers = None,
    sheet: Annotated[
        Path | None, typer.Option("--sheet", help="Where the contact sheet goes.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Paint the demo campaign with the embedded model, and show its contact sheet."""
    settings = settings_for(home, "demo", workers=workers)
    _run(
        settings,
        load_campaign(Path(str(files("farm") / "demo.yaml"))),
        sheet=sheet,
        as_json=as_json,
    )


def up(
    home: Home = None,
    port: Annotated[
        int | None, typer.Option("--port", help="The port of the API (FARM_PORT).")
    ] = None,
    host: Annotated[
        str | None,
        typer.Option("--host", help="Its address: any but loopback needs a token (FARM_HOST)."),
    ] = None,
    workers: Workers = None,
) -> None:
    """Run a farm that stays, serving its API, until it is stopped."""
    settings = settings_for(home, port=port, host=host, workers=workers)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    shown = way_of(settings.log)
    with _farm(settings, port=settings.port, host=settings.host, shown=shown) as farm:
        farm.supervisor.start()
        _say_orders(settings, farm)
        if shown == "json":
            log.info("The farm is up at %s. action=up", farm.url)
        else:
            say(
                f"The farm is up at {farm.url} (API: {farm.url}/api/docs, metrics:"
                f" {farm.url}/metrics). Stop it with Ctrl-C."
            )
        while not stop.wait(1.0):
            if farm.supervisor.gave_up:
                raise WorkError(farm.supervisor.gave_up)


def _run(
    settings: Settings,
    file: CampaignFile,
    *,
    sheet: Path | None,
    as_json: bool,
    update: bool = False,
    fresh: bool = False,
) -> None:
    name = file.campaign.name
    with _farm(settings, port=0) as farm, client_of(settings, farm.url) as client:
        # it takes seconds to come: meanwhile the file is checked, and if it is refused both end at
        # once
        farm.supervisor.start()
        warnings = client.submit(file, update=update, fresh=fresh).warnings
        say_warnings(file.document, warnings)
        _say_orders(settings, farm)
        status = follow(client, name, quiet=as_json, check=alive(farm))
        target = sheet or settings.home / "sheets" / settings.project / f"{name}.png"
        report(client, status, target, as_json=as_json, warnings=warnings)


@contextmanager
def _farm(
    settings: Settings, *, port: int, host: str = HOST, shown: str | None = None
) -> Iterator["RunningFarm"]:
    """An embedded farm. Its two processes import their libraries side by side, which takes each of
    them seconds.
    """
    with beginning(settings, host, shown) as supervisor:
        from farm.app import embedded_farm  # noqa: PLC0415  # see above

        with embedded_farm(
            settings, port=port, host=host, shown=shown, supervisor=supervisor
        ) as farm:
            yield farm


def _say_orders(settings: Settings, farm: "RunningFarm") -> None:
    """An order that stands goes before what the command or the settings say: it is named, or
    nobody would know why.
    """
    with client_of(settings, farm.url) as client:
        ordered = client.scaling()
    for sentence in ordered.orders:
        say_aside(
            f"{sentence} That goes before --workers and the settings: `farm scale --default` takes"
            " orders back."
        )


def alive(farm: "RunningFarm") -> Callable[[], None]:
    def check() -> None:
        if farm.supervisor.gave_up:
            raise WorkError(farm.supervisor.gave_up)

    return check


def report(
    client: Client, status: CampaignStatus, sheet: Path, *, as_json: bool, warnings: list[Warned]
) -> None:
    """Write the manifest and the sheet of a campaign that ended, and say where they are. Exit code
    1 unless all of it is done or waits for a decision. `warnings` are those of its submission, for
    the JSON.

    A sheet that cannot be drawn or written is said, and is no failure: the pictures are there.
    """
    name, state = status.campaign, status.state
    stage = "proof" if status.renders.undecided else "final"
    manifest = drawn = None
    if state != "stopped":
        manifest = client.save_manifest(name, stage=stage)
        drawn = _write_sheet(client, name, sheet, stage)
    if as_json:
        told = {**status.as_json(), "warnings": warnings}
        print_json({**told, "sheet": drawn, "manifest": manifest})
    if state == "stopped":
        raise WorkError(f"The campaign {name} was stopped: {status.halted}")
    if not as_json:
        say(f"Contact sheet: {drawn or 'none'}\nManifest:      {manifest}")
        if state == "awaiting_review":
            _say_what_to_review(status)
    if state not in ("done", "awaiting_review"):
        for failure in status.failures:
            say_error(f"render {failure.number} is {failure.state}: {failure.detail}")
        raise typer.Exit(1)


def _say_what_to_review(status: CampaignStatus) -> None:
    name, held = status.campaign, status.renders.held_by_rule
    if not status.renders.undecided:
        say(
            f"{counted(held, 'render is', 'renders are')} held by drift or a rule of the"
            f" brand: `farm status {name}` says"
            f" why. `farm approve {name} NUMBER…` and `farm reject {name} NUMBER…` decide."
        )
        return
    say(
        f"{counted(status.renders.undecided, 'render waits', 'renders wait')} for a decision."
        " Look at the proofs, then"
        f" `farm approve {name}` and `farm reject {name}` decide, all at once or by number; `farm"
        f" review {name}` lists them. After that the same command paints the approved finals, as"
        " does a farm that is up."
    )


def _write_sheet(client: Client, name: str, target: Path, stage: str) -> str | None:
    try:
        data = client.sheet(name, stage=stage)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    except (SeedbedError, OSError) as exc:
        say_error(f"there is no contact sheet: {exc}")
        return None
    return str(target)
