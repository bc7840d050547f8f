"""Commands that change campaigns: `pause`, `resume`, `cancel`, `retry`, `priority`; and `why`,
which explains them.
"""

import re
from collections.abc import Callable
from functools import partial
from typing import Annotated

import typer

from farm.client.client import Client
from farm.commands.bulk import All, Choice, DryRun, Manner, Names, States, give
from farm.commands.completion import campaign_names
from farm.commands.shared import AsJson, Home, Project, Yes, print_json, say, settings_for
from farm.connect import open_client
from farm.documents.counting import counted
from farm.service.views import CampaignRowView, CampaignStatus
from storage.errors import RequestError
from storage.states import CampaignState

Target = Annotated[
    str,
    typer.Argument(
        help="A campaign, or one render of it as CAMPAIGN/NUMBER.",
        metavar="CAMPAIGN[/NUMBER]",
        autocompletion=campaign_names,
    ),
]
Targets = Annotated[
    list[str] | None,
    typer.Argument(
        help="Campaigns, or renders of them as CAMPAIGN/NUMBER.",
        metavar="[CAMPAIGN[/NUMBER]]...",
        autocompletion=campaign_names,
    ),
]


def _moves(row: CampaignRowView) -> bool:
    return row.state in (CampaignState.QUEUED, CampaignState.RUNNING)


def _rests(row: CampaignRowView) -> bool:
    return row.state in (CampaignState.PAUSED, CampaignState.HALTED)


def _is_open(row: CampaignRowView) -> bool:
    return row.finished_at is None


def _has_failures(row: CampaignRowView) -> bool:
    return row.renders.failed + row.renders.held > 0


def pause(
    names: Names = None,
    everything: All = False,
    state: States = None,
    yes: Yes = False,
    dry_run: DryRun = False,
    home: Home = None,
    project: Project = None,
    as_json: AsJson = False,
) -> None:
    """Start nothing more of a campaign; chunks under way are finished."""
    choice = Choice(names=names or (), everything=everything, states=state or ())
    manner = Manner(yes=yes, dry_run=dry_run, as_json=as_json)
    with open_client(settings_for(home, project)) as client:
        order = _told(client.pause, as_json=as_json)
        give(client, choice, manner, verb="pause", can_change=_moves, order=order)


def resume(
    names: Names = None,
    everything: All = False,
    state: States = None,
    yes: Yes = False,
    dry_run: DryRun = False,
    home: Home = None,
    project: Project = None,
    as_json: AsJson = False,
) -> None:
    """Let a campaign go on that was paused, or was stopped by the farm."""
    choice = Choice(names=names or (), everything=everything, states=state or ())
    manner = Manner(yes=yes, dry_run=dry_run, as_json=as_json)
    with open_client(settings_for(home, project)) as client:
        order = _told(client.resume, as_json=as_json)
        give(client, choice, manner, verb="resume", can_change=_rests, order=order)


def cancel(
    names: Names = None,
    everything: All = False,
    state: States = None,
    yes: Yes = False,
    dry_run: DryRun = False,
    home: Home = None,
    project: Project = None,
    as_json: AsJson = False,
) -> None:
    """Want nothing of a campaign any more. Workers stop within a batch; renders that are done stay
    done.
    """
    choice = Choice(names=names or (), everything=everything, states=state or ())
    manner = Manner(yes=yes, dry_run=dry_run, as_json=as_json)
    with open_client(settings_for(home, project)) as client:
        order = _told(client.cancel, as_json=as_json)
        give(client, choice, manner, verb="cancel", can_change=_is_open, order=order)


def priority(
    names: Names,
    level: Annotated[int, typer.Argument(help="0 to 100; higher goes first.", min=0, max=100)],
    everything: All = False,
    state: States = None,
    yes: Yes = False,
    dry_run: DryRun = False,
    home: Home = None,
    project: Project = None,
    as_json: AsJson = False,
) -> None:
    """Set a campaign's place among the others."""
    choice = Choice(names=names or (), everything=everything, states=state or ())
    manner = Manner(yes=yes, dry_run=dry_run, as_json=as_json)
    with open_client(settings_for(home, project)) as client:
        order = _told(lambda name: client.set_priority(name, level), as_json=as_json)
        give(client, choice, manner, verb="reorder", can_change=_is_open, order=order)


def retry(
    targets: Targets = None,
    failed: Annotated[bool, typer.Option("--failed", help="Only those that failed.")] = False,
    held: Annotated[bool, typer.Option("--held", help="Only those that are held.")] = False,
    everything: All = False,
    state: States = None,
    yes: Yes = False,
    dry_run: DryRun = False,
    home: Home = None,
    project: Project = None,
    as_json: AsJson = False,
) -> None:
    """Try renders that failed or are held again: all of them, one kind, or one render."""
    choice = Choice(names=targets or (), everything=everything, states=state or ())
    manner = Manner(yes=yes, dry_run=dry_run, as_json=as_json)
    both = failed == held
    with open_client(settings_for(home, project)) as client:
        order = partial(_retry, client, failed=failed or both, held=held or both, as_json=as_json)
        give(
            client, choice, manner,
            verb="retry", can_change=_has_failures, order=order,
        )  # fmt: skip


def _retry(client: Client, target: str, *, failed: bool, held: bool, as_json: bool) -> None:
    campaign, number = split_target(target)
    answer = client.retry(campaign, failed=failed, held=held, render=number)
    if as_json:
        print_json(answer)
    else:
        say("\n".join([_queued_again(answer.retried, campaign), *answer.why]))


def _queued_again(count: int, campaign: str) -> str:
    one, many = f"render of {campaign} is", f"renders of {campaign} are"
    return f"{counted(count, one, many)} queued again."


def why(
    target: Target, home: Home = None, project: Project = None, as_json: AsJson = False
) -> None:
    """Why a campaign or a render is waiting, or how it ended."""
    campaign, number = split_target(target)
    with open_client(settings_for(home, project)) as client:
        sentences = client.why(campaign, number)
    if as_json:
        print_json({"campaign": campaign, "render": number, "why": sentences})
    else:
        say("\n".join(sentences))


def split_target(text: str) -> tuple[str, int | None]:
    """A campaign's name, and the number where one render is meant."""
    campaign, slash, number = text.partition("/")
    if slash and not re.fullmatch("[0-9]{1,18}", number):
        raise RequestError(
            f"{text!r} names no render: write CAMPAIGN/NUMBER, with a number from the manifest."
        )
    return campaign, int(number) if slash else None


def _told(order: Callable[[str], CampaignStatus], *, as_json: bool) -> Callable[[str], None]:
    """An order that says what became of the campaign."""

    def give_and_tell(name: str) -> None:
        status = order(name)
        if as_json:
            print_json(status)
        else:
            say(
                f"{status.campaign} is {status.state}, priority {status.priority},"
                f" {counted(status.renders.left, 'render')} left."
            )

    return give_and_tell
