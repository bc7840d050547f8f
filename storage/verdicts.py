"""What a log of decisions comes to: the verdict on each render, and what follows from a new
decision. Pure.
"""

import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from storage.states import RejectReason, Verdict

Numbers = NDArray[np.int64]
"""Renders by number, ascending."""
CODES: dict[Verdict, int] = {Verdict.APPROVED: 1, Verdict.REJECTED: 2}
UNDECIDED = 0


@dataclass(frozen=True, kw_only=True)
class Decision:
    """An entry of the log. `verdict` is None for one that takes the entry `undoes` back."""

    id: int
    verdict: Verdict | None
    undoes: int | None
    reason: RejectReason | None
    note: str | None
    reviewer: str | None
    chosen_by: dict[str, Any]
    numbers: Numbers
    count: int
    decided_at: float


@dataclass(frozen=True)
class Verdicts:
    """The verdict on every render below `size`, by number."""

    codes: NDArray[np.int8]
    """0 for a render that is undecided, else as in `CODES`."""
    were_approved: NDArray[np.bool_]
    """Whether a render was ever approved: it may have been painted then."""
    reasons: NDArray[np.int8] = field(repr=False)
    """The place of the reason among `RejectReason`, from 1; 0 if there is none."""

    @property
    def approved(self) -> int:
        return int(np.count_nonzero(self.codes == CODES[Verdict.APPROVED]))

    @property
    def rejected(self) -> int:
        return int(np.count_nonzero(self.codes == CODES[Verdict.REJECTED]))

    def of(self, number: int) -> Verdict | None:
        code = int(self.codes[number]) if number < len(self.codes) else UNDECIDED
        return next((verdict for verdict, known in CODES.items() if known == code), None)

    def numbers(self, verdict: Verdict) -> Numbers:
        return np.flatnonzero(self.codes == CODES[verdict])


def fold(log: Iterable[Decision], size: int = 0) -> Verdicts:
    """The verdicts that a log comes to, on `size` renders at least, and on all that it is about:
    others may have added renders since the size was read.

    The last decision about a render counts. An entry that was taken back counts no more; taking
    back an entry that takes another one back makes that count again.
    """
    entries = list(log)
    undone = _undone(entries)
    size = max([size, *(int(entry.numbers[-1]) + 1 for entry in entries if len(entry.numbers))])
    codes, reasons = np.zeros(size, np.int8), np.zeros(size, np.int8)
    were_approved = np.zeros(size, np.bool_)
    places = {reason: place for place, reason in enumerate(RejectReason, start=1)}
    for entry in entries:
        if entry.verdict is None:
            continue
        if entry.verdict is Verdict.APPROVED:
            were_approved[entry.numbers] = True
        if entry.id not in undone:
            codes[entry.numbers] = CODES[entry.verdict]
            reasons[entry.numbers] = places[entry.reason] if entry.reason else 0
    return Verdicts(codes, were_approved, reasons)


def last_about(log: Iterable[Decision], number: int) -> Decision | None:
    """The decision about a render that counts, if there is one."""
    entries = list(log)
    undone = _undone(entries)
    about = (
        entry
        for entry in reversed(entries)
        if entry.verdict is not None and entry.id not in undone and number in entry.numbers
    )
    return next(about, None)


def last_entries(log: Iterable[Decision]) -> dict[int, list[int]]:
    """By entry, the renders about which it is the last decision that counts."""
    entries = list(log)
    undone = _undone(entries)
    last: dict[int, int] = {}
    for entry in entries:
        if entry.verdict is not None and entry.id not in undone:
            last.update(dict.fromkeys(entry.numbers.tolist(), entry.id))
    found: dict[int, list[int]] = {}
    for number, entry_id in last.items():
        found.setdefault(entry_id, []).append(number)
    return found


def _undone(entries: list[Decision]) -> set[int]:
    undone: set[int] = set()
    for entry in reversed(entries):  # an entry is only ever undone by later ones
        if entry.undoes is not None and entry.id not in undone:
            undone.add(entry.undoes)
    return undone


@dataclass(frozen=True, kw_only=True)
class Step:
    """What changes with a decision, as numbers of renders."""

    approve: Numbers
    """They become approved."""
    withdraw: Numbers
    """They were approved, and are not any more."""
    changed: Numbers
    """All whose verdict changes."""


def step(before: Verdicts, after: Verdicts) -> Step:
    approved = CODES[Verdict.APPROVED]
    changed = before.codes != after.codes
    return Step(
        approve=np.flatnonzero(changed & (after.codes == approved)),
        withdraw=np.flatnonzero(changed & (before.codes == approved)),
        changed=np.flatnonzero(changed),
    )


def pack(numbers: Numbers) -> bytes:
    """Numbers as bytes: a million in a row take 10 kB, a million at random places about 1 MB."""
    return zlib.compress(np.diff(numbers, prepend=0).astype("<i8").tobytes(), 1)


def unpack(data: bytes) -> Numbers:
    return np.cumsum(np.frombuffer(zlib.decompress(data), "<i8")).astype(np.int64)
