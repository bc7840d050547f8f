"""What a dispatcher knows of all attempts, kept for the next one."""

import pytest

from storage.ledgers import Ledgers
from storage.spent import PastAttempt
from storage.states import AttemptOutcome
from tests.storage.conftest import claim_one, outcomes, settlement


@pytest.fixture
def ledgers(engine):
    return Ledgers(engine)


def attempt_at(queue, settling, session, campaign, **changes):
    chunk = claim_one(queue, session, campaign)
    settling.settle(session, [settlement(chunk, outcomes(chunk), **changes)])
    return chunk


def test_the_last_ledger_is_read_with_the_attempts_that_it_has_not_accounted_for(
    queue, settling, campaign, session, ledgers
):
    attempt_at(queue, settling, session, campaign, facts={"load_s": 1.0})
    ledgers.save(session, "one")
    assert ledgers.last() == ("one", [])
    attempt_at(queue, settling, session, campaign, facts={"load_s": 2.0})
    attempt_at(
        queue, settling, session, campaign, outcome=AttemptOutcome.NUMERICS, detail="it is odd"
    )
    text, (first, second) = ledgers.last()
    assert text == "one"
    assert first == PastAttempt(
        campaign_id=campaign.id, project="p", model_digest="d", worker="w", outcome="painted",
        detail=None, has_ended=True, facts={"load_s": 2.0}, ended_at=first.ended_at,
    )  # fmt: skip
    assert (second.outcome, second.detail) == ("numerics", "it is odd")


def test_without_a_ledger_the_last_attempts_are_read_but_no_stale_ones(
    queue, settling, campaign, session, ledgers
):
    chunk = attempt_at(queue, settling, session, campaign)
    settling.settle(session, [settlement(chunk, outcomes(chunk))])
    text, attempts = ledgers.last()
    assert (text, len(attempts)) == (None, 1)


def test_the_ledger_of_the_session_that_leads_takes_the_place_of_the_one_before(
    queue, session, ledgers
):
    ledgers.save(session, "one")
    heir = queue.lead(owner="one", host="h", pid=2)
    assert ledgers.last()[0] == "one"
    ledgers.save(session, "late")
    assert ledgers.last()[0] == "one", "it leads no longer"
    ledgers.save(heir, "two")
    assert ledgers.last()[0] == "two"
    queue.end_session(heir)
    assert ledgers.last()[0] == "two"
