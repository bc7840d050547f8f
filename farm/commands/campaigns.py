"""Commands about campaigns: `submit`, `watch`, `sheet`."""

from pathlib import Path
from typing import Annotated, Any

import typer

from farm.campaign.loading import load_campaign
from farm.client.client import Client
from farm.commands.farms import report
from farm.commands.progress import follow, states_of
from farm.commands.shared import (
    AsJson,
    CampaignName,
    CampaignPath,
    Fresh,
    Home,
    Project,
    Update,
    print_json,
    say,
    say_aside,
    say_warnings,
    settings_for,
)
from farm.connect import open_client, running_farm
from farm.scheduling.budget import estimate_sentence
from storage.errors import RequestError, WorkError

Json = dict[str, Any]
COUNTS = ("queued", "running", "held", "done", "failed", "cancelled")


def submit(
    file: CampaignPath,
    home: Home = None,
    project: Project = None,
    wait: Annotated[
        bool,
        typer.Option(
            "--wait", help="Wait until it is painted, then write its sheet and manifest."
        ),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only check the file and say what it would do.")
    ] = False,
    update: Update = False,
    fresh: Fresh = False,
    as_json: AsJson = False,
) -> None:
    """Give a campaign to the running farm. Submitting the same file twice does it once."""
    settings = settings_for(home, project)
    loaded = load_campaign(file)
    name = loaded.campaign.name
    if not dry_run and running_farm(settings) is None:
        raise RequestError(
            "No farm is running: start one with `farm up`, or paint this campaign alone with `farm"
            " run FILE`."
        )
    with open_client(settings) as client:
        answer = client.submit(loaded, dry_run=dry_run, update=update, fresh=fresh)
        say_warnings(loaded.document, answer["warnings"])
        if dry_run:
            print_json(answer) if as_json else _show_plan(answer, is_update=update)
        elif wait:
            status = follow(client, name, quiet=as_json)
            target = settings.home / "sheets" / settings.project / f"{name}.png"
            report(client, status, target, as_json=as_json, warnings=answer["warnings"])
        elif as_json:
            print_json({**_summary(answer), "sheet": None, "manifest": None})
        elif updated := answer.get("updated"):
            stopped = f" It stays stopped: {answer['halted']}" if answer["halted"] else ""
            say(f"Updated {name}: {_counted(updated)}.{stopped}")
        else:
            verb = "Submitted" if answer["created"] else "Known already:"
            stopped = (
                f"It stays stopped: {answer['halted']}"
                if answer["halted"]
                else f"`farm watch {name}` follows it."
            )
            say(f"{verb} {name}, {answer['renders']['total']:,} renders. {stopped}")


def watch(
    campaign: CampaignName, home: Home = None, project: Project = None, as_json: AsJson = False
) -> None:
    """Follow a campaign until it is over."""
    settings = settings_for(home, project)
    with open_client(settings) as client:
        if running_farm(settings) is None and client.status(campaign)["state"] in (
            "queued",
            "running",
        ):
            raise RequestError(
                "No farm is running, so nothing moves: start one with `farm up`, or use `farm run"
                " FILE`."
            )
        answer = (
            _follow_as_json(client, campaign) if as_json else follow(client, campaign, quiet=False)
        )
    if answer["state"] == "awaiting_review":
        say_aside(f"`farm review {campaign}` lists what waits for a decision.")
    elif answer["state"] != "done":
        raise WorkError(
            f"The campaign {campaign} is {answer['state']}:"
            f" {answer['halted'] or '`farm status` says why.'}"
        )


def _follow_as_json(client: Client, campaign: str) -> Json:
    """A line for each change, the last one at the end."""
    last: Json = {}
    for answer in states_of(client, campaign):
        if answer != last:
            print_json(answer)
        last = answer
    return last


def sheet(
    campaign: CampaignName,
    proofs: Annotated[
        bool, typer.Option("--proofs", help="Of the proofs, not of the finals.")
    ] = False,
    steps: Annotated[
        bool,
        typer.Option("--steps", help="A filmstrip of each picture: its previews, then itself."),
    ] = False,
    where: Annotated[
        list[str] | None,
        typer.Option("--where", help="Only these, as in product=mug. Repeatable."),
    ] = None,
    out_file: Annotated[
        Path | None,
        typer.Option("--out", help="Where the sheet goes; CAMPAIGN.png when not given."),
    ] = None,
    home: Home = None,
    project: Project = None,
    as_json: AsJson = False,
) -> None:
    """Draw the contact sheet of what is done so far."""
    with open_client(settings_for(home, project)) as client:
        if steps:
            data = client.filmstrip(campaign, where=where or ())
        else:
            stage = "proof" if proofs else "final"
            data = client.sheet(campaign, where=where or (), stage=stage)
    target = (out_file or Path(f"{campaign}.png")).absolute()
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    except OSError as exc:
        raise RequestError(
            f"The sheet cannot be written to {target} ({exc.strerror}): choose another place with"
            " --out."
        ) from exc
    (
        print_json({"campaign": campaign, "sheet": str(target)})
        if as_json
        else say(f"Contact sheet: {target}")
    )


def _summary(status: Json) -> Json:
    summary = {key: status[key] for key in ("campaign", "state", "renders", "warnings")}
    return summary | ({"updated": status["updated"]} if "updated" in status else {})


def _counted(updated: Json) -> str:
    return (
        f"{updated['kept']:,} renders kept, {updated['new']:,} to paint, {updated['retired']:,}"
        " retired"
    )


def _show_changes(plan: Json) -> None:
    """What an update would do, with the first renders of each kind."""
    if (updated := plan.get("updated")) is None:
        say(f"No campaign {plan['campaign']} was submitted before: it would be a new one.")
        return
    changes = plan["changes"]
    took = f" in about {changes['estimate_s']:,.0f} s of device time" if updated["new"] else ""
    say(f"As an update: {_counted(updated)}{took}.")
    for kind in ("kept", "new", "retired"):
        named, count = changes[kind], updated[kind]
        for name in named:
            say(f"  {kind}  {name}")
        if count > len(named):
            say(f"  {kind}  and {count - len(named):,} more")


def _show_plan(plan: Json, *, is_update: bool) -> None:
    axes = " x ".join(f"{count} {name}" for name, count in plan["axes"].items())
    batches = ", ".join(map(str, plan["batch"]))
    say(
        f"{plan['campaign']}: {plan['renders']:,} renders ({axes or 'no axes'} x {plan['seeds']}"
        f" seeds), {plan['groups']} groups."
    )
    say(
        f"Batches of {batches}, chunks of {plan['chunk']} renders, {plan['megapixel_steps']:,}"
        " megapixel-steps in all."
    )
    if estimate := estimate_sentence(plan):
        say(estimate)
    if is_update:
        _show_changes(plan)
    for kind in ("references", "adapters"):
        for address, digest in plan[kind].items():
            say(f"  {kind.removesuffix('s')} {address} ({digest[:12]})")
    say("For example:")
    for render in plan["first"]:
        say(
            f"  {render['shot']}  seed {render['seed']}: {render['prompt']}"
            + (f"  (not: {render['negative']})" if render["negative"] else "")
            + (f"  from {render['reference']}" if render["reference"] else "")
        )
