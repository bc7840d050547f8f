"""Why campaigns wait, from the dispatcher's round to the sentence that a person reads."""

from farm.dispatch.explaining import REFUSALS_S
from storage.states import WorkerState
from tests.campaigns import data
from tests.farm.fakes import NOW, FakeFleet


def waits(reading, name):
    status = reading.status("p", name)
    return status["refusal"] and status["refusal"]["rule"]


def test_the_reason_of_the_round_is_stored_and_read_until_the_campaign_is_served(
    start, service, reading, explaining, queue
):
    fleet = FakeFleet(size=1)
    dispatcher = start(fleet)
    service.submit("p", data(name="large", priority=90))
    service.submit("p", data(name="small", priority=10))
    dispatcher.tick(NOW)
    assert waits(reading, "small") == "no_worker"
    dispatcher.tick(NOW + REFUSALS_S)
    assert waits(reading, "small") == "priority"
    assert waits(reading, "large") == "busy"
    (row,) = fleet.rows()
    assert row.state is not WorkerState.STARTING
    assert explaining.why("p", "small") == [
        "The campaign large of priority 90 goes first. Its own priority is 10."
    ]
    for k in range(12):
        fleet.paint()
        dispatcher.tick(NOW + 2 + k)
    assert waits(reading, "small") is None
    assert waits(reading, "large") is None


def test_the_same_reason_is_written_once(start, service, campaigns, monkeypatch):
    written = []
    monkeypatch.setattr(campaigns, "note_refusals", written.append)
    dispatcher = start(FakeFleet(size=1))
    campaign = service.submit("p", data(name="spring"))[0]
    dispatcher.tick(NOW)
    dispatcher.tick(NOW)
    assert written == [{campaign.id: '["no_worker"]'}]
