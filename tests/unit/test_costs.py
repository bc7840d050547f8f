"""Costs add up, however seconds were used and whatever was rejected."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farm.commands.costs import moment_of
from farm.results.costs import Pictures, costs_of, total_of
from storage.errors import RequestError
from storage.spent import USES, CostRow

SECONDS = st.floats(0, 1e5)


@st.composite
def rows(draw):
    seconds = {use: draw(SECONDS) for use in USES}
    price = draw(st.none() | st.floats(0, 10))
    return CostRow(
        campaign="spring",
        is_proof=draw(st.booleans()),
        pool=draw(st.sampled_from(["spot", "own", None])),
        attempts=draw(st.integers(1, 9)),
        kept=draw(st.integers(0, 99)),
        seconds=seconds,
        money=None if price is None else {use: of * price / 3600 for use, of in seconds.items()},
    )


@st.composite
def pictures(draw):
    return Pictures(
        done=draw(st.integers(0, 99)),
        approved=draw(st.none() | st.integers(0, 99)),
        rejected_s=draw(SECONDS),
        proofs=draw(st.integers(0, 99)),
        proofs_rejected=draw(st.integers(0, 99)),
    )


def summed(parts, what):
    amounts = [parts["painted"], *parts["waste"].values(), parts["idle"]]
    return sum(amount[what] for amount in amounts)


@given(st.lists(rows(), max_size=5), pictures())
def test_painted_waste_and_idle_add_up_in_seconds_and_money_also_by_pool(of, shown):
    costs = costs_of(of, shown)
    for parts in (costs, total_of(of), *costs["pools"].values()):
        assert math.isclose(summed(parts, "seconds"), parts["given_s"], abs_tol=1e-4)
        assert parts["painted"]["seconds"] >= -1e-6
        if parts["money"] is not None:
            assert math.isclose(summed(parts, "money"), parts["money"], abs_tol=1e-6)
    given_s = sum(sum(row.seconds.values()) for row in of)
    assert math.isclose(costs["given_s"], given_s, abs_tol=1e-4)
    of_pools = sum(parts["given_s"] for parts in costs["pools"].values())
    assert math.isclose(of_pools, given_s, abs_tol=1e-4)
    assert (costs["money"] is None) == all(row.money is None for row in of)


def row(**changes):
    seconds = {**dict.fromkeys(USES, 0.0), "painted_s": 90.0, "padding_s": 10.0}
    values = {"campaign": "spring", "pool": "gpu", "attempts": 1, "kept": 10, **changes}
    return CostRow(**{"seconds": seconds, "money": seconds, **values})


def test_what_was_rejected_is_waste_and_takes_its_part_of_what_was_painted():
    costs = costs_of([row()], Pictures(done=9, rejected_s=50.0))
    assert costs["waste"]["rejected"] == {"seconds": 45.0, "money": 45.0}
    assert costs["painted"]["seconds"] == 45.0
    proofs = [row(is_proof=True), row()]
    whole = costs_of(proofs, Pictures(done=9, proofs=10, proofs_rejected=4))
    assert whole["waste"]["rejected"]["seconds"] == 36.0, "four of ten proofs"


def test_all_costs_are_shared_out_to_pictures_and_to_approved_ones():
    costs = costs_of([row()], Pictures(done=10, approved=4))
    assert costs["per_picture"] == {"seconds": 10.0, "money": 10.0}
    assert costs["per_approved"] == {"seconds": 25.0, "money": 25.0}
    assert costs_of([], Pictures())["per_picture"] is None


def test_moments_are_dates_or_ages():
    assert moment_of("1970-01-02T00:00+00:00") == 86400
    assert moment_of("2h") == pytest.approx(moment_of("120m"), abs=2)
    for wrong in ("yesterday", "7", "xd", "infd", "d"):
        with pytest.raises(RequestError, match="is no moment"):
            moment_of(wrong)
