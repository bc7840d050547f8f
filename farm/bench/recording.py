"""Recorded attempts: of a farm, from its job database, or of the simulator. From them a replay
tells what was known at any moment.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from farm.scheduling.eta import Moment, Open
from farm.scheduling.history import History
from farm.scheduling.share import Shares, charge, welcome
from farm.scheduling.values import Limits, Pool
from farm.simulation.simulator import Simulation
from farm.simulation.trace import Trace, Work
from storage.rows import OpenCampaign
from storage.spent import PastPace

Json = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Recording:
    """Campaigns as they came, and every attempt at their chunks in the order of its end."""

    name: str
    campaigns: Mapping[int, Open]
    """With all of their renders left."""
    arrived: Mapping[int, float]
    attempts: Sequence[PastPace]
    weights: Mapping[str, float] = field(default_factory=dict)
    loads: Mapping[str, float] = field(default_factory=dict)

    @property
    def finished(self) -> dict[int, float]:
        """When each campaign's last renders ended."""
        return {past.campaign_id: past.ended_at for past in self.attempts if past.renders}


def moments(recording: Recording) -> Iterator[Moment]:
    """The moments at which attempts ended, with all that was known then."""
    ended, shares = dict.fromkeys(recording.campaigns, 0), Shares()
    for place, past in enumerate(recording.attempts):
        ended[past.campaign_id] += past.renders
        project = recording.campaigns[past.campaign_id].project
        moment = _moment(recording, place, ended)
        shares = welcome(shares, [_as_row(one) for one in moment.campaigns])
        shares = charge(
            shares,
            project=project,
            campaign_id=past.campaign_id,
            seconds=past.painted_s,
            weight=recording.weights.get(project, 1.0),
        )
        yield replace(moment, shares=shares, history=History(loads=recording.loads))


def _as_row(one: Open) -> OpenCampaign:
    return OpenCampaign(
        id=one.id, project=one.project, name=str(one.id), model_digest=one.model,
        priority=one.priority, max_workers=one.max_workers, deadline=None, left=one.left,
        ended=one.ended, running=0, device_s=0.0, megapixel_steps=one.megapixel_steps,
        waiting=True, workers=frozenset(),
    )  # fmt: skip


def _moment(recording: Recording, place: int, ended: Mapping[int, int]) -> Moment:
    now = recording.attempts[place].ended_at
    later = recording.attempts[place + 1 :]
    known = [
        Open(
            id=one.id,
            project=one.project,
            model=one.model,
            priority=one.priority,
            max_workers=one.max_workers,
            left=one.left - ended[one.id],
            ended=ended[one.id],
            megapixel_steps=one.megapixel_steps,
            numerics_class=one.numerics_class,
        )
        for one in recording.campaigns.values()
        if recording.arrived[one.id] <= now and ended[one.id] < one.left
    ]
    under_way: dict[tuple[int, str], int] = {}
    for past in later:
        if past.ended_at - past.given_s <= now:
            under_way.setdefault((past.campaign_id, past.worker), past.renders)
    begun = {past.worker for past in recording.attempts[: place + 1]}
    going_on = {past.worker for past in later}
    workers = (begun & going_on) | {worker for _, worker in under_way}
    return Moment(
        now=now,
        campaigns=known,
        attempts=recording.attempts[: place + 1],
        under_way=under_way,
        workers=dict.fromkeys(workers),
        weights=recording.weights,
    )


# --- the recordings ---


class _Recorded(Simulation):
    """A simulation that keeps its attempts."""

    def __init__(self, trace: Trace) -> None:
        super().__init__(trace)
        self.attempts: list[PastPace] = []

    def note(self, campaign: int, work: Work, worker: str, given_s: float, renders: int) -> None:
        self.attempts.append(
            PastPace(
                campaign_id=campaign,
                model=work.model,
                worker=worker,
                ended_at=self._clock.now,
                given_s=given_s,
                painted_s=given_s,
                renders=renders,
                megapixel_steps=work.seconds_of(renders),
            )
        )

    def _finish_chunk(self, worker: Any) -> None:
        chunk = worker.assigned[0]
        before = self._campaigns[chunk.campaign]
        seconds = self._seconds(worker, chunk) + (worker.load_s or 0.0)
        ended = before.ended
        super()._finish_chunk(worker)
        name = worker.name.replace("worker", worker.pool.name)
        self.note(chunk.campaign, before.work, name, seconds, before.ended - ended)


