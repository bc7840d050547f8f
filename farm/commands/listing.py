"""Commands that look at campaigns without waiting: `list`, `status`. They load as little as they
can.
"""

import time
from collections.abc import Iterator, Sequence
from typing import Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table

from farm.client.client import Client
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
from farm.commands.times import age_text, read_age
from farm.connect import open_client
from farm.documents.counting import counted
from farm.scheduling.budget import money_of, spent_of
from farm.scheduling.money_text import clock_text, money_text
from farm.service.views import CampaignRowView, CampaignStatus
from storage.errors import RequestError
from storage.states import CampaignState


def list_campaigns(
    everywhere: Annotated[
        bool, typer.Option("--all-projects", "-A", help="Those of every project.")
    ] = False,
    state: Annotated[
        list[CampaignState] | None,
        typer.Option("--state", help="Only those in this state. Repeatable."),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option("--since", help="Only those submitted lately, like 2d, 12h or 90m."),
    ] = None,
    home: Home = None,
    project: Project = None,
    as_json: AsJson = False,
) -> None:
    """The campaigns of the project, the newest first."""
    if everywhere and project is not None:
        raise RequestError(
            "--project names one project, --all-projects means every one: give one of them."
        )
    oldest = 0.0 if since is None else time.time() - read_age(since)
    with open_client(settings_for(home, project)) as client:
        rows = [
            row
            for row in client.campaigns(all_projects=everywhere)
            if row.created_at >= oldest and (not state or row.state in state)
        ]
    if as_json:
        for row in rows:
            print_json(row)
        return
    show_table(table_of(rows, time.time(), has_projects=everywhere))
    for sentence in dict.fromkeys(row.standstill for row in rows if row.standstill):
        say(f"Standing still: {sentence}")
    for row in rows:
        if row.refusal and not row.standstill and not row.renders.running:
            say(f"{row.campaign} waits: {row.refusal.sentence}")


def table_of(rows: Sequence[CampaignRowView], now: float, *, has_projects: bool) -> Table:
    """Campaigns as a table that fits a terminal of 80 columns. `done` says of how many, `left` how
    long it will take.
    """
    project = ["project"] if has_projects else []
    table = Table(*project, "campaign", "state", "prio", box=SIMPLE_HEAD, show_edge=False)
    table.padding = (0, 0 if has_projects else 1, 0, 0)
    for name in ("done", "problems", "rate", "left", "cost", "age"):
        table.add_column(name, justify="right")
    for row in rows:
        counts = row.renders
        problems = {"failed": counts.failed, "held": counts.held}
        table.add_row(
            *([row.project] if has_projects else []),
            row.campaign,
            f"{row.state}, stands still" if row.standstill else row.state,
            str(row.priority),
            f"{counts.done:,}/{counts.total:,}",
            ", ".join(f"{count:,} {word}" for word, count in problems.items() if count),
            rate_text(row.renders_per_s),
            "" if row.eta is None else age_text(row.eta - now),
            cost_text(row),
            age_text(now - row.created_at),
        )
    return table


def rate_text(renders_per_s: float | None) -> str:
    """A pace in the unit that gives it a number of one or more, if there is one."""
    if not renders_per_s:
        return ""
    for unit, length in (("s", 1), ("min", 60)):
        if renders_per_s * length >= 1:
            return f"{renders_per_s * length:.2g}/{unit}"
    return f"{renders_per_s * 3_600:.2g}/h"


def cost_text(row: CampaignRowView) -> str:
    """Its cost in money if workers have prices, else in device hours."""
    if row.money is not None:
        return f"{row.money:,.2f}"
    return f"{row.device_s / 3_600:,.2f} h"


def _rule_sentences(client: Client, campaign: str) -> Iterator[str]:
    """How many pictures fail each rule of their brand, and the value of an axis that most of them
    have.
    """
    rules = client.rules(campaign)
    if not rules.judged:
        return
    yield (
        f"By the rules of {rules.brand}, {rules.passed:,} of"
        f" {counted(rules.judged, 'picture')} pass."
    )
    for name, rule in rules.rules.items():
        values = [
            (count, f"{axis}={label}")
            for axis, counts in rule.axes.items()
            for label, count in counts.items()
        ]
        most, value = max(values, default=(0, ""), key=lambda found: found[0])
        where = f", {most:,} of them with {value}" if value else ""
        yield f"  {name}: {rule.failed:,} fail{where}"


def _failure_sentences(answer: CampaignStatus) -> Iterator[str]:
    for failure in answer.failures:
        yield (f"Render {failure.number} {failure.state} ({failure.reason}): {failure.detail}")


def cost_sentences(answer: CampaignStatus) -> Iterator[str]:
    """What a campaign has cost, how fast it is painted, and when it will be done."""
    if answer.budget_s is not None:
        yield f"It has spent {spent_of(answer.device_s, answer.budget_s)}."
    if answer.budget_money is not None:
        yield f"It has spent {money_of(answer.money or 0.0, answer.budget_money)}."
    elif answer.money is not None:
        yield f"It has cost {money_text(answer.money)}."
    if answer.eta is not None and answer.eta_low is not None and answer.eta_high is not None:
        rate = f", at {answer.renders_per_s:.3g} renders/s" if answer.renders_per_s else ""
        yield (
            f"It will be done at about {clock_text(answer.eta)}, between"
            f" {clock_text(answer.eta_low)} and {clock_text(answer.eta_high)}{rate}."
        )


def status(
    campaign: CampaignName, home: Home = None, project: Project = None, as_json: AsJson = False
) -> None:
    """Where a campaign is."""
    with open_client(settings_for(home, project)) as client:
        answer = client.status(campaign)
        rules = [] if as_json else list(_rule_sentences(client, campaign))
    if as_json:
        print_json(answer)
        return
    counts = ", ".join(
        f"{count:,} {name}"
        for name, count in answer.renders
        if name not in ("total", "held_by_rule") and count
    )
    say(
        f"{campaign} is {answer.state}: {counts} of {counted(answer.renders.total, 'render')},"
        f" model {answer.model}."
    )
    if proofs := answer.proofs:
        say(f"Proofs: {proofs.done:,} done of {proofs.total:,}.")
    if answer.state == "awaiting_review":
        say(f"It waits for a person: `farm review {campaign}` lists what to decide.")
    for sentence in cost_sentences(answer):
        say(sentence)
    if answer.waits_for:
        say(f"It waits for something that cannot be used now: {answer.waits_for}")
    elif answer.standstill:
        say(f"It stands still: {answer.standstill}")
    elif answer.refusal:
        say(f"The rest of it waits: {answer.refusal.sentence}")
    if answer.halted:
        say(f"It was stopped: {answer.halted}")
    for sentence in [*rules, *_failure_sentences(answer)]:
        say(sentence)
