"""Drift, decided: medians of sets, calibrated limits, and campaigns that cannot be measured."""

import numpy as np
import pytest

from actors.pictures.drift import layout_from, layout_of
from actors.recipes.drift import DriftAction, DriftRule
from actors.recipes.previews import Previews
from farm.campaign.checks import parse_campaign
from farm.campaign.chunks import chunk_size
from farm.documents.document import DocumentError
from farm.scheduling.drift import (
    ENOUGH,
    anchored,
    calibrated,
    false_stops,
    grip_of,
    wrongly_stopped,
)
from farm.service.drift_fit import calibrated_campaign, drift_problems, drift_warnings
from storage.states import Reason, RenderState
from tests.campaigns import data, expansion


def scene(x):
    pixels = np.full((64, 64, 3), 90, np.uint8)
    pixels[20:40, x : x + 16] = (220, 60, 40)
    return layout_of(pixels).text


def test_a_set_is_measured_from_the_median_of_its_first_pictures():
    near = {number: scene(20) for number in range(ENOUGH - 1)}
    found = anchored({**near, 30: scene(44), 40: scene(20)})
    assert found.anchor == scene(20)
    assert {n for n, value in found.drifts.items() if value > 0.2} == {30}
    assert found.drifts[40] == 0
    again = anchored({50: scene(44)}, found.anchor)  # one that came when the median was known
    assert again.anchor == found.anchor
    assert again.drifts == {50: found.drifts[30]}


def test_a_limit_is_the_lowest_that_stops_hardly_a_good_picture():
    good = [(0.1 + k / 1000, 0.1) for k in range(99)]
    bad = [(0.5, 0.6)] * 50
    odd = [(0.45, 0.1)]
    found = calibrated([*good, *bad, *odd], limit=0.3)
    assert found.limit == 0.2
    assert found.false_stops == 0.01
    assert found.stopped == pytest.approx(51 / 150)
    assert found.correlation > 0.7
    assert false_stops([*good, *odd], 0.1, 0.3) > 0.9


@pytest.mark.parametrize("pairs", [[(0.1, 0.2)], [(0.1, 0.2), (0.1, 0.3)]])
def test_what_is_all_the_same_has_no_correlation(pairs):
    assert calibrated(pairs, limit=0.5).correlation is None


def test_looks_that_tell_the_opposite_have_no_limit_that_is_worth_it():
    pairs = [(0.99, 0.1), (0.5, 0.9)]
    found = calibrated(pairs, limit=0.3)
    assert found.correlation == pytest.approx(-1)
    assert found.limit in (None, 0.99)


@pytest.mark.parametrize("action", list(DriftAction))
def test_what_a_finished_picture_becomes(action):
    rule = DriftRule(limit=0.3, action=action, stop_step=4)
    assert rule.verdict(0.3) is None
    assert rule.verdict(None) is None
    assert not rule.stops(None)
    assert not rule.stops(0.3)
    beyond = rule.verdict(0.5)
    if action is DriftAction.FLAG:
        assert beyond is None
    else:
        assert beyond[:2] == (RenderState.HELD, Reason.DRIFT)
        assert "0.50 away from its anchor" in beyond[2]


def test_a_campaign_that_stops_keeps_the_look_that_it_stops_by():
    campaign = parse_campaign(data(drift={"limit": 0.3, "action": "stop"}))
    assert campaign.kept_previews == Previews(at=(0.4,))
    campaign = parse_campaign(
        data(
            drift={"limit": 0.3, "action": "stop", "at": 0.25},
            previews={"every": 5, "decode": "fast"},
        )
    )
    assert campaign.kept_previews == Previews(every=5, at=(0.25,), decode="fast")
    assert parse_campaign(data(drift={"limit": 0.3})).kept_previews is None


@pytest.mark.parametrize(
    ("written", "place", "words"),
    [
        ({}, "drift", "has no limit"),
        ({"limit": 0}, "drift.limit", "more than 0"),
        ({"limit": 1.0}, "drift.limit", "less than 1"),
        ({"limit": 0.2, "action": "halt"}, "drift.action", "flag, hold, stop"),
        ({"limit": 0.2, "at": 2.0}, "drift.at", "less than 1"),
        (0.3, "drift", "drift: {limit: 0.3}"),
    ],
)
def test_a_mistake_is_named_with_its_place(written, place, words):
    with pytest.raises(DocumentError) as error:
        parse_campaign(data(drift=written))
    assert any(p.place == place and words in p.message for p in error.value.problems), str(
        error.value
    )


def problems(profile=None, **changes):
    plan = expansion(**{"drift": {"limit": 0.3}, **changes})
    return [problem.message for problem in drift_problems(plan, profile or {})]


def test_each_picture_needs_an_anchor():
    assert problems(seeds=[1, 2]) == []
    (few,) = problems(seeds=[1], vary={"product": ["mug"], "color": ["red", "blue"]})
    assert "a seed has 2 pictures here" in few
    (none,) = problems(seeds={"count": 1, "per": ["color"]})
    assert "no two shots have the same seed" in none
    assert "give it a `reference`, or approve proofs" in none


def test_a_model_that_does_not_repeat_compositions_has_no_medians():
    assert problems({"grip": 0.25}, seeds=[1, 2]) == []
    (why,) = problems({"grip": 0.05}, seeds=[1, 2])
    assert "a seed decides 5% of it" in why
    assert "reference" in why


def test_a_limit_is_taken_from_what_was_calibrated():
    plan = expansion(drift={"action": "stop"}, seeds=[1, 2])
    (why,) = drift_problems(plan, {})
    assert "farm drift calibrate" in why.message
    profile = {"stops": {"0.4": {"limit": 0.22, "false_stops": 0.01}}}
    assert calibrated_campaign(plan.campaign, profile).drift.limit == 0.22
    assert calibrated_campaign(plan.campaign, {"stops": {"0.5": {"limit": 0.2}}}) == plan.campaign
    assert list(drift_warnings(plan)) == []


def test_a_seed_that_decides_the_place_has_all_the_grip():
    places = [4, 14, 24, 34, 44]
    by_seed = [[layout_from(scene(x)) for x in places] for _ in range(3)]
    assert grip_of(by_seed) == 1
    by_prompt = [[layout_from(scene(x))] * 5 for x in places]
    assert grip_of(by_prompt) == 0
    same = [[layout_from(scene(4))] * 3] * 3
    assert grip_of(same) == 0
    random = np.random.default_rng(1)
    neither = [[layout_from(scene(int(x))) for x in random.integers(0, 48, 8)] for _ in range(8)]
    assert grip_of(neither) < 0.2


def test_of_good_pictures_a_known_share_is_stopped():
    assert wrongly_stopped(50, 99, 0.01) == pytest.approx(1)
    assert wrongly_stopped(0, 99, 0.01) == 0
    assert wrongly_stopped(3, 99, 1.0) == 3


def test_a_chunk_that_may_stop_has_batches_to_pack_anew():
    plain, stopping = (
        expansion(seeds=[1], vary={"n": list(range(64))}, prompt="a mug {n}", drift=drift)
        for drift in (None, {"limit": 0.3, "action": "stop"})
    )
    batch = plain.group(0).batch
    assert chunk_size(stopping, 1.0)(0, 64) == max(4 * batch, chunk_size(plain, 1.0)(0, 64))
    assert chunk_size(plain, 100.0)(0, 64) == batch
    assert chunk_size(stopping, 100.0)(0, 64) == 4 * batch
