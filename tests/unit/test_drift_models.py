"""Drift, decided, beside slow and obvious ways of saying the same."""

import math
from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import settings as effort
from hypothesis import strategies as st

from actors.pictures.drift import Layout, drift, layout_from, median_of
from actors.recipes.drift import DriftAction, DriftRule
from farm.scheduling.drift import (
    ENOUGH,
    FEWEST,
    LEAST_GRIP,
    anchored,
    calibrated,
    false_stops,
    grip_of,
    wrongly_stopped,
)
from farm.service.drift_fit import calibrated_campaign, drift_problems, drift_warnings
from storage.states import RenderState
from tests.campaigns import campaign, expansion

SHARES = st.integers(0, 20).map(lambda k: k / 20)
PAIRS = st.lists(st.tuples(SHARES, SHARES), max_size=25)
FEW = effort(max_examples=60)


def layout(x):
    """A composition that has moved by a share of the way."""
    subject = bytes([round(255 * x), 128, 40, 40, 60])
    return Layout(light=bytes([100] * 64), colour=bytes([128] * 32), subject=subject)


SETS = st.dictionaries(st.integers(0, 99), SHARES.map(lambda x: layout(x).text), min_size=1)


# --- calibration ---


@given(PAIRS, SHARES, SHARES)
def test_false_stops_are_counted_pair_by_pair(pairs, beyond, limit):
    good = stopped = 0
    for look, end in pairs:
        if end <= limit:
            good += 1
            stopped += look > beyond
    assert false_stops(pairs, beyond, limit) == (stopped / good if good else 0)


@given(PAIRS.filter(bool), SHARES, st.sampled_from([0.0, 0.01, 0.2]))
@FEW
def test_the_calibrated_limit_is_the_lowest_that_is_allowed(pairs, limit, allowed):
    found = calibrated(pairs, limit, allowed)
    fine = [k / 100 for k in range(1, 100) if false_stops(pairs, k / 100, limit) <= allowed]
    assert found.pictures == len(pairs)
    assert found.limit == (fine[0] if fine else None)
    if found.limit is None:
        assert (found.false_stops, found.stopped) == (None, None)
        return
    assert found.false_stops <= allowed
    beyond = sum(look > found.limit for look, _ in pairs)
    assert found.stopped == pytest.approx(beyond / len(pairs))


def ranks(values):
    """The mean place of each value among all, counted one by one."""
    return [
        sum(other < value for other in values) + (sum(other == value for other in values) + 1) / 2
        for value in values
    ]


@given(PAIRS.filter(bool))
@FEW
def test_the_correlation_is_that_of_the_ranks(pairs):
    looks, ends = ([pair[k] for pair in pairs] for k in (0, 1))
    found = calibrated(pairs, 0.5).correlation
    if len(set(looks)) < 2 or len(set(ends)) < 2:
        assert found is None
        return
    first, second = (np.array(ranks(values)) for values in (looks, ends))
    first, second = first - first.mean(), second - second.mean()
    expected = (first @ second) / math.sqrt((first @ first) * (second @ second))
    assert found == pytest.approx(expected)
    assert -1 - 1e-9 <= found <= 1 + 1e-9


@given(PAIRS.filter(bool), st.randoms())
@FEW
def test_the_order_of_the_pictures_does_not_count(pairs, chance):
    one, other = calibrated(pairs, 0.4), calibrated(chance.sample(pairs, len(pairs)), 0.4)
    assert (one.limit, one.stopped, one.false_stops) == (
        other.limit,
        other.stopped,
        other.false_stops,
    )


@given(st.integers(0, 50), st.integers(0, 500), st.floats(0, 1))
def test_no_more_are_stopped_wrongly_than_are_stopped_at_all(stopped, done, share):
    wrong = wrongly_stopped(stopped, done, share)
    assert 0 <= wrong <= stopped
    if share < 0.99 and done and wrong < stopped:
        assert wrong / (wrong + done) == pytest.approx(share)


# --- sets ---


@given(SETS)
@FEW
def test_a_set_is_measured_one_by_one_from_the_median_of_its_first(texts):
    found = anchored(texts)
    first = [layout_from(texts[number]) for number in sorted(texts)[:ENOUGH]]
    assert layout_from(found.anchor) == median_of(first)
    assert found.drifts == {
        number: drift(layout_from(text), median_of(first)) for number, text in texts.items()
    }


@given(SETS, SHARES, st.randoms())
@FEW
def test_an_anchor_that_is_known_stays_and_no_order_counts(texts, x, chance):
    anchor = layout(x).text
    assert anchored(texts, anchor).anchor == anchor
    shuffled = dict(chance.sample(list(texts.items()), len(texts)))
    assert anchored(shuffled) == anchored(texts)
    one_by_one = [anchored({n: text}, anchor).drifts[n] for n, text in texts.items()]
    assert list(anchored(texts, anchor).drifts.values()) == one_by_one


