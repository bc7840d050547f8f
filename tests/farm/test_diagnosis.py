"""A farm that looks at itself."""

import pytest

from farm.service import outputs_trial
from farm.service.diagnosis import Diagnosis
from farm.service.outputs_trial import try_outputs
from storage.errors import NotFound, OutputsForbidden, SeedbedError
from storage.watching import Watching


@pytest.fixture
def diagnosis(watching, outputs):
    return Diagnosis(watching=watching, outputs=outputs, version="1.2.3", database="sqlite")


def findings(diagnosis):
    return {row["check"]: row for row in diagnosis.look()["findings"]}


def test_a_farm_that_is_led_is_fine(diagnosis, queue):
    queue.lead(owner="one", host="node-7", pid=1)
    found = findings(diagnosis)
    assert all(row["fine"] for row in found.values()), found
    assert "node-7 leads" in found["leader"]["detail"]
    assert found["version"]["detail"] == "Seedbed 1.2.3"
    assert found["workers"]["detail"].startswith("none")


def test_a_leader_that_is_silent_is_said_with_its_host(diagnosis, queue, monkeypatch):
    queue.lead(owner="one", host="node-7", pid=1)
    monkeypatch.setattr("storage.watching.ROSTER_FRESH_S", -1.0)
    found = findings(diagnosis)["leader"]
    assert not found["fine"]
    assert "node-7 was heard last" in found["detail"]


def test_without_a_leader_there_is_none(diagnosis, watching, queue):
    assert watching.leader() is None
    session = queue.lead(owner="one", host="node-7", pid=1)
    assert watching.leader().host == "node-7"
    queue.end_session(session)
    assert watching.leader() is None
    assert "No dispatcher leads" in findings(diagnosis)["leader"]["detail"]


def test_the_clocks_of_database_and_farm_are_compared(diagnosis, watching, monkeypatch):
    assert abs(watching.clock_skew_s()) < 60
    monkeypatch.setattr(Watching, "clock_skew_s", lambda _watching: 75.0)
    found = findings(diagnosis)["database"]
    assert not found["fine"]
    assert "75 s" in found["detail"]


def test_outputs_that_can_be_used_are_left_as_they_were(outputs):
    before = list(outputs.keys(""))
    assert "can be written, read, listed" in try_outputs(outputs)
    assert list(outputs.keys("")) == before


class Broken:
    """Outputs with one deed that does not work."""

    def __init__(self, outputs, **deeds):
        self._outputs, self._deeds = outputs, deeds

    def __getattr__(self, name):
        return self._deeds.get(name) or getattr(self._outputs, name)


def refused(*_arguments):
    raise OutputsForbidden("The key may not do this.")


def test_what_is_forbidden_is_said_once(outputs):
    with pytest.raises(SeedbedError) as raised:
        try_outputs(Broken(outputs, put=refused, copy=refused))
    assert str(raised.value) == "The key may not do this."


def test_outputs_that_lose_or_change_bytes_are_found(outputs, monkeypatch):
    with pytest.raises(NotFound, match="does not list"):
        try_outputs(Broken(outputs, keys=lambda _prefix: []))
    monkeypatch.setattr(outputs_trial, "_PROBE", b"fine")
    stored = outputs.put
    broken = Broken(outputs, put=lambda key, _data: stored(key, b"other"))
    with pytest.raises(SeedbedError, match="other bytes"):
        try_outputs(broken)


def test_a_clock_far_from_the_stores_is_an_error(outputs):
    with pytest.raises(SeedbedError, match="900 s from"):
        try_outputs(Broken(outputs, clock_skew_s=lambda: 900.0))
