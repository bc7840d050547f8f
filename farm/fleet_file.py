"""The fleet file (FARM_FLEET): the pools that workers are asked from, and what they may cost.
`docs/fleet.md` explains it.
"""

import math
import re
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, field_validator

from farm.documents.document import read_document
from farm.problems import check
from farm.scheduling.values import Pool

_LABEL = re.compile(r"!?[A-Za-z0-9]([A-Za-z0-9._/-]*[A-Za-z0-9])?|!?in\([A-Za-z0-9._/, -]+\)")


class Strict(BaseModel):
    """Unknown keys are errors, and no value is taken for another type."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class PoolSpec(Strict):
    """One pool as it is written."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$", max_length=60)]
    labels: dict[str, str] = Field(default_factory=dict)
    limit: Annotated[int, Field(ge=0, le=100_000)] = 10_000
    price: Annotated[float, Field(ge=0)] = 0.0
    speed: Annotated[float, Field(gt=0)] = 1.0
    start: Annotated[float, Field(ge=0)] = 0.0
    grace: Annotated[float, Field(gt=0)] | None = None

    @field_validator("labels")
    @classmethod
    def _selectors(cls, labels: dict[str, str]) -> dict[str, str]:
        for key, value in labels.items():
            if not _LABEL.fullmatch(value):
                raise ValueError(
                    f"{key}: {value!r} is no selector: write a value, !value, in(a, b) or"
                    " !in(a, b)."
                )
        return labels

    def pool(self) -> Pool:
        return Pool(
            name=self.name,
            labels=self.labels,
            limit=self.limit,
            price=self.price,
            speed=self.speed,
            start_s=self.start,
            grace_s=self.grace,
        )


class FleetSpec(Strict):
    """The file: pools, and the most money that all workers together may cost in an hour."""

    pools: Annotated[tuple[PoolSpec, ...], Field(min_length=1, max_length=100)]
    price: Annotated[float, Field(ge=0)] = math.inf

    @field_validator("pools")
    @classmethod
    def _apart(cls, pools: tuple[PoolSpec, ...]) -> tuple[PoolSpec, ...]:
        names = [pool.name for pool in pools]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two pools are called {name}: each needs a name of its own.")
        return pools


def load_fleet(path: Path) -> FleetSpec:
    """Read and check a fleet file. Raises RequestError or DocumentError, naming file and line."""
    document = read_document(path)
    return check(FleetSpec, document.data, document)
