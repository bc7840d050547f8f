"""The command `reproduce`: paints one picture again, and says whether it is the same."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated
from uuid import uuid4

import typer

from farm.app import embedded_farm
from farm.campaign.checks import parse_campaign
from farm.client.client import Client
from farm.commands.control import split_target
from farm.commands.farms import alive
from farm.commands.progress import follow
from farm.commands.shared import AsJson, Home, Project, print_json, say, say_error, settings_for
from farm.config import Settings
from farm.connect import client_of, open_client, running_farm
from farm.results.reproduce import (
    PROJECT,
    Comparison,
    Picture,
    Verdict,
    campaign_of,
    compare,
    read_picture,
    side_by_side,
)
from storage.errors import RequestError, SeedbedError, WorkError

Source = Annotated[
    str,
    typer.Argument(
        help="A picture's file, or one render as CAMPAIGN/NUMBER.", metavar="FILE|CAMPAIGN/NUMBER"
    ),
]
EXIT_CODES = {Verdict.IDENTICAL: 0, Verdict.CLOSE: 1, Verdict.DIFFERENT: 2}


def reproduce(
    source: Source,
    on_farm: Annotated[
        bool, typer.Option("--farm", help="Paint on the running farm, not on this machine.")
    ] = False,
    model: Annotated[
        str | None, typer.Option("--model", help="The model's folder, where it has moved since.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", help="Where the side-by-side picture goes; beside the file when not given."
        ),
    ] = None,
    home: Home = None,
    project: Project = None,
    as_json: AsJson = False,
) -> None:
    """Paint a picture again from what its file carries, and say whether it is the same. Exit
    codes: 0 identical, 1 close, 2 different, or it cannot be told.
    """
    settings = settings_for(home, project)
    try:
        given = _given(source, settings)
        was = read_picture(given.data)
        now = read_picture(
            _paint_on_farm(settings, was, model, quiet=as_json)
            if on_farm
            else _paint_here(settings, was, model, quiet=as_json)
        )
    except SeedbedError as exc:
        raise RequestError(f"Whether {source} repeats cannot be told: {exc}") from exc
    found = compare(was, now, recorded=given.recorded)
    place = out or (given.beside if found.verdict is not Verdict.IDENTICAL else None)
    drawn = _write_picture(place.absolute(), side_by_side(was, now)) if place else None
    _tell(source, was, now, found, drawn, as_json=as_json)
    raise typer.Exit(EXIT_CODES[found.verdict])


@dataclass(frozen=True, kw_only=True)
class _Given:
    """A picture to paint again, the hash that the job database has of it, and where a comparison
    is looked for.
    """

    data: bytes
    recorded: str | None
    beside: Path


def _given(source: str, settings: Settings) -> _Given:
    if os.path.isfile(source):  # noqa: PTH113  # says no to impossible names, where Path raises
        path = Path(source)
        try:
            return _Given(
                data=path.read_bytes(),
                recorded=None,
                beside=path.with_name(f"{path.stem}.reproduce.png"),
            )
        except OSError as exc:
            raise RequestError(f"the file cannot be read ({exc.strerror}).") from exc
    if source.count("/") != 1 or not source.rpartition("/")[2].isdecimal():
        raise RequestError("there is no such file, and a render is named CAMPAIGN/NUMBER.")
    campaign, number = split_target(source)
    assert number is not None
    with open_client(settings) as client:
        line = client.render(campaign, number)
        if line["key"] is None:
            raise RequestError(
                f"the render has no picture: it is {line['state']} ({line['detail']})."
            )
        return _Given(
            data=client.output(line["key"]),
            recorded=line["pixels"],
            beside=Path(f"{campaign}-{number}.reproduce.png"),
        )


def _paint_here(settings: Settings, was: Picture, model: str | None, *, quiet: bool) -> bytes:
    """Paint on a farm of its own, with a home that is gone afterwards."""
    with TemporaryDirectory(prefix="farm-reproduce-") as folder:
        own = {
            "home": Path(folder),
            "database_url": None,
            "outputs": None,
            "ray": "local",
            "workers": 1,
            "rest": None,
            "chunk": None,
            "fleet": None,
        }
        with (
            embedded_farm(settings.model_copy(update=own), port=0) as farm,
            client_of(settings, farm.url, PROJECT) as client,
        ):
            return _paint(
                client, was, model, start=farm.supervisor.start, check=alive(farm), quiet=quiet
            )


def _paint_on_farm(settings: Settings, was: Picture, model: str | None, *, quiet: bool) -> bytes:
    url = running_farm(settings)
    if url is None:
        raise RequestError(
            "no farm is running: start one with `farm up`, or leave --farm away to paint on this"
            " machine."
        )
    with client_of(settings, url, PROJECT) as client:
        return _paint(client, was, model, quiet=quiet)


def _paint(
    client: Client,
    was: Picture,
    model: str | None,
    *,
    start: Callable[[], None] = lambda: None,
    check: Callable[[], None] = lambda: None,
    quiet: bool,
) -> bytes:
    """Paint a picture's recipe as a campaign of one render; returns the file."""
    # A name of its own each time: a campaign that was painted before would not be painted again.
    name = f"reproduce-{was.recipe.digest[:12]}-{uuid4().hex[:8]}"
    client.submit(parse_campaign(campaign_of(was, name=name, model=model)), fresh=True)
    start()  # not before: a mistake in the recipe should be said at once
    status = follow(client, name, quiet=quiet, check=check)
    if status.state != "done":
        why = (
            status.halted
            or "; ".join(str(failure.detail) for failure in status.failures)
            or status.state
        )
        raise WorkError(f"it could not be painted again: {why}")
    (line,) = client.manifest(name)
    assert line["key"] is not None  # the campaign is done
    return client.output(line["key"])


def _write_picture(target: Path, data: bytes) -> str | None:
    """The path of the picture that was written. If it cannot be written, an error says so, and the
    verdict stays.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    except OSError as exc:
        say_error(
            f"the side-by-side picture cannot be written to {target} ({exc.strerror}): choose"
            " another place with --out."
        )
        return None
    return str(target)


def _tell(
    source: str, was: Picture, now: Picture, found: Comparison, drawn: str | None, *, as_json: bool
) -> None:
    if as_json:
        print_json(
            {
                "source": source,
                "verdict": found.verdict,
                "largest": found.largest,
                "mean": found.mean,
                "reasons": found.reasons,
                "digest": was.recipe.digest,
                "numerics_class": {
                    "file": was.record.get("numerics_class"),
                    "repaint": now.record["numerics_class"],
                },
                "picture": drawn,
            }
        )
        return
    apart = (
        f": at most {found.largest} of 255 apart, {found.mean:.3f} in the mean"
        if found.largest
        else ""
    )
    say(
        "\n".join(
            [
                f"{found.verdict}{apart}",
                *found.reasons,
                *([f"Side by side: {drawn}"] if drawn else []),
            ]
        )
    )
