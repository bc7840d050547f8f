"""Whether the log of changes agrees with what it is about: the rows of campaigns, and each step
that they made.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

from storage.event_kinds import EventKind
from storage.events import EventRow
from storage.telling import COUNTS

ENDED = (EventKind.CAMPAIGN_FINISHED, EventKind.PROOFS_FINISHED)
REOPENED = (EventKind.CAMPAIGN_REOPENED, EventKind.PROOFS_REOPENED)
BORN = (EventKind.CAMPAIGN_SUBMITTED, EventKind.CAMPAIGN_UPDATED)
SILENT = (EventKind.CAMPAIGN_PRIORITY, EventKind.CAMPAIGN_BUDGET_LOW)
"""What leaves a campaign that waits for a review as it is."""
STARTED = (EventKind.CAMPAIGN_STARTED, EventKind.PROOFS_STARTED)


def disagreements(rows: Iterable[Any], events: Sequence[EventRow]) -> list[str]:
    """What the events say of campaigns that their rows do not, or the other way round."""
    told: dict[int, list[EventRow]] = {}
    for event in events:
        if "id" in event.data:
            told.setdefault(event.data["id"], []).append(event)
    wrong = [f"the ids {a.id} and {b.id} are out of order" for a, b in _falling(events)]
    for row in rows:
        wrong += [
            f"{row.name}: {sentence}" for sentence in _of_campaign(row, told.get(row.id, []))
        ]
    return wrong


def _falling(events: Sequence[EventRow]) -> list[tuple[EventRow, EventRow]]:
    return [(a, b) for a, b in pairwise(events) if a.id >= b.id]


def _of_campaign(row: Any, events: Sequence[EventRow]) -> Iterable[str]:
    sums: Counter[str] = Counter()
    for event in events:
        sums.update(event.data.get("counts", {}))
    for name in COUNTS:
        if sums[name] != getattr(row, name):
            yield f"{name} is {getattr(row, name)}, and its events add up to {sums[name]}"
    ends = [event.kind in ENDED for event in events if event.kind in ENDED + REOPENED]
    if ends != [k % 2 == 0 for k in range(len(ends))]:
        yield "it ended twice without going on, or went on without having ended"
    if (row.finished_at is not None) != (bool(ends) and ends[-1]):
        yield f"it finished at {row.finished_at}, and its events say {ends}"
    if row.proof_of is None and [event.kind in BORN for event in events].count(True) != 1:
        yield "it was not submitted once"
    if row.proof_of is None and events[0].kind not in BORN:
        yield f"it began with {events[0].kind}"
    chunks = [
        (event.data["chunk"], event.data["lease"]) for event in events if "chunk" in event.data
    ]
    if len(chunks) != len(set(chunks)):
        yield "an attempt was told twice"
    yield from _of_concerns(events)


def _of_concerns(events: Sequence[EventRow]) -> Iterable[str]:
    """What people have to look at is told once for each cause."""
    risk, review = EventKind.CAMPAIGN_DEADLINE_AT_RISK, EventKind.CAMPAIGN_AWAITING_REVIEW
    deadlines = [event.data["deadline"] for event in events if event.kind == risk]
    if len(deadlines) != len(set(deadlines)):
        yield "the risk to a deadline was told twice"
    waits = [event.kind for event in events if event.kind not in SILENT]
    if any(a == b == review for a, b in pairwise(waits)):
        yield "it was told twice that it waits for a review, and nothing had changed"


def compare_step(
    before: Mapping[int, Any], after: Mapping[int, Any], new: Sequence[EventRow]
) -> None:
    """Each change of a campaign's row has one event, and what has not changed has none."""
    kinds = Counter(event.kind for event in new)
    both = [(before[key], after[key]) for key in before.keys() & after.keys()]

    def became(name: str) -> int:
        return sum(not getattr(a, name) and bool(getattr(b, name)) for a, b in both)

    def went(name: str) -> int:
        return sum(bool(getattr(a, name)) and not getattr(b, name) for a, b in both)

    fresh = [after[key] for key in after.keys() - before.keys()]
    submitted = sum(row.proof_of is None for row in fresh)
    assert sum(kinds[kind] for kind in BORN) == submitted
    assert kinds[EventKind.CAMPAIGN_PAUSED] == became("paused_at")
    assert kinds[EventKind.CAMPAIGN_CANCELLED] == became("cancelled_at")
    assert sum(kinds[kind] for kind in STARTED) == became("started_at")
    born_over = sum(row.finished_at is not None for row in fresh)
    assert sum(kinds[kind] for kind in ENDED) == became("finished_at") + born_over
    assert sum(kinds[kind] for kind in REOPENED) == went("finished_at")
    # nobody has to hear that a version that was replaced has stopped
    stopped = [b for a, b in both if not a.halted and b.halted and b.pruned_at is None]
    assert kinds[EventKind.CAMPAIGN_STOPPED] >= len(stopped)
    moved = sum(any(getattr(a, name) != getattr(b, name) for name in COUNTS) for a, b in both)
    assert (moved > 0) <= any("counts" in event.data for event in new)
