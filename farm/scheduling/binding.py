"""What keeps a campaign from being done sooner, or from being done at all: limits that would bind,
in sentences. Pure.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum, auto

from farm.documents.counting import counted
from farm.scheduling.budget import gpu_hours
from farm.scheduling.forecast import Basis, Short
from farm.scheduling.money_text import money_text

_SHARED = 1.1  # times as long as alone on the farm, from which other campaigns are named


class Rule(StrEnum):
    """What binds. Programs switch on these words."""

    NO_HISTORY = auto()
    NO_WORKER = auto()
    BUDGET = auto()
    QUOTA = auto()
    NO_ROOM = auto()
    MONTH = auto()
    MAX_WORKERS = auto()
    CEILING = auto()
    FROZEN = auto()
    POOLS = auto()
    PRICE = auto()
    COLD_START = auto()
    OTHERS = auto()
    REVIEW = auto()


@dataclass(frozen=True, kw_only=True)
class Binding:
    """One limit that binds, and a sentence about it."""

    rule: Rule
    text: str


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """An estimate with all that it is held against. None is no limit, or not known."""

    project: str
    basis: Basis
    renders: int
    workers: int
    """Those of the fleet that is looked at."""
    asked: int
    """Those that were asked for."""
    short: Short | None = None
    present: int
    ceiling: int
    is_frozen: bool = False
    starting: int = 0
    start_s: float = 0.0
    load_s: float | None = None
    quota: int | None = None
    month_left_s: float | None = None
    """Device seconds that the project may still use in this month."""
    no_room: str | None = None
    """Why the project's quota would refuse it."""
    max_workers: int | None = None
    has_proofs: bool = False
    device_s: float | None = None
    budget_s: float | None = None
    money: float | None = None
    budget_money: float | None = None
    seconds: float | None = None
    """Until it is done."""
    alone_s: float | None = None
    """The same if no other campaign were there."""


def bindings(of: Outcome) -> list[Binding]:
    """Everything that binds, the weightiest first."""
    if not of.renders:
        return []
    return [*_history(of), *_quotas(of), *_budgets(of), *_fleet(of), *_limits(of), *_times(of)]


def _history(of: Outcome) -> Iterator[Binding]:
    if of.basis is Basis.NONE:
        yield Binding(
            rule=Rule.NO_HISTORY,
            text="No picture of its model was painted here, so nothing tells how long it takes:"
            " --probe 8 paints its first 8 renders and tells it by them.",
        )


def _quotas(of: Outcome) -> Iterator[Binding]:
    if of.no_room is not None:
        yield Binding(rule=Rule.NO_ROOM, text=f"It would be refused. {of.no_room}")
    if of.month_left_s is None:
        return
    left = max(0.0, of.month_left_s)
    share = _part(of.device_s, left) if left else 0.0
    if share < 1:
        yield Binding(
            rule=Rule.MONTH,
            text=f"The project {of.project} may use {gpu_hours(left)} more device hours in this"
            f" month: about {int(of.renders * share):,} of {of.renders:,} renders are painted in"
            " it, and the rest from the next one (UTC) on.",
        )


def _budgets(of: Outcome) -> Iterator[Binding]:
    for share, spent, limit in (
        (
            _part(of.device_s, of.budget_s),
            f"{gpu_hours(of.device_s or 0.0)} GPU hours",
            f"{gpu_hours(of.budget_s or 0.0)} GPU hours",
        ),
        (
            _part(of.money, of.budget_money),
            money_text(of.money or 0.0),
            money_text(of.budget_money or 0.0),
        ),
    ):
        if share < 1:
            yield Binding(
                rule=Rule.BUDGET,
                text=f"It would take about {spent}, and its budget is {limit}: it would be stopped"
                f" after about {int(of.renders * share):,} of {of.renders:,} renders.",
            )


def _part(needed: float | None, budget: float | None) -> float:
    """The part of what is needed that a budget pays for."""
    return 1.0 if budget is None or not needed else min(1.0, budget / needed)


def _fleet(of: Outcome) -> Iterator[Binding]:
    if not of.present:
        yield Binding(rule=Rule.NO_WORKER, text="No worker is there now.")
    if of.is_frozen and of.asked > of.present:
        yield Binding(
            rule=Rule.FROZEN,
            text="The fleet is frozen: no worker starts until `farm scale --thaw`.",
        )
    elif of.asked > of.ceiling:
        yield Binding(
            rule=Rule.CEILING,
            text=f"The farm may have {counted(of.ceiling, 'worker')}, and {of.asked:,} were"
            " asked about:"
            f" `farm scale --ceiling {of.asked}` allows them.",
        )
    if of.short is Short.POOLS:
        yield Binding(
            rule=Rule.POOLS,
            text=f"The pools of the fleet file give {counted(of.workers, 'worker')}, and"
            f" {of.asked:,} were"
            " asked about.",
        )
    elif of.short is Short.PRICE:
        yield Binding(
            rule=Rule.PRICE,
            text=f"The fleet file's price_per_hour pays for {counted(of.workers, 'worker')}, and"
            f" {of.asked:,} were asked about.",
        )


def _limits(of: Outcome) -> Iterator[Binding]:
    if of.quota is not None and of.quota < of.workers:
        yield Binding(
            rule=Rule.QUOTA,
            text=f"The project {of.project} may have {counted(of.quota, 'worker')} at a time, of"
            f" {of.workers:,}: it is its quota.",
        )
    if of.max_workers is not None and of.max_workers < of.workers:
        yield Binding(
            rule=Rule.MAX_WORKERS,
            text=f"Its max_workers lets it have {counted(of.max_workers, 'worker')}, of"
            f" {of.workers:,}.",
        )


def _times(of: Outcome) -> Iterator[Binding]:
    if of.starting and of.start_s >= 1:
        load = f", and loading the model about {of.load_s:,.0f} s more" if of.load_s else ""
        yield Binding(
            rule=Rule.COLD_START,
            text=f"{counted(of.starting, 'worker').capitalize()} must start first, which takes"
            " up to"
            f" {of.start_s:,.0f} s{load}.",
        )
    if of.seconds and of.alone_s and of.seconds > of.alone_s * _SHARED:
        yield Binding(
            rule=Rule.OTHERS,
            text=f"Other campaigns have workers too: alone it would take {of.alone_s:,.0f} s in"
            f" the place of {of.seconds:,.0f} s.",
        )
    if of.has_proofs:
        yield Binding(
            rule=Rule.REVIEW,
            text="Its finals wait until people have approved its proofs: the time for that is not"
            " counted.",
        )
