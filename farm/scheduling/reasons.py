"""Refusals in words, for people."""

from collections.abc import Callable

from farm.scheduling.budget import gpu_hours
from farm.scheduling.money_text import money_text
from farm.scheduling.refusal import MONEY, Refusal, Rule

Words = Callable[[Refusal], str]


def reason_sentence(refusal: Refusal) -> str:
    """Why a campaign waits, in one or two sentences."""
    return _WORDS[refusal.rule](refusal)


def _time(seconds: float | None) -> str:
    """A length of time as a person reads it, with its unit."""
    value = abs(seconds or 0.0)
    if value < 120:
        return f"{value:.0f} s"
    return f"{value / 60:,.0f} min" if value < 7200 else f"{value / 3600:,.1f} h"


def _budget(refusal: Refusal) -> str:
    if refusal.other == MONEY:
        has, limit = money_text(refusal.has or 0), money_text(refusal.limit or 0)
        return (
            f"It has cost {has} of its budget of {limit}, and chunks under way may take the rest:"
            " more is begun only if they leave some."
        )
    return (
        f"It has been given {gpu_hours(refusal.has or 0)} of its budget of"
        f" {gpu_hours(refusal.limit or 0)} GPU hours, chunks under way included: more is begun"
        " only if they leave some."
    )


def _quota(refusal: Refusal) -> str:
    has = f"{refusal.has:.0f} of the {refusal.limit:.0f} workers that it may have at a time"
    where = f"FARM_QUOTAS, or `farm projects show {refusal.other}`"
    return f"Its project {refusal.other} has {has} ({where})."


def _month(refusal: Refusal) -> str:
    return (
        f"Its project {refusal.other} has used {gpu_hours(refusal.has or 0)} of the"
        f" {gpu_hours(refusal.limit or 0)} device hours that it may use in a calendar month. It"
        " goes on with the next month (UTC), or once an admin allows more: `farm projects set"
        f" {refusal.other} --device-hours N`."
    )


def _max_workers(refusal: Refusal) -> str:
    return (
        f"It has {refusal.has:.0f} of the {refusal.limit:.0f} workers that may paint it at a time"
        " (max_workers)."
    )


def _slower(refusal: Refusal) -> str:
    return (
        f"Its own workers will be done with all of it in {_time(refusal.limit)}; the free worker"
        f" is slower, and would be done with one chunk in {_time(refusal.has)}."
    )


def _late(refusal: Refusal) -> str:
    return f"The campaign {refusal.other} goes first: it would miss its deadline otherwise."


def _priority(refusal: Refusal) -> str:
    return (
        f"The campaign {refusal.other} of priority {refusal.limit:.0f} goes first. Its own"
        f" priority is {refusal.has:.0f}."
    )


def _project_share(refusal: Refusal) -> str:
    return (
        f"Its project is {_time(refusal.has)} of device time ahead of the project {refusal.other},"
        f" more than its head start of {_time(refusal.limit)}: {refusal.other} goes first."
    )


def _share(refusal: Refusal) -> str:
    return (
        f"It is {_time(refusal.has)} of device time ahead of the campaign {refusal.other}, more"
        f" than its head start of {_time(refusal.limit)}: {refusal.other} goes first."
    )


def _cold(refusal: Refusal) -> str:
    return (
        "It has not begun, and its model must be loaded. The campaign"
        f" {refusal.other}, whose model is loaded, goes on until one is"
        f" {_time(refusal.limit)} of device time ahead of this one; the furthest is"
        f" {_time(refusal.has)} ahead."
    )


def _warm(refusal: Refusal) -> str:
    has = refusal.has or 0.0
    ahead = f"{_time(has)} {'ahead of' if has >= 0 else 'behind'} this one"
    return (
        f"The campaign {refusal.other}, whose model is loaded, goes on until it is more than its"
        f" head start of {_time(refusal.limit)} of device time ahead; it is {ahead}."
    )


def _busy(refusal: Refusal) -> str:
    return (
        f"All {refusal.has:.0f} workers that it may have are busy. The next free place is given to"
        " it."
    )


_WORDS: dict[Rule, Words] = {
    Rule.NO_WORKER: lambda _: "No worker is ready.",
    Rule.NO_CHUNK: lambda _: (
        "Its last chunks are under way, or wait for other workers than those that failed them."
    ),
    Rule.CANNOT_LOAD: lambda _: (
        "The workers that have a free place could not load its model; others will try."
    ),
    Rule.NUMERICS: lambda refusal: (
        f"Its pixels are of the numerics class {refusal.other}, and the workers that have a free"
        " place are of another."
    ),
    Rule.BUDGET: _budget,
    Rule.QUOTA: _quota,
    Rule.MONTH: _month,
    Rule.MAX_WORKERS: _max_workers,
    Rule.SLOWER: _slower,
    Rule.LATE: _late,
    Rule.PRIORITY: _priority,
    Rule.PROJECT_SHARE: _project_share,
    Rule.SHARE: _share,
    Rule.NEW: lambda refusal: (
        f"The campaign {refusal.other} goes first: nothing of it has begun yet."
    ),
    Rule.COLD: _cold,
    Rule.WARM: _warm,
    Rule.UNLOADED: lambda refusal: (
        f"The campaign {refusal.other} goes first: no worker has loaded its model yet."
    ),
    Rule.SPEED: lambda refusal: (
        f"The campaign {refusal.other} goes first: the next worker is better at its model."
    ),
    Rule.TURN: lambda refusal: (
        f"The campaign {refusal.other} is next: it has been given less, or is older."
    ),
    Rule.BUSY: _busy,
}
