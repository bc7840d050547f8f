"""A farm without workers or a database: the dispatcher's own decisions over a virtual clock.

Who is next (`farm.scheduling.assignment`), how chunks are cut (`farm.campaign.chunks`), what
follows from a failure (`farm.scheduling.retry`) and how many workers there are
(`farm.scheduling.scaling`) are the functions that the farm runs; painting is a number of seconds.
"""

import heapq
import random
from collections import Counter, defaultdict, deque
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from enum import IntEnum

from actors.recipes.jobs import Failure, FailureKind
from farm.scheduling.assignment import CHUNKS_PER_WORKER, assign
from farm.scheduling.history import History, learn
from farm.scheduling.needs import rooms_of
from farm.scheduling.retry import Again, Split, after_failure
from farm.scheduling.scaling import COOL_OFF_S, classes_of, next_change
from farm.scheduling.share import Shares, charge, welcome
from farm.scheduling.trust import Record, after_attempt, usable
from farm.scheduling.values import Assignment, FreeWorker, Member, Pool
from farm.simulation.queue import CampaignQueue, Piece
from farm.simulation.trace import Report, Trace, Work, lower_bound
from storage.queue import HEARTBEAT_S
from storage.rows import Chunk

TICK_S = 0.25
_CLASS = "simulated"  # of pools for which a trace names none


@dataclass
class _Worker:
    """A worker, with the chunks it holds, the one that it paints first."""

    name: str
    pool: Pool
    since: float
    numerics_class: str
    is_faulty: bool
    is_ready: bool = False
    held: deque[Piece] = field(default_factory=deque)
    warm: list[str] = field(default_factory=list)
    """The models that it has loaded, the one used last at the end."""
    idle_since: float | None = None
    free: FreeWorker | None = None
    """As the policy sees it, until what it holds is another."""


class _Event(IntEnum):
    ARRIVAL, READY, PAINTED, LOST = range(4)


