"""Whether a disk has room for more models. Pure."""

from dataclasses import dataclass

_KEPT_FREE = 10  # the tenth part of a disk stays free for others


@dataclass(frozen=True, kw_only=True)
class Disk:
    """A disk in bytes: what models take of it, what is free, and its whole size."""

    used: int
    free: int
    size: int


def excess(disk: Disk, needed: int, limit: int | None) -> int:
    """How many bytes must go before `needed` more have room; 0 or less if none.

    Models never take more than `limit`, and never the last tenth of the disk.
    """
    over_disk = needed - (disk.free - disk.size // _KEPT_FREE)
    over_limit = disk.used + needed - limit if limit is not None else over_disk
    return max(over_disk, over_limit)
