"""The command `prune`: what would be forgotten is listed, and a person is asked."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Annotated

import typer

from farm.commands.shared import AsJson, Home, Project, Yes, ask, print_json, say, settings_for
from farm.commands.times import read_age
from farm.config import Settings
from farm.connect import open_client
from farm.documents.counting import counted
from farm.service.views import ForgottenCampaign, Pruned, SparedCampaign
from storage.errors import RequestError

_LISTED = 50


def prune(
    names: Annotated[
        list[str] | None,
        typer.Argument(help="The campaigns, if not all of an age.", metavar="[NAME]..."),
    ] = None,
    older_than: Annotated[
        str | None,
        typer.Option("--older-than", help="How long they have been over, like 30d, 12h or 90m."),
    ] = None,
    all_projects: Annotated[
        bool, typer.Option("--all-projects", help="Those of every project.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be forgotten.")
    ] = False,
    with_pictures: Annotated[
        bool,
        typer.Option("--with-pictures", help="Delete their pictures, previews and manifests too."),
    ] = False,
    previews: Annotated[
        bool,
        typer.Option("--previews", help="Remove their previews alone; forget no campaign."),
    ] = False,
    yes: Yes = False,
    home: Home = None,
    project: Project = None,
    as_json: AsJson = False,
) -> None:
    """Forget campaigns of the project that are over, with their pictures or without. A campaign
    with held renders is spared unless it is named. Without names and --older-than, only a removal
    that was broken off is finished. Exit codes: 0 forgotten; 1 a campaign that was named is
    spared; 2 the request was wrong, or nobody is there to answer.
    """
    if all_projects and project is not None:
        raise RequestError(
            "--project names one project, --all-projects means every one: give one of them."
        )
    age_s = None if older_than is None else read_age(older_than)
    settings = settings_for(home, project)
    if previews:
        if all_projects or with_pictures:
            raise RequestError("--previews goes with neither --all-projects nor --with-pictures.")
        _prune_previews(settings, names or (), age_s, dry_run=dry_run, yes=yes, as_json=as_json)
        return
    _prune_campaigns(
        settings, names or (), age_s, dry_run=dry_run, yes=yes, as_json=as_json,
        all_projects=all_projects, with_pictures=with_pictures,
    )  # fmt: skip


def _prune_campaigns(
    settings: Settings,
    names: Sequence[str],
    age_s: int | None,
    *,
    all_projects: bool,
    with_pictures: bool,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> None:
    with open_client(settings) as client:
        order = partial(
            client.prune,
            names=names,
            all_projects=all_projects,
            with_pictures=with_pictures,
        )
        answer = order(age_s, dry_run=True)
        if not (names or age_s is not None or answer.campaigns):
            raise RequestError(
                "Say which campaigns to forget: name them, or give an age like --older-than 30d."
            )
        if not as_json:
            for line in listing(answer):
                say(line)
        if not dry_run:
            answer = _forget(order, answer, yes=yes)
    _report(answer, as_json=as_json)
    if names and answer.spared and not dry_run:
        raise typer.Exit(1)


def _prune_previews(
    settings: Settings,
    names: Sequence[str],
    age_s: int | None,
    *,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> None:
    if not names and age_s is None:
        raise RequestError(
            "Say whose previews to remove: name campaigns, or give an age like --older-than 30d."
        )
    with open_client(settings) as client:
        answer = client.prune_previews(age_s, names=names, dry_run=True)
        count = sum(campaign.files for campaign in answer.campaigns)
        if not dry_run and count:
            what = counted(len(answer.campaigns), "campaign")
            ask(f"Remove {counted(count, 'preview')} of {what}? The pictures stay.", yes=yes)
            answer = client.prune_previews(age_s, names=names)
    if as_json:
        print_json(answer)
        return
    for spared in answer.spared:
        say(f"{spared.campaign} is spared. {spared.why}")
    count = sum(campaign.files for campaign in answer.campaigns)
    say(f"{counted(count, 'preview')} {'would be removed' if dry_run else 'removed'}.")


def _forget(order: Callable[..., Pruned], found: Pruned, *, yes: bool) -> Pruned:
    if found.campaigns or found.versions or found.uploads:
        ask(question(found), yes=yes)
    # The same moment: nobody was asked about campaigns that have become old enough since.
    return order(over_before=found.over_before)


def _report(answer: Pruned, *, as_json: bool) -> None:
    if as_json:
        print_json({key: value for key, value in answer.as_json().items() if key != "more"})
    else:
        say("\n".join(result(answer)))


def listing(found: Pruned) -> list[str]:
    """What would be forgotten and what is spared, a line each."""
    lines = [_line(campaign) for campaign in found.campaigns[:_LISTED]]
    if len(found.campaigns) > _LISTED:
        lines.append(
            f"… and {len(found.campaigns) - _LISTED:,} more; --dry-run --json lists them all."
        )
    if found.versions:
        versions = counted(found.versions, "version")
        lines.append(
            f"{versions} that updates have replaced; `farm clean` deletes pictures that only they"
            " have."
        )
    return [
        *lines,
        *(f"{_place(spared)} is spared. {spared.why}" for spared in found.spared),
    ]


def question(found: Pruned) -> str:
    what = counted(len(found.campaigns), "campaign")
    whole = [(c.pictures, c.bytes) for c in found.campaigns if c.bytes is not None]
    if whole:
        size = sum(size for _, size in whole) / 1e6
        pictures = counted(sum(pictures for pictures, _ in whole), "picture")
        return f"Forget {what}, and delete {pictures} ({size:,.1f} MB) with their previews?"
    if not found.campaigns and not found.versions:
        return f"Remove {counted(found.uploads, 'uploaded file')} that no campaign names?"
    if not found.campaigns:
        return f"Forget {counted(found.versions, 'replaced version')}?"
    return f"Forget {what}? Their pictures stay."


def result(answer: Pruned) -> list[str]:
    """Lines that say what was forgotten and deleted, or would be, and which files stay."""
    if answer.dry_run:
        count, verb = len(answer.campaigns), "would be forgotten."
    else:
        count = answer.pruned
        verb = "is forgotten." if count == 1 else "are forgotten."
    lines = [f"{counted(count, 'campaign')} {verb}"]
    if answer.uploads:
        gone = "would be removed" if answer.dry_run else "removed"
        lines.append(
            f"{counted(answer.uploads, 'uploaded file')} {gone}, which no campaign names."
        )
    if answer.files_removed:
        lines.append(f"{counted(answer.files_removed, 'file')} deleted.")
    if answer.files_left is None:
        lines.append(
            "Their files stay. How many there are is not known: the outputs cannot be read."
        )
    elif answer.files_left and answer.with_pictures:
        lines.append(
            f"{counted(answer.files_left, 'file')} kept: other campaigns have them, or the farm"
            " did not write them."
        )
    elif answer.files_left:
        lines.append(
            f"{counted(answer.files_left, 'file')} kept as they are. To delete them later, submit"
            " the same campaign again, which takes them up, and prune it with --with-pictures; or"
            " delete its folder in the outputs."
        )
    return lines


def _line(campaign: ForgottenCampaign) -> str:
    renders, pictures = (
        counted(campaign.renders, "render"),
        counted(campaign.pictures, "picture"),
    )
    size = (
        "" if campaign.bytes is None else f" ({campaign.bytes / 1e6:,.1f} MB), which are deleted"
    )
    return f"{_place(campaign)}: {campaign.state}, {renders}, {pictures}{size}"


def _place(campaign: ForgottenCampaign | SparedCampaign) -> str:
    return f"{campaign.project}/{campaign.campaign}"
