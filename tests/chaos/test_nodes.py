"""Whatever goes wrong with a fleet that grows and shrinks by itself, each render is painted once,
and nothing is left in the end.
"""

import pytest

from tests.chaos.campaigns import GROWN
from tests.chaos.runs import fleet_chaos
from tests.chaos.schedule import ON_FLEET, plan

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]


def test_a_fleet_whose_machines_come_and_go(tmp_path):
    with fleet_chaos(tmp_path) as ground:
        report = ground.run("f1", GROWN, plan(36, ON_FLEET, len(ON_FLEET)))
    assert not report.problems, f"{report}\n{report.problems}\n{report.said}"
    assert sorted(report.story.struck) == sorted(ON_FLEET), report.said
