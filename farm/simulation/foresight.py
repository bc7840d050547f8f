"""How the open campaigns will go on: the dispatcher's own decisions on a virtual clock, from the
moment on, with the paces that attempts have shown.

However much is left, about CHUNKS chunks are simulated, so that it takes some hundredths of a
second: the more is left, the larger they are.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from farm.scheduling.eta import Moment, Open, Pace, begun_by
from farm.scheduling.ledger import Ledger
from farm.scheduling.spending import pool_of
from farm.scheduling.values import Limits, Pool
from farm.simulation.fleet import Worker
from farm.simulation.queue import CampaignQueue
from farm.simulation.simulator import Simulation
from farm.simulation.trace import Trace, Work
from storage.rows import ANY_CLASS
from storage.spent import PastPace

CHUNKS = 150
CHUNKS_OF_WORKER = 4
"""At least, or a part of a large fleet would have nothing to do."""
LEAST_S = 2.0
"""How long a chunk takes at least: the virtual clock ticks four times a second."""
_LOOK_S = 3600.0
_TOLD_BY = 40  # attempts: enough to even out, few enough to follow changes


@dataclass(frozen=True, kw_only=True)
class Foreseen:
    """In how many seconds each campaign is done, and the seconds that workers of each pool give
    it until then, loads among them.
    """

    ends: Mapping[int, float] = field(default_factory=dict)
    given_s: Mapping[int, Mapping[str, float]] = field(default_factory=dict)


def foreseen(moment: Moment, paces: Mapping[int, Pace]) -> Mapping[int, float]:
    """In how many seconds each campaign is done, of those that have a pace and may be painted by
    a worker that is there, or is coming.
    """
    return foresee(moment, paces).ends


def foresee(moment: Moment, paces: Mapping[int, Pace]) -> Foreseen:
    """The same, and who gives them what until then."""
    able = [
        one
        for one in moment.campaigns
        if one.id in paces and any(_may_use(one, known) for known in moment.workers.values())
    ]
    if not able:
        return Foreseen()
    try:
        return _Foresight(moment, {one.id: one for one in able}, paces).foresee()
    except ValueError:  # no worker is left that may paint the rest
        return Foreseen()


def _may_use(one: Open, known: str | None) -> bool:
    return one.numerics_class in (None, ANY_CLASS) or known in (None, one.numerics_class)


@dataclass(frozen=True, kw_only=True)
class _Rest(Work):
    """The rest of a campaign. Its chunks may end in the middle of a batch."""

    def seconds_of(self, renders: int) -> float:
        return renders / self.batch * self.batch_s


class _Foresight(Simulation):
    """A simulation that begins with the workers that are there, what they have begun, and the
    shares so far.
    """

    def __init__(
        self, moment: Moment, campaigns: Mapping[int, Open], paces: Mapping[int, Pace]
    ) -> None:
        pools = {name: _pool_name(name, known) for name, known in moment.workers.items()}
        self._pool_of = {pool: pool_of(name) for name, pool in pools.items()}
        shown = _speeds(moment)
        units = {
            number: _units(moment, one, shown) or paces[number].seconds
            for number, one in campaigns.items()
        }
        models = {one.model for one in campaigns.values()}
        speeds = _with_all(shown, pools.values(), models)
        total = sum(one.left * units[number] for number, one in campaigns.items())
        fastest = max(speed for of in speeds.values() for speed in of.values())
        chunks = max(CHUNKS, CHUNKS_OF_WORKER * len(moment.workers))
        of_chunk = max(total / chunks, LEAST_S * fastest)
        self._numbers = {number: place for place, number in enumerate(campaigns, 1)}
        self._given_s: dict[int, dict[str, float]] = defaultdict(lambda: defaultdict(float))
        works = [_work(moment, one, units[number], of_chunk) for number, one in campaigns.items()]
        super().__init__(
            Trace(
                works=works,
                pools=[Pool(name=name) for name in dict.fromkeys(pools.values())],
                limits=Limits(floor=len(pools), ceiling=len(pools), is_frozen=True),
                weights=moment.weights,
                quotas=moment.quotas,
                classes={
                    pools[name]: known or _likely_class(moment)
                    for name, known in moment.workers.items()
                },
                speeds=speeds,
            )
        )
        self._is_still = False
        self._ledger = _ledger(moment, self._numbers)
        for happen in self._clock.due():
            happen()
        for number, one in campaigns.items():
            self._resume(moment, one, self._campaigns[self._numbers[number]])
        last = {past.worker: past.model for past in moment.attempts}
        for name in sorted(moment.workers):
            self._give(moment, name, pools[name], last.get(name))

    def foresee(self) -> Foreseen:
        """When each campaign is done, and who gives it what, by its own id."""
        finished = self.run().finished
        return Foreseen(
            ends={number: finished[str(number)] for number in self._numbers},
            given_s={number: dict(self._given_s[at]) for number, at in self._numbers.items()},
        )

    def _account(
        self, worker: Worker, campaign: CampaignQueue, seconds: float, *, failed: bool
    ) -> None:
        pool = self._pool_of[worker.pool.name]
        self._given_s[campaign.id][pool] += seconds + (worker.load_s or 0.0)
        super()._account(worker, campaign, seconds, failed=failed)

    def _scale(self) -> None:
        """The workers stay as they are. Raises ValueError if they paint nothing any more."""
        if self._clock.is_empty and self._is_still:
            raise ValueError("No worker that is there may paint the rest.")
        self._is_still = self._clock.is_empty
        self._next_scaling = self._clock.now + _LOOK_S

    def _resume(self, moment: Moment, one: Open, queue: CampaignQueue) -> None:
        """A campaign as it is: what of it waits, and whether it has begun."""
        held = sum(n for (number, _), n in moment.under_way.items() if number == one.id)
        queue.uncut = max(0, one.left - held)
        is_known = one.numerics_class in moment.workers.values()
        queue.numerics_class = one.numerics_class if is_known else None
        begun = one.ended + held
        queue.ended, queue.device_s = begun, begun * queue.work.seconds_of(1)
        queue.work = replace(queue.work, renders=begun + queue.uncut)

    def _give(
        self,
        moment: Moment,
        name: str,
        pool: str,
        model: str | None,
    ) -> None:
        """A worker as it is, with the rest of the chunks that it has."""
        worker = self._fleet.start(self._fleet.pool(pool), 0.0, is_faulty=False)
        if (coming_s := moment.coming.get(name)) is not None:
            self._at(coming_s, worker, self._become_ready)
            return
        worker.is_ready, worker.idle_since = True, 0.0
        begun_s = begun_by(moment, name)
        for (number, holder), renders in moment.under_way.items():
            if holder != name or number not in self._numbers:
                continue
            queue = self._campaigns[self._numbers[number]]
            speed = self._trace.speed(worker.pool, queue.work.model)
            begun = min(renders - 1, int(begun_s * speed / queue.work.seconds_of(1)))
            begun_s = 0.0
            queue.ended -= renders - begun
            chunk = queue.part(renders - begun)
            queue.assign(chunk, worker.name, worker.numerics_class)
            worker.assigned.append(chunk)
            model = queue.work.model
        worker.models = [] if model is None else [model]
        if worker.assigned:
            self._begin(worker)


def _likely_class(moment: Moment) -> str:
    """The numerics class of a worker that has not answered yet: the one that campaigns want."""
    wanted = (one.numerics_class for one in moment.campaigns)
    return next((name for name in wanted if name not in (None, ANY_CLASS)), None) or "unknown"


def _pool_name(worker: str, known: str | None) -> str:
    return f"{pool_of(worker) or 'worker'} {known or ''}"


def _work(moment: Moment, one: Open, units: float, of_chunk: float) -> Work:
    """The rest of a campaign, `units` for each render, in chunks of about `of_chunk`."""
    batch = max(1, min(one.left, round(of_chunk / units)))
    return _Rest(
        name=str(one.id),
        model=one.model,
        renders=one.left,
        batch=batch,
        batch_s=batch * units,
        load_s=moment.history.load_s(one.model),
        project=one.project,
        priority=one.priority,
        max_workers=one.max_workers,
        any_class=one.numerics_class == ANY_CLASS,
    )


def _ledger(moment: Moment, numbers: Mapping[int, int]) -> Ledger:
    """The shares so far, under the numbers that campaigns have here."""
    shares = moment.shares
    levels = {
        place: shares.campaigns[number]
        for number, place in numbers.items()
        if number in shares.campaigns
    }
    return Ledger(shares=replace(shares, campaigns=levels), history=moment.history)


def _speeds(moment: Moment) -> dict[str, dict[str, float]]:
    """How many megapixel-steps a second the workers of each pool paint of each model: the newest
    attempts tell it.
    """
    shown: dict[tuple[str, str], list[PastPace]] = defaultdict(list)
    for past in moment.attempts:
        if past.renders and past.megapixel_steps:
            pool = _pool_name(past.worker, moment.workers.get(past.worker))
            shown[pool, past.model].append(past)
    speeds: dict[str, dict[str, float]] = defaultdict(dict)
    for (pool, model), of in shown.items():
        newest = of[-_TOLD_BY:]
        speeds[pool][model] = sum(past.megapixel_steps for past in newest) / sum(
            past.given_s for past in newest
        )
    return speeds


def _with_all(
    speeds: Mapping[str, Mapping[str, float]], pools: Iterable[str], models: Iterable[str]
) -> dict[str, dict[str, float]]:
    """The speeds of all pools at all models: one that never painted a model is as fast at it as
    the others, and a model that nobody painted takes as long as another.
    """
    every = [speed for of in speeds.values() for speed in of.values()]
    mean = sum(every) / len(every) if every else 1.0
    whole: dict[str, dict[str, float]] = {name: dict(speeds.get(name, {})) for name in pools}
    for model in models:
        known = [of[model] for of in speeds.values() if model in of]
        usual = sum(known) / len(known) if known else mean
        for of in whole.values():
            of.setdefault(model, usual)
    return whole


def _units(moment: Moment, one: Open, speeds: Mapping[str, Mapping[str, float]]) -> float | None:
    """The megapixel-steps that a render of a campaign comes to, by the seconds that its last
    attempts took on workers of known speed, or else by its size. None if it has neither.
    """
    mine = [past for past in moment.attempts if past.campaign_id == one.id and past.renders]
    newest = mine[-_TOLD_BY:]
    if not newest:
        renders = one.left + one.ended
        return one.megapixel_steps / renders if renders and one.megapixel_steps else None
    work = sum(
        past.given_s * speeds[_pool_name(past.worker, moment.workers.get(past.worker))][past.model]
        for past in newest
        if past.megapixel_steps
    )
    return work / sum(past.renders for past in newest) or None
