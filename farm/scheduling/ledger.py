"""What attempts have shown so far: how much device time each campaign was given, how long painting
takes, and which workers fail. Values alone; `farm.scheduling.ledger_text` is how they are stored.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from actors.recipes.jobs import ChunkResult, FailureKind
from farm.scheduling.history import History, learn
from farm.scheduling.retry import BLAMED_ON_WORKER
from farm.scheduling.share import Shares, charge, welcome
from farm.scheduling.trust import Record, after_attempt, distrusted
from storage.rows import OpenCampaign, Settlement
from storage.spent import PastAttempt
from storage.states import AttemptOutcome


@dataclass(frozen=True, kw_only=True)
class Ledger:
    """The sums of all attempts. `records` are those of workers, by name."""

    shares: Shares = field(default_factory=Shares)
    history: History = field(default_factory=History)
    records: Mapping[str, Record] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """One attempt at a chunk. `facts` are what the worker has measured (`actors.recipes.jobs`).

    `project` and `model` are None if the campaign is not known any more: nobody is charged then.
    `failed` says whether the worker is to blame, None if the attempt says nothing of it.
    """

    campaign_id: int
    project: str | None
    model: str | None
    worker: str
    device_s: float
    facts: Mapping[str, Any]
    failed: bool | None
    distrust: str | None = None
    """Why no pixel that the worker paints can be trusted, if the attempt has shown that."""


def with_open(ledger: Ledger, campaigns: Iterable[OpenCampaign]) -> Ledger:
    """The ledger with a share for each of the campaigns that are open now."""
    return replace(ledger, shares=welcome(ledger.shares, campaigns))


def with_workers(ledger: Ledger, names: Collection[str]) -> Ledger:
    """The ledger without the records of workers that have left."""
    if ledger.records.keys() <= set(names):
        return ledger
    records = {name: record for name, record in ledger.records.items() if name in names}
    return replace(ledger, records=records)


def with_distrust(ledger: Ledger, results: Iterable[ChunkResult], now: float) -> Ledger:
    """The ledger after some workers' numerics were found to differ from their class's."""
    found = {
        result.worker: distrusted(result.failure.detail, now)
        for result in results
        if result.failure is not None and result.failure.kind is FailureKind.NUMERICS
    }
    return replace(ledger, records={**ledger.records, **found}) if found else ledger


def account(
    ledger: Ledger,
    attempt: Attempt,
    *,
    weights: Mapping[str, float],
    now: float,
    at_fault: Iterable[str] = (),
) -> Ledger:
    """The ledger after one attempt. `weights` are those of projects. The attempt has shown that
    earlier ones failed because of the workers `at_fault`.
    """
    ledger = _charged(ledger, attempt, weights)
    if attempt.distrust is not None:
        record = distrusted(attempt.distrust, now)
        ledger = replace(ledger, records={**ledger.records, attempt.worker: record})
    if attempt.failed is not None:
        ledger = _recorded(ledger, attempt.worker, attempt, failed=attempt.failed, now=now)
    for worker in at_fault:
        ledger = _recorded(ledger, worker, attempt, failed=True, now=now)
    return ledger


def attempt_of(settlement: Settlement, campaign: OpenCampaign | None) -> Attempt:
    """An attempt as it was settled. `campaign` is None if it is not known any more."""
    return Attempt(
        campaign_id=settlement.campaign_id,
        project=None if campaign is None else campaign.project,
        model=None if campaign is None else campaign.model_digest,
        worker=settlement.worker,
        device_s=settlement.device_s,
        facts=settlement.facts,
        failed=_is_failed(settlement.outcome, has_ended=bool(settlement.outcomes)),
    )


def past_attempt(past: PastAttempt) -> Attempt:
    """An attempt as the job database has it."""
    numerics = past.outcome == AttemptOutcome.NUMERICS
    return Attempt(
        campaign_id=past.campaign_id,
        project=past.project,
        model=past.model_digest,
        worker=past.worker,
        device_s=sum(past.facts.get("batch_s", ())) + past.facts.get("load_s", 0.0),
        facts=past.facts,
        failed=_is_failed(past.outcome, has_ended=past.has_ended),
        distrust=past.detail if numerics else None,
    )


def _is_failed(outcome: str, *, has_ended: bool) -> bool | None:
    """Whether a worker is to blame for how an attempt ended; None if that says nothing of it."""
    if outcome in BLAMED_ON_WORKER:
        return True
    return False if has_ended else None


def _charged(ledger: Ledger, attempt: Attempt, weights: Mapping[str, float]) -> Ledger:
    if attempt.project is None or attempt.model is None:
        return ledger
    shares = charge(
        ledger.shares,
        project=attempt.project,
        campaign_id=attempt.campaign_id,
        seconds=attempt.device_s,
        weight=weights.get(attempt.project, 1.0),
    )
    history = learn(ledger.history, attempt.model, attempt.facts)
    return replace(ledger, shares=shares, history=history)


def _recorded(
    ledger: Ledger, worker: str, attempt: Attempt, *, failed: bool, now: float
) -> Ledger:
    before = ledger.records.get(worker)
    if before is None and not failed:
        return ledger
    record = after_attempt(before or Record(), attempt.campaign_id, failed=failed, now=now)
    return replace(ledger, records={**ledger.records, worker: record})
