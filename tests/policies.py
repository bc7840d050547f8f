"""Campaigns and workers for tests of who is assigned what, and a farm over a virtual clock."""

import itertools
from dataclasses import replace

from farm.scheduling.assignment import assign
from farm.scheduling.history import History
from farm.scheduling.ledger import Ledger
from farm.scheduling.share import Shares, charge, welcome
from farm.scheduling.situation import Situation
from farm.scheduling.values import FreeWorker
from storage.rows import OpenCampaign


def open_campaign(number, **changes):
    base = dict(
        id=number, project="p", name=f"c{number}", model_digest="d", priority=50, max_workers=None,
        deadline=None, left=100, ended=0,
        running=0, device_s=0.0, megapixel_steps=1000.0, waiting=True, workers=frozenset(),
    )  # fmt: skip
    return OpenCampaign(**{**base, **changes})


def worker(number, holds=(), warm=None, numerics_class="c"):
    """A worker that holds chunks of these campaigns, the first being painted."""
    held = tuple((c, (1000 * number + k, 1)) for k, c in enumerate(holds))
    models = frozenset([warm] if isinstance(warm, str) else warm or ())
    return FreeWorker(name=f"w{number}", holds=held, warm=models, numerics_class=numerics_class)


AT_ONCE = History(loads={"d": 0.0})


def deal(open_campaigns, free, shares=None, weights=None, now=0.0, fleet_size=8, **more):
    return list(decide(open_campaigns, free, shares, weights, now, fleet_size, **more).assignments)


def with_holders(campaign, workers):
    """The campaign with the workers that hold chunks of it."""
    holders = [w.name for w in workers if campaign.id in {number for number, _ in w.holds}]
    return replace(campaign, workers=campaign.workers.union(holders))


def decide(
    open_campaigns, free, shares=None, weights=None, now=0.0, fleet_size=8, history=None, **more
):
    """A round on these campaigns and free workers."""
    return assign(
        Situation(
            campaigns=[with_holders(campaign, free) for campaign in open_campaigns],
            workers=free,
            ledger=Ledger(
                shares=welcome(Shares(), open_campaigns) if shares is None else shares,
                history=AT_ONCE if history is None else history,
            ),
            weights=weights or {},
            now=now,
            fleet_size=fleet_size,
            **more,
        )
    )


def shares_of(**levels):
    return Shares(
        projects={"p": 0.0},
        campaigns={int(k[1:]): v for k, v in levels.items()},
        active_projects=frozenset({"p"}),
    )


PACES = {("one", "s"): {"fast": 1.0, "slow": 8.0}, ("two", "s"): {"fast": 1.0, "slow": 2.0}}


MIXED = History(loads={"one": 0.0, "two": 0.0}, paces=PACES)


class Farm:
    """Workers that paint chunks of a given length, on a clock of their own."""

    def __init__(self, size, weights=None, quotas=None):
        self.now, self.size, self.weights, self.quotas = 0.0, size, weights or {}, quotas or {}
        self.campaigns, self.given, self.first, self.shares = {}, {}, {}, Shares()
        self.holds = {k: [] for k in range(size)}
        self.idle_s, self.keys = 0.0, itertools.count()

    def submit(self, number, chunks, chunk_s, guess=1.0, **changes):
        """`guess` is what a chunk is taken to cost beside what it does, until the first has
        ended.
        """
        self.campaigns[number] = dict(
            left=chunks, chunk_s=chunk_s, guess=guess, ended=0, changes=changes
        )
        self.given[number] = 0.0

    def look(self):
        rows = []
        for number, c in self.campaigns.items():
            held = [k for k, holds in self.holds.items() for h in holds if h[0] == number]
            if c["left"] or held:
                rows.append(
                    open_campaign(
                        number, left=c["left"] + len(held), ended=c["ended"], running=len(held),
                        waiting=c["left"] > 0,
                        workers=frozenset(f"w{k}" for k in held), device_s=self.given[number],
                        megapixel_steps=c["guess"]
                        * c["chunk_s"]
                        * (c["left"] + len(held) + c["ended"]),
                        **c["changes"],
                    )
                )  # fmt: skip
        return rows

    def step(self):
        """Deal, then let time pass until a worker is done with a chunk."""
        exhausted = set()
        while assigned := self.deal(exhausted):
            for assignment in assigned:
                self.take(assignment, exhausted)
        passing = min((holds[0][1] for holds in self.holds.values() if holds), default=None)
        if passing is None:
            return False
        for holds in self.holds.values():
            if not holds:
                self.idle_s += passing if any(c["left"] for c in self.campaigns.values()) else 0.0
                continue
            self.first.setdefault(holds[0][0], self.now)
            holds[0][1] -= passing
            if holds[0][1] <= 1e-9:
                self.finish(*holds.pop(0)[:1])
        self.now += passing
        return True

    def deal(self, exhausted):
        rows = self.look()
        self.shares = welcome(self.shares, rows)
        free = [
            FreeWorker(name=f"w{k}", holds=tuple((h[0], (h[2], 1)) for h in holds))
            for k, holds in self.holds.items()
        ]
        return deal(
            rows,
            free,
            self.shares,
            self.weights,
            self.now,
            self.size,
            exhausted=exhausted,
            quotas=self.quotas,
        )

    def take(self, assignment, exhausted):
        c = self.campaigns[assignment.campaign_id]
        if not c["left"]:
            exhausted.add((assignment.campaign_id, assignment.worker))
            return
        c["left"] -= 1
        holds = self.holds[int(assignment.worker[1:])]
        if assignment.instead_of:
            (back,) = [h for h in holds if h[2] == assignment.instead_of[0]]
            holds.remove(back)
            self.campaigns[back[0]]["left"] += 1
        holds.append([assignment.campaign_id, c["chunk_s"], next(self.keys)])

    def finish(self, number):
        c = self.campaigns[number]
        self.given[number] += c["chunk_s"]
        c["ended"] += 1
        project = c["changes"].get("project", "p")
        weight = self.weights.get(project, 1.0)
        self.shares = charge(
            self.shares, project=project, campaign_id=number, seconds=c["chunk_s"], weight=weight
        )