def simulated(name: str, trace: Trace) -> Recording:
    """The recording of a farm of virtual workers that paints a trace."""
    simulation = _Recorded(trace)
    simulation.run()
    works = list(enumerate(trace.works, 1))
    return Recording(
        name=name,
        campaigns={number: _open(number, work) for number, work in works},
        arrived={number: work.arrives_s for number, work in works},
        attempts=simulation.attempts,
        weights=trace.weights,
        loads={work.model: work.load_s for work in trace.works},
    )


def recorded(name: str, data: Json) -> Recording:
    """A recording as `python -m tests.recorded --attempts` writes it."""
    campaigns = {
        row["id"]: Open(
            id=row["id"],
            project=row["project"],
            model=row["model"],
            priority=row["priority"],
            max_workers=row["max_workers"],
            left=row["renders"],
            ended=0,
            megapixel_steps=row["megapixel_steps"],
        )
        for row in data["campaigns"]
    }
    return Recording(
        name=name,
        campaigns=campaigns,
        arrived={row["id"]: row["arrived"] for row in data["campaigns"]},
        attempts=[
            PastPace(
                campaign_id=row[0],
                model=campaigns[row[0]].model,
                worker=row[1],
                ended_at=row[2],
                given_s=row[3],
                painted_s=row[4],
                renders=row[5],
                megapixel_steps=row[6],
            )
            for row in data["attempts"]
        ],
        weights=data["shares"],
        loads=data["loads"],
    )


def on_one_worker(name: str, data: Json) -> Recording:
    """The recorded day of a farm with one worker, each of whose batches took the same."""
    attempts: list[PastPace] = []
    now = 0.0
    for number, renders in data["chunks"]:
        seconds = renders / 4 * data["batch_s"]
        now += seconds
        attempts.append(
            PastPace(
                campaign_id=number,
                model="seedling",
                worker="worker-1",
                ended_at=now,
                given_s=seconds,
                painted_s=seconds,
                renders=renders,
                megapixel_steps=seconds,
            )
        )
    works = [Work(model="seedling", batch_s=data["batch_s"], **row) for row in data["campaigns"]]
    return Recording(
        name=name,
        campaigns={number: _open(number, work) for number, work in enumerate(works)},
        arrived={number: work.arrives_s for number, work in enumerate(works)},
        attempts=attempts,
        weights=data["shares"],
    )


def _open(number: int, work: Work) -> Open:
    return Open(
        id=number,
        project=work.project,
        model=work.model,
        priority=work.priority,
        max_workers=work.max_workers,
        left=work.renders,
        ended=0,
        megapixel_steps=work.seconds,
    )


def traces() -> dict[str, Trace]:
    """Farms with uneven workers, campaigns that come later, losses and failures."""
    pools = [
        Pool(name="fast", limit=4, speed=2.0),
        Pool(name="slow", limit=8, speed=0.7, start_s=40),
    ]
    slow_to_load: Json = {"model": "n", "batch_s": 4.0, "load_s": 45.0}
    quick_to_load: Json = {"model": "m", "batch_s": 6.0, "load_s": 20.0}
    week = [
        Work(name="a", renders=12_000, **quick_to_load),
        Work(name="b", renders=4_800, project="q", **{**quick_to_load, "batch_s": 9.0}),
        Work(name="c", renders=3_200, arrives_s=300, **slow_to_load),
        Work(name="d", renders=1_200, arrives_s=600, priority=80, **quick_to_load),
        Work(name="e", renders=8_000, project="q", max_workers=3, **slow_to_load),
    ]
    calm = Trace(works=week, pools=pools, limits=Limits(ceiling=10), weights={"q": 2.0})
    alone = Trace(
        works=[Work(name="a", model="m", renders=8_000, batch_s=8.0)],
        pools=pools,
        limits=Limits(ceiling=6),
    )
    rough = Trace(
        works=week,
        pools=pools,
        limits=Limits(ceiling=10),
        weights={"q": 2.0},
        losses_per_hour={"slow": 2.0},
        failure_rate=0.02,
        seed=7,
    )
    return {"alone": alone, "uneven": calm, "losses": rough}
