"""Commands that change campaigns: `pause`, `resume`, `cancel`, `retry`, `priority`; and `why`,
which explains them.
"""

import re
from typing import Annotated, Any

import typer

from farm.commands.shared import AsJson, CampaignName, Home, Project, print_json, say, settings_for
from farm.connect import open_client
from farm.service.views import CampaignStatus
from storage.errors import RequestError

Target = Annotated[
    str,
    typer.Argument(
        help="A campaign, or one render of it as CAMPAIGN/NUMBER.", metavar="CAMPAIGN[/NUMBER]"
    ),
]


def pause(
    campaign: CampaignName, home: Home = None, project: Project = None, as_json: AsJson = False
) -> None:
    """Start nothing more of a campaign; chunks under way are finished."""
    with open_client(settings_for(home, project)) as client:
        _tell(client.pause(campaign), as_json=as_json)


def resume(
    campaign: CampaignName, home: Home = None, project: Project = None, as_json: AsJson = False
) -> None:
    """Let a campaign go on that was paused, or was stopped by the farm."""
    with open_client(settings_for(home, project)) as client:
        _tell(client.resume(campaign), as_json=as_json)


def cancel(
    campaign: CampaignName, home: Home = None, project: Project = None, as_json: AsJson = False
) -> None:
    """Want nothing of a campaign any more. Workers stop within a batch; renders that are done stay
    done.
    """
    with open_client(settings_for(home, project)) as client:
        _tell(client.cancel(campaign), as_json=as_json)


def priority(
    campaign: CampaignName,
    level: Annotated[int, typer.Argument(help="0 to 100; higher goes first.", min=0, max=100)],
    home: Home = None,
    project: Project = None,
    as_json: AsJson = False,
) -> None:
    """Set a campaign's place among the others."""
    with open_client(settings_for(home, project)) as client:
        _tell(client.set_priority(campaign, level), as_json=as_json)


def retry(
    target: Target,
    failed: Annotated[bool, typer.Option("--failed", help="Only those that failed.")] = False,
    held: Annotated[bool, typer.Option("--held", help="Only those that are held.")] = False,
    home: Home = None,
    project: Project = None,
    as_json: AsJson = False,
) -> None:
    """Try renders that failed or are held again: all of them, one kind, or one render."""
    campaign, number = split_target(target)
    both = failed == held
    with open_client(settings_for(home, project)) as client:
        answer = client.retry(campaign, failed=failed or both, held=held or both, render=number)
    if as_json:
        print_json(_some(answer, "campaign", "retried", "state", "renders", "why"))
    else:
        say(
            "\n".join([f"{answer.retried:,} renders of {campaign} are queued again.", *answer.why])
        )


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


def _tell(status: CampaignStatus, *, as_json: bool) -> None:
    if as_json:
        print_json(_some(status, "campaign", "state", "priority", "renders"))
    else:
        say(
            f"{status.campaign} is {status.state}, priority {status.priority},"
            f" {status.renders.left:,} renders left."
        )


def _some(status: CampaignStatus, *names: str) -> dict[str, Any]:
    """These parts of an answer, in this order."""
    answer = status.as_json()
    return {name: answer[name] for name in names}
