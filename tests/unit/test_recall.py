"""Which chunks that wait on a worker give way to a campaign without a worker."""

from farm.scheduling.history import History
from farm.scheduling.share import Shares
from farm.scheduling.values import AFFINITY_LOADS, AFFINITY_S
from tests.policies import deal, open_campaign, shares_of, worker


def test_what_waits_on_a_worker_gives_way_to_a_campaign_that_has_none():
    large = open_campaign(1, workers=frozenset({"w1", "w2"}), running=200)
    full = [worker(1, holds=[1, 1]), worker(2, holds=[1, 1])]
    (assignment,) = deal([large, open_campaign(2)], full)
    assert (assignment.campaign_id, assignment.instead_of) == (2, (1001, 1))
    # Once it has a worker, nothing more is taken back for it.
    assert deal([large, open_campaign(2, workers=frozenset({"w1"}))], full) == []


def test_nothing_gives_way_to_a_lower_priority_or_to_one_over_its_share():
    large = open_campaign(1, workers=frozenset({"w1"}), running=2)
    assert deal([large, open_campaign(2, priority=49)], [worker(1, holds=[1, 1])]) == []
    other = open_campaign(2, project="greedy")
    ahead = Shares(
        projects={"p": 0.0, "greedy": 10 * AFFINITY_S},
        campaigns={1: 0.0, 2: 0.0},
        active_projects=frozenset({"p", "greedy"}),
    )
    assert deal([large, other], [worker(1, holds=[1, 1])], ahead) == []


def test_a_project_at_its_quota_takes_no_place_of_a_chunk_that_waits():
    """Of two chunks that wait behind others, the campaign that has not begun may have the place on
    a worker of its project alone.
    """
    both = [
        open_campaign(1),
        open_campaign(9, project="q", workers=frozenset({"w1", "w2", "w3"}), ended=1),
    ]
    full = [worker(k, holds=[9, 9]) for k in (1, 2, 3)]
    (assignment,) = deal(both, full, Shares(), quotas={"p": 1}, closing={"p": {"w2"}})
    assert (assignment.campaign_id, assignment.worker) == (1, "w2")


def test_a_new_campaign_with_a_cold_model_comes_once_its_loading_is_little_beside_the_painted():
    large = open_campaign(1, model_digest="one", workers=frozenset({"w1"}), ended=1)
    new = open_campaign(2, model_digest="two")
    history = History(loads={"one": 10.0, "two": 10.0})
    for painted, first in ((AFFINITY_LOADS * 10 - 1, 1), (AFFINITY_LOADS * 10 + 1, 2)):
        assert (
            deal(
                [large, new],
                [worker(1, warm="one")],
                shares_of(c1=painted, c2=0.0),
                history=history,
            )[0].campaign_id
            == first
        )
        taken = deal(
            [large, new],
            [worker(1, holds=[1, 1], warm="one")],
            shares_of(c1=painted, c2=0.0),
            history=history,
        )
        assert [one.campaign_id for one in taken] == [2] * (first == 2), (
            "nor is anything taken back for it before"
        )
    # Where some worker has it warm, it comes at once.
    assert (
        deal([large, new], [worker(1, warm="two")], shares_of(c1=1.0, c2=0.0), history=history)[
            0
        ].campaign_id
        == 2
    )
