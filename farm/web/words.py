"""How pages write numbers, times and states. Pure."""

import math
from datetime import UTC, datetime

STATES = {
    "queued": "Queued",
    "running": "Painting",
    "paused": "Paused",
    "stopped": "Stopped",
    "awaiting_review": "Awaiting review",
    "done": "Done",
    "failed": "Failed",
    "cancelled": "Cancelled",
    "removing": "Removing",
    "starting": "Starting",
    "idle": "Idle",
    "painting": "Painting",
    "draining": "Draining",
    "quarantined": "Quarantined",
    "held": "Held",
    "rejected": "Rejected",
    "approved": "Approved",
}
"""One word, or two, for a state of anything."""
_SIZES = ((1, "bytes"), (10**3, "kB"), (10**6, "MB"), (10**9, "GB"), (10**12, "TB"))
_RATES = ((1, "a second"), (60, "a minute"), (3_600, "an hour"))
_PARTS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))


def state_word(state: str) -> str:
    return STATES.get(state, state.replace("_", " ").capitalize())


def grouped(number: float | None, digits: int = 0) -> str:
    """A number with its thousands parted: 1,234,567."""
    return "" if number is None else f"{number:,.{digits}f}"


def duration(seconds: float | None) -> str:
    """A time span in its two largest units: 2 h 5 min."""
    if seconds is None or not math.isfinite(seconds):
        return ""
    if seconds < 1:
        return f"{seconds:.1f} s" if seconds > 0 else "0 s"
    left, told = round(seconds), []
    for size, unit in _PARTS:
        count, left = divmod(left, size)
        if count:
            told.append(f"{count} {unit}")
        elif told:
            break
    return " ".join(told[:2])


def rough(seconds: float) -> str:
    """A time that is only expected, without a second unit that nobody can know: 8 min."""
    for size in (3_600, 60):
        if seconds >= 3 * size:
            return duration(round(seconds / size) * size)
    return duration(seconds)


def rate_words(per_s: float | None) -> str:
    """How many renders in which time: 3.2 a minute; empty for none."""
    if not per_s:
        return ""
    seconds, unit = next((step for step in _RATES if per_s * step[0] >= 1), _RATES[-1])
    number = per_s * seconds
    return f"{number:,.{0 if number >= 10 else 1}f} {unit}"


def size(count: float) -> str:
    """Bytes in a unit in which they are a small number: 1.5 GB."""
    unit = next((unit for unit in _SIZES if abs(count) < 999.5 * unit[0]), _SIZES[-1])
    number = count / unit[0]
    return (
        f"{number:.0f} {unit[1]}" if unit[0] == 1 or number >= 99.5 else f"{number:.3g} {unit[1]}"
    )


def utc(moment: float) -> str:
    """A time as ISO 8601 in UTC, which scripts put into the reader's zone."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def plain_time(moment: float) -> str:
    """The same for a person who has no scripts."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d %H:%M UTC")


def percent(part: float, whole: float) -> str:
    """A share in percent: 100 only if it is all of it, 0 only if it is nothing."""
    if not whole or not part:
        return "0 %"
    if part >= whole:
        return "100 %"
    return f"{min(99, max(1, round(100 * part / whole)))} %"
