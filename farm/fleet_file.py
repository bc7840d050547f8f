"""The fleet file (FARM_FLEET): the pools that workers are asked from, and what they may cost.
`docs/fleet.md` explains it.
"""

import logging
import math
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, field_validator

from farm.documents.document import read_document
from farm.problems import check
from farm.scheduling.values import Pool

log = logging.getLogger(__name__)

_LABEL = re.compile(r"!?[A-Za-z0-9]([A-Za-z0-9._/-]*[A-Za-z0-9])?|!?in\([A-Za-z0-9._/, -]+\)")


def also(new: str, old: str) -> AliasChoices:
    """The names of a key: the documented one, and the one without a unit that it had before."""
    return AliasChoices(new, old)


class Strict(BaseModel):
    """Unknown keys are errors, and no value is taken for another type."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class PoolSpec(Strict):
    """One pool as it is written."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$", max_length=60)]
    labels: dict[str, str] = Field(default_factory=dict)
    limit: Annotated[int, Field(ge=0, le=100_000)] = 10_000
    price_per_hour: float = Field(0.0, ge=0, validation_alias=also("price_per_hour", "price"))
    speed: Annotated[float, Field(gt=0)] = 1.0
    start_s: float = Field(0.0, ge=0, validation_alias=also("start_s", "start"))
    grace_s: float | None = Field(None, gt=0, validation_alias=also("grace_s", "grace"))

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
            price=self.price_per_hour,
            speed=self.speed,
            start_s=self.start_s,
            grace_s=self.grace_s,
        )


class FleetSpec(Strict):
    """The file: pools, and the most money that all workers together may cost in an hour."""

    pools: Annotated[tuple[PoolSpec, ...], Field(min_length=1, max_length=100)]
    price_per_hour: float = Field(math.inf, ge=0, validation_alias=also("price_per_hour", "price"))

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
    spec = check(FleetSpec, document.data, document)
    warn_of_old_names(path, document.data, FleetSpec, pools=PoolSpec)
    return spec


def warn_of_old_names(
    path: Path, data: Mapping[str, Any], kind: type[Strict], **sections: type[Strict]
) -> None:
    """Log one line if a file has names of keys without a unit. `sections` are its lists."""
    found = dict(_old_names(kind, data))
    for section, of_row in sections.items():
        for row in data[section]:
            found |= _old_names(of_row, row)
    if found:
        _warn_once(path, ", ".join(f"{old} (now {new})" for old, new in sorted(found.items())))


def _old_names(kind: type[Strict], data: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, field in kind.model_fields.items():
        if isinstance(field.validation_alias, AliasChoices):
            yield from (
                (str(old), name) for old in field.validation_alias.choices[1:] if old in data
            )


@lru_cache(maxsize=64)
def _warn_once(path: Path, names: str) -> None:
    """A command may read the same file several times."""
    log.warning(
        "%s has keys with old names, which are still read: write %s. action=rename", path, names
    )
