"""What `farm top` shows of a farm at one moment: asked for at once, and put into words. All but
`look` is pure.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

from farm.client.client import Client
from farm.commands.listing import cost_text, rate_text
from farm.commands.times import age_text
from farm.scheduling.alerts import RULES, Seen, seen_now
from farm.service.event_views import Event
from farm.service.fleet_views import FleetOverview, WorkerAtWork
from farm.service.views import CampaignRowView
from farm.web.event_words import event_sentence
from farm.web.fleet import USES
from storage.event_kinds import EventKind
from storage.states import AttemptOutcome, CampaignState

OPEN = (
    CampaignState.RUNNING,
    CampaignState.QUEUED,
    CampaignState.HALTED,
    CampaignState.AWAITING_REVIEW,
    CampaignState.PAUSED,
)
FAILURES = (
    EventKind.CAMPAIGN_STOPPED,
    EventKind.CAMPAIGN_FAILING,
    EventKind.RENDERS_RETURNED,
    EventKind.WORKER_LOST,
    EventKind.WORKER_QUARANTINED,
)
_FAILURES_SHOWN = 20
MORE_ALERTS = (
    f"{len(RULES)} alerts are looked at here; those that compare with what was before need"
    " Prometheus."
)
T = TypeVar("T")
Since = Mapping[str, float]
"""By the names of alerts, when they were seen first, in seconds since 1970."""


@dataclass(frozen=True, kw_only=True)
class Look:
    """A farm at a moment, in seconds since 1970. Campaigns are those that are not over,
    or wait for a person.
    """

    at: float
    campaigns: Sequence[CampaignRowView]
    fleet: FleetOverview
    seen: Sequence[Seen]
    failures: Sequence[Event]

    @property
    def per_project(self) -> Counter[str]:
        """How many renders wait or are painted, by project."""
        waiting: Counter[str] = Counter()
        for row in self.campaigns:
            if row.state in (CampaignState.QUEUED, CampaignState.RUNNING):
                waiting[row.project] += row.renders.queued + row.renders.running
        return waiting


def look(client: Client, now: float) -> Look:
    """Ask a farm for all of it. Raises SeedbedError if it does not answer or may not tell."""
    found = (client.campaigns(state=state, all_projects=True) for state in OPEN)
    return Look(
        at=now,
        campaigns=[row for rows in found for row in rows],
        fleet=client.fleet(),
        seen=seen_now(client.metrics()),
        failures=client.last_events(kinds=FAILURES, limit=_FAILURES_SHOWN),
    )


@dataclass(frozen=True, kw_only=True)
class Column(Generic[T]):
    """A column of a table: what it says of a row, and what rows are sorted by."""

    name: str
    text: Callable[[T], str]
    order: Callable[[T], Any]


def campaign_columns(now: float) -> list[Column[CampaignRowView]]:
    """Those of campaigns; times that are left count from `now`, in seconds since 1970."""

    def left(row: CampaignRowView) -> str:
        return "" if row.eta is None else age_text(row.eta - now)

    return [
        Column(name="campaign", text=lambda row: row.campaign, order=lambda row: row.campaign),
        Column(name="project", text=lambda row: row.project, order=lambda row: row.project),
        Column(name="state", text=lambda row: row.state, order=lambda row: row.state),
        Column(
            name="done",
            text=lambda row: f"{row.renders.done:,}/{row.renders.total:,}",
            order=lambda row: -row.renders.done / max(1, row.renders.total),
        ),
        Column(
            name="rate",
            text=lambda row: rate_text(row.renders_per_s),
            order=lambda row: -(row.renders_per_s or 0.0),
        ),
        Column(name="left", text=left, order=lambda row: (row.eta is None, row.eta or 0.0)),
        Column(name="cost", text=cost_text, order=lambda row: -row.device_s),
    ]


def worker_columns() -> list[Column[WorkerAtWork]]:
    """Those of workers."""

    def paints(row: WorkerAtWork) -> str:
        return ", ".join(f"{one.campaign} ({one.renders:,})" for one in row.paints)

    def warm(row: WorkerAtWork) -> str:
        return ", ".join(row.models)

    return [
        Column(name="worker", text=lambda row: row.name, order=lambda row: row.name),
        Column(name="state", text=lambda row: row.state, order=lambda row: row.state),
        Column(name="pool", text=lambda row: row.pool or "", order=lambda row: row.pool or ""),
        Column(name="paints", text=paints, order=lambda row: (not row.paints, paints(row))),
        Column(name="warm", text=warm, order=warm),
        Column(name="node", text=lambda row: row.node or "", order=lambda row: row.node or ""),
    ]


def cells_of(
    columns: Sequence[Column[T]], rows: Sequence[T], *, by: int, reverse: bool, having: str = ""
) -> list[list[str]]:
    """The cells of the rows that have a text in one of them, in the order of the column `by`."""
    ordered = sorted(rows, key=columns[by].order, reverse=reverse)
    cells = [[column.text(row) for column in columns] for row in ordered]
    return [row for row in cells if any(having.casefold() in cell.casefold() for cell in row)]


def headline(found: Look) -> str:
    """How fast it paints, what waits for whom, and who works."""
    rate = rate_text(sum(row.renders_per_s or 0.0 for row in found.campaigns)) or "0"
    waiting = found.per_project
    told = ", ".join(f"{project} {count:,}" for project, count in waiting.most_common(4) if count)
    states = Counter(worker.state for worker in found.fleet.workers)
    workers = ", ".join(f"{count:,} {state}" for state, count in sorted(states.items()))
    return " · ".join(
        [
            f"{rate} renders" if rate == "0" else f"{rate.replace('/', ' renders/')}",
            f"{waiting.total():,} to paint{f' ({told})' if len(waiting) > 1 else ''}",
            f"workers: {workers or 'none'}",
            f"led by {found.fleet.leader}" if found.fleet.leader else "nobody leads",
        ]
    )


def use_line(found: Look) -> str:
    """How the time of all devices was used."""
    used: Counter[str] = Counter()
    for use in found.fleet.use.values():
        used.update(use.model_dump())
    every = sum(used.values())
    shares = [
        f"{word.lower()} {used[name] / every:.0%}"
        for name, word in USES.items()
        if every and used[name]
    ]
    return f"Device time of a day: {', '.join(shares) or 'none was used'}"


def alert_lines(found: Look, since: Since) -> list[str]:
    """Each alert with how long it has been seen, or how long it has to last to be one."""
    lines = []
    for rule, sentence in found.seen:
        lasted_s = found.at - since.get(rule.name, found.at)
        if lasted_s >= rule.lasting_s:
            lines.append(f"{rule.severity}: {rule.name}, for {age_text(lasted_s)}. {sentence}")
        else:
            left = age_text(rule.lasting_s - lasted_s)
            lines.append(f"seen: {rule.name}, an alert in {left} if it lasts. {sentence}")
    return lines


def seen_since(found: Look, before: Since) -> Since:
    """When each alert of a look was seen first, of those that were seen ever since."""
    return {one.rule.name: before.get(one.rule.name, found.at) for one in found.seen}


def failure_lines(found: Look) -> list[str]:
    """The last failures, the newest first. That somebody wanted a worker elsewhere is none."""
    lines = []
    for event in found.failures:
        if event.data.get("outcome") in (AttemptOutcome.STOPPED, AttemptOutcome.PREEMPTED):
            continue
        at = datetime.fromtimestamp(event.at, UTC).astimezone().strftime("%H:%M:%S")
        lines.append(f"{at}  {event.campaign or 'the farm'}: {event_sentence(event.as_json())}")
    return lines


def as_json(found: Look) -> dict[str, Any]:
    """A look for programs."""
    return {
        "at": found.at,
        "renders_per_s": sum(row.renders_per_s or 0.0 for row in found.campaigns),
        "to_paint": dict(found.per_project),
        "leader": found.fleet.leader,
        "campaigns": list(found.campaigns),
        "workers": list(found.fleet.workers),
        "use": dict(found.fleet.use),
        "alerts": [
            {"name": rule.name, "severity": rule.severity, "sentence": sentence}
            for rule, sentence in found.seen
        ],
        "failures": list(found.failures),
    }
