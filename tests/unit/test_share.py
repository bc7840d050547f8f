"""Shares of device time: who starts level with whom, and what comes of it over a virtual clock."""

from hypothesis import given
from hypothesis import strategies as st

from farm.scheduling.share import Shares, charge, welcome
from farm.scheduling.values import AFFINITY_S
from tests.policies import Farm, open_campaign


def test_whoever_comes_anew_starts_level_with_who_has_least():
    shares = welcome(Shares(), [open_campaign(1), open_campaign(2)])
    shares = charge(shares, project="p", campaign_id=1, seconds=1000, weight=1)
    shares = charge(shares, project="p", campaign_id=2, seconds=600, weight=1)
    shares = welcome(
        shares,
        [open_campaign(1), open_campaign(2), open_campaign(3), open_campaign(4, project="q")],
    )
    assert shares.campaigns == {1: 1000, 2: 600, 3: 600, 4: 0}
    assert shares.projects == {"p": 1600, "q": 1600}


def test_a_project_that_comes_and_goes_does_not_get_its_past_back():
    shares = welcome(Shares(), [open_campaign(1), open_campaign(2, project="q")])
    shares = charge(shares, project="q", campaign_id=2, seconds=500, weight=1)
    shares = welcome(shares, [open_campaign(1)])
    shares = welcome(shares, [open_campaign(1), open_campaign(3, project="q")])
    assert shares.projects["q"] == 500


@given(
    st.integers(1, 4),
    st.lists(st.tuples(st.integers(1, 12), st.floats(1.0, 60.0)), min_size=1, max_size=5),
)
def test_all_work_is_done_and_no_worker_idles_while_some_waits(size, loads):
    farm = Farm(size)
    for number, (chunks, chunk_s) in enumerate(loads, 1):
        farm.submit(number, chunks, chunk_s)
    for _ in range(1000):
        if not farm.step():
            break
    assert all(c["left"] == 0 for c in farm.campaigns.values())
    assert farm.idle_s == 0


@given(st.integers(1, 4), st.floats(5.0, 60.0), st.floats(5.0, 60.0), st.floats(0.5, 4.0))
def test_projects_get_what_their_weights_say(size, one_s, two_s, weight):
    farm = Farm(size, {"q": weight})
    farm.submit(1, 10**6, one_s)
    farm.submit(2, 10**6, two_s, project="q")
    while farm.now < 5_000:
        farm.step()
    error = abs(farm.given[1] - farm.given[2] / weight)
    # A bounded debt for what is warm, and the chunks that are under way.
    assert error <= AFFINITY_S + 2 * size * max(one_s, two_s) * max(1, 1 / weight)


@given(st.integers(1, 4), st.integers(1, 40))
def test_a_small_campaign_starts_within_one_chunks_time(size, head_start):
    farm = Farm(size)
    farm.submit(1, 1000, 60.0)
    for _ in range(head_start):
        farm.step()
    came = farm.now
    farm.submit(2, 3, 5.0)
    for _ in range(10):
        farm.step()
    assert farm.first[2] - came <= 60.0


def test_a_long_campaign_is_not_starved_by_many_small_ones():
    farm = Farm(2)
    farm.submit(1, 1000, 60.0)
    for number in range(2, 60):
        farm.submit(number, 2, 10.0)
        for _ in range(3):
            farm.step()
    assert farm.given[1] > 0.2 * sum(farm.given.values())
