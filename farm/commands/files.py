"""Commands about a campaign's files: `export`, `verify`, `clean`."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cache
from typing import Annotated

import typer
from rich.progress import Progress

from farm.app import embedded_farm
from farm.client.client import Client
from farm.client.export import Exported
from farm.client.export import export as export_campaign
from farm.client.inspection import Inspection, Tell, inspect, repair
from farm.commands.farms import alive
from farm.commands.progress import follow
from farm.commands.shared import (
    AsJson,
    CampaignName,
    Home,
    Project,
    Yes,
    ask,
    err,
    print_json,
    say,
    settings_for,
)
from farm.config import Settings
from farm.connect import client_of, open_client, running_farm
from farm.documents.counting import counted
from farm.results.delivery import Delivery, delivery_profile, delivery_size
from farm.results.line import Line
from farm.results.verify import repaint_problem
from farm.service.views import CampaignStatus
from storage.errors import RequestError, WorkError
from storage.outputs import open_outputs

_APPROVED = ("review=approved",)
Names = Annotated[
    str | None,
    typer.Option(
        "--names",
        help=(
            "How pictures are called, like {product}_{color}_{seed}; {product:slug} in plain"
            " letters."
        ),
    ),
]
Sizes = Annotated[
    list[str] | None,
    typer.Option(
        "--size", help="Write each picture in this size too, like 1200x628; again for others."
    ),
]
ColourProfile = Annotated[
    str | None,
    typer.Option(
        "--profile",
        help="Give these sizes a colour profile: an ICC file for red, green and blue, or `srgb`.",
    ),
]
Approved = Annotated[
    bool, typer.Option("--approved", help="Only renders that a person has approved.")
]


def export(
    campaign: CampaignName,
    dest: Annotated[
        str, typer.Argument(help="The folder that the pictures go to, or s3://bucket/prefix.")
    ],
    names: Names = None,
    where: Annotated[
        list[str] | None,
        typer.Option(
            "--where",
            help="Only renders like product=mug; again for others, or for another value.",
        ),
    ] = None,
    approved: Approved = False,
    sizes: Sizes = None,
    profile: ColourProfile = None,
    no_previews: Annotated[
        bool, typer.Option("--no-previews", help="Leave previews out.")
    ] = False,
    delete: Annotated[bool, typer.Option("--delete", help="Remove what else lies there.")] = False,
    parquet: Annotated[
        bool, typer.Option("--parquet", help="Write the manifest as Parquet too.")
    ] = False,
    home: Home = None,
    project: Project = None,
    as_json: AsJson = False,
) -> None:
    """Copy a campaign's pictures and manifest to a folder or bucket, with a page, a table and the
    contact sheet. Files that are there already, and whole, are not copied again.
    """
    settings, delivery = settings_for(home, project), _delivery(sizes or (), profile)
    destination = open_outputs(dest, s3_style=settings.s3_style, called=dest)
    with (
        open_client(settings) as client,
        Progress(console=err, disable=as_json or not err.is_terminal) as bar,
    ):
        task = bar.add_task("copying", total=None)
        done = export_campaign(
            client, campaign, destination, parquet=parquet, previews=not no_previews,
            where=[*(where or ()), *(_APPROVED if approved else ())], names=names,
            delivery=delivery, delete=delete,
            on_progress=lambda done, total: bar.update(task, completed=done, total=total),
        )  # fmt: skip
    if as_json:
        print_json({"campaign": campaign, "destination": destination.address, **asdict(done)})
    else:
        _say_exported(destination.address, done)


def _delivery(sizes: Sequence[str], profile: str | None) -> Delivery:
    if profile is not None and not sizes:
        raise RequestError("--profile is for delivered sizes: name one with --size, too.")
    return Delivery(list(dict.fromkeys(map(delivery_size, sizes))), delivery_profile(profile))


def _say_exported(address: str, done: Exported) -> None:
    say(
        f"{counted(done.pictures, 'picture')} in {address}, {done.copied} of them copied now. Open"
        f" {done.index} to look at them."
    )
    if done.no_sheet:
        say(f"There is no contact sheet: {done.no_sheet}")
    if done.others:
        files = counted(done.others, "other file")
        first = ", ".join(done.first_others) + (
            " …" if done.others > len(done.first_others) else ""
        )
        say(
            f"{files} {'were removed' if done.deleted else 'lie there, which --delete removes'}:"
            f" {first}"
        )


# --- verify ---


def verify(
    campaign: CampaignName,
    sample: Annotated[
        int | None,
        typer.Option("--sample", min=1, help="Paint this many of its renders again, too."),
    ] = None,
    mend: Annotated[
        bool,
        typer.Option(
            "--repair", help="Paint again what is damaged or missing, and put it in its place."
        ),
    ] = False,
    home: Home = None,
    project: Project = None,
    as_json: AsJson = False,
) -> None:
    """Compare every file of a campaign with its recorded hash. Exit codes: 0 all equal, or
    repaired; 1 something differs; 2 the request was wrong.
    """
    settings = settings_for(home, project)
    tell = _print_problem if as_json else _say_problem
    with _open_farm(settings, works=mend or sample is not None) as farm:
        seen = inspect(farm.client, campaign, tell, sample=sample or 0)
        left = seen.wrong
        if mend and seen.damaged:
            left = _repair(farm, campaign, seen, tell, quiet=as_json)
        chosen = {
            number: line for number, line in seen.chosen.items() if number not in seen.damaged
        }
        others = _check_repaints(farm, campaign, chosen, tell, quiet=as_json) if chosen else 0
    counts = {
        "files": seen.files,
        "painted_again": len(chosen),
        "wrong": seen.strangers + left + others,
        "repaired": seen.wrong - left,
        "retired": seen.retired,
    }
    if as_json:
        print_json({"campaign": campaign, **counts})
    else:
        say(f"{campaign}: {_said(counts, mend=mend)}.")
        say_more(campaign, seen, left)
    raise typer.Exit(min(counts["wrong"], 1))


def _print_problem(key: str, problem: str) -> None:
    print_json({"key": key, "problem": problem})


def _say_problem(key: str, problem: str) -> None:
    say(f"{key}: {problem}")


def _said(counts: Mapping[str, int], *, mend: bool) -> str:
    said = [
        f"{counts['files']:,} files looked at",
        f"{counts['painted_again']:,} renders painted again",
        f"{counts['wrong']:,} wrong",
    ]
    return ", ".join([*said, *([f"{counts['repaired']:,} repaired"] if mend else [])])


def say_more(campaign: str, seen: Inspection, left: int) -> None:
    """What can be done about what was seen."""
    if left and left == seen.wrong:
        say(f"`farm verify {campaign} --repair` paints again what is damaged or missing.")
    if seen.retired:
        say(
            f"{seen.retired:,} retired files lie beside them, which no render has any more: `farm"
            f" clean {campaign}` removes them."
        )


@dataclass(frozen=True, kw_only=True)
class _Farm:
    """A farm that is asked: `start` sees to it that there are workers, however often it is called;
    `check` raises once there can be none.
    """

    client: Client
    start: Callable[[], None] = lambda: None
    check: Callable[[], None] = lambda: None


@contextmanager
def _open_farm(settings: Settings, *, works: bool) -> Iterator[_Farm]:
    """The farm that serves the home; if none runs and work is wanted, one of its own on that
    home.
    """
    if not works or running_farm(settings) is not None or "url" in settings.model_fields_set:
        with open_client(settings) as client:
            yield _Farm(client=client)
        return
    with embedded_farm(settings, port=0) as farm, client_of(settings, farm.url) as client:
        yield _Farm(client=client, start=cache(farm.supervisor.start), check=alive(farm))


def _repair(farm: _Farm, campaign: str, seen: Inspection, tell: Tell, *, quiet: bool) -> int:
    """Repair what is damaged; returns how many files are still wrong."""

    def wait_for(name: str) -> CampaignStatus:
        farm.start()
        return follow(farm.client, name, quiet=quiet, check=farm.check)

    return repair(farm.client, campaign, seen.damaged, wait_for, tell)


def _check_repaints(
    farm: _Farm, campaign: str, lines: Mapping[int, Line], tell: Tell, *, quiet: bool
) -> int:
    """Paint renders again and compare them with their lines; returns how many differ."""
    again = farm.client.repaint(campaign, list(lines))
    with farm.client.of(again.project) as client:
        farm.start()
        status = follow(client, again.campaign, quiet=quiet, check=farm.check)
        if status.state == "stopped":
            raise WorkError(f"The renders could not be painted again: {status.halted}")
        repainted = {line["number"]: line for line in client.manifest(again.campaign)}
    wrong = 0
    for number, line in lines.items():
        if problem := repaint_problem(line, repainted.get(number)):
            tell(line["key"] or f"render {number}", problem)
            wrong += 1
    return wrong


# --- clean ---


def clean(
    campaign: CampaignName,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be removed.")
    ] = False,
    yes: Yes = False,
    home: Home = None,
    project: Project = None,
    as_json: AsJson = False,
) -> None:
    """Remove files that no render of a campaign has any more, such as those that an update has
    retired. Only pictures and previews are removed.
    """
    with open_client(settings_for(home, project)) as client:
        found = client.clean(campaign, dry_run=True)
        if not as_json and found.files:
            say("\n".join([*found.first, *(["…"] if found.files > len(found.first) else [])]))
        if dry_run or not found.files:
            removed = 0
        else:
            ask(
                f"Remove {counted(found.files, 'file')} of {campaign} that no render has any"
                " more?",
                yes=yes,
            )
            removed = client.clean(campaign).removed
    if as_json:
        print_json(
            {
                "campaign": campaign,
                "files": found.files,
                "first": found.first,
                "removed": removed,
            }
        )
    elif dry_run:
        say(f"{counted(found.files, 'file')} of {campaign} would be removed.")
    else:
        say(
            counted(
                removed,
                f"file of {campaign} was removed.",
                f"files of {campaign} were removed.",
            )
        )
