"""How far estimates of the time that is left were off, on replays of recorded attempts: after each
tenth of each campaign, its estimate beside when it was done.
"""

import json
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import resources

from farm.bench.figures import Json, machine
from farm.bench.recording import (
    Recording,
    moments,
    on_one_worker,
    recorded,
    simulated,
    traces,
)
from farm.scheduling.eta import outlooks, paces_of
from farm.simulation.foresight import foreseen

TENTHS = range(1, 10)


@dataclass(frozen=True)
class Miss:
    """How far one estimate was off, as a part of the time that was left, and whether the campaign
    was done within the range.
    """

    off: float
    is_within: bool


def measure() -> Json:
    """Replay every recording."""
    by_recording = {one.name: list(misses(one)) for one in recordings()}
    every = [miss for of in by_recording.values() for miss in of]
    figures = {name: _figures(of) for name, of in by_recording.items()}
    return {
        "bench": "eta",
        "machine": machine(),
        "setup": {"recordings": len(by_recording), "tenths": [TENTHS[0], TENTHS[-1]]},
        "figures": {**figures, "all": _figures(every)},
    }


def recordings() -> Iterator[Recording]:
    """A day and an hour of real farms whose workers rested, and three of virtual workers."""
    folder = resources.files("farm.bench") / "recorded"
    yield on_one_worker("day", json.loads((folder / "day.json").read_text()))
    yield recorded("rested", json.loads((folder / "rested.json").read_text()))
    for name, trace in traces().items():
        yield simulated(name, trace)


def misses(recording: Recording) -> Iterator[Miss]:
    """The misses of the first estimate of each campaign after each of its tenths."""
    finished = recording.finished
    passed = dict.fromkeys(recording.campaigns, 0)
    for moment in moments(recording):
        due = {
            one.id: one.ended * 10 // (one.ended + one.left)
            for one in moment.campaigns
            if one.ended * 10 // (one.ended + one.left) > passed[one.id]
        }
        if not due:
            continue
        paces = paces_of(moment)
        found = outlooks(moment, paces, foreseen(moment, paces))
        for number, tenth in due.items():
            passed[number] = tenth
            outlook, left_s = found[number], finished[number] - moment.now
            if outlook.eta is None or outlook.eta_low is None or outlook.eta_high is None:
                yield Miss(1.0, is_within=False)
            elif left_s > 0:
                yield Miss(
                    abs(outlook.eta - finished[number]) / left_s,
                    is_within=outlook.eta_low <= finished[number] <= outlook.eta_high,
                )


def _figures(of: Sequence[Miss]) -> Json:
    off = sorted(miss.off for miss in of)
    return {
        "estimates": len(off),
        "median_error": round(statistics.median(off), 4),
        "p90_error": round(off[min(len(off) - 1, len(off) * 9 // 10)], 4),
        "within_range": round(sum(miss.is_within for miss in of) / len(of), 3),
    }
