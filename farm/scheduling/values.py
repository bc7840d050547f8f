"""The values that assignment and scaling are decided from, and those that they decide."""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from farm.scheduling.history import History

# one being painted and the next one waiting, so that a device never waits for the dispatcher
CHUNKS_PER_WORKER = 2
# A campaign keeps its workers while it is ahead of its share by no more than its head start: this
# many seconds, or this many times the time that its model takes to load, for each of its workers.
# So loading is a small part of the work, and a campaign that has begun waits no longer than that
# for a fair share. A campaign that has not begun and whose model is cold waits until another one
# is AFFINITY_LOADS times its loading time ahead of it, over all the workers of that one: the more
# workers there are, the sooner one of them loads it.
AFFINITY_S = 120.0
AFFINITY_LOADS = 20.0
Key = tuple[int, int]
"""A chunk's id and lease."""
NO_HISTORY = History()
NO_QUOTAS: Mapping[str, int] = MappingProxyType({})
NO_CLASSES: Mapping[str, Collection[str]] = MappingProxyType({})


@dataclass(frozen=True, kw_only=True)
class FreeWorker:
    """A ready worker: the chunks that it has, and the digests of the models it has warm."""

    name: str
    holds: tuple[tuple[int, Key], ...] = ()
    """(campaign id, key) of each of its chunks, the one that it paints first."""
    warm: frozenset[str] = frozenset()
    numerics_class: str | None = None


@dataclass(frozen=True, kw_only=True)
class Assignment:
    """One more chunk of a campaign for a worker, in place of the chunk with the key `instead_of`
    if there is one.
    """

    campaign_id: int
    worker: str
    instead_of: Key | None = None


@dataclass(frozen=True, kw_only=True)
class Pool:
    """One kind of place for workers: nodes with an accelerator, of a market. `labels` choose them,
    in Ray's syntax.

    `price` is that of an hour of one worker. `speed` is how much it paints beside a worker of
    speed 1. `start_s` is the time from the request for a worker until it paints. A worker that has
    not come `grace_s` after its request is requested from another pool.
    """

    name: str = "worker"
    labels: Mapping[str, str] = field(default_factory=dict)
    limit: int = 10_000
    price: float = 0.0
    speed: float = 1.0
    start_s: float = 0.0
    grace_s: float | None = None


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What an operator allows: of workers, `floor` to `ceiling`; of money, `price` an hour.
    `idle_s` a worker may wait for work.
    """

    floor: int = 0
    ceiling: int
    price: float = math.inf
    idle_s: float = 300.0
    is_frozen: bool = False


@dataclass(frozen=True, kw_only=True)
class Member:
    """A worker as scaling sees it. `since` is when it was requested, `idle_since` when it last had
    work, by the same clock as `now`.
    """

    name: str
    pool: str
    since: float
    is_ready: bool
    idle_since: float | None = None
    is_draining: bool = False
    numerics_class: str | None = None


@dataclass(frozen=True, kw_only=True)
class Need:
    """Work that wants workers, and how many could share it. `seconds` are those of a worker of its
    numerics class, or of speed 1 if it has none yet.
    """

    seconds: float
    model: str = ""
    most: int
    due_in_s: float | None = None
    numerics_class: str | None = None


@dataclass(frozen=True, kw_only=True)
class Change:
    """The pools to request a worker from, and the workers that must go."""

    start: tuple[str, ...] = ()
    withdraw: tuple[str, ...] = ()
    """Workers that were requested and have not come."""
    end: tuple[str, ...] = ()
    """Workers that have been idle for long enough."""
    cool: frozenset[str] = frozenset()
    """Pools that have not given a worker in time. They are left alone for COOL_OFF_S."""
    desired: Mapping[str, int] = field(default_factory=dict, compare=False)
    """How many workers each pool should have."""