class Simulation:
    """One trace, from its first campaign until all are over."""

    def __init__(self, trace: Trace) -> None:
        self._trace = trace
        # not for secrets: a trace is to be the same again
        self._random = random.Random(trace.seed)  # noqa: S311
        self._pools = {pool.name: pool for pool in trace.pools}
        self._events: list[tuple[float, int, _Event, object]] = []
        self._serial = 0
        self._campaigns: dict[int, CampaignQueue] = {}
        self._workers: dict[str, _Worker] = {}
        self._shares = Shares()
        self._cooling: dict[str, float] = {}
        self._classes: dict[str, set[str]] = {}
        self._records: dict[str, Record] = {}
        """Of the workers that have failed lately."""
        self._next_scaling = 0.0
        self._device_s: dict[str, float] = defaultdict(float)
        self._paid: list[tuple[Pool, float]] = []
        self._painted_s = 0.0
        self._fairness: float | None = None
        self._history = History()
        self._finished: dict[str, float] = {}
        self._counts: Counter[str] = Counter()
        for number, work in enumerate(trace.works, 1):
            self._at(work.arrives_s, _Event.ARRIVAL, CampaignQueue(number, work, work.renders))

    def run(self) -> Report:
        """Raises ValueError where it cannot end: work is left that no worker is ever to paint."""
        now = 0.0
        while len(self._finished) < len(self._trace.works):
            while self._events and self._events[0][0] <= now:
                _, _, event, of = heapq.heappop(self._events)
                self._happen(now, event, of)
            self._scale(now)
            self._dispatch(now)
            if (
                not self._events
                and not self._workers
                and all(name in self._cooling for name in self._pools)
            ):
                raise ValueError("No pool gives a worker: nothing of what is left can be painted.")
            now = self._next_moment(now)
        return self._report(max(self._finished.values()))

    # --- what happens ---

    def _at(self, time: float, event: _Event, of: object) -> None:
        self._serial += 1
        heapq.heappush(self._events, (time, self._serial, event, of))

    def _next_moment(self, now: float) -> float:
        """The dispatcher looks as often as it does; where nothing happens, time is skipped up to
        what does.
        """
        soonest = min([self._next_scaling, *(event[0] for event in self._events[:1])])
        return now + TICK_S * max(1, -(-(soonest - now) // TICK_S))

    def _happen(self, now: float, event: _Event, of: object) -> None:
        if isinstance(of, CampaignQueue):
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

    def _paint_next(self, worker: _Worker, now: float, painted: Piece) -> None:
        campaign = self._campaigns[painted.campaign]
        self._give_back(worker, painted)
        seconds = self._seconds(worker, painted)
        self._painted_s += seconds
        campaign.device_s += seconds
        self._device_s[campaign.work.project] += seconds
        weight = self._trace.weights.get(campaign.work.project, 1.0)
        self._shares = charge(
            self._shares,
            project=campaign.work.project,
            campaign_id=campaign.id,
            seconds=seconds,
            weight=weight,
        )
        self._learn(worker, campaign.work, seconds)
        failed = worker.is_faulty or (
            self._trace.failure_rate > 0 and self._random.random() < self._trace.failure_rate
        )
        self._judge(worker, campaign, failed=failed, now=now)
        if failed:
            self._fail(campaign, painted, FailureKind.UNKNOWN, now, worker)
        else:
            self._end(campaign, painted.renders, now)
        self._begin(worker, now)

    def _learn(self, worker: _Worker, work: Work, seconds: float) -> None:
        done = seconds * self._trace.speed(worker.pool, work.model)
        facts = {
            "batch_s": (seconds,),
            "megapixel_steps": done,
            "numerics_class": worker.numerics_class,
            "shape": "",
        }
        self._history = learn(self._history, work.model, facts)

    def _judge(
        self, worker: _Worker, campaign: CampaignQueue, *, failed: bool, now: float
    ) -> None:
        if not failed and worker.name not in self._records:
            return
        before = self._records.get(worker.name, Record())
        record = self._records[worker.name] = after_attempt(
            before, campaign.id, failed=failed, now=now
        )
        self._counts["quarantined"] += record.quarantined_until != before.quarantined_until

    def _fail(
        self, campaign: CampaignQueue, piece: Piece, kind: FailureKind, now: float, worker: _Worker
    ) -> None:
        chunk = Chunk(
            id=piece.id, campaign_id=campaign.id, group_no=0, start=0, stop=piece.renders,
            total=piece.renders, lease=piece.lease,
            failures=piece.failures, losses=piece.losses, worker="",
        )  # fmt: skip
        verdict = after_failure(
            Failure(kind=kind, detail=""), chunk, left=piece.renders, backoffs=0
        )
        if not isinstance(verdict, Again):
            self._counts["failed"] += piece.renders
            self._end(campaign, piece.renders, now)
            return
        parts = [piece.renders]
        if isinstance(verdict, Split):
            parts = [piece.renders // 2, piece.renders - piece.renders // 2]
        for part in parts:
            again = campaign.piece(part)
            again.lease, again.failures, again.losses = (
                piece.lease,
                verdict.failures,
                verdict.losses,
            )
            again.refused_by = worker.name if verdict.elsewhere else None
            campaign.back.append(again)

    def _end(self, campaign: CampaignQueue, renders: int, now: float) -> None:
        campaign.ended += renders
        if campaign.left:
            return
        self._finished[campaign.work.name] = now
        del self._campaigns[campaign.id]
        projects = {other.work.project for other in self._campaigns.values()}
        if self._fairness is None and campaign.work.project not in projects:
            given = [
                self._device_s[name] / self._trace.weights.get(name, 1.0)
                for name in {*projects, campaign.work.project}
            ]
            self._fairness = sum(given) ** 2 / (len(given) * sum(value**2 for value in given))

    # --- the dispatcher's round ---

    def _dispatch(self, now: float) -> None:
        barren: set[tuple[int, str]] = set()
        while True:
            rows = [campaign.row() for campaign in self._campaigns.values()]
            self._shares = welcome(self._shares, rows)
            ready = self._ready(now)
            if (
                not rows
                or not any(row.waiting for row in rows)
                or not any(len(w.held) < CHUNKS_PER_WORKER for w in ready)
            ):
                return
            free = [_free(worker) for worker in ready]
            size = self._trace.limits.ceiling
            seats = assign(
                rows, free, self._shares, weights=self._trace.weights, now=now,
                fleet_size=size, exhausted=barren, history=self._history,
                quotas=self._trace.quotas,
            )  # fmt: skip
            before = len(barren)
            for seat in seats:
                self._claim(seat, now, barren)
            if (
                len(barren) == before
            ):  # each seat has its chunk, and no place is free that anybody may have
                return

    def _ready(self, now: float) -> list[_Worker]:
        ready = {worker.name: worker for worker in self._workers.values() if worker.is_ready}
        if self._records:
            return [ready[name] for name in sorted(usable(ready, self._records, now))]
        return list(ready.values())

    def _claim(self, seat: Assignment, now: float, barren: set[tuple[int, str]]) -> None:
        campaign, worker = self._campaigns[seat.campaign_id], self._workers[seat.worker]
        piece = campaign.take(worker.name, alone=self._is_alone(worker, campaign))
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
        campaign.numerics_class = campaign.numerics_class or worker.numerics_class
        self._counts["chunks"] += 1
        if len(worker.held) == 1:
            self._begin(worker, now)

    def _is_alone(self, worker: _Worker, campaign: CampaignQueue) -> bool:
        """Whether no other worker may paint what has come back of a campaign."""
        return not any(
            other is not worker
            and other.is_ready
            and (campaign.work.any_class or other.numerics_class == worker.numerics_class)
            for other in self._workers.values()
        )

    def _begin(self, worker: _Worker, now: float) -> None:
        """Have a worker paint what it holds, after loading what that needs."""
        worker.free = None
        if not worker.held:
            worker.idle_since = now
            return
        worker.idle_since = None
        work = self._campaigns[worker.held[0].campaign].work
        load_s = 0.0
        if work.model in worker.warm:
            worker.warm.remove(work.model)
        else:
            del worker.warm[
                : max(0, len(worker.warm) + 1 - self._trace.warm.get(worker.pool.name, 1))
            ]
            load_s = work.load_s
            self._history = learn(self._history, work.model, {"loads": 1, "load_s": load_s})
            self._counts["loads"] += 1
        worker.warm.append(work.model)
        self._at(now + load_s + self._seconds(worker, worker.held[0]), _Event.PAINTED, worker)

    def _seconds(self, worker: _Worker, piece: Piece) -> float:
        work = self._campaigns[piece.campaign].work
        return (
            -(-piece.renders // work.batch)
            * work.batch_s
            / self._trace.speed(worker.pool, work.model)
        )

    def _give_back(self, worker: _Worker, piece: Piece) -> None:
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
            Member(
                name=w.name,
                pool=w.pool.name,
                since=w.since,
                is_ready=w.is_ready,
                idle_since=w.idle_since,
                numerics_class=w.numerics_class if w.is_ready else None,
            )
            for w in self._workers.values()
        ]
        rows = [campaign.row() for campaign in self._campaigns.values()]
        quotas, limits = self._trace.quotas, self._trace.limits
        waiting = self._waiting_chunks(rooms_of(rows, quotas, limits.ceiling))
        self._classes |= classes_of(fleet)
        change = next_change(
            rows, fleet, self._trace.pools, limits, waiting_chunks=waiting, history=self._history,
            quotas=quotas, classes=self._classes,
            cooling=self._cooling, now=now, db_now=now,
        )  # fmt: skip
        self._cooling |= dict.fromkeys(change.cool, now + COOL_OFF_S)
        for name in (*change.withdraw, *change.end):
            self._leave(self._workers[name], now)
        for name in change.start:
            self._start(self._pools[name], now)

    def _waiting_chunks(self, rooms: Sequence[tuple[Collection[int], int]]) -> int:
        """As many as there are, counted up to the ceiling of workers, and of campaigns in `rooms`
        up to that.
        """
        waiting = Counter(
            {campaign.id: campaign.chunks_waiting for campaign in self._campaigns.values()}
        )
        bounded = sum(
            min(room, sum(waiting.pop(campaign_id) for campaign_id in ids)) for ids, room in rooms
        )
        return min(waiting.total() + bounded, self._trace.limits.ceiling)

    def _start(self, pool: Pool, now: float) -> None:
        self._serial += 1
        share = self._trace.faulty.get(pool.name, 0.0)
        is_faulty = share > 0 and self._random.random() < share
        numerics_class = self._trace.classes.get(pool.name, _CLASS)
        worker = _Worker(f"worker-{self._serial:08d}", pool, now, numerics_class, is_faulty)
        self._workers[worker.name] = worker
        self._counts["most"] = max(self._counts["most"], len(self._workers))
        if pool.name not in self._trace.missing:
            self._at(now + pool.start_s, _Event.READY, worker)

    def _leave(self, worker: _Worker, now: float) -> None:
        """Let a worker go, and its chunks back into their queues: only the one that it painted
        counts a loss.
        """
        del self._workers[worker.name]
        self._records.pop(worker.name, None)
        if worker.is_ready:
            self._paid.append((worker.pool, now - worker.since))
        for place, piece in enumerate(worker.held):
            self._give_back(worker, piece)
            self._fail(
                self._campaigns[piece.campaign],
                piece,
                FailureKind.WORKER_LOST if place == 0 else FailureKind.PREEMPTED,
                now,
                worker,
            )

    # --- at the end ---

    def _report(self, makespan: float) -> Report:
        paid = [
            *self._paid,
            *((w.pool, makespan - w.since) for w in self._workers.values() if w.is_ready),
        ]
        paid_s = sum(seconds for _, seconds in paid)
        return Report(
            makespan=makespan,
            bound=lower_bound(self._trace),
            busy=self._painted_s / paid_s if paid_s else 0.0,
            fairness=1.0 if self._fairness is None else self._fairness,
            loads=self._counts["loads"],
            lost=self._counts["lost"],
            quarantined=self._counts["quarantined"],
            failed=self._counts["failed"],
            chunks=self._counts["chunks"],
            renders=sum(work.renders for work in self._trace.works),
            most_workers=self._counts["most"],
            cost=sum(seconds / 3600 * pool.price for pool, seconds in paid),
            finished=self._finished,
        )


def _free(worker: _Worker) -> FreeWorker:
    if worker.free is None:
        holds = tuple((piece.campaign, piece.key) for piece in worker.held)
        worker.free = FreeWorker(
            name=worker.name,
            holds=holds,
            warm=frozenset(worker.warm),
            numerics_class=worker.numerics_class,
        )
    return worker.free


def simulate(trace: Trace) -> Report:
    """What would come of a trace."""
    return Simulation(trace).run()


def what_if(trace: Trace, counts: Sequence[int]) -> Iterator[tuple[int, Report]]:
    """The same trace with so many workers at most, for each of the counts."""
    for count in counts:
        yield count, simulate(replace(trace, limits=replace(trace.limits, ceiling=count)))
