"""Filters and counts of a map, held against looking at each render by itself."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from farm.campaign.map_code import REVIEWS, STATES, unpacked
from farm.service.render_map import Filter, RenderMap
from storage.errors import RequestError
from storage.render_codes import REASONS, RULES
from tests.campaigns import expansion

GRID = expansion()  # 3 products, 2 colours, 3 seeds
SIZE = GRID.size


def a_map(draw):
    random = np.random.default_rng(draw)
    states = random.integers(1, len(STATES), SIZE).astype(np.uint8)
    is_measured = states >= STATES.index("done")
    return RenderMap(
        expansion=GRID,
        exists=np.ones(SIZE, np.bool_),
        states=states,
        reviews=random.integers(0, len(REVIEWS), SIZE).astype(np.uint8),
        deciles=np.where(is_measured, random.integers(0, 11, SIZE), 0).astype(np.uint8),
        reasons=random.integers(0, len(REASONS) + 1, SIZE).astype(np.uint8),
        rules=random.integers(0, 2 ** len(RULES), SIZE).astype(np.uint8),
    )


def some(values):
    return st.frozensets(st.sampled_from(values), max_size=2)


filters = st.builds(
    Filter,
    states=some(STATES[1:]),
    reviews=some(REVIEWS),
    reasons=some(tuple(map(str, REASONS))),
    deciles=some(range(1, 11)),
    rules=some(RULES),
    at=st.dictionaries(
        st.integers(0, 2), st.lists(st.integers(0, 1), min_size=1, max_size=2), max_size=2
    ),
)


def fits(found, wanted, number, but=None):
    """Whether one render fits, told kind by kind."""
    state, review, decile = unpacked(int(found.codes[number]))
    reason = ("", *map(str, REASONS))[found.reasons[number]]
    failed = {rule for k, rule in enumerate(RULES) if found.rules[number] >> k & 1}
    cell, seed = divmod(number, 3)
    places = (cell // 2, cell % 2, seed)
    tests = {
        "states": not wanted.states or state in wanted.states,
        "reviews": not wanted.reviews or review in wanted.reviews,
        "reasons": not wanted.reasons or reason in wanted.reasons,
        "deciles": not wanted.deciles or decile in wanted.deciles,
        "rules": not wanted.rules or bool(failed & wanted.rules),
    }
    for axis, indices in wanted.at.items():
        tests[f"at{axis}"] = places[axis] in indices
    return all(passed for kind, passed in tests.items() if kind != but)


@given(st.integers(0, 1_000), filters)
def test_a_filter_chooses_as_one_would_by_looking_at_each_render(seed, wanted):
    found = a_map(seed)
    expected = [fits(found, wanted, number) for number in range(SIZE)]
    assert found.matches(wanted).tolist() == expected


@given(st.integers(0, 1_000), filters)
def test_a_count_is_what_choosing_that_value_would_show(seed, wanted):
    found = a_map(seed)
    counts = found.counts(wanted)
    assert counts["matches"] == sum(fits(found, wanted, n) for n in range(SIZE))
    for state, review in product(STATES[1:], REVIEWS):
        of_state = [n for n in range(SIZE) if fits(found, wanted, n, "states")]
        shown = sum(unpacked(int(found.codes[n]))[0] == state for n in of_state)
        assert counts["states"].get(state, 0) == shown
        of_review = [n for n in range(SIZE) if fits(found, wanted, n, "reviews")]
        shown = sum(unpacked(int(found.codes[n]))[1] == review for n in of_review)
        assert counts["reviews"].get(review, 0) == shown
    for decile in range(1, 11):
        shown = sum(
            found.deciles[n] == decile and fits(found, wanted, n, "deciles") for n in range(SIZE)
        )
        assert counts["drift"][decile - 1] == shown
    for seed_place, count in enumerate(counts["axes"][2]):
        shown = sum(n % 3 == seed_place and fits(found, wanted, n, "at2") for n in range(SIZE))
        assert count == shown


def test_an_axis_that_is_not_there_is_refused():
    with pytest.raises(RequestError, match="no axis 3"):
        a_map(0).matches(Filter(at={3: [0]}))
