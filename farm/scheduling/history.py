"""The recent durations of painting and loading: by model, by the shape of a batch, and by the
class of worker. Values alone.

Speeds are compared only if two classes have painted batches of one model and one shape: the cost
of a larger picture says nothing about the worker that painted it.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

UNKNOWN_LOAD_S = 30.0  # until any model has been loaded
_NEWEST = 0.3  # the weight of the newest measurement in the remembered mean

Shape = tuple[str, str]
"""A model's digest, and the shape of a batch."""


@dataclass(frozen=True, kw_only=True)
class History:
    """`loads` are seconds by model's digest; `paces` seconds a megapixel-step, by model and shape,
    and by numerics class.
    """

    loads: Mapping[str, float] = field(default_factory=dict)
    paces: Mapping[Shape, Mapping[str, float]] = field(default_factory=dict)

    def load_s(self, model: str) -> float:
        """The seconds that loading a model takes. A model that was never loaded here counts as the
        mean of the others.
        """
        if model in self.loads:
            return self.loads[model]
        return sum(self.loads.values()) / len(self.loads) if self.loads else UNKNOWN_LOAD_S

    def speed(self, model: str, numerics_class: str | None) -> float | None:
        """The speed of a class of workers at a model, 0 to 1: its share of the speed of the
        fastest class known. If it never painted that model beside another class, its speed at
        other models. None if there is nothing to compare.
        """
        known = self._speeds.get(str(numerics_class), {})
        if model in known:
            return known[model]
        return sum(known.values()) / len(known) if known else None

    @cached_property
    def _speeds(self) -> Mapping[str, Mapping[str, float]]:
        """By class, then by model: the mean over the shapes that it has painted beside others."""
        seen: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
        for (model, _), by_class in self.paces.items():
            if len(by_class) > 1:
                fastest = min(by_class.values())
                for numerics_class, pace in by_class.items():
                    seen[numerics_class][model].append(fastest / pace)
        return {
            name: {model: sum(speeds) / len(speeds) for model, speeds in models.items()}
            for name, models in seen.items()
        }


def learn(history: History, model: str, facts: Mapping[str, Any]) -> History:
    """The history with a worker's measurements of one chunk added (`actors.recipes.jobs.Facts`, as
    stored).
    """
    loads, paces = dict(history.loads), dict(history.paces)
    if facts.get("loads"):
        loads[model] = _blend(loads.get(model), facts["load_s"] / facts["loads"])
    seconds, work = sum(facts.get("batch_s", ())), facts.get("megapixel_steps", 0.0)
    if seconds and work and facts.get("numerics_class"):
        key, numerics_class = (model, facts["shape"]), facts["numerics_class"]
        by_class = paces.get(key, {})
        paces[key] = {
            **by_class,
            numerics_class: _blend(by_class.get(numerics_class), seconds / work),
        }
    return replace(history, loads=loads, paces=paces)


def _blend(before: float | None, newest: float) -> float:
    return newest if before is None else before + _NEWEST * (newest - before)
