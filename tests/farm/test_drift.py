"""Drift through the dispatcher: sets get medians, later chunks are told of them, and renders are
measured.
"""

from dataclasses import replace

import numpy as np
import pytest

from actors.pictures.drift import drift, layout_of
from storage.states import Reason
from tests.campaigns import data
from tests.farm.fakes import FakeFleet, answer


def layout(x):
    pixels = np.full((64, 64, 3), 90, np.uint8)
    pixels[20:40, x : x + 16] = (220, 60, 40)
    return layout_of(pixels)


USUAL, ODD = layout(20), layout(44)
AWAY = drift(ODD, USUAL)


def measured(job, worker, odd=()):
    """An answer of a worker that measures: from the anchor that it was told, else it returns
    layouts.
    """
    result = answer(job, worker)
    anchors = {picture.number: picture for picture in job.pictures}

    def own(outcome):
        seen = ODD if outcome.number in odd else USUAL
        picture = anchors[outcome.number]
        if picture.anchor is None:
            return replace(outcome, set_layout=(picture.seed, seen.text))
        return replace(outcome, drift=AWAY if outcome.number in odd else 0.0)

    return replace(result, outcomes=tuple(own(outcome) for outcome in result.outcomes))


@pytest.mark.parametrize("wave", [1, 3])
def test_the_first_of_a_set_make_its_median_and_later_ones_are_told(
    service, start, campaigns, wave
):
    fleet = FakeFleet(wave)
    row, _ = service.submit(
        "p", data(drift={"limit": 0.2, "action": "hold"}, seeds=[7], vary={"n": list(range(48))},
        prompt="a mug {n}")
    )  # fmt: skip
    dispatcher = start(fleet)
    told = []
    for now in range(40):
        dispatcher.tick(float(now))
        for job, worker in fleet.take():
            assert job.drift.uses_sets
            told.append({picture.anchor for picture in job.pictures})
            fleet.results.append(measured(job, worker, odd={4, 16}))
    drifts = {o.number: o.drift for o, _, _ in campaigns.outcomes(row.id)}
    assert drifts == {n: pytest.approx(AWAY) if n in (4, 16) else 0.0 for n in range(48)}
    assert told[0] == {None}
    assert told[-1] == {USUAL.text}
    held = {o.number: o.reason for o, _, _ in campaigns.outcomes(row.id) if o.state == "held"}
    assert set(held) >= {4}
    assert set(held.values()) == {Reason.DRIFT}
    found = campaigns.by_id(row.id)
    assert (found.held, found.done) == (len(held), 48 - len(held))
    assert (found.held_by_rule, found.state) == (len(held), "awaiting_review")


def test_what_only_flags_holds_nothing(service, start, campaigns):
    fleet = FakeFleet(1)
    row, _ = service.submit(
        "p",
        data(
            drift={"limit": 0.2, "action": "flag"},
            seeds=[7],
            vary={"n": [1, 2, 3, 4]},
            prompt="a mug {n}",
        ),
    )
    dispatcher = start(fleet)
    for now in range(20):
        dispatcher.tick(float(now))
        fleet.results += [measured(job, worker, odd={2}) for job, worker in fleet.take()]
    assert campaigns.by_id(row.id).held == 0


def test_a_small_set_gets_its_median_when_the_campaign_is_over(service, start, campaigns):
    fleet = FakeFleet(1)
    row, _ = service.submit(
        "p", data(drift={"limit": 0.2}, seeds=[7], vary={"n": [1, 2, 3, 4]}, prompt="a mug {n}")
    )
    dispatcher = start(fleet)
    for now in range(20):
        dispatcher.tick(float(now))
        fleet.results += [measured(job, worker, odd={2}) for job, worker in fleet.take()]
    assert {o.number: o.drift for o, _, _ in campaigns.outcomes(row.id)} == {
        0: 0.0, 1: 0.0, 2: pytest.approx(AWAY), 3: 0.0,
    }  # fmt: skip
    assert (campaigns.by_id(row.id).held, campaigns.by_id(row.id).done) == (1, 3)


def test_what_a_dispatcher_left_unmeasured_the_next_one_finds(service, start, campaigns):
    row, _ = service.submit(
        "p", data(drift={"limit": 0.2}, seeds=[7], vary={"n": list(range(12))}, prompt="a mug {n}")
    )
    fleet = FakeFleet(1)
    first = start(fleet)
    first._receiving._anchoring.after = lambda settlements: None  # it dies before it measures
    for now in range(40):
        first.tick(float(now))
        fleet.results += [measured(job, worker) for job, worker in fleet.take()]
    assert {o.drift for o, _, _ in campaigns.outcomes(row.id)} == {None}
    service.submit("p", data(name="third"))
    again = FakeFleet(1)
    second = start(again)
    for now in range(5):
        second.tick(float(now))
        again.paint()
    assert {o.drift for o, _, _ in campaigns.outcomes(row.id)} == {0.0}
