"""Which alerts are in effect, by what a farm's own page of metrics says at one moment.

These are the alerts of `dashboards.alerts` that a look tells: under the same names, with the same
thresholds, and after the same time. The others compare a moment with those before it, which takes
Prometheus. Pure.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple


@dataclass(frozen=True, kw_only=True)
class Thresholds:
    """From when on something is worth an alert. Times in seconds."""

    queue_old_s: int = 1800
    budget_used: float = 0.9
    quota_used: float = 0.9
    connections_used: float = 0.9


class Sample(NamedTuple):
    """One line of a page of metrics."""

    labels: Mapping[str, str]
    value: float


Page = Mapping[str, Sequence[Sample]]
"""The lines of a page of metrics, by the names of their series."""
Tell = Callable[[Page, Thresholds], Iterator[str]]


@dataclass(frozen=True, kw_only=True)
class Rule:
    """An alert: `tell` gives a sentence for each thing that it is about now. It counts once it has
    lasted for `lasting_s`.
    """

    name: str
    severity: str
    lasting_s: int
    tell: Tell


class Seen(NamedTuple):
    """A rule that has something to tell now."""

    rule: Rule
    sentence: str


def seen_now(page: Page, thresholds: Thresholds | None = None) -> list[Seen]:
    """All that the rules tell of a page, the critical ones first."""
    given = thresholds or Thresholds()
    return [Seen(rule, sentence) for rule in RULES for sentence in rule.tell(page, given)]


def _dispatcher_gone(page: Page, _: Thresholds) -> Iterator[str]:
    leads = page.get("farm_leads", ())
    if leads and not sum(one.value for one in leads):
        yield "No dispatcher leads: nothing is painted."


def _database_away(page: Page, _: Thresholds) -> Iterator[str]:
    if any(one.value == 0 for one in page.get("farm_database_up", ())):
        yield "The job database cannot be reached."


def _connections_full(page: Page, thresholds: Thresholds) -> Iterator[str]:
    used, allowed = _by(page, "farm_connections"), _by(page, "farm_connections_allowed")
    share = used[()] / allowed[()] if allowed[()] else 0.0
    if share > thresholds.connections_used:
        yield f"{share:.0%} of the API's connections to the database are taken."


def _queue_old(page: Page, thresholds: Thresholds) -> Iterator[str]:
    for (project, model), wait_s in _by(page, WAIT, "project", "model", most=True).items():
        if wait_s > thresholds.queue_old_s:
            minutes = wait_s / 60
            yield f"A campaign of {project} with {model} has waited for {minutes:,.0f} minutes."


def _idle_while_queued(page: Page, _: Thresholds) -> Iterator[str]:
    states = _by(page, WORKERS, "state")
    every, longest_s = sum(states.values()), _by(page, WAIT, most=True)[()]
    if every and states["idle",] / every > 0.5 and longest_s > 60:
        yield f"{states['idle',]:,.0f} of {every:,.0f} workers are idle while renders wait."


def _campaign_stopped(page: Page, _: Thresholds) -> Iterator[str]:
    for (project, state), renders in _by(page, "farm_queue_renders", "project", "state").items():
        if state == "stopped" and renders > 0:
            yield f"{renders:,.0f} renders of {project} were stopped and wait for a person."


def _budget_nearly_spent(page: Page, thresholds: Thresholds) -> Iterator[str]:
    for (project,), share in _by(page, "farm_budget_used_ratio", "project", most=True).items():
        if share > thresholds.budget_used:
            yield f"A campaign of {project} has used {share:.0%} of its budget."


def _deadline_at_risk(page: Page, _: Thresholds) -> Iterator[str]:
    for labels, margin_s in page.get("farm_deadline_margin_seconds", ()):
        if margin_s < 0:
            minutes = -margin_s / 60
            yield f"A campaign of {labels['project']} will be {minutes:,.0f} minutes late."


def _quota_nearly_spent(page: Page, thresholds: Thresholds) -> Iterator[str]:
    for labels, share in page.get("farm_quota_used_ratio", ()):
        if labels["limit"] != "workers" and share > thresholds.quota_used:
            yield f"{labels['project']} has used {share:.0%} of its quota of {labels['limit']}."


def _deliveries_failing(page: Page, _: Thresholds) -> Iterator[str]:
    for (to, state), count in _by(page, "farm_deliveries", "to", "state").items():
        if state == "failing" and count > 0:
            yield f"{count:,.0f} deliveries to a {to} have failed, and are tried again."


def _fleet_below_wanted(page: Page, _: Thresholds) -> Iterator[str]:
    there: dict[str, float] = {}
    for (pool, state), count in _by(page, WORKERS, "pool", "state").items():
        if state in ("idle", "painting"):
            there[pool] = there.get(pool, 0.0) + count
    for (pool,), wanted in _by(page, "farm_workers_wanted", "pool").items():
        if pool in there and wanted > there[pool]:
            yield f"Pool {pool} lacks {wanted - there[pool]:,.0f} workers."


def _quarantine(page: Page, _: Thresholds) -> Iterator[str]:
    for (pool, state), count in _by(page, WORKERS, "pool", "state").items():
        if state == "quarantined" and count > 0:
            yield f"{count:,.0f} workers of pool {pool} get no chunks, for they failed."


def _numerics_split(page: Page, _: Thresholds) -> Iterator[str]:
    for labels, classes in page.get("farm_numerics_classes", ()):
        if classes > 1:
            yield f"Workers of pool {labels['pool']} are of {classes:,.0f} numerics classes."


def _by(
    page: Page, series: str, *names: str, most: bool = False
) -> defaultdict[tuple[str, ...], float]:
    """The values of a series by some of its labels: summed up, or the `most`."""
    found: defaultdict[tuple[str, ...], float] = defaultdict(float)
    for labels, value in page.get(series, ()):
        key = tuple(labels.get(name, "") for name in names)
        found[key] = max(found[key], value) if most else found[key] + value
    return found


WAIT, WORKERS = "farm_queue_wait_seconds", "farm_workers"
_CRITICAL, _WARNING, _INFO = "critical", "warning", "info"
RULES = tuple(
    Rule(name=name, severity=severity, lasting_s=60 * minutes, tell=tell)
    for name, severity, minutes, tell in (
        ("FarmDispatcherGone", _CRITICAL, 2, _dispatcher_gone),
        ("FarmDatabaseAway", _CRITICAL, 2, _database_away),
        ("FarmQueueOld", _WARNING, 5, _queue_old),
        ("FarmDeviceIdleWhileQueued", _WARNING, 15, _idle_while_queued),
        ("FarmCampaignStopped", _WARNING, 5, _campaign_stopped),
        ("FarmFleetBelowWanted", _WARNING, 20, _fleet_below_wanted),
        ("FarmQuarantine", _WARNING, 15, _quarantine),
        ("FarmDeadlineAtRisk", _WARNING, 10, _deadline_at_risk),
        ("FarmBudgetNearlySpent", _WARNING, 5, _budget_nearly_spent),
        ("FarmQuotaNearlySpent", _WARNING, 10, _quota_nearly_spent),
        ("FarmDeliveriesFailing", _WARNING, 30, _deliveries_failing),
        ("FarmConnectionsFull", _WARNING, 5, _connections_full),
        ("FarmNumericsSplit", _INFO, 10, _numerics_split),
    )
)
"""In the order in which people read them."""
