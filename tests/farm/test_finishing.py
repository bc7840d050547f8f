"""Campaigns that are over: their manifests, and proofs that no person has to look at."""

import pytest

from farm.dispatch.finishing import Finishing
from storage.errors import DatabaseAway, RequestError
from storage.reviews import Reviews
from tests.campaigns import data


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
    assert (service.carried, service.approved) == ([ended.proof_of], [ended.id])


def test_decisions_of_the_version_before_go_on_once_a_campaign_is_over(
    engine, campaigns, outputs, ended
):
    service = Service()
    parts = finishing(engine, campaigns, outputs, service)
    parts.touch([ended.proof_of])
    parts.finish()
    parts.close()
    assert (service.carried, service.approved) == ([ended.proof_of], [])


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
