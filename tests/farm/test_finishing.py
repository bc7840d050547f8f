"""Campaigns that are over: their manifests, and proofs that no person has to look at."""

import threading

import pytest

from farm.dispatch.finishing import Finishing
from storage.errors import DatabaseAway, RequestError
from storage.reviews import Reviews
from tests.campaigns import data

PATIENCE_S = 60.0


class Service:
    """Fails as often as it is told to, then notes whose proofs it was asked about."""

    def __init__(self, *errors):
        self.carried = []
        self.errors = list(errors)
        self.approved = []

    def carry_over(self, campaign):
        self.carried.append(campaign.id)

    def auto_approve(self, proofs):
        if self.errors:
            raise self.errors.pop(0)
        self.approved.append(proofs.id)


@pytest.fixture
def ended(service, campaigns, control):
    """Proofs that are over."""
    row, _ = service.submit("p", data(proof={"steps": 4}))
    control.cancel(row.id)
    return campaigns.proofs_of(row)


def finishing(engine, campaigns, outputs, service):
    return Finishing(
        campaigns=campaigns, reviews=Reviews(engine), service=service, outputs=outputs
    )


def test_proofs_are_approved_once_they_are_over(engine, campaigns, outputs, ended):
    service = Service()
    parts = finishing(engine, campaigns, outputs, service)
    parts.touch([ended.id])
    parts.finish()
    parts.finish()
    parts.close()
    assert (service.carried, service.approved) == ([], [ended.id])  # there was none before


@pytest.fixture
def updated(service, campaigns, control):
    """Proofs of a second version that are over."""
    service.submit("p", data(proof={"steps": 4}))
    row, _ = service.submit("p", data(proof={"steps": 4}, priority=70), update=True)
    control.cancel(row.id)
    return campaigns.proofs_of(row)


@pytest.mark.parametrize("stage", ["proofs", "finals"])
def test_decisions_about_the_version_before_are_made_beside_the_loop(
    engine, campaigns, outputs, updated, stage
):
    """Comparing a million renders takes minutes, in which the dispatcher would lose its leases."""
    may_go_on = threading.Event()

    class Slow(Service):
        def carry_over(self, campaign):
            assert may_go_on.wait(PATIENCE_S)
            super().carry_over(campaign)

    service = Slow()
    parts = finishing(engine, campaigns, outputs, service)
    parts.touch([updated.id if stage == "proofs" else updated.proof_of])
    parts.finish()
    assert service.carried == service.approved == []
    may_go_on.set()
    parts.close()
    assert service.carried == [updated.proof_of]
    assert service.approved == ([updated.id] if stage == "proofs" else [])


def test_a_database_that_goes_away_meanwhile_delays_the_decisions(
    engine, campaigns, outputs, updated
):
    service = Service(DatabaseAway("It does not answer."))
    first = finishing(engine, campaigns, outputs, service)
    first.touch([updated.id])
    first.finish()
    first.close()
    assert (first.waiting, service.approved) == ({updated.id}, [])
    second = finishing(engine, campaigns, outputs, service)
    second.touch(first.waiting)
    second.finish()
    second.close()
    assert (second.waiting, service.approved) == (set(), [updated.id])


def test_a_database_that_cannot_be_reached_delays_that(engine, campaigns, outputs, ended):
    service = Service(DatabaseAway("It does not answer."))
    parts = finishing(engine, campaigns, outputs, service)
    parts.touch([ended.id])
    with pytest.raises(DatabaseAway):
        parts.finish()
    parts.finish()
    parts.close()
    assert service.approved == [ended.id]


def test_proofs_that_cannot_be_decided_about_stop_nothing(
    engine, campaigns, outputs, ended, caplog
):
    service = Service(RequestError("It was cancelled."))
    parts = finishing(engine, campaigns, outputs, service)
    parts.touch([ended.id])
    parts.finish()
    parts.close()
    assert service.approved == []
    assert "waits for a person: It was cancelled." in caplog.text
    assert outputs.read("p/spring/proofs.jsonl", 100) == b""
