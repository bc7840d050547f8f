"""Commands that look at campaigns without waiting: `list`, `status`. They load as little as they
can.
"""

from collections.abc import Iterator

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
from farm.connect import open_client
from farm.scheduling.budget import spent_of
from farm.scheduling.money_text import clock_text, money_text
from farm.service.views import CampaignStatus


def list_campaigns(home: Home = None, project: Project = None, as_json: AsJson = False) -> None:
    """The campaigns of the project, the newest first."""
    with open_client(settings_for(home, project)) as client:
        rows = client.campaigns()
    if as_json:
        for row in rows:
            print_json(row)
        return
    table = Table(
        "campaign",
        "state",
        "priority",
        "renders",
        "left",
        "done",
        "failed",
        "held",
        box=SIMPLE_HEAD,
    )
    for row in rows:
        counts = row.renders
        numbers = (counts.total, counts.left, counts.done, counts.failed, counts.held)
        state = f"{row.state}, stands still" if row.standstill else row.state
        table.add_row(
            row.campaign, state, str(row.priority), *(f"{number:,}" for number in numbers)
        )
    show_table(table)
    for sentence in dict.fromkeys(row.standstill for row in rows if row.standstill):
        say(f"Standing still: {sentence}")
    for row in rows:
        if row.refusal and not row.standstill and not row.renders.running:
            say(f"{row.campaign} waits: {row.refusal.sentence}")


def _rule_sentences(client: Client, campaign: str) -> Iterator[str]:
    """How many pictures fail each rule of their brand, and the value of an axis that most of them
    have.
    """
    rules = client.rules(campaign)
    if not rules.judged:
        return
    yield (f"By the rules of {rules.brand}, {rules.passed:,} of {rules.judged:,} pictures pass.")
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
    if answer.money is not None:
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
        f"{count:,} {name}" for name, count in answer.renders if name != "total" and count
    )
    say(
        f"{campaign} is {answer.state}: {counts} of {answer.renders.total:,} renders,"
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
