"""Commands about campaigns: `submit`, `watch`."""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from farm.campaign.loading import CampaignFile
from farm.client.client import Client
from farm.commands.bulk import for_each
from farm.commands.campaign_files import CampaignFiles, campaign_paths, load_given
from farm.commands.farms import report
from farm.commands.progress import follow, leaving_it, patience, states_of
from farm.commands.shared import (
    AsJson,
    CampaignName,
    Fresh,
    Home,
    Project,
    Timeout,
    Update,
    budget_sentence,
    print_json,
    say,
    say_aside,
    say_warnings,
    settings_for,
)
from farm.connect import open_client, running_farm
from farm.documents.counting import counted
from farm.service.views import CampaignStatus, Plan, Submitted, UpdateCounts
from storage.errors import RequestError, Unreachable, WorkError
from storage.keys import is_preview
from storage.states import Stage

LOOK_S = 2.0


Named = Annotated[str | None, typer.Option("--name", help="Another name than that in the file.")]
Given = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        help="A key in the place of the file's, as YAML: settings.steps=30. Repeatable.",
        metavar="KEY=VALUE",
    ),
]
_Wait = Annotated[
    bool,
    typer.Option("--wait", help="Wait until it is painted, then write its sheet and manifest."),
]
_DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Only check the file and say what it would do.")
]


def submit(
    files: CampaignFiles,
    home: Home = None,
    project: Project = None,
    name: Named = None,
    given: Given = None,
    wait: _Wait = False,
    timeout: Timeout = None,
    dry_run: _DryRun = False,
    update: Update = False,
    fresh: Fresh = False,
    as_json: AsJson = False,
) -> None:
    """Give a campaign to the running farm. Submitting the same file twice does it once."""
    settings = settings_for(home, project)
    paths = campaign_paths(files)
    keys = given_keys(paths, given, name)
    if timeout is not None and not wait:
        raise RequestError("--timeout says how long --wait waits: give both.")
    how = _How(update=update, fresh=fresh, as_json=as_json)
    if dry_run:
        with open_client(settings) as client:
            for_each(
                paths, lambda path: _plan(client, load_given(path, keys), how), as_json=as_json
            )
        return
    first = load_given(paths[0], keys) if len(paths) == 1 else None  # before a farm is looked for
    if running_farm(settings) is None:
        raise Unreachable(
            "No farm is running: start one with `farm up`, or paint this campaign alone with `farm"
            " run FILE`."
        )
    with open_client(settings) as client:

        def one(path: Path) -> None:
            loaded = first or load_given(path, keys)
            answer = _submit(client, loaded, how, wait=wait)
            if wait:
                target = settings.home / "sheets" / settings.project
                _wait(client, answer, target, timeout, as_json=as_json)

        for_each(paths, one, as_json=as_json)


def given_keys(paths: Sequence[Path], given: Sequence[str] | None, name: str | None) -> list[str]:
    """The keys that options put in the place of a file's. Raises RequestError for one name and
    several files.
    """
    if name is not None and len(paths) > 1:
        raise RequestError(f"--name names one campaign, and there are {len(paths)} files.")
    return [*(given or ()), *([] if name is None else [f"name={json.dumps(name)}"])]


@dataclass(frozen=True, kw_only=True)
class _How:
    """How campaigns are submitted and told about."""

    update: bool
    fresh: bool
    as_json: bool


def _plan(client: Client, loaded: CampaignFile, how: _How) -> None:
    plan = client.plan(loaded, update=how.update, fresh=how.fresh)
    say_warnings(loaded.document, plan.warnings)
    print_json(plan) if how.as_json else _show_plan(plan, is_update=how.update)


def _submit(client: Client, loaded: CampaignFile, how: _How, *, wait: bool) -> Submitted:
    """Submit a campaign, and say what that did unless it is waited for."""
    answer = client.submit(loaded, update=how.update, fresh=how.fresh)
    say_warnings(loaded.document, answer.warnings)
    if how.as_json and not wait:
        print_json({**answer.as_json(), "sheet": None, "manifest": None})
    elif not wait:
        say(_submitted_sentence(answer))
    return answer


def _submitted_sentence(answer: Submitted) -> str:
    name = answer.campaign
    stopped = f" It stays stopped: {answer.halted}" if answer.halted else ""
    if updated := answer.updated:
        return f"Updated {name}: {_counted(updated)}.{stopped}"
    verb = "Submitted" if answer.created else "Known already:"
    follows = stopped or f" `farm watch {name}` follows it."
    return f"{verb} {name}, {counted(answer.renders.total, 'render')}.{follows}"


def _wait(
    client: Client, answer: Submitted, folder: Path, timeout: str | None, *, as_json: bool
) -> None:
    """Follow a campaign that was submitted to its end, and report it."""
    name = answer.campaign
    with leaving_it(name):
        status = follow(client, name, quiet=as_json, check=patience(name, timeout))
        target = folder / f"{name}.png"
        report(client, status, target, as_json=as_json, warnings=answer.warnings)


