"""What a dispatcher measures of itself, put together for metrics."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from actors.fleet.worker import Worker
from actors.recipes.jobs import Gpu
from farm.dispatch.scaling_counts import ScalingCounts
from storage.figures import Devices, Figures
from storage.timings import Timings


@dataclass(frozen=True, kw_only=True)
class Meters:
    """The times of a session: of the steps of its rounds, of its statements, and of what it does
    with the outputs.
    """

    steps: Timings = field(default_factory=Timings)
    database: Timings = field(default_factory=Timings)
    outputs: Timings = field(default_factory=Timings)
    connections: Callable[[], int] = lambda: 0


def figures_of(meters: Meters, counts: ScalingCounts, workers: Iterable[Worker]) -> Figures:
    """What a session tells of itself now."""
    return Figures(
        steps=meters.steps.all(),
        database=meters.database.all(),
        outputs=meters.outputs.all(),
        connections=meters.connections(),
        wanted=dict(counts.wanted),
        decisions={pool: dict(kinds) for pool, kinds in counts.decisions.items()},
        failed_starts=counts.failed_starts,
        devices=devices_of(workers),
    )


def devices_of(workers: Iterable[Worker]) -> dict[str, Devices]:
    """The accelerators of the workers that could ask the driver of theirs, by pool."""
    found: dict[str, list[Gpu]] = defaultdict(list)
    for worker in workers:
        if worker.health is not None and worker.health.gpu is not None:
            found[worker.pool].append(worker.health.gpu)
    return {
        pool: Devices(
            count=len(gpus),
            utilisation=sum(gpu.utilisation for gpu in gpus) / len(gpus),
            used_bytes=sum(gpu.used_bytes for gpu in gpus),
            total_bytes=sum(gpu.total_bytes for gpu in gpus),
            watts=sum(gpu.watts for gpu in gpus),
        )
        for pool, gpus in found.items()
    }
