"""Compositions of sets that have no median yet, and profiles of models, on each engine."""

from dataclasses import replace

import pytest

from storage.layouts import Layouts, SetLayout
from storage.profiles import Profiles
from storage.removal import Removal
from tests.storage.conftest import claim_one, outcomes, settlement


@pytest.fixture
def layouts(engine):
    return Layouts(engine)


@pytest.fixture
def removal(engine):
    return Removal(engine)


@pytest.fixture
def painted(queue, settling, session, campaign):
    """Settles the next chunk of the campaign, its renders of alternating seeds."""

    def paint(**changes):
        chunk = claim_one(queue, session, campaign)
        ended = tuple(
            replace(o, **{"set_layout": (o.number % 2, f"layout {o.number}"), **changes})
            for o in outcomes(chunk)
        )
        return settling.settle(session, [settlement(chunk, ended)])

    return paint


def test_layouts_wait_until_their_set_is_measured(layouts, painted, campaigns, campaign):
    painted()
    painted()
    assert layouts.waiting() == [campaign.id]
    assert layouts.full(campaign.id, 3) == {}
    assert layouts.full(campaign.id, 2) == {
        0: [SetLayout(number=n, layout=f"layout {n}") for n in (0, 2)],
        1: [SetLayout(number=n, layout=f"layout {n}") for n in (1, 3)],
    }
    layouts.settle(campaign.id, 0, "median", {0: 0.25, 2: 0.5})
    assert layouts.anchors(campaign.id, range(2000)) == {0: "median"}
    drifts = [outcome.drift for outcome, _, _ in campaigns.outcomes(campaign.id)]
    assert drifts == [0.25, None, 0.5, None]
    assert list(layouts.full(campaign.id, 1)) == [1]


def test_what_comes_once_a_set_has_a_median_is_measured_from_that(layouts, painted, campaign):
    painted()
    layouts.settle(campaign.id, 0, "median", {0: 0.0})
    painted()
    assert layouts.full(campaign.id, 9) == {0: [SetLayout(number=2, layout="layout 2")]}
    layouts.settle(campaign.id, 0, "another", {2: 0.125})
    assert layouts.anchors(campaign.id, [0, 1]) == {0: "median"}
    assert layouts.full(campaign.id, 9) == {}


def test_a_drift_that_was_measured_by_the_worker_is_kept(painted, campaigns, campaign):
    painted(set_layout=None, drift=0.75)
    assert [o.drift for o, _, _ in campaigns.outcomes(campaign.id)] == [0.75, 0.75]


def test_layouts_go_with_their_campaign(layouts, painted, campaign, removal):
    for _ in range(3):
        painted()
    layouts.settle(campaign.id, 0, "median", {0: 0.25})
    removal.forget(campaign.id)
    removal.sweep()
    assert layouts.waiting() == []
    assert layouts.anchors(campaign.id, [0]) == {}


def test_profiles_grow(engine):
    profiles = Profiles(engine)
    assert profiles.get("d") == {}
    assert profiles.learn("d", {"grip": 0.5}) == {"grip": 0.5}
    assert profiles.learn("d", {"stops": {"0.4": 1}}) == {"grip": 0.5, "stops": {"0.4": 1}}
    assert profiles.learn("d", {"grip": 0.25})["grip"] == 0.25
    assert profiles.get("d") == {"grip": 0.25, "stops": {"0.4": 1}}
    assert profiles.get("e") == {}
