"""The fleet file (FARM_FLEET): the pools that give workers, and what they may cost.
`docs/fleet.md` explains it.
"""

import logging
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, field_validator

from farm.documents.document import Document, DocumentError, Problem, read_document
from farm.documents.parsed import Path_
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


F = TypeVar("F", bound=Strict)


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
                    f"{key}: {value!r} is not a selector: write a value, !value, in(a, b) or"
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
    return checked(FleetSpec, read_document(path), pools=PoolSpec)


def checked(kind: type[F], document: Document, **sections: type[Strict]) -> F:
    """A fleet or trace file as its model; `sections` are the models of its lists. One line is
    logged if keys have their old names. Raises DocumentError with every problem.
    """
    renamed = list(_renamed(document.data, kind, sections))
    if both := [key for key in renamed if key.is_doubled]:
        raise DocumentError([key.problem() for key in both], document)
    spec = check(kind, document.data, document)
    if renamed:
        names = sorted({(key.old, key.new) for key in renamed})
        _warn_once(document.source, ", ".join(f"{old} (now {new})" for old, new in names))
    return spec


@dataclass(frozen=True, kw_only=True)
class _RenamedKey:
    """A key that a file has with its old name."""

    path: Path_
    new: str
    is_doubled: bool
    """Whether the file has it with its new name too."""

    @property
    def old(self) -> str:
        return str(self.path[-1])

    def problem(self) -> Problem:
        return Problem(
            self.path,
            f"{self.old!r} is the old name of {self.new!r}, which is written here too: keep"
            f" {self.new!r} and remove {self.old!r}.",
        )


def _renamed(
    data: Mapping[str, Any], kind: type[Strict], sections: Mapping[str, type[Strict]]
) -> Iterator[_RenamedKey]:
    """The keys with old names in a file that is not checked yet, so anything may stand in it."""
    yield from _renamed_in(data, kind, ())
    for section, of_row in sections.items():
        rows = data.get(section)
        for number, row in enumerate(rows if isinstance(rows, list) else ()):
            if isinstance(row, Mapping):
                yield from _renamed_in(row, of_row, (section, number))


def _renamed_in(data: Mapping[str, Any], kind: type[Strict], path: Path_) -> Iterator[_RenamedKey]:
    for new, field in kind.model_fields.items():
        if isinstance(field.validation_alias, AliasChoices):
            for old in map(str, field.validation_alias.choices[1:]):
                if old in data:
                    yield _RenamedKey(path=(*path, old), new=new, is_doubled=new in data)


@lru_cache(maxsize=64)
def _warn_once(source: str, names: str) -> None:
    """A command may read the same file several times."""
    log.warning(
        "%s has keys with old names, which are still read: write %s. action=rename", source, names
    )
