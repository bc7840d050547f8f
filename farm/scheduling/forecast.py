"""What a campaign that is not there yet will take: its work in megapixel-steps as its shapes have
shown, and the fleet that would paint it. Pure.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum, auto

from farm.scheduling.values import Limits, Pool
from storage.spent import PastChunk

NEWEST = 40
"""Attempts that tell a pace: enough to even out, few enough to follow changes."""


@dataclass(frozen=True, kw_only=True)
class Part:
    """The renders of a campaign that are of one shape."""

    shape: str
    renders: int
    megapixel_steps: float


class Basis(StrEnum):
    """What an estimate is made of."""

    SHAPE = auto()
    """Attempts at all of its shapes."""
    MODEL = auto()
    """Attempts at its model, some at other shapes."""
    NONE = auto()
    """Nothing: no attempt at its model is known."""


@dataclass(frozen=True, kw_only=True)
class Work:
    """A campaign's work. `weighed` are its megapixel-steps, of which those of slow shapes count
    for more; `device_s` are the seconds for which devices paint.
    """

    basis: Basis = Basis.NONE
    attempts: int = 0
    megapixel_steps: float = 0.0
    weighed: float = 0.0
    device_s: float | None = None


def work_of(
    parts: Sequence[Part], past: Sequence[PastChunk], numerics_class: str | None = None
) -> Work:
    """The work of all parts, from the attempts at their model: those of a numerics class if it has
    any. A shape that was never painted counts as the others do.
    """
    mine = [chunk for chunk in past if chunk.numerics_class == numerics_class] or list(past)
    usual = _pace(mine)
    megapixel_steps = sum(part.megapixel_steps for part in parts)
    if usual is None:
        return Work(megapixel_steps=megapixel_steps)
    weighed = device_s = 0.0
    is_known = True
    for part in parts:
        pace = _pace([chunk for chunk in mine if chunk.shape == part.shape])
        is_known = is_known and pace is not None
        waiting, painting = pace or usual
        weighed += part.megapixel_steps * waiting / usual[0]
        device_s += part.megapixel_steps * painting
    return Work(
        basis=Basis.SHAPE if is_known else Basis.MODEL,
        attempts=len(mine),
        megapixel_steps=megapixel_steps,
        weighed=weighed,
        device_s=device_s,
    )


def _pace(chunks: Sequence[PastChunk]) -> tuple[float, float] | None:
    """The seconds of a worker, and those of its device, that a megapixel-step takes."""
    newest = [chunk.pace for chunk in chunks if chunk.pace.megapixel_steps][-NEWEST:]
    work = sum(pace.megapixel_steps for pace in newest)
    given_s = sum(pace.given_s for pace in newest)
    if not work or not given_s:
        return None
    return given_s / work, sum(pace.painted_s for pace in newest) / work


def load_s_of(past: Sequence[PastChunk]) -> float | None:
    """The seconds that loading a model has taken lately; None if it is not known."""
    newest = [chunk for chunk in past if chunk.loads][-NEWEST:]
    loads = sum(chunk.loads for chunk in newest)
    return sum(chunk.load_s for chunk in newest) / loads if loads else None


def bytes_of(
    renders: Mapping[tuple[int, int], int], files: Iterable[tuple[tuple[int, int], int]]
) -> int | None:
    """The bytes of pictures, `renders` by their size, from files of known sizes: those of the same
    size, or else as many a pixel as all of them. None if there are none.
    """
    known: dict[tuple[int, int], list[int]] = {}
    for size, count in files:
        known.setdefault(size, []).append(count)
    pixels = sum(width * height * len(counts) for (width, height), counts in known.items())
    if not pixels:
        return None
    of_pixel = sum(map(sum, known.values())) / pixels
    total = 0.0
    for (width, height), count in renders.items():
        same = known.get((width, height))
        each = sum(same) / len(same) if same else of_pixel * width * height
        total += each * count
    return round(total)


class Short(StrEnum):
    """What keeps a fleet from the size that was asked for."""

    POOLS = auto()
    """All pools together give no more."""
    PRICE = auto()
    """More would cost more an hour than the fleet file allows."""


@dataclass(frozen=True, kw_only=True)
class Planned:
    """The workers of a fleet with their numerics classes; `coming` says in how many seconds those
    come that must start. `short` says why there are fewer than asked for.
    """

    workers: Mapping[str, str | None]
    coming: Mapping[str, float] = field(default_factory=dict)
    short: Short | None = None


def planned_fleet(
    present: Mapping[str, str | None],
    pools_of: Mapping[str, str],
    count: int,
    pools: Sequence[Pool],
    limits: Limits,
    classes: Mapping[str, str],
) -> Planned:
    """A fleet of `count` workers: those that are there (`pools_of` has their pools), then others
    from the pools with the lowest price for their speed. `classes` are the numerics classes of
    the pools' last workers.
    """
    workers = dict(sorted(present.items())[:count])
    have = {pool.name: 0 for pool in pools}
    for name in workers:
        have[pools_of[name]] = have.get(pools_of[name], 0) + 1
    prices = {pool.name: pool.price for pool in pools}
    cost = sum(prices.get(name, 0.0) * number for name, number in have.items())
    coming, short = {}, Short.POOLS
    for pool in sorted(pools, key=lambda pool: pool.price / pool.speed):
        while len(workers) < count and have[pool.name] < pool.limit:
            if cost + pool.price > limits.price:
                short = Short.PRICE
                break
            name = f"{pool.name}-new{have[pool.name]}"
            workers[name], coming[name] = classes.get(pool.name), pool.start_s
            have[pool.name] += 1
            cost += pool.price
    return Planned(workers=workers, coming=coming, short=short if len(workers) < count else None)
