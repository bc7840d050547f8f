"""Commands about reviews: `review`, `approve`, `reject`, `undo`, `redo`."""

from typing import Annotated, Any

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
from farm.service.review_views import Decided, ReviewOverview
from storage.errors import RequestError
from storage.states import RejectReason

Json = dict[str, Any]
Numbers = Annotated[
    list[int] | None,
    typer.Argument(help="Renders by number; without, all undecided ones chosen.", min=0),
]
Shot = Annotated[str | None, typer.Option("--shot", help="Only those of this shot.")]
Seed = Annotated[int | None, typer.Option("--seed", help="Only those with this seed.", min=0)]
Where = Annotated[
    list[str] | None,
    typer.Option("--where", help="Only those with this value, like place=beach.", metavar="A=V"),
]
DriftBelow = Annotated[
    float | None, typer.Option("--drift-below", help="Only those measured to drift less.")
]
RuleName = Annotated[
    str | None, typer.Option("--rule", help="Only those that fail this rule of their brand.")
]
Note = Annotated[str | None, typer.Option("--note", help="A sentence that is kept with it.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say how many that would be.")]


def review(
    campaign: CampaignName,
    limit: Annotated[
        int, typer.Option("--limit", help="How many that wait are listed.", min=1, max=1_000_000)
    ] = 50,
    home: Home = None,
    project: Project = None,
    as_json: AsJson = False,
) -> None:
    """List what waits for a decision, and say what was decided."""
    with open_client(settings_for(home, project)) as client:
        overview = client.reviews(campaign)
        waiting = list(client.waiting(campaign, limit=limit))
    if as_json:
        print_json({**overview.as_json(), "waiting": waiting})
        return
    _show_waiting(waiting)
    say(
        f"{campaign} is {overview.state}: {overview.approved:,} approved,"
        f" {overview.rejected:,} rejected, {overview.undecided:,} undecided of"
        f" {counted(overview.total, 'render')}."
    )
    if reasons := overview.rejects_by_reason:
        rejected = ", ".join(f"{count:,} {reason}" for reason, count in reasons.items())
        say(f"Rejected for: {rejected}.")
    for sentence in overview.notable:
        say(sentence)
    if overview.undecided:
        say(_next_step(campaign, overview, len(waiting)))


def approve(
    campaign: CampaignName,
    numbers: Numbers = None,
    shot: Shot = None,
    seed: Seed = None,
    where: Where = None,
    drift_below: DriftBelow = None,
    rule: RuleName = None,
    note: Note = None,
    dry_run: DryRun = False,
    home: Home = None,
    project: Project = None,
    as_json: AsJson = False,
) -> None:
    """Approve renders: the finals of approved proofs are painted, with the same seeds."""
    choice = _choice(
        numbers, shot=shot, seed=seed, where=where or [], drift_below=drift_below, rule=rule
    )
    with open_client(settings_for(home, project)) as client:
        answer = client.approve(campaign, **choice, note=note, dry_run=dry_run)
    _tell(campaign, answer, "approved", as_json=as_json)


def reject(
    campaign: CampaignName,
    numbers: Numbers = None,
    shot: Shot = None,
    seed: Seed = None,
    where: Where = None,
    drift_below: DriftBelow = None,
    rule: RuleName = None,
    reason: Annotated[
        RejectReason | None, typer.Option("--reason", help="Why; counted by axis value.")
    ] = None,
    reroll: Annotated[
        bool, typer.Option("--reroll", help="Paint them again, with the next derived seed.")
    ] = False,
    note: Note = None,
    dry_run: DryRun = False,
    home: Home = None,
    project: Project = None,
    as_json: AsJson = False,
) -> None:
    """Reject renders: no final is painted of them."""
    choice = _choice(
        numbers, shot=shot, seed=seed, where=where or [], drift_below=drift_below, rule=rule
    )
    with open_client(settings_for(home, project)) as client:
        answer = client.reject(
            campaign, **choice, reason=reason, reroll=reroll, note=note, dry_run=dry_run
        )
    _tell(campaign, answer, "rejected", as_json=as_json)


