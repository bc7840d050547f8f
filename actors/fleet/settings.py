"""The settings of a fleet; apart from `actors.fleet.fleet`, so that reading them loads no Ray."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class FleetSettings:
    """`address` is `local`, for a new cluster, or that of a running cluster; `gpus` is
    each worker's share of one.

    Workers that hear from nobody for `orphan_s` end themselves; those that make no step for
    `stuck_s` are ended, and one that does not answer for `unanswered_s` is lost. With `rest_s`,
    they rest for about `rest_s` seconds instead of painting a batch. The longest rest is
    `rest_spread` times the shortest (`actors.painting.resting`). `notices` names the cloud whose
    notices workers ask for. `gcs` is the address of the cluster's head if it does not follow from
    `address`. `memory_bytes` is what a worker's pipelines may take, `fleet_size` the most workers.
    """

    address: str
    namespace: str
    outputs: str
    s3_style: str = "auto"
    device: str | None
    threads: int
    gpus: float
    fleet_size: int
    orphan_s: float = 120.0
    stuck_s: float = 600.0
    rest_s: float | None = None
    rest_spread: float = 1.0
    unanswered_s: float = 20.0
    notices: str | None = None
    gcs: str | None = None
    memory_bytes: int | None = None
    cache: str | None = None
    """The folder in which a node keeps registered models, up to `cache_bytes`."""
    cache_bytes: int | None = None
