"""A recorded day of a real farm, on the virtual clock: the same decisions."""

import json
from importlib import resources
from itertools import pairwise

from farm.scheduling.values import Limits, Pool
from farm.simulation.simulator import Simulation
from farm.simulation.trace import Trace, Work

DAY = json.loads((resources.files("farm.bench") / "recorded" / "day.json").read_text())
BATCH = 4


class Watched(Simulation):
    """Keeps which chunks were painted, in their order."""

    def __init__(self, trace):
        super().__init__(trace)
        self.painted = []

    def _finish_chunk(self, worker):
        chunk = worker.assigned[0]
        self.painted.append([chunk.campaign - 1, chunk.renders])
        super()._finish_chunk(worker)


def test_the_simulator_decides_as_the_farm_did():
    works = [
        Work(model="seedling", batch=BATCH, batch_s=DAY["batch_s"], load_s=0.0, **campaign)
        for campaign in DAY["campaigns"]
    ]
    trace = Trace(works=works, pools=[Pool()], limits=Limits(ceiling=1), weights=DAY["shares"])
    simulation = Watched(trace)
    simulation.run()
    assert simulation.painted == DAY["chunks"]
    changes = sum(one[0] != two[0] for one, two in pairwise(DAY["chunks"]))
    assert changes > len(DAY["campaigns"]), "a day on which campaigns take turns"
