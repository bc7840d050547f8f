"""Workers divided like a fluid: nothing is lost, nobody has more than allowed, and who comes
first is served first.
"""

import math

from hypothesis import given
from hypothesis import strategies as st

from farm.scheduling.fluid import Rest, divided, ends_of

PROJECTS = ("p", "q", "r")


@st.composite
def situations(draw):
    rests = [
        Rest(
            id=number,
            project=draw(st.sampled_from(PROJECTS)),
            priority=draw(st.sampled_from([10, 50, 90])),
            seconds=draw(st.floats(0.1, 1e4)),
            most=draw(st.sampled_from([1.0, 2.0, 5.0, math.inf])),
        )
        for number in range(draw(st.integers(1, 7)))
    ]
    weights = draw(st.dictionaries(st.sampled_from(PROJECTS), st.floats(0.5, 4)))
    quotas = draw(st.dictionaries(st.sampled_from(PROJECTS), st.integers(1, 4)))
    return rests, draw(st.integers(1, 9)), {"weights": weights, "quotas": quotas}


@given(situations())
def test_no_worker_is_given_twice_and_none_stands_idle_beside_work_that_may_have_it(situation):
    rests, workers, rules = situation
    given_to = divided(rests, workers, **rules)
    assert sum(given_to.values()) <= workers + 1e-6
    by_project = {
        name: sum(given_to[r.id] for r in rests if r.project == name) for name in PROJECTS
    }
    for name, quota in rules["quotas"].items():
        assert by_project[name] <= quota + 1e-6
    for rest in rests:
        assert given_to[rest.id] <= rest.most + 1e-6
    if sum(given_to.values()) < workers - 1e-6:
        for rest in rests:
            is_full = given_to[rest.id] >= rest.most - 1e-6
            quota = rules["quotas"].get(rest.project, math.inf)
            assert is_full or by_project[rest.project] >= quota - 1e-6


@given(situations())
def test_each_ends_and_no_earlier_than_alone(situation):
    rests, workers, rules = situation
    ends = ends_of(rests, workers, **rules)
    assert ends.keys() == {rest.id for rest in rests}
    for rest in rests:
        alone = ends_of([rest], workers, **rules)[rest.id]
        assert ends[rest.id] >= alone * (1 - 1e-6)
    assert max(ends.values()) * workers >= sum(rest.seconds for rest in rests) * (1 - 1e-6)


def test_priority_first_then_weights_then_evenly():
    rests = [
        Rest(id=1, project="p", priority=50, seconds=60),
        Rest(id=2, project="p", priority=50, seconds=600),
        Rest(id=3, project="q", priority=50, seconds=600),
        Rest(id=4, project="r", priority=90, seconds=100, most=1),
    ]
    given_to = divided(rests, 4, weights={"q": 2}, quotas={})
    assert given_to == {1: 0.5, 2: 0.5, 3: 2.0, 4: 1.0}
    ends = ends_of(rests, 4, weights={"q": 2}, quotas={})
    assert ends[4] == 100
    assert ends[1] < ends[3] < ends[2]


def test_who_gets_no_worker_has_no_end():
    rest = Rest(id=1, project="p", priority=50, seconds=1, most=0)
    assert ends_of([rest], 3, weights={}, quotas={}) == {}
    done = Rest(id=2, project="p", priority=50, seconds=0)
    assert ends_of([done], 0, weights={}, quotas={}) == {2: 0.0}
