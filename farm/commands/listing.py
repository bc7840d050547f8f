"""Commands that look at campaigns without waiting: `list`, `status`. They load as little as they
can.
"""

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
from farm.scheduling.budget import spent_of

COUNTS = (
    "queued",
    "running",
    "held",
    "done",
    "failed",
    "cancelled",
    "rejected",
    "undecided",
)


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
        counts = row["renders"]
        left = counts["queued"] + counts["running"]
        numbers = (counts["total"], left, counts["done"], counts["failed"], counts["held"])
        state = f"{row['state']}, stands still" if row["standstill"] else row["state"]
        table.add_row(
            row["campaign"], state, str(row["priority"]), *(f"{number:,}" for number in numbers)
        )
    show_table(table)
    for sentence in dict.fromkeys(row["standstill"] for row in rows if row["standstill"]):
        say(f"Standing still: {sentence}")
    for row in rows:
        if row["refusal"] and not row["standstill"] and not row["renders"]["running"]:
            say(f"{row['campaign']} waits: {row['refusal']['sentence']}")


def status(
    campaign: CampaignName, home: Home = None, project: Project = None, as_json: AsJson = False
) -> None:
    """Where a campaign is."""
    with open_client(settings_for(home, project)) as client:
        answer = client.status(campaign)
    if as_json:
        print_json(answer)
        return
    counts = ", ".join(
        f"{answer['renders'][name]:,} {name}" for name in COUNTS if answer["renders"][name]
    )
    say(
        f"{campaign} is {answer['state']}: {counts} of {answer['renders']['total']:,} renders,"
        f" model {answer['model']}."
    )
    if proofs := answer["proofs"]:
        say(f"Proofs: {proofs['done']:,} done of {proofs['total']:,}.")
    if answer["state"] == "awaiting_review":
        say(f"It waits for a person: `farm review {campaign}` lists what to decide.")
    if answer["budget_s"] is not None:
        say(f"It has spent {spent_of(answer['device_s'], answer['budget_s'])}.")
    if answer["waits_for"]:
        say(f"It waits for something that cannot be used now: {answer['waits_for']}")
    elif answer["standstill"]:
        say(f"It stands still: {answer['standstill']}")
    elif answer["refusal"]:
        say(f"The rest of it waits: {answer['refusal']['sentence']}")
    if answer["halted"]:
        say(f"It was stopped: {answer['halted']}")
    for failure in answer["failures"]:
        say(
            f"Render {failure['number']} {failure['state']} ({failure['reason']}):"
            f" {failure['detail']}"
        )
