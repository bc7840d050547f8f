"""Estimates of campaigns that are not submitted yet: load what the farm has measured, foresee, and
say what would bind.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from farm.campaign.expansion import Expansion
from farm.campaign.seeding import DERIVATION
from farm.campaign.specs import going_on
from farm.scheduling.binding import Outcome, bindings
from farm.scheduling.eta import Moment, Open, outlooks, paces_of
from farm.scheduling.forecast import Planned, Work, bytes_of, load_s_of, planned_fleet, work_of
from farm.scheduling.spending import Prices, pool_of
from farm.scheduling.values import Limits, Pool
from farm.service.campaign_work import (
    Stage,
    files_of,
    parts_of,
    reused_of,
    sizes_of,
    stages_of,
)
from farm.service.checking import CampaignChecks, warnings_of
from farm.service.pacing import Pacing
from farm.service.quotas import ProjectRoom, Room, no_room
from farm.simulation.foresight import foresee
from storage.campaigns import Campaigns
from storage.errors import NotFound
from storage.model_history import ModelHistory
from storage.orders import Orders
from storage.reuse import Reuse
from storage.rows import ANY_CLASS, CampaignRow
from storage.spent import PastChunk

Json = dict[str, Any]
_NEW = 0  # the id of the campaign in question: no stored one has it


@dataclass(frozen=True, kw_only=True)
class Fleet:
    """The fleet as settings have it."""

    pools: Sequence[Pool]
    limits: Limits
    prices: Prices


@dataclass(frozen=True, kw_only=True)
class _Question:
    """A campaign with all that is known for its estimate."""

    project: str
    expansion: Expansion
    stages: Sequence[Stage]
    past: Sequence[PastChunk]
    numerics_class: str | None
    reused: int
    work: Work
    moment: Moment
    room: Room

    @property
    def renders(self) -> int:
        return sum(stage.total for stage in self.stages)

    @property
    def to_paint(self) -> int:
        return self.renders - self.reused


class Forecasts:
    """Estimates what campaigns will take."""

    def __init__(
        self,
        *,
        campaigns: Campaigns,
        checks: CampaignChecks,
        history: ModelHistory,
        orders: Orders,
        pacing: Pacing,
        open_reuse: Callable[[], Reuse],
        fleet: Fleet,
        room: ProjectRoom,
    ) -> None:
        """`open_reuse` reads anew what the project has: the dispatcher goes on painting."""
        self._campaigns = campaigns
        self._checks = checks
        self._history = history
        self._orders = orders
        self._pacing = pacing
        self._open_reuse = open_reuse
        self._fleet = fleet
        self._room = room

    def estimate(self, project: str, data: Json, workers: int | None = None) -> Json:
        """What a campaign would take if it were submitted now; with `workers`, also with that many
        in the place of as many as the farm may have. Raises DocumentError for one that is wrong.
        """
        expansion, spec = self._checks.check(project, data)
        known = self._known(project, expansion.campaign.name)
        room = self._room.of(project, expansion.total - (known.total if known else 0))
        if known is not None:
            expansion, spec = going_on(known.spec, expansion, spec)
        moment = self._pacing.moment_without(None if known is None else known.id)
        past = self._history.chunks(expansion.model.digest)
        mine = _class_of(moment, past)
        stages = stages_of(expansion, spec)
        reused = [reused_of(stage, project, mine, self._open_reuse) for stage in stages]
        parts = [
            part
            for stage, found in zip(stages, reused, strict=True)
            for part in parts_of(stage, 1 - found.renders / stage.total)
        ]
        question = _Question(
            project=project,
            expansion=expansion,
            stages=stages,
            past=past,
            numerics_class=mine,
            reused=sum(found.renders for found in reused),
            work=work_of(parts, past, mine),
            moment=moment,
            room=room,
        )
        return {
            **self._counts(question, sampled=sum(found.sampled for found in reused)),
            **self._answer(question, workers),
            "warnings": warnings_of(data, expansion, DERIVATION),
        }

    def _known(self, project: str, name: str) -> CampaignRow | None:
        try:
            return self._campaigns.get(project, name)
        except NotFound:
            return None

    def _counts(self, question: _Question, sampled: int) -> Json:
        expansion, work = question.expansion, question.work
        campaign = expansion.campaign
        sizes = sum((sizes_of(stage) for stage in question.stages), Counter[tuple[int, int]]())
        files = files_of(self._history, expansion.model.digest, campaign.files)
        return {
            "campaign": campaign.name,
            "project": question.project,
            "renders": question.stages[0].total,
            "proofs": question.renders - question.stages[0].total,
            "reused": question.reused,
            "sampled": sampled,
            "to_paint": question.to_paint,
            "megapixel_steps": round(work.megapixel_steps, 3),
            "basis": work.basis,
            "attempts": work.attempts,
            "device_s": None if work.device_s is None else round(work.device_s, 3),
            "budget_s": campaign.budget_s,
            "budget_money": campaign.budget_money,
            "bytes": bytes_of(sizes, files),
        }

    def _answer(self, question: _Question, workers: int | None) -> Json:
        orders, limits = self._orders.get(), self._fleet.limits
        present = question.moment.workers
        ceiling = limits.ceiling if orders.ceiling is None else orders.ceiling
        asked = workers or (len(present) if orders.is_frozen else max(ceiling, len(present)))
        planned = planned_fleet(
            present,
            {name: pool_of(name) for name in present},
            asked,
            self._fleet.pools,
            limits,
            _classes_of_pools(question),
        )
        now = self._foretold(question, Planned(workers=present))
        then = self._foretold(question, planned)
        alone = replace(question, moment=replace(question.moment, campaigns=(), under_way={}))
        by_itself = self._foretold(alone, planned)
        told = then or now or {}
        campaign = question.expansion.campaign
        found = bindings(
            Outcome(
                project=question.project,
                basis=question.work.basis,
                renders=question.to_paint,
                workers=len(planned.workers),
                asked=asked,
                short=planned.short,
                present=len(present),
                ceiling=ceiling,
                is_frozen=orders.is_frozen,
                starting=len(planned.coming),
                start_s=max(planned.coming.values(), default=0.0),
                load_s=load_s_of(question.past),
                quota=question.room.workers,
                month_left_s=_left_s(question.room),
                no_room=_refusal(question),
                max_workers=campaign.max_workers,
                has_proofs=len(question.stages) > 1,
                device_s=question.work.device_s,
                budget_s=campaign.budget_s,
                money=told.get("money"),
                budget_money=campaign.budget_money,
                seconds=told.get("seconds"),
                alone_s=None if by_itself is None else by_itself["seconds"],
            )
        )
        return {"now": now, "planned": then, "binds": [asdict(bind) for bind in found]}

    def _foretold(self, question: _Question, fleet: Planned) -> Json | None:
        """When a fleet is done with a campaign, and what that costs; None if nothing tells it."""
        moment = _with(question, fleet)
        paces = paces_of(moment)
        if _NEW not in paces:
            return None
        seen = foresee(moment, paces)
        if _NEW not in seen.ends:
            return None
        outlook = outlooks(moment, paces, seen.ends)[_NEW]
        pools = Counter(pool_of(name) for name in fleet.workers)
        shares = {
            pool: {
                "workers": pools[pool],
                "seconds": round(seconds, 3),
                "money": self._money(pool, seconds),
            }
            for pool, seconds in sorted(seen.given_s[_NEW].items())
        }
        amounts = [self._money(pool, seconds) for pool, seconds in seen.given_s[_NEW].items()]
        priced = [amount for amount in amounts if amount is not None]
        return {
            "workers": len(fleet.workers),
            "starting": len(fleet.coming),
            "seconds": round(seen.ends[_NEW], 3),
            "eta": outlook.eta,
            "eta_low": outlook.eta_low,
            "eta_high": outlook.eta_high,
            "given_s": round(sum(seen.given_s[_NEW].values()), 3),
            "money": round(sum(priced), 6) if priced else None,
            "pools": shares,
        }

    def _money(self, pool: str, seconds: float) -> float | None:
        price = self._fleet.prices.of(pool)
        return None if price is None else round(seconds * price / 3600, 6)


def _left_s(room: Room) -> float | None:
    return None if room.month is None else room.month.limit_s - room.month.used_s


def _refusal(question: _Question) -> str | None:
    refusals = question.room.refusals
    return no_room(question.project, refusals) if refusals else None


def _class_of(moment: Moment, past: Sequence[PastChunk]) -> str | None:
    """The numerics class that a campaign would have: the most frequent one of the workers, or else
    that of the last attempt.
    """
    present = Counter(name for name in moment.workers.values() if name)
    if present:
        return present.most_common(1)[0][0]
    return past[-1].numerics_class if past else None


def _classes_of_pools(question: _Question) -> dict[str, str]:
    """The numerics class of each pool's last workers."""
    shown = {chunk.pool: chunk.numerics_class for chunk in question.past}
    there = {pool_of(name): known for name, known in question.moment.workers.items() if known}
    return shown | there


def _with(question: _Question, fleet: Planned) -> Moment:
    """The moment with the campaign among the others, and a fleet in the place of the present
    one.
    """
    campaign, moment = question.expansion.campaign, question.moment
    digest = question.expansion.model.digest
    new = Open(
        id=_NEW,
        project=question.project,
        model=digest,
        priority=campaign.priority,
        max_workers=campaign.max_workers,
        left=question.to_paint,
        ended=0,
        megapixel_steps=question.work.weighed,
        numerics_class=ANY_CLASS if campaign.numerics == "any" else None,
    )
    older = () if any(past.model == digest for past in moment.attempts) else question.past
    history = moment.history
    if digest not in history.loads and (load_s := load_s_of(question.past)) is not None:
        history = replace(history, loads={**history.loads, digest: load_s})
    held = {key: n for key, n in moment.under_way.items() if key[1] in fleet.workers}
    return replace(
        moment,
        campaigns=[*moment.campaigns, *([new] if new.left else [])],
        attempts=[*(chunk.pace for chunk in older), *moment.attempts],
        under_way=held,
        workers=fleet.workers,
        coming=fleet.coming,
        history=history,
    )