def watch(
    campaign: CampaignName,
    steps: Annotated[
        bool,
        typer.Option("--steps", help="Name each preview once it is stored."),
    ] = False,
    timeout: Timeout = None,
    home: Home = None,
    project: Project = None,
    as_json: AsJson = False,
) -> None:
    """Follow a campaign until it is over."""
    settings = settings_for(home, project)
    check = patience(campaign, timeout)
    with open_client(settings) as client, leaving_it(campaign):
        if running_farm(settings) is None and client.status(campaign).state in (
            "queued",
            "running",
        ):
            raise Unreachable(
                "No farm is running, so nothing moves: start one with `farm up`, or use `farm run"
                " FILE`."
            )
        looks = _Looks(client, campaign)

        def look() -> None:
            check()
            if steps:
                looks.tell_soon()

        answer = (
            _follow_as_json(client, campaign, check)
            if as_json
            else follow(client, campaign, quiet=False, check=look)
        )
        if steps and not as_json:
            looks.tell()
    if answer.state == "awaiting_review":
        say_aside(f"`farm review {campaign}` lists what waits for a decision.")
    elif answer.state != "done":
        raise WorkError(
            f"The campaign {campaign} is {answer.state}:"
            f" {answer.halted or '`farm status` says why.'}"
        )


class _Looks:
    """Previews that were not there before. Each look lists the campaign's files."""

    def __init__(self, client: Client, campaign: str) -> None:
        self._client = client
        self._campaign = campaign
        self._told: set[str] = set()
        self._next = 0.0

    def tell_soon(self) -> None:
        """Name the new ones, unless that was done a moment ago."""
        if time.monotonic() >= self._next:
            self.tell()
            self._next = time.monotonic() + LOOK_S

    def tell(self) -> None:
        files = self._client.files(self._campaign)
        new = sorted(key for key in files if _is_preview(key) and key not in self._told)
        self._told.update(new)
        for key in new:
            say(key)


def _is_preview(key: str) -> bool:
    _project, _campaign, place = key.split("/", 2)
    return any(is_preview(place, stage) for stage in Stage)


def _follow_as_json(client: Client, campaign: str, check: Callable[[], None]) -> CampaignStatus:
    """A line for each change, the last one at the end."""
    last: CampaignStatus | None = None
    for answer in states_of(client, campaign, check):
        if answer != last:
            print_json(answer)
        last = answer
    assert last is not None
    return last


def _counted(updated: UpdateCounts) -> str:
    kept = counted(updated.kept, "render")
    return f"{kept} kept, {updated.new:,} to paint, {updated.retired:,} retired"


def _show_changes(plan: Plan) -> None:
    """What an update would do, with the first renders of each kind."""
    updated, changes = plan.updated, plan.changes
    if updated is None or changes is None:
        say(f"No campaign {plan.campaign} was submitted before: it would be a new one.")
        return
    took = f" in about {changes.estimate_s:,.0f} s of device time" if updated.new else ""
    say(f"As an update: {_counted(updated)}{took}.")
    for kind, named, count in (
        ("kept", changes.kept, updated.kept),
        ("new", changes.new, updated.new),
        ("retired", changes.retired, updated.retired),
    ):
        for name in named:
            say(f"  {kind}  {name}")
        if count > len(named):
            say(f"  {kind}  and {count - len(named):,} more")


def _show_plan(plan: Plan, *, is_update: bool) -> None:
    axes = " x ".join(f"{count} {name}" for name, count in plan.axes.items())
    batches = ", ".join(map(str, plan.batch))
    say(
        f"{plan.campaign}: {counted(plan.renders, 'render')} ({axes or 'no axes'} x"
        f" {counted(plan.seeds, 'seed')}), {counted(plan.groups, 'group')}."
    )
    say(
        f"Batches of {batches}, chunks of {counted(plan.chunk, 'render')},"
        f" {plan.megapixel_steps:,}"
        " megapixel-steps in all."
    )
    if estimate := budget_sentence(plan):
        say(estimate)
    if is_update:
        _show_changes(plan)
    named = {
        "reference": plan.references,
        "control": plan.controls,
        "likeness": plan.ip_adapters,
        "upscale": plan.upscalers,
        "adapter": plan.adapters,
    }
    for kind, files in named.items():
        for address, digest in files.items():
            say(f"  {kind} {address} ({digest[:12]})")
    say("For example:")
    for render in plan.first:
        say(
            f"  {render.shot}  seed {render.seed}: {render.prompt}"
            + (f"  (not: {render.negative})" if render.negative else "")
            + (f"  from {render.reference}" if render.reference else "")
        )
