"""Events as messages to people: a title and a few sentences. Pure."""

import json
import re
from datetime import UTC, datetime
from typing import Any

from farm.scheduling.budget import gpu_hours, money_of, spent_of
from storage.event_kinds import EventKind
from storage.events import EventRow
from storage.states import CampaignState

Json = dict[str, Any]

NOTICED = (
    EventKind.CAMPAIGN_FINISHED,
    EventKind.CAMPAIGN_AWAITING_REVIEW,
    EventKind.CAMPAIGN_FAILING,
    EventKind.CAMPAIGN_STOPPED,
    EventKind.CAMPAIGN_BUDGET_LOW,
    EventKind.CAMPAIGN_DEADLINE_AT_RISK,
    EventKind.PROJECT_MONTH_LOW,
    EventKind.PROJECT_MONTH_SPENT,
    EventKind.WEBHOOK_DEAD,
)
"""The kinds that people can be told of, and are if nobody says which."""
TEST = "notification.test"
_LONGEST = 1_000


def notice_of(event: EventRow) -> str:
    """An event as a message: JSON with `title` and `body`."""
    title, body = _words(event.kind, event.campaign or "", event.data)
    return notice(title, body, event.project)


def notice(title: str, body: str, project: str | None) -> str:
    """A message, as JSON. Nothing in it calls people, or is a link: texts may be strangers'."""
    lines = [body, "" if project is None else f"Project: {project}"]
    return json.dumps({"title": plain(title), "body": plain("\n".join(filter(None, lines)))})


def plain(text: str) -> str:
    """A text without what chats would make something of: control characters, calls to people,
    links.
    """
    text = "".join(letter if letter.isprintable() or letter == "\n" else " " for letter in text)
    text = re.sub(r"([@<])(?=\S)", "\\1\u2060", text).replace("://", ":\u2060//")
    return text[:_LONGEST]


def _words(kind: str, campaign: str, data: Json) -> tuple[str, str]:
    match kind:
        case EventKind.CAMPAIGN_FINISHED:
            return _end(campaign, data)
        case EventKind.CAMPAIGN_AWAITING_REVIEW:
            return f"{campaign} awaits your review", (
                f"{data['undecided']:,} renders are undecided, and nothing more of it can be"
                f" painted: `farm review {campaign}` or its page."
            )
        case EventKind.CAMPAIGN_FAILING:
            return f"{campaign} is failing", (
                f"{data['failed']:,} of {data['total']:,} renders have failed so far:"
                f" `farm why {campaign}` says why."
            )
        case EventKind.CAMPAIGN_STOPPED:
            return f"{campaign} was stopped", str(data["why"])
        case EventKind.CAMPAIGN_BUDGET_LOW:
            return f"{campaign} has nearly spent its budget", _spent(data)
        case EventKind.CAMPAIGN_DEADLINE_AT_RISK:
            deadline = datetime.fromtimestamp(data["deadline"], UTC)
            when = f"{deadline:%Y-%m-%d %H:%M} UTC"
            return f"{campaign} may miss its deadline of {when}", str(data["why"])
        case EventKind.PROJECT_MONTH_LOW | EventKind.PROJECT_MONTH_SPENT:
            return _month(kind, data)
        case _:
            return _others(kind, campaign, data)


def _others(kind: str, campaign: str, data: Json) -> tuple[str, str]:
    if kind != EventKind.WEBHOOK_DEAD:
        return f"{campaign or 'The farm'}: {kind}", ""
    return f"Webhook {data['webhook']} does not answer", (
        f"Events to it are given up: {data['error']} `farm webhooks dead --again` sends them once"
        " it answers."
    )


def _month(kind: str, data: Json) -> tuple[str, str]:
    used = f"{gpu_hours(data['used_s'])} of {gpu_hours(data['limit_s'])} device hours are used."
    admin = "or once an admin allows more: `farm projects set NAME --device-hours N`."
    if kind == EventKind.PROJECT_MONTH_SPENT:
        return "The device hours of this month are spent", (
            f"{used} No further chunk is begun until the next month (UTC), {admin}"
        )
    return "The device hours of this month are nearly spent", (
        f"{used} Once they are spent, painting goes on with the next month (UTC), {admin}"
    )


def _end(campaign: str, data: Json) -> tuple[str, str]:
    if data["state"] != CampaignState.AWAITING_REVIEW:
        return f"{campaign} is {data['state']}", _counts(data)
    return f"{campaign} awaits your review", (
        f"{_counts(data)} What is held waits for your decision: `farm review {campaign}` or its"
        " page."
    )


def _counts(data: Json) -> str:
    names = ("done", "failed", "held", "cancelled", "rejected")
    counts = [f"{data[name]:,} {name}" for name in names if data.get(name)]
    return f"{', '.join(counts)} of {data['total']:,} renders."


def _spent(data: Json) -> str:
    if "money" in data:
        return f"It has spent {money_of(data['money'], data['budget_money'])}."
    return f"It has spent {spent_of(data['device_s'], data['budget_s'])}."
