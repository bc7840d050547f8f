"""Which workers may have work: what their failures in a row, and wrong pixels, say of them."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from storage.moments import is_to_come

BLAMED_CAMPAIGNS = 3
FORGIVE_S = 600.0


@dataclass(frozen=True, kw_only=True)
class Record:
    """A worker's last failures: the campaigns, one after the other, and until when it is in
    quarantine for them.
    """

    blamed: tuple[int, ...] = ()
    quarantined_until: float | None = None
    why: str | None = None
    """Why no pixel that it paints can be trusted. None after failures alone, which may be bad
    luck: then it may go on if it is the only worker.
    """


def after_attempt(record: Record, campaign_id: int, *, failed: bool, now: float) -> Record:
    """A success clears a worker's record; failures of three different campaigns in a row put it
    into quarantine for a time.
    """
    if not failed:
        return replace(record, blamed=())
    blamed = record.blamed if campaign_id in record.blamed else (*record.blamed, campaign_id)
    if len(blamed) < BLAMED_CAMPAIGNS:
        return replace(record, blamed=blamed)
    return replace(record, blamed=(), quarantined_until=now + FORGIVE_S)


def distrusted(why: str, now: float) -> Record:
    """The record of a worker whose numerics are not those of its class. It is asked again after a
    time: a driver may be mended.
    """
    return Record(quarantined_until=now + FORGIVE_S, why=why)


def usable(names: Collection[str], records: Mapping[str, Record], now: float) -> set[str]:
    """The workers that may have work: those not in quarantine, or if there are none, those that
    only had failures.
    """
    known = {name: records.get(name, Record()) for name in names}
    return _trusted(known, now) or {name for name, record in known.items() if record.why is None}


def has_others(
    name: str,
    classes: Mapping[str, str | None],
    records: Mapping[str, Record],
    *,
    fleet_size: int,
    now: float,
) -> bool:
    """Whether another worker of its class, there now or soon, can paint what a distrusted worker
    may not. `classes` has those of all workers, None for one that is still starting.
    """
    others = {other: records.get(other, Record()) for other in classes if other != name}
    return len(classes) < fleet_size or any(
        classes[other] in (None, classes.get(name)) for other in _trusted(others, now)
    )


def _trusted(records: Mapping[str, Record], now: float) -> set[str]:
    return {
        name for name, record in records.items() if not is_to_come(record.quarantined_until, now)
    }
