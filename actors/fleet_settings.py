"""What a fleet needs to know; apart from `actors.fleet`, so that reading it loads no Ray."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class FleetSettings:
    """`address` is `local`, for a cluster of one's own, or that of a running cluster; `gpus` is each worker's share of one."""

    address: str
    namespace: str
    outputs: str
    device: str | None
    threads: int
    gpus: float
    size: int
    orphan_s: float = 120.0
