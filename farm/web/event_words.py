"""Events in words, for people. Pure."""

from collections.abc import Callable, Mapping
from typing import Any

from farm.documents.counting import counted
from farm.scheduling.budget import gpu_hours
from farm.web.words import duration, state_word
from storage.event_kinds import EventKind

Json = Mapping[str, Any]
SUBJECTS = {
    "campaign": "Campaigns",
    "proofs": "Proofs",
    "renders": "Renders",
    "review": "Decisions",
    "worker": "Workers",
    "fleet": "Fleet",
    "brand": "Brands",
    "versions": "Versions",
    "project": "Projects",
    "role": "Roles",
    "token": "Tokens",
    "webhook": "Webhooks",
    "notification": "Notifications",
    "registry": "Models",
    "file": "Files",
    "link": "Links",
}
"""What events are about: the part of a kind before the full stop, and its word."""


def event_sentence(event: Json) -> str:
    """An event in one sentence. A kind of a later farm is told by its name."""
    tell = _TOLD.get(event["kind"])
    try:
        return str(event["kind"]) if tell is None else tell(event["data"])
    except (KeyError, TypeError):  # an earlier farm wrote other details
        return str(event["kind"])


def changed_words(before: Any, after: Any) -> list[tuple[str, str, str]]:
    """The values that were set to others: name, before and after."""
    if not isinstance(before, Mapping) and not isinstance(after, Mapping):
        return [] if before is None and after is None else [("", _value(before), _value(after))]
    old, new = _mapping(before), _mapping(after)
    names = [*old, *(name for name in new if name not in old)]
    return [
        (name.replace("_", " "), _value(old.get(name)), _value(new.get(name)))
        for name in names
        if old.get(name) != new.get(name)
    ]


def change_sentences(event: Json) -> list[str]:
    """The same as `event_sentence`; of a change of the fleet each of its reasons."""
    why = event["data"].get("why") if event["kind"] == EventKind.FLEET_SCALED else None
    return [str(sentence) for sentence in why] if why else [event_sentence(event)]


def _mapping(value: Any) -> Json:
    return value if isinstance(value, Mapping) else {}


