"""The trace file of `farm simulate`: a fleet file with campaigns, and with how often things go
wrong.
"""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from farm.documents.document import DocumentError, Problem, read_document
from farm.fleet_file import FleetSpec, PoolSpec, Strict, also, checked
from farm.scheduling.values import Limits
from farm.simulation.trace import Trace, Work


class WorkSpec(Strict):
    """One entry of the file. It stands for `count` campaigns that differ only in their names. One
    arrives every `every_s` seconds, the first at `arrives_s`.
    """

    name: str
    model: str
    renders: Annotated[int, Field(ge=1)]
    batch: Annotated[int, Field(ge=1)] = 4
    batch_s: float = Field(gt=0, validation_alias=also("batch_s", "batch_seconds"))
    load_s: float = Field(30.0, ge=0, validation_alias=also("load_s", "load"))
    project: str = "default"
    priority: Annotated[int, Field(ge=0, le=100)] = 50
    max_workers: Annotated[int, Field(ge=1)] | None = None
    deadline_s: float | None = Field(None, gt=0, validation_alias=also("deadline_s", "deadline"))
    arrives_s: float = Field(0.0, ge=0, validation_alias=also("arrives_s", "arrives"))
    count: Annotated[int, Field(ge=1, le=100_000)] = 1
    every_s: float = Field(0.0, ge=0, validation_alias=also("every_s", "every"))
    numerics: Literal["pinned", "any"] = "pinned"

    def works(self) -> list[Work]:
        return [self._work(number) for number in range(self.count)]

    def _work(self, number: int) -> Work:
        return Work(
            name=self.name if self.count == 1 else f"{self.name}-{number}",
            model=self.model.replace("{n}", str(number)),
            renders=self.renders,
            batch=self.batch,
            batch_s=self.batch_s,
            load_s=self.load_s,
            project=self.project.replace("{n}", str(number)),
            priority=self.priority,
            max_workers=self.max_workers,
            deadline_s=self.deadline_s,
            arrives_s=self.arrives_s + number * self.every_s,
            any_class=self.numerics == "any",
        )


class TraceSpec(FleetSpec):
    """The whole file."""

    campaigns: Annotated[tuple[WorkSpec, ...], Field(min_length=1)]
    workers: Annotated[int, Field(ge=1, le=1_000_000)]
    floor: Annotated[int, Field(ge=0)] = 0
    idle_s: float = Field(300.0, ge=0, validation_alias=also("idle_s", "idle"))
    shares: dict[str, Annotated[float, Field(gt=0)]] = Field(default_factory=dict)
    quotas: dict[str, Annotated[int, Field(ge=1)]] = Field(default_factory=dict)
    losses_per_hour: dict[str, Annotated[float, Field(ge=0)]] = Field(default_factory=dict)
    failure_rate: Annotated[float, Field(ge=0, lt=1)] = 0.0
    faulty: dict[str, Annotated[float, Field(ge=0, lt=1)]] = Field(default_factory=dict)
    classes: dict[str, str] = Field(default_factory=dict)
    speeds: dict[str, dict[str, Annotated[float, Field(gt=0)]]] = Field(default_factory=dict)
    warm: dict[str, Annotated[int, Field(ge=1)]] = Field(default_factory=dict)
    missing: tuple[str, ...] = ()
    seed: int = 0


def load_trace(path: Path) -> Trace:
    """Read and check a trace. Raises RequestError or DocumentError, naming file and line."""
    document = read_document(path)
    spec = checked(TraceSpec, document, pools=PoolSpec, campaigns=WorkSpec)
    names = {pool.name for pool in spec.pools}
    by_pool = ("losses_per_hour", "faulty", "classes", "speeds", "warm", "missing")
    unknown = [(key, name) for key in by_pool for name in getattr(spec, key)]
    problems = [
        Problem((key, name), f"there is no pool {name!r}.")
        for key, name in unknown
        if name not in names
    ]
    works = [work for campaign in spec.campaigns for work in campaign.works()]
    if len({work.name for work in works}) < len(works):
        problems.append(
            Problem(("campaigns",), "two campaigns have the same name: give each its own.")
        )
    if problems:
        raise DocumentError(problems, document)
    return Trace(
        works=works,
        pools=[pool.pool() for pool in spec.pools],
        limits=Limits(
            floor=spec.floor, ceiling=spec.workers, price=spec.price_per_hour, idle_s=spec.idle_s
        ),
        weights=spec.shares,
        quotas=spec.quotas,
        losses_per_hour=spec.losses_per_hour,
        failure_rate=spec.failure_rate,
        faulty=spec.faulty,
        classes=spec.classes,
        speeds=spec.speeds,
        warm=spec.warm,
        missing=frozenset(spec.missing),
        seed=spec.seed,
    )
