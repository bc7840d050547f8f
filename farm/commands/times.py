"""Times as commands print them: ISO 8601 in UTC. The API has seconds since 1970."""

import re
from datetime import UTC, datetime
from typing import Any

from storage.errors import RequestError

_AGE = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_TIME = re.compile(r"(.+_)?(at|until|before|deadline|since|expires|eta|eta_low|eta_high)")
_AS_WRITTEN = frozenset({"pack", "campaign_file", "data", "before", "after"})
"""Keys below which a person's own words or another's object stand: nothing in them is a time."""


def is_time(key: str) -> bool:
    """Whether a key of an answer is a point in time: by its name, like `created_at`."""
    return _TIME.fullmatch(key) is not None


def iso(seconds: float) -> str:
    """A time in UTC to the millisecond, like 2026-11-27T01:02:03.250Z."""
    moment = datetime.fromtimestamp(seconds, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def with_iso_times(value: Any, key: str = "") -> Any:
    """An answer with its times in ISO 8601; all else stays as it is."""
    if isinstance(value, dict):
        if key in _AS_WRITTEN:
            return value
        return {name: with_iso_times(inner, name) for name, inner in value.items()}
    if isinstance(value, list):
        return [with_iso_times(inner, key) for inner in value]
    if is_time(key) and isinstance(value, int | float) and not isinstance(value, bool):
        return iso(value)
    return value


def age_text(seconds: float) -> str:
    """A length of time in the largest unit that fits: 45 s, 12 min, 3 h, 5 d."""
    for unit, length, until in (("s", 1, 90), ("min", 60, 5_400), ("h", 3_600, 129_600)):
        if seconds < until:
            return f"{max(0, seconds) / length:.0f} {unit}"
    return f"{seconds / 86_400:.0f} d"


def read_age(text: str) -> int:
    """Seconds. Raises RequestError for what is no length of time."""
    match = re.fullmatch(r"([0-9]{1,9})([smhdw])", text)
    if match is None:
        raise RequestError(
            f"{text!r} is no length of time: write a number and s, m, h, d or w, like 30d."
        )
    return int(match[1]) * _AGE[match[2]]
