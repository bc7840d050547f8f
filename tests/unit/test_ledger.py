"""The sums of attempts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.recipes.jobs import ChunkResult, Failure, FailureKind
from farm.scheduling.history import History
from farm.scheduling.ledger import (
    Ledger,
    account,
    attempt_of,
    past_attempt,
    with_distrust,
    with_open,
    with_workers,
)
from farm.scheduling.ledger_text import ledger_text, read_ledger
from farm.scheduling.share import Shares
from farm.scheduling.trust import BLAMED_CAMPAIGNS, Record
from storage.rows import OpenCampaign, Settlement
from storage.spent import PastAttempt
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
    attempt = attempt_of(settled, campaign)
    return account(ledger, attempt, weights={"p": weight}, at_fault=at_fault, now=NOW)


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


def test_an_attempt_that_was_read_back_counts_as_when_it_was_settled():
    facts = {"batch_s": [2.0, 3.0], "load_s": 1.0, "loads": 1}
    past = PastAttempt(
        campaign_id=2, project="p", model_digest="m", worker="w", outcome="unknown", detail="x",
        has_ended=True, facts=facts, ended_at=NOW,
    )  # fmt: skip
    settled = settlement(outcome=AttemptOutcome.UNKNOWN, device_s=6.0, facts=facts)
    ledger = with_open(Ledger(), [CAMPAIGN])
    assert account(ledger, past_attempt(past), weights={"p": 1.0}, now=NOW) == after(
        ledger, settled
    )


seconds = st.floats(0, 1e9)
names = st.text(max_size=5)
ledgers = st.builds(
    Ledger,
    shares=st.builds(
        Shares,
        projects=st.dictionaries(names, seconds, max_size=3),
        campaigns=st.dictionaries(st.integers(0, 2**40), seconds, max_size=3),
        active_projects=st.frozensets(names, max_size=3),
    ),
    history=st.builds(
        History,
        loads=st.dictionaries(names, seconds, max_size=3),
        paces=st.dictionaries(
            st.tuples(names, names), st.dictionaries(names, seconds, max_size=2), max_size=3
        ),
    ),
    records=st.dictionaries(
        names,
        st.builds(
            Record,
            blamed=st.lists(st.integers(0, 99), max_size=2).map(tuple),
            quarantined_until=st.none() | seconds,
            why=st.none() | names,
        ),
        max_size=3,
    ),
)


@given(ledgers)
def test_a_ledger_is_read_as_it_was_stored(ledger):
    assert read_ledger(ledger_text(ledger)) == ledger


@pytest.mark.parametrize("text", ["", "7", "[]", "{}", '{"projects":{},"campaigns":[]}', "null"])
def test_a_ledger_that_cannot_be_read_says_so(text):
    with pytest.raises(ValueError, match=r"."):
        read_ledger(text)
