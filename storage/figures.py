"""What a dispatcher tells of itself for metrics, as it stands in the row of its session."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from storage.timings import Timed, read_timed

Json = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Devices:
    """The accelerators of a pool's workers, as their driver tells: how many, the mean of their
    utilisation (0 to 1), the bytes in use and in all, and the watts, added up.
    """

    count: int
    utilisation: float
    used_bytes: int
    total_bytes: int
    watts: float


@dataclass(frozen=True, kw_only=True)
class Figures:
    """What one session has done since it began. Times in seconds."""

    steps: Mapping[str, Timed] = field(default_factory=dict)
    """Its rounds, by their steps."""
    database: Mapping[str, Timed] = field(default_factory=dict)
    """Its statements, by their kind."""
    outputs: Mapping[str, Timed] = field(default_factory=dict)
    """What it did with the outputs, by operation."""
    connections: int = 0
    """Those to the job database that it uses."""
    wanted: Mapping[str, int] = field(default_factory=dict)
    """How many workers each pool should have."""
    decisions: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """By pool, how often it has decided what about a worker."""
    failed_starts: int = 0
    devices: Mapping[str, Devices] = field(default_factory=dict)
    """By pool; those alone whose driver can be asked."""


def dump_figures(figures: Figures) -> str:
    return json.dumps(asdict(figures), separators=(",", ":"))


def read_figures(text: str | None) -> Figures:
    """Figures as a session wrote them. What another version of the farm wrote otherwise is left
    out.
    """
    told: Json = {} if text is None else json.loads(text)
    return Figures(
        **{name: _timed(told.get(name, {})) for name in ("steps", "database", "outputs")},
        connections=told.get("connections", 0),
        wanted=told.get("wanted", {}),
        decisions=told.get("decisions", {}),
        failed_starts=told.get("failed_starts", 0),
        devices={
            pool: Devices(**values)
            for pool, values in told.get("devices", {}).items()
            if values.keys() == Devices.__dataclass_fields__.keys()
        },
    )


def _timed(told: Json) -> dict[str, Timed]:
    read = {name: read_timed(values) for name, values in told.items()}
    return {name: timed for name, timed in read.items() if timed is not None}
