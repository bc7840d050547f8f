"""A farm without workers or a database: the dispatcher's own decisions over a virtual clock.

Who is next (`farm.policy`), how chunks are cut (`farm.plan`), what follows from a failure (`farm.retry`) and how many workers there
are (`farm.scaling`) are the functions that the farm runs; painting is a number of seconds.
"""

import heapq
import math
import random
from collections import Counter, defaultdict, deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import IntEnum

from actors.jobs import Failure, FailureKind
from farm.plan import batches_of_chunk
from farm.policy import CHUNKS_PER_WORKER, FreeWorker, Seat, assign
from farm.retry import Again, Split, after_failure
from farm.scaling import COOL_OFF_S, Limits, Member, Pool, changes, desired_fleet, needs_of
from farm.share import Shares, charge, welcome
from storage.queue import HEARTBEAT_S
from storage.rows import Chunk, OpenCampaign

TICK_S = 0.25
_CLASS = "simulated"


@dataclass(frozen=True, kw_only=True)
class Work:
    """A campaign: so many renders in batches that take `batch_s` seconds on a worker of speed 1, `load_s` to load its model."""

    name: str
    model: str
    renders: int
    batch: int = 4
    batch_s: float
    load_s: float = 30.0
    project: str = "default"
    priority: int = 50
    max_workers: int | None = None
    deadline_s: float | None = None
    arrives_s: float = 0.0

    @property
    def seconds(self) -> float:
        """Of a worker of speed 1, padding included."""
        return -(-self.renders // self.batch) * self.batch_s


@dataclass(frozen=True, kw_only=True)
class Trace:
    """What happens: campaigns, pools of workers, what an operator allows, and how often things go wrong.

    `losses_per_hour` are those of one worker, by pool; `failure_rate` is the part of attempts at a chunk that fail on their worker;
    `missing` names pools that never give a worker.
    """

    works: Sequence[Work]
    pools: Sequence[Pool]
    limits: Limits
    weights: Mapping[str, float] = field(default_factory=dict)
    losses_per_hour: Mapping[str, float] = field(default_factory=dict)
    failure_rate: float = 0.0
    missing: frozenset[str] = frozenset()
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class Report:
    """What came of it. Times in seconds, `cost` in the pools' money.

    `bound` is the least that any schedule could take: the whole ceiling of workers from its first start on, each of the fastest pool,
    every model loaded once. `busy` is the part of the paid time that was painted in; `fairness` Jain's index of the projects' device
    time by weight, when the first of them had all of its work done: 1 where all were given the same.
    """

    makespan: float
    bound: float
    busy: float
    fairness: float
    loads: int
    lost: int
    failed: int
    chunks: int
    renders: int
    most_workers: int
    cost: float
    finished: Mapping[str, float]


@dataclass
class _Piece:
    """A chunk, with the counts that decide what becomes of it when it fails."""

    id: int
    campaign: int
    renders: int
    lease: int = 0
    failures: int = 0
    losses: int = 0

    @property
    def key(self) -> tuple[int, int]:
        return self.id, self.lease


@dataclass
class _Campaign:
    """A campaign's queue."""

    id: int
    work: Work
    uncut: int
    back: deque[_Piece] = field(default_factory=deque)
    ended: int = 0
    running: int = 0
    device_s: float = 0.0
    holders: Counter[str] = field(default_factory=Counter)

    @property
    def left(self) -> int:
        return self.work.renders - self.ended

    def row(self) -> OpenCampaign:
        work = self.work
        return OpenCampaign(
            id=self.id, project=work.project, name=work.name, model_digest=work.model, priority=work.priority,
            max_workers=work.max_workers, deadline=work.deadline_s, left=self.left, ended=self.ended, running=self.running,
            device_s=self.device_s, megapixel_steps=work.seconds, waiting=bool(self.uncut or self.back),
            workers=frozenset(self.holders), numerics_class=_CLASS,
        )  # fmt: skip


@dataclass
class _Worker:
    """A worker, with the chunks it holds, the one that it paints first."""

    name: str
    pool: Pool
    since: float
    is_ready: bool = False
    held: deque[_Piece] = field(default_factory=deque)
    warm: str | None = None
    idle_since: float | None = None
    busy_s: float = 0.0
    free: FreeWorker | None = None
    """As the policy sees it, until what it holds is another."""


class _Event(IntEnum):
    ARRIVAL, READY, PAINTED, LOST = range(4)


class Simulation:
    """One trace, from its first campaign until all are over."""

    def __init__(self, trace: Trace) -> None:
        self._trace = trace
        self._random = random.Random(trace.seed)  # noqa: S311  # not for secrets: a trace is to be the same again
        self._pools = {pool.name: pool for pool in trace.pools}
        self._events: list[tuple[float, int, _Event, object]] = []
        self._serial = 0
        self._campaigns: dict[int, _Campaign] = {}
        self._workers: dict[str, _Worker] = {}
        self._shares = Shares()
        self._cooling: dict[str, float] = {}
        self._next_scaling = 0.0
        self._device_s: dict[str, float] = defaultdict(float)
        self._paid: list[tuple[Pool, float]] = []
        self._painted_s = 0.0
        self._fairness: float | None = None
        self._loads: dict[str, float] = {}
        """What loading each model has taken."""
        self._finished: dict[str, float] = {}
        self._counts: Counter[str] = Counter()
        for number, work in enumerate(trace.works, 1):
            self._at(work.arrives_s, _Event.ARRIVAL, _Campaign(number, work, work.renders))

    def run(self) -> Report:
        """Raises ValueError where it cannot end: work is left that no worker is ever to paint."""
        now = 0.0
        while len(self._finished) < len(self._trace.works):
            while self._events and self._events[0][0] <= now:
                _, _, event, of = heapq.heappop(self._events)
                self._happen(now, event, of)
            self._scale(now)
            self._dispatch(now)
            if not self._events and not self._workers and all(name in self._cooling for name in self._pools):
                raise ValueError("No pool gives a worker: nothing of what is left can be painted.")
            now = self._next_moment(now)
        return self._report(max(self._finished.values()))

    # --- what happens ---

    def _at(self, time: float, event: _Event, of: object) -> None:
        self._serial += 1
        heapq.heappush(self._events, (time, self._serial, event, of))

    def _next_moment(self, now: float) -> float:
        """The dispatcher looks as often as it does; where nothing happens, time is skipped up to what does."""
        soonest = min([self._next_scaling, *(event[0] for event in self._events[:1])])
        return now + TICK_S * max(1, -(-(soonest - now) // TICK_S))

    def _happen(self, now: float, event: _Event, of: object) -> None:
        if isinstance(of, _Campaign):
            self._campaigns[of.id] = of
            self._next_scaling = now
            return
        assert isinstance(of, _Worker)
        if of.name not in self._workers:
            return
        if event is _Event.READY:
            of.is_ready, of.idle_since = True, now
            if rate := self._trace.losses_per_hour.get(of.pool.name, 0.0) / 3600:
                self._at(now + self._random.expovariate(rate), _Event.LOST, of)
        elif event is _Event.LOST:
            self._counts["lost"] += 1
            self._leave(of, now)
        else:
            self._paint_next(of, now, painted=of.held.popleft())

    def _paint_next(self, worker: _Worker, now: float, painted: _Piece) -> None:
        campaign = self._campaigns[painted.campaign]
        self._give_back(worker, painted)
        seconds = self._seconds(worker, painted)
        self._painted_s += seconds
        campaign.device_s += seconds
        self._device_s[campaign.work.project] += seconds
        weight = self._trace.weights.get(campaign.work.project, 1.0)
        self._shares = charge(self._shares, project=campaign.work.project, campaign_id=campaign.id, seconds=seconds, weight=weight)
        if self._trace.failure_rate and self._random.random() < self._trace.failure_rate:
            self._fail(campaign, painted, FailureKind.UNKNOWN, now)
        else:
            self._end(campaign, painted.renders, now)
        self._begin(worker, now)

    def _fail(self, campaign: _Campaign, piece: _Piece, kind: FailureKind, now: float) -> None:
        chunk = Chunk(
            id=piece.id, campaign_id=campaign.id, group_no=0, start=0, stop=piece.renders, total=piece.renders, lease=piece.lease,
            failures=piece.failures, losses=piece.losses, worker="",
        )  # fmt: skip
        verdict = after_failure(Failure(kind=kind, detail=""), chunk, left=piece.renders, waits=0)
        if not isinstance(verdict, Again):
            self._counts["failed"] += piece.renders
            self._end(campaign, piece.renders, now)
            return
        parts = [piece.renders]
        if isinstance(verdict, Split):
            parts = [piece.renders // 2, piece.renders - piece.renders // 2]
        for part in parts:
            again = self._piece(campaign, part)
            again.lease, again.failures, again.losses = piece.lease, verdict.failures, verdict.losses
            campaign.back.append(again)

    def _end(self, campaign: _Campaign, renders: int, now: float) -> None:
        campaign.ended += renders
        if campaign.left:
            return
        self._finished[campaign.work.name] = now
        del self._campaigns[campaign.id]
        projects = {other.work.project for other in self._campaigns.values()}
        if self._fairness is None and campaign.work.project not in projects:
            given = [self._device_s[name] / self._trace.weights.get(name, 1.0) for name in {*projects, campaign.work.project}]
            self._fairness = sum(given) ** 2 / (len(given) * sum(value**2 for value in given))

    # --- the dispatcher's round ---

    def _dispatch(self, now: float) -> None:
        barren: set[tuple[int, str]] = set()
        while True:
            rows = [campaign.row() for campaign in self._campaigns.values()]
            self._shares = welcome(self._shares, rows)
            ready = [worker for worker in self._workers.values() if worker.is_ready]
            if not rows or not any(row.waiting for row in rows) or not any(len(w.held) < CHUNKS_PER_WORKER for w in ready):
                return
            free = [_free(worker) for worker in ready]
            size = self._trace.limits.ceiling
            seats = assign(rows, free, self._shares, weights=self._trace.weights, now=now, size=size, barren=barren, loads=self._loads)
            before = len(barren)
            for seat in seats:
                self._claim(seat, now, barren)
            if len(barren) == before:  # each seat has its chunk, and no place is free that anybody may have
                return

    def _claim(self, seat: Seat, now: float, barren: set[tuple[int, str]]) -> None:
        campaign, worker = self._campaigns[seat.campaign_id], self._workers[seat.worker]
        piece = campaign.back.popleft() if campaign.back else self._cut(campaign)
        if piece is None:
            barren.add((seat.campaign_id, seat.worker))
            return
        if seat.instead_of is not None:
            recalled = next(held for held in worker.held if held.key == seat.instead_of)
            worker.held.remove(recalled)
            self._give_back(worker, recalled)
            self._campaigns[recalled.campaign].back.append(recalled)
        piece.lease += 1
        worker.held.append(piece)
        worker.free = None
        campaign.running += piece.renders
        campaign.holders[worker.name] += 1
        self._counts["chunks"] += 1
        if len(worker.held) == 1:
            self._begin(worker, now)

    def _cut(self, campaign: _Campaign) -> _Piece | None:
        if not campaign.uncut:
            return None
        work = campaign.work
        size = min(campaign.uncut, work.batch * batches_of_chunk(work.batch_s, campaign.uncut // work.batch))
        campaign.uncut -= size
        return self._piece(campaign, size)

    def _piece(self, campaign: _Campaign, renders: int) -> _Piece:
        self._serial += 1
        return _Piece(self._serial, campaign.id, renders)

    def _begin(self, worker: _Worker, now: float) -> None:
        """Have a worker paint what it holds, after loading what that needs."""
        worker.free = None
        if not worker.held:
            worker.idle_since = now
            return
        worker.idle_since = None
        work = self._campaigns[worker.held[0].campaign].work
        load_s = 0.0
        if worker.warm != work.model:
            worker.warm, load_s = work.model, work.load_s
            self._loads[work.model] = load_s
            self._counts["loads"] += 1
        self._at(now + load_s + self._seconds(worker, worker.held[0]), _Event.PAINTED, worker)

    def _seconds(self, worker: _Worker, piece: _Piece) -> float:
        work = self._campaigns[piece.campaign].work
        return -(-piece.renders // work.batch) * work.batch_s / worker.pool.speed

    def _give_back(self, worker: _Worker, piece: _Piece) -> None:
        """A worker holds a chunk no more."""
        campaign = self._campaigns[piece.campaign]
        campaign.running -= piece.renders
        campaign.holders[worker.name] -= 1
        campaign.holders += Counter()  # drops those with nothing
        worker.free = None

    # --- the fleet ---

    def _scale(self, now: float) -> None:
        if now < self._next_scaling:
            return
        self._next_scaling = now + HEARTBEAT_S
        self._cooling = {name: until for name, until in self._cooling.items() if until > now}
        fleet = [
            Member(name=w.name, pool=w.pool.name, since=w.since, is_ready=w.is_ready, idle_since=w.idle_since, numerics_class=_CLASS)
            for w in self._workers.values()
        ]
        waiting = self._waiting_chunks()
        rows = [campaign.row() for campaign in self._campaigns.values()]
        pools, limits = self._trace.pools, self._trace.limits
        desired = desired_fleet(needs_of(rows, waiting, now), fleet, pools, limits, waiting_chunks=waiting, cooling=self._cooling)
        change = changes(desired, fleet, pools, limits, now)
        self._cooling |= dict.fromkeys(change.cool, now + COOL_OFF_S)
        for name in (*change.withdraw, *change.end):
            self._leave(self._workers[name], now)
        for name in change.start:
            self._start(self._pools[name], now)

    def _waiting_chunks(self) -> int:
        """As many as there are, counted up to the ceiling of workers."""
        waiting = 0
        for campaign in self._campaigns.values():
            waiting += len(campaign.back)
            work = campaign.work
            if campaign.uncut:
                waiting += max(1, campaign.uncut // (work.batch * batches_of_chunk(work.batch_s, campaign.uncut // work.batch)))
        return min(waiting, self._trace.limits.ceiling)

    def _start(self, pool: Pool, now: float) -> None:
        self._serial += 1
        worker = _Worker(f"worker-{self._serial:08d}", pool, now)
        self._workers[worker.name] = worker
        self._counts["most"] = max(self._counts["most"], len(self._workers))
        if pool.name not in self._trace.missing:
            self._at(now + pool.start_s, _Event.READY, worker)

    def _leave(self, worker: _Worker, now: float) -> None:
        """Let a worker go, and its chunks back into their queues: only the one that it painted counts a loss."""
        del self._workers[worker.name]
        if worker.is_ready:
            self._paid.append((worker.pool, now - worker.since))
        for place, piece in enumerate(worker.held):
            self._give_back(worker, piece)
            self._fail(self._campaigns[piece.campaign], piece, FailureKind.WORKER_LOST if place == 0 else FailureKind.PREEMPTED, now)

    # --- at the end ---

    def _report(self, makespan: float) -> Report:
        paid = [*self._paid, *((w.pool, makespan - w.since) for w in self._workers.values() if w.is_ready)]
        paid_s = sum(seconds for _, seconds in paid)
        return Report(
            makespan=makespan,
            bound=lower_bound(self._trace),
            busy=self._painted_s / paid_s if paid_s else 0.0,
            fairness=1.0 if self._fairness is None else self._fairness,
            loads=self._counts["loads"],
            lost=self._counts["lost"],
            failed=self._counts["failed"],
            chunks=self._counts["chunks"],
            renders=sum(work.renders for work in self._trace.works),
            most_workers=self._counts["most"],
            cost=sum(seconds / 3600 * pool.price for pool, seconds in paid),
            finished=self._finished,
        )


def lower_bound(trace: Trace) -> float:
    """Seconds that no schedule can beat: the fastest workers that the limits allow, all there as soon as one can be, never idle."""
    pools = sorted((pool for pool in trace.pools if pool.name not in trace.missing), key=lambda pool: -pool.speed)
    room, speed = trace.limits.ceiling, 0.0
    for pool in pools:
        count = min(room, pool.limit)
        room, speed = room - count, speed + count * pool.speed
    earliest = min(work.arrives_s for work in trace.works) + min(pool.start_s for pool in pools)
    loads: dict[str, float] = {}
    first: dict[str, float] = {}
    for work in trace.works:
        loads[work.model] = min(work.load_s, loads.get(work.model, math.inf))
        first[work.model] = min(work.arrives_s, first.get(work.model, math.inf))
    shared = earliest + sum(work.seconds for work in trace.works) / speed + min(loads.values())
    return max(shared, *(_alone(work, earliest, loads, first, pools[0].speed, speed) for work in trace.works))


def _alone(work: Work, earliest: float, loads: Mapping[str, float], first: Mapping[str, float], fastest: float, speed: float) -> float:
    """When a campaign could be done that had the whole fleet, or as much of it as it may have, for itself."""
    mine = speed if work.max_workers is None else min(speed, work.max_workers * fastest)
    load_s = loads[work.model] if work.arrives_s <= first[work.model] else 0.0  # later, others may have loaded it
    return max(work.arrives_s, earliest) + load_s + max(work.seconds / mine, work.batch_s / fastest)


def _free(worker: _Worker) -> FreeWorker:
    if worker.free is None:
        holds = tuple((piece.campaign, piece.key) for piece in worker.held)
        worker.free = FreeWorker(name=worker.name, holds=holds, warm=worker.warm, numerics_class=_CLASS)
    return worker.free


def simulate(trace: Trace) -> Report:
    """What would come of a trace."""
    return Simulation(trace).run()


def what_if(trace: Trace, counts: Sequence[int]) -> Iterator[tuple[int, Report]]:
    """The same trace with so many workers at most, for each of the counts."""
    for count in counts:
        yield count, simulate(replace(trace, limits=replace(trace.limits, ceiling=count)))
