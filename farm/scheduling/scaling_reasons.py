"""Why the fleet is changed: a sentence for each part of a change. Pure."""

from collections import Counter
from collections.abc import Sequence

from farm.documents.counting import counted
from farm.scheduling.scaling import COOL_OFF_S
from farm.scheduling.values import Change, Limits, Member


def change_reasons(
    change: Change, fleet: Sequence[Member], limits: Limits, *, waiting_chunks: int, now: float
) -> list[str]:
    """Why workers are asked for, withdrawn and ended, and why pools are left alone. `now` is by
    the clock of the fleet's members.
    """
    there = sum(not member.is_draining for member in fleet)
    members = {member.name: member for member in fleet}
    return [
        *_asked(change, limits, there=there, waiting=waiting_chunks),
        *(
            f"{name} was asked for and is not needed any more."
            for name in change.withdraw
            if members[name].pool not in change.cool
        ),
        *(
            f"No worker came from pool {pool} in time: it is left alone for"
            f" {COOL_OFF_S / 60:.0f} minutes."
            for pool in sorted(change.cool)
        ),
        *(_ended(members[name], limits, now) for name in change.end),
    ]


def _asked(change: Change, limits: Limits, *, there: int, waiting: int) -> list[str]:
    reason = (
        f"{counted(waiting, 'chunk waits', 'chunks wait')}, and"
        f" {counted(there, 'worker is', 'workers are')} there of {limits.ceiling} at most"
        if waiting and there >= limits.floor
        else f"there must be {limits.floor} at least, and"
        f" {counted(there, 'worker is', 'workers are')} there"
    )
    return [
        f"{counted(count, 'worker')} of pool {pool}"
        f" {'was' if count == 1 else 'were'} asked for: {reason}."
        for pool, count in sorted(Counter(change.start).items())
    ]


def _ended(member: Member, limits: Limits, now: float) -> str:
    idle_s = now - (now if member.idle_since is None else member.idle_since)
    return (
        f"{member.name} has ended: it had nothing to paint for {idle_s:.0f} s, and workers stay"
        f" idle for {limits.idle_s:.0f} s at most."
    )
