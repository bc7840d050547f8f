"""The sums of attempts."""

from actors.recipes.jobs import ChunkResult, Failure, FailureKind
from farm.scheduling.ledger import Ledger, with_attempt, with_distrust, with_open, with_workers
from farm.scheduling.trust import BLAMED_CAMPAIGNS
from storage.rows import OpenCampaign, Settlement
from storage.states import AttemptOutcome

NOW = 1000.0
CAMPAIGN = OpenCampaign(
    id=2, project="p", name="spring", model_digest="m", priority=0, max_workers=None,
    deadline=None, left=6, ended=0, running=0, device_s=0.0, megapixel_steps=1.0, waiting=True,
    workers=frozenset(),
)  # fmt: skip


def settlement(campaign_id=2, outcome=AttemptOutcome.PAINTED, **changes):
    return Settlement(
        chunk_id=1, campaign_id=campaign_id, lease=3, worker="w", outcome=outcome, **changes
    )


def after(ledger, settled, campaign=CAMPAIGN, at_fault=(), weight=1.0):
    return with_attempt(ledger, settled, campaign, weight=weight, at_fault=at_fault, now=NOW)


def test_device_time_is_charged_to_the_campaign_and_by_its_weight_to_the_project():
    ledger = after(with_open(Ledger(), [CAMPAIGN]), settlement(device_s=6.0), weight=2.0)
    assert ledger.shares.campaigns == {2: 6.0}
    assert ledger.shares.projects == {"p": 3.0}


def test_an_attempt_at_a_campaign_that_is_not_open_is_charged_to_nobody():
    ledger = with_open(Ledger(), [CAMPAIGN])
    assert after(ledger, settlement(device_s=6.0), campaign=None) == ledger


def test_a_worker_that_fails_several_campaigns_is_quarantined():
    ledger = Ledger()
    for number in range(BLAMED_CAMPAIGNS):
        assert not any(record.quarantined_until for record in ledger.records.values())
        ledger = after(ledger, settlement(number, AttemptOutcome.UNKNOWN), campaign=None)
    assert ledger.records["w"].quarantined_until > NOW


def test_workers_that_an_attempt_showed_to_be_at_fault_are_blamed():
    ledger = after(Ledger(), settlement(), at_fault=["x"])
    assert {name: record.blamed for name, record in ledger.records.items()} == {"x": (2,)}


def test_a_worker_whose_numerics_differ_is_distrusted_until_it_has_left():
    failure = Failure(kind=FailureKind.NUMERICS, detail="it is odd")
    result = ChunkResult(chunk_id=1, campaign_id=2, lease=3, worker="w", failure=failure)
    ledger = with_distrust(Ledger(), [result], NOW)
    assert ledger.records["w"].why == "it is odd"
    assert with_workers(ledger, ["w"]) == ledger
    assert with_workers(ledger, []).records == {}
