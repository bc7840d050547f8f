"""What attempts have shown so far: how much device time each campaign was given, how long painting
takes, and which workers fail. Values alone.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace

from actors.recipes.jobs import ChunkResult, FailureKind
from farm.scheduling.history import History, learn
from farm.scheduling.retry import BLAMED_ON_WORKER
from farm.scheduling.share import Shares, charge, welcome
from farm.scheduling.trust import Record, after_attempt, distrusted
from storage.rows import OpenCampaign, Settlement


@dataclass(frozen=True, kw_only=True)
class Ledger:
    """The sums of all attempts. `records` are those of workers, by name."""

    shares: Shares = field(default_factory=Shares)
    history: History = field(default_factory=History)
    records: Mapping[str, Record] = field(default_factory=dict)


def with_open(ledger: Ledger, campaigns: Iterable[OpenCampaign]) -> Ledger:
    """The ledger with a share for each of the campaigns that are open now."""
    return replace(ledger, shares=welcome(ledger.shares, campaigns))


def with_workers(ledger: Ledger, names: Collection[str]) -> Ledger:
    """The ledger without the records of workers that have left."""
    records = {name: record for name, record in ledger.records.items() if name in names}
    return replace(ledger, records=records)


def with_distrust(ledger: Ledger, results: Iterable[ChunkResult], now: float) -> Ledger:
    """The ledger after some workers' numerics were found to differ from their class's."""
    found = {
        result.worker: distrusted(result.failure.detail, now)
        for result in results
        if result.failure is not None and result.failure.kind is FailureKind.NUMERICS
    }
    return replace(ledger, records={**ledger.records, **found})


def with_attempt(
    ledger: Ledger,
    settlement: Settlement,
    campaign: OpenCampaign | None,
    *,
    weight: float,
    at_fault: Iterable[str],
    now: float,
) -> Ledger:
    """The ledger after one attempt. `campaign` is None if it is not open any more; `weight` is its
    project's. The attempt has shown that earlier ones failed because of the workers `at_fault`.
    """
    if campaign is not None:
        ledger = _charged(ledger, settlement, campaign, weight)
    failed = settlement.outcome in BLAMED_ON_WORKER
    if failed or settlement.outcomes:
        ledger = _recorded(ledger, settlement.worker, settlement, failed=failed, now=now)
    for worker in at_fault:
        ledger = _recorded(ledger, worker, settlement, failed=True, now=now)
    return ledger


def _charged(
    ledger: Ledger, settlement: Settlement, campaign: OpenCampaign, weight: float
) -> Ledger:
    shares = charge(
        ledger.shares,
        project=campaign.project,
        campaign_id=campaign.id,
        seconds=settlement.device_s,
        weight=weight,
    )
    history = learn(ledger.history, campaign.model_digest, settlement.facts)
    return replace(ledger, shares=shares, history=history)


def _recorded(
    ledger: Ledger, worker: str, settlement: Settlement, *, failed: bool, now: float
) -> Ledger:
    before = ledger.records.get(worker, Record())
    record = after_attempt(before, settlement.campaign_id, failed=failed, now=now)
    return replace(ledger, records={**ledger.records, worker: record})
