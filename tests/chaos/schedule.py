"""What goes wrong, and when: a plan that follows from a seed. Pure."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """Everything that a run may do to a farm."""

    DISPATCHER_KILLED = "dispatcher-killed"
    PARENT_KILLED = "parent-killed"
    ACTOR_KILLED = "actor-killed"
    DATABASE_KILLED = "database-killed"
    DISPATCHER_STOPPED = "dispatcher-stopped"
    """Frozen for longer than its lease, then let go on."""
    ACTOR_STOPPED = "actor-stopped"
    CONNECTION_CUT = "connection-cut"
    CONNECTION_STALLED = "connection-stalled"
    """Every byte between the farm and its database comes late."""
    ANSWERS_LOST = "answers-lost"
    """What the farm asks for reaches the database, the answers do not reach the farm; then the
    connection is cut.
    """
    ACTOR_FROZEN = "actor-frozen"
    """Stopped until it was given up for not answering, then let go on."""
    NODE_KILLED = "node-killed"
    NODE_FROZEN = "node-frozen"
    """As `ACTOR_FROZEN`, with all else on its machine, so that nobody can end the worker when it
    goes on.
    """
    NODE_DRAINED = "node-drained"
    """A notice that the machine will be taken away, which it is when the time is over."""
    NODE_TERMINATED = "node-terminated"
    """SIGTERM, as Kubernetes tells a node to end."""
    POOL_EMPTIED = "pool-emptied"
    """A machine is taken away without notice, and for a while there is none of its kind to be
    had.
    """


ON_POSTGRESQL = (
    Kind.DISPATCHER_KILLED, Kind.PARENT_KILLED, Kind.ACTOR_KILLED, Kind.DATABASE_KILLED,
    Kind.DISPATCHER_STOPPED, Kind.ACTOR_STOPPED,
    Kind.CONNECTION_CUT, Kind.CONNECTION_STALLED, Kind.ANSWERS_LOST,
)  # fmt: skip
ON_SQLITE = (
    Kind.DISPATCHER_KILLED,
    Kind.ACTOR_KILLED,
    Kind.PARENT_KILLED,
    Kind.DISPATCHER_STOPPED,
    Kind.ACTOR_STOPPED,
)
ON_FLEET = (
    Kind.DISPATCHER_KILLED, Kind.PARENT_KILLED, Kind.ACTOR_KILLED, Kind.ACTOR_FROZEN,
    Kind.NODE_KILLED, Kind.NODE_FROZEN,
    Kind.NODE_DRAINED, Kind.NODE_TERMINATED, Kind.POOL_EMPTIED,
)  # fmt: skip

# Seconds until what was done is undone. A leader that is stopped has lost its lease after 6 s; a
# worker that does not answer is given up after 20 s, which is looked at every 3 s. Ray ends by
# force what is left on a node 30 s after SIGTERM: a worker must go before.
_LASTS_S = {
    Kind.PARENT_KILLED: (1.0, 6.0),
    Kind.DATABASE_KILLED: (1.0, 8.0),
    Kind.DISPATCHER_STOPPED: (8.0, 12.0),
    Kind.ACTOR_STOPPED: (2.0, 8.0),
    Kind.CONNECTION_CUT: (1.0, 10.0),
    Kind.CONNECTION_STALLED: (1.0, 10.0),
    Kind.ANSWERS_LOST: (2.0, 6.0),
    Kind.ACTOR_FROZEN: (28.0, 32.0),
    Kind.NODE_FROZEN: (28.0, 32.0),
    Kind.NODE_DRAINED: (25.0, 40.0),
    Kind.NODE_TERMINATED: (25.0, 25.0),
    Kind.POOL_EMPTIED: (14.0, 25.0),  # longer than the fleet file waits for a machine
}
_FIRST, _LAST = 0.05, 0.7
_TOGETHER = 1 / 3  # of the faults come on top of the one before
_BEHIND_S = 2.0


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One thing that goes wrong."""

    kind: Kind
    at: float
    """The part of the renders that are done when it comes."""
    after_s: float
    """Seconds that it comes behind that moment."""
    lasts_s: float
    pick: float
    """Which one it hits, where there are several: 0 up to 1."""


def plan(seed: int, kinds: Sequence[Kind] = ON_POSTGRESQL, count: int = 7) -> list[Fault]:
    """So many faults of these kinds, each as often as the others, in the order in which they
    come.
    """
    rng = random.Random(seed)
    times = -(-count // len(kinds))
    chosen = [kind for _ in range(times) for kind in rng.sample(kinds, len(kinds))][:count]
    moments = sorted(rng.uniform(_FIRST, _LAST) for _ in chosen)
    faults: list[Fault] = []
    for kind, moment in zip(chosen, moments, strict=True):
        together = bool(faults) and rng.random() < _TOGETHER
        least, most = _LASTS_S.get(kind, (0.0, 0.0))
        faults.append(
            Fault(
                kind=kind,
                at=faults[-1].at if together else moment,
                after_s=faults[-1].after_s + rng.uniform(0, _BEHIND_S) if together else 0.0,
                lasts_s=rng.uniform(least, most),
                pick=rng.random(),
            )
        )
    return faults