def test_one_that_drifted_does_not_move_the_median_of_the_fewest():
    texts = {k: layout(0.2).text for k in range(FEWEST - 1)} | {9: layout(0.9).text}
    found = anchored(texts)
    assert found.anchor == layout(0.2).text
    assert [n for n, apart in found.drifts.items() if apart > 0.1] == [9]


@given(st.integers(2, 3), st.integers(2, 4), st.data())
@FEW
def test_grip_is_one_less_the_share_of_the_variance_within_a_seed(prompts, seeds, data):
    pictures = [[layout(data.draw(SHARES)) for _ in range(seeds)] for _ in range(prompts)]
    shared, neither = [], []
    for (p, q), s, t in product(combinations(range(prompts), 2), range(seeds), range(seeds)):
        (shared if s == t else neither).append(drift(pictures[p][s], pictures[q][t]) ** 2)
    whole = np.mean(neither)
    expected = 0 if whole == 0 else min(1, max(0, 1 - np.mean(shared) / whole))
    assert grip_of(pictures) == pytest.approx(expected)


def test_a_composition_that_the_prompt_alone_decides_has_no_grip():
    by_prompt = [[layout(x)] * 3 for x in (0.1, 0.5, 0.9)]
    assert grip_of(by_prompt) == pytest.approx(0)
    by_seed = [[layout(x) for x in (0.1, 0.5, 0.9)]] * 3
    assert grip_of(by_seed) == 1
    assert grip_of([[layout(0.5)] * 2] * 2) == 0


# --- verdicts ---


@given(st.floats(0, 1), st.floats(0.01, 0.99), st.sampled_from(DriftAction))
def test_a_picture_is_held_only_beyond_the_limit_and_never_by_a_flag(apart, limit, action):
    verdict = DriftRule(limit=limit, action=action).verdict(apart)
    assert (verdict is not None) == (apart > limit and action is not DriftAction.FLAG)
    if verdict is not None:
        assert verdict[0] is RenderState.HELD or verdict[0] == "held"
        assert verdict[2].endswith(".")


# --- campaigns that can be measured ---

SET = {"seeds": [7], "vary": {"product": ["mug", "lamp", "box"], "color": ["red"]}}
GOOD = {**SET, "drift": {"limit": 0.3}}


@pytest.mark.parametrize(
    ("changes", "profile", "told"),
    [
        ({}, {}, None),
        ({"drift": None}, {"grip": 0.0}, None),
        ({"seeds": {"count": 2, "per": ["product"]}}, {}, "no two shots have the same seed"),
        ({"vary": {"product": ["mug"], "color": ["red"]}}, {}, "a seed has 1 picture here"),
        ({"vary": {"product": ["mug", "box"], "color": ["red"]}}, {}, "a seed has 2 pictures"),
        ({}, {"grip": LEAST_GRIP}, None),
        ({}, {"grip": LEAST_GRIP - 0.01}, "does not repeat a composition over prompts"),
        ({"seeds": {"count": 2, "per": ["product"]}, "proof": {"steps": 4}}, {}, None),
        ({"drift": {"action": "stop"}}, {}, "no limit is calibrated for this model at 0.4"),
    ],
)
def test_why_drift_cannot_be_measured_is_told(changes, profile, told):
    problems = [one.message for one in drift_problems(expansion(**{**GOOD, **changes}), profile)]
    if told is None:
        assert problems == []
    else:
        (message,) = problems
        assert told in message


def test_a_limit_of_its_own_counts_before_what_was_calibrated():
    profile = {"stops": {"0.4": {"limit": 0.2}}}
    own = campaign(**{**GOOD, "drift": {"limit": 0.6, "action": "stop"}})
    assert calibrated_campaign(own, profile) is own
    without = campaign(**{**GOOD, "drift": {"action": "stop"}})
    assert calibrated_campaign(without, profile).drift.limit == 0.2
    elsewhere = campaign(**{**GOOD, "drift": {"action": "stop", "at": 0.5}})
    assert calibrated_campaign(elsewhere, profile) is elsewhere
    assert calibrated_campaign(campaign(), profile) == campaign()
    assert calibrated_campaign(without, {}) is without


def test_a_family_that_can_be_stopped_is_not_warned_of():
    assert list(drift_warnings(expansion(**{**GOOD, "drift": {"action": "stop"}}))) == []
    assert list(drift_warnings(expansion(**GOOD))) == []


@given(st.floats(0.001, 0.999).map(lambda f: round(f, 3)))
@FEW
def test_a_fraction_is_found_among_what_was_calibrated_as_it_is_written(at):
    assume(0 < at < 1)
    stopping = campaign(**{**GOOD, "drift": {"action": "stop", "at": at}})
    profile = {"stops": {f"{at:g}": {"limit": 0.25}}}
    assert calibrated_campaign(stopping, profile).drift.limit == 0.25