def _value(value: Any) -> str:
    return "none" if value is None else f"{value:,}" if _is_number(value) else str(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _counts(data: Json) -> str:
    """The renders that an event has counted, as `3 done, 1 failed`."""
    counts = data.get("counts") or {}
    told = [f"{count:,} {name}" for name, count in counts.items() if count > 0]
    back = [f"{-count:,} no more {name}" for name, count in counts.items() if count < 0]
    return ", ".join([*told, *back]) or "nothing ended"


def _submitted(data: Json) -> str:
    proofs = f", with {counted(data['proofs'], 'proof')} first" if data.get("proofs") else ""
    return f"Submitted: {counted(data['total'], 'render')}{proofs}."


def _finished(data: Json) -> str:
    given = duration(data.get("device_s"))
    return f"{state_word(data['state'])}{f' after {given} of device time' if given else ''}."


def _month(data: Json) -> str:
    used, limit = gpu_hours(data["used_s"]), gpu_hours(data["limit_s"])
    return f"Of {limit} device hours of this month {used} are used."


def _settled(data: Json) -> str:
    return f"{data['worker']} brought back a chunk: {_counts(data)}."


def _returned(data: Json) -> str:
    why = f": {data['detail']}" if data.get("detail") else "."
    return f"{data['worker']} brought back a chunk without pictures{why}"


def _decided(data: Json) -> str:
    if data.get("undoes"):
        return "A decision was taken back."
    return f"{counted(data['renders'], 'render')} {data['verdict']}."


def _budget(data: Json) -> str:
    if "budget_money" in data:
        spent, whole = f"{data['money']:,.2f}", f"{data['budget_money']:,.2f}"
    else:
        spent, whole = duration(data.get("device_s")), duration(data.get("budget_s"))
    return f"Nine tenths of its budget are spent: {spent} of {whole}."


def _joined(data: Json) -> str:
    place = [str(data[key]) for key in ("pool", "node", "device") if data.get(key)]
    where = f" ({', '.join(place)})" if place else ""
    return f"{data['worker']} is there{where}."


def _quarantined(data: Json) -> str:
    why = data.get("why") or "It failed renders of several campaigns."
    return f"{data['worker']} is in quarantine: {why}"


def _scaled(data: Json) -> str:
    if data.get("why"):
        return " ".join(map(str, data["why"]))
    parts = [
        counted(len(data[key]), noun) + words
        for key, noun, words in (
            ("start", "worker", " asked for"),
            ("end", "worker", " ended"),
            ("cool", "pool", " left alone"),
        )
        if data.get(key)
    ]
    return f"{', '.join(parts)}.".capitalize()


def _ordered(data: Json) -> str:
    words = {"floor": "at least", "ceiling": "at most"}
    told = [
        f"{name} as the settings say"
        if data[name] is None
        else f"{words[name]} {counted(data[name], 'worker')}"
        for name in words
        if name in data
    ]
    if "is_frozen" in data:
        told.append("frozen" if data["is_frozen"] else "not frozen")
    return f"Ordered{_by(data)}: {', '.join(told)}."


def _by(data: Json) -> str:
    return f" by {data['by']}" if data.get("by") else ""


def _plain(sentence: str) -> Callable[[Json], str]:
    return lambda data: sentence.format(**data)


def _counted(key: str, one: str, many: str) -> Callable[[Json], str]:
    return lambda data: counted(data[key], one, many)


_TOLD: Mapping[str, Callable[[Json], str]] = {
    EventKind.CAMPAIGN_SUBMITTED: _submitted,
    EventKind.CAMPAIGN_UPDATED: _plain("Version {version} took the place of the one before."),
    EventKind.CAMPAIGN_STARTED: _plain("Its first chunk went to a worker."),
    EventKind.CAMPAIGN_PAUSED: _plain("Paused: nothing more of it is begun."),
    EventKind.CAMPAIGN_RESUMED: _plain("Resumed."),
    EventKind.CAMPAIGN_CANCELLED: _plain("Cancelled."),
    EventKind.CAMPAIGN_PRIORITY: _plain("Its priority is {priority} now."),
    EventKind.CAMPAIGN_RETRIED: _counted("renders", "render waits again.", "renders wait again."),
    EventKind.CAMPAIGN_STOPPED: _plain("Stopped until somebody acts: {why}"),
    EventKind.CAMPAIGN_WAITING: _plain("It waits for something that is away: {why}"),
    EventKind.CAMPAIGN_FAILING: _plain("{failed:,} of {total:,} renders have failed."),
    EventKind.CAMPAIGN_BUDGET_LOW: _budget,
    EventKind.CAMPAIGN_AWAITING_REVIEW: _counted(
        "undecided", "render waits for a decision.", "renders wait for a decision."
    ),
    EventKind.CAMPAIGN_DEADLINE_AT_RISK: _plain("Its deadline is at risk: {why}"),
    EventKind.CAMPAIGN_FINISHED: _finished,
    EventKind.CAMPAIGN_REOPENED: _plain("It goes on after its end."),
    EventKind.CAMPAIGN_PRUNED: _plain("Forgotten."),
    EventKind.CAMPAIGN_PREVIEWS_PRUNED: _plain("Its previews were removed."),
    EventKind.VERSIONS_PRUNED: _plain("Earlier versions can be read no more."),
    EventKind.PROOFS_STARTED: _plain("Its first proofs went to a worker."),
    EventKind.PROOFS_FINISHED: _plain("All proofs have ended."),
    EventKind.PROOFS_REOPENED: _plain("There are proofs to paint again."),
    EventKind.RENDERS_SETTLED: _settled,
    EventKind.RENDERS_RETURNED: _returned,
    EventKind.RENDERS_CANCELLED: lambda data: f"Taken out: {_counts(data)}.",
    EventKind.REVIEW_DECIDED: _decided,
    EventKind.WORKER_JOINED: _joined,
    EventKind.WORKER_LOST: _plain("{worker} was lost without being asked to go."),
    EventKind.WORKER_LEFT: _plain("{worker} has left: it was not needed."),
    EventKind.WORKER_DRAINED: _plain("{worker} was emptied and let go."),
    EventKind.WORKER_QUARANTINED: _quarantined,
    EventKind.FLEET_SCALED: _scaled,
    EventKind.FLEET_ORDERED: _ordered,
    EventKind.FLEET_DRAIN_ORDERED: lambda data: f"{data['target']} was told to drain{_by(data)}.",
    EventKind.FLEET_DRAIN_ENDED: _plain(
        "{target} drains no more: it has gone, or the order was taken back."
    ),
    EventKind.BRAND_ADDED: _plain("The brand pack {brand} has the version {version}."),
    EventKind.BRAND_CHANGED: _plain("Version {version} of the brand pack {brand} has changed."),
    EventKind.TOKEN_CREATED: _plain("{person} has the token {token}."),
    EventKind.TOKEN_REVOKED: _plain("{person} has the token {token} no more."),
    EventKind.ROLE_CHANGED: _plain("The role of {person} was changed."),
    EventKind.PROJECT_CREATED: _plain("The project is known now."),
    EventKind.PROJECT_CHANGED: _plain("Its quota was changed."),
    EventKind.PROJECT_MONTH_LOW: _month,
    EventKind.PROJECT_MONTH_SPENT: _month,
    EventKind.WEBHOOK_ADDED: _plain("Its events are sent to webhook {webhook}."),
    EventKind.WEBHOOK_REMOVED: _plain("Nothing is sent to webhook {webhook} any more."),
    EventKind.WEBHOOK_DEAD: _plain("An event was given up that webhook {webhook} did not take."),
    EventKind.NOTIFICATION_ADDED: _plain("Its events are told to {name}, by {service}."),
    EventKind.NOTIFICATION_REMOVED: _plain("Nothing is told to {name} any more."),
    EventKind.NOTIFICATION_DEAD: _plain(
        "A message was given up that notification {notification} did not take."
    ),
    EventKind.REGISTRY_ADDED: _plain("The {kind} {name} is kept for all nodes: {digest:.12}."),
    EventKind.REGISTRY_REMOVED: _plain("The {kind} {name} is kept no more: {digest:.12}."),
    EventKind.FILE_ADDED: _plain("The file {name} was uploaded: {digest:.12}."),
    EventKind.FILE_REMOVED: _plain("The file {name} was removed: {digest:.12}."),
    EventKind.LINK_CREATED: _plain("It is shared by the link {name}."),
    EventKind.LINK_OPENED: _plain("Somebody opened the link {name}."),
    EventKind.LINK_REVOKED: _plain("The link {name} opens nothing any more."),
}
