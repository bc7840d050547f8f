"""The ranking, and that its short ways come to what its rules say."""

from hypothesis import given, settings

from farm.scheduling.allocation import Allocation
from farm.scheduling.assignment import assign
from farm.scheduling.eligibility import may_use, usable_by
from farm.scheduling.ranking import by_stages, next_of
from tests.unit.test_refusals import situations


@settings(max_examples=200, deadline=None)
@given(situations())
def test_the_one_that_is_next_is_the_one_that_all_rules_leave(situation):
    allocation = Allocation(situation)
    assigned = [*assign(situation).assignments, None]
    for assignment in assigned:
        for w in situation.workers:
            usable = usable_by(allocation, w.name)
            assert usable == [
                c for c in situation.campaigns if c.waiting and may_use(allocation, c, w.name)
            ]
            if usable:
                assert next_of(allocation, usable, w.name) == by_stages(allocation, usable, w.name)
        if assignment is not None:
            allocation.assign(allocation.campaigns[assignment.campaign_id], assignment.worker)