def undo(
    campaign: CampaignName,
    entry: Annotated[
        int | None, typer.Option("--entry", help="Which decision; the last one when not given.")
    ] = None,
    home: Home = None,
    project: Project = None,
    as_json: AsJson = False,
) -> None:
    """Take a decision back. Finals that a worker has already begun are painted all the same."""
    with open_client(settings_for(home, project)) as client:
        answer = client.undo(campaign, entry)
    if as_json:
        print_json({"campaign": campaign, **answer.as_json()})
        return
    say(f"The decision {answer.undoes} about {counted(answer.changed, 'render')} counts no more.")
    _say_effect(answer)


def redo(
    campaign: CampaignName,
    numbers: Annotated[list[int], typer.Argument(help="Renders by number.", min=0)],
    seed: Annotated[int | None, typer.Option("--seed", help="With this seed.", min=0)] = None,
    next_seed: Annotated[
        bool, typer.Option("--next-seed", help="With the next derived seed.")
    ] = False,
    prompt: Annotated[
        str | None, typer.Option("--prompt", help="With this prompt, as a whole.")
    ] = None,
    note: Note = None,
    home: Home = None,
    project: Project = None,
    as_json: AsJson = False,
) -> None:
    """Paint chosen pictures again with a recorded change, as versions of their cells."""
    if (seed is not None) == next_seed and (next_seed or prompt is None):
        raise RequestError(
            "Say what changes: --seed N or --next-seed, one of the two, or a --prompt."
        )
    with open_client(settings_for(home, project)) as client:
        answer = client.redo(
            campaign, numbers, seed=seed, prompt=prompt, next_seed=next_seed, note=note
        )
    if as_json:
        print_json({"campaign": campaign, **answer.as_json()})
        return
    for sentence in answer.why:
        say(sentence)
    if redone := answer.redone:
        say(f"{_renders(len(redone), campaign)} painted again: {_listed(redone)}.")


def _choice(numbers: list[int] | None, **filters: Any) -> Json:
    return {"numbers": numbers or None, **filters}


def _renders(count: int, campaign: str, verb: str | None = None) -> str:
    return counted(
        count, f"render of {campaign} {verb or 'is'}", f"renders of {campaign} {verb or 'are'}"
    )


def _tell(campaign: str, answer: Decided, verb: str, *, as_json: bool) -> None:
    if as_json:
        print_json({"campaign": campaign, **answer.as_json()})
        return
    decided = _renders(answer.changed, campaign, "would be" if answer.dry_run else None)
    say(f"{decided} {verb}.")
    _say_effect(answer)
    for sentence in answer.why:
        say(sentence)


def _say_effect(answer: Decided) -> None:
    """What follows in the queue."""
    if count := answer.queued:
        say(f"{counted(count, 'final is', 'finals are')} queued.")
    if count := answer.withdrawn:
        say(f"{counted(count, 'final was', 'finals were')} taken out of the queue.")
    if count := answer.painted_all_the_same:
        said = counted(count, "final was", "finals were")
        say(f"{said} painted or begun before, and {'stays' if count == 1 else 'stay'}.")
    if redone := answer.redone:
        again = counted(len(redone), "is", "are")
        say(f"{again} painted again with the next seed: {_listed(redone)}.")


def _listed(numbers: list[int]) -> str:
    first = ", ".join(map(str, numbers[:10]))
    return first if len(numbers) <= 10 else f"{first} and {len(numbers) - 10:,} more"


def _show_waiting(waiting: list[Json]) -> None:
    if not waiting:
        return
    table = Table("number", "shot", "seed", "state", box=SIMPLE_HEAD)
    for line in waiting:
        seed = f"{line['seed']}" + (f" (version {line['version']})" * (line["version"] > 1))
        table.add_row(str(line["number"]), line["shot"], seed, line["state"])
    show_table(table)


def _next_step(campaign: str, overview: ReviewOverview, waiting: int) -> str:
    if not waiting and overview.proofs and overview.state == "awaiting_review":
        return (
            f"Those have no proof of their own: `farm approve {campaign}` paints them, `farm"
            f" reject {campaign}` leaves them out."
        )
    return (
        f"`farm approve {campaign} NUMBER…` and `farm reject {campaign} NUMBER…` decide; without"
        " numbers, about all that are undecided."
    )
