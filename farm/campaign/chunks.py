"""How a campaign is cut into chunks: renders of one group, whole batches, about a minute of work
each, less towards the end.
"""

from collections.abc import Callable, Collection, Iterable, Iterator
from itertools import chain, pairwise

import numpy as np

from actors.recipes.drift import DriftAction
from farm.campaign.expansion import Expansion
from farm.campaign.selection import Numbers, groups_of
from farm.cost import SECONDS_PER_MEGAPIXEL_STEP, batches_of_chunk
from storage.rows import NewChunk

STOPPING_BATCHES = 4
"""The fewest batches of a chunk whose pictures may be stopped. Survivors are packed anew within
the chunk: of a single batch, only the whole could be saved."""
Size = Callable[[int, int], int]
"""The number of renders in a chunk, from its group and the renders left of the campaign."""


def chunk_size(
    expansion: Expansion,
    seconds_per_megapixel_step: float | None = None,
    renders: int | None = None,
) -> Size:
    """Chunks of `renders` renders, or else of a whole number of batches for about CHUNK_S of
    work.
    """
    drift = expansion.campaign.drift
    stops = drift is not None and drift.action is DriftAction.STOP

    def size(group_no: int, left: int) -> int:
        if renders is not None:
            return renders
        group = expansion.group(group_no)
        batch_s = (
            group.megapixel_steps
            * group.batch
            * (seconds_per_megapixel_step or SECONDS_PER_MEGAPIXEL_STEP)
        )
        batches = batches_of_chunk(batch_s, left // group.batch)
        return group.batch * (max(batches, STOPPING_BATCHES) if stops else batches)

    return size


def plan_chunks(expansion: Expansion, size: Size) -> Iterator[NewChunk]:
    """The chunks of a campaign, lazily, in the order in which they should be painted."""
    if expansion.campaign.order != "as-written":
        yield from chunks_of(expansion, _ordered(expansion), size)
        return
    left = expansion.total
    for group_no in range(expansion.groups):
        runs = _with_gaps if expansion.has_gaps else _without_gaps
        for chunk in runs(expansion, group_no, size, left):
            left -= chunk.total
            yield chunk


def chunks_of(
    expansion: Expansion,
    numbers: Iterable[int],
    size: Size,
    *,
    lease: int = 0,
    total: int | None = None,
) -> Iterator[NewChunk]:
    """Chunks of the renders with these numbers, in their order as far as groups allow. Only a few
    are in memory at once.
    """
    left = expansion.total if total is None else total
    waiting: dict[int, list[int]] = {}
    for number in numbers:
        group_no = expansion.group_of(number)
        run = waiting.setdefault(group_no, [])
        run.append(number)
        if len(run) >= size(group_no, left):
            left -= len(run)
            yield _explicit(group_no, waiting.pop(group_no), lease)
    for group_no, run in waiting.items():
        yield _explicit(group_no, run, lease)


def chunks_among(expansion: Expansion, numbers: Numbers, size: Size) -> Iterator[NewChunk]:
    """Chunks of these renders, as many at once as a campaign has: in runs of ordinals as far as
    they are neighbours.
    """
    if expansion.campaign.order != "as-written":
        wanted = in_order(expansion, numbers.tolist())
        yield from chunks_of(expansion, wanted, size, total=len(numbers))
        return
    groups = groups_of(expansion, numbers)
    order = np.argsort(groups, kind="stable")
    starts = np.flatnonzero(np.diff(groups[order], prepend=-1))
    left = len(numbers)
    for start, stop in pairwise([*starts.tolist(), len(numbers)]):
        group_no = int(groups[order[start]])
        of_group, at = numbers[order[start:stop]].tolist(), 0
        while at < len(of_group):
            few = of_group[at : at + size(group_no, left)]
            at, left = at + len(few), left - len(few)
            yield _run(expansion, group_no, few)


def _run(expansion: Expansion, group_no: int, numbers: list[int]) -> NewChunk:
    """A chunk of renders of one group, ascending; as a run if no other render lies between."""
    first, last = (expansion.place(number)[1] for number in (numbers[0], numbers[-1]))
    is_run = first >= 0 and last - first + 1 == len(numbers) and not expansion.has_gaps
    if not is_run:
        return _explicit(group_no, numbers, 0)
    return NewChunk(group_no=group_no, start=first, stop=last + 1, total=len(numbers))


def in_order(expansion: Expansion, numbers: Collection[int]) -> Iterable[int]:
    """Some of a campaign's renders in the order that it asks for, redos last."""
    if expansion.campaign.order == "as-written":
        return numbers
    wanted = set(numbers)
    own = (number for number in _ordered(expansion) if number in wanted)
    return chain(own, sorted(wanted & expansion.redos.keys()))


def _explicit(group_no: int, numbers: list[int], lease: int) -> NewChunk:
    return NewChunk(group_no=group_no, numbers=tuple(numbers), total=len(numbers), lease=lease)


def _ordered(expansion: Expansion) -> Iterator[int]:
    """The numbers of a campaign in the order that it asks for."""

    def all_numbers() -> Iterator[int]:
        for group_no in range(expansion.groups):
            yield from expansion.numbers(group_no)

    if expansion.campaign.order == "ends-first":
        ends = {0, expansion.total - 1}
        first = (number for place, number in enumerate(all_numbers()) if place in ends)
        rest = (number for place, number in enumerate(all_numbers()) if place not in ends)
    else:
        every = int(expansion.campaign.order.removeprefix("every-"))
        first = (number for place, number in enumerate(all_numbers()) if place % every == 0)
        rest = (number for place, number in enumerate(all_numbers()) if place % every)
    yield from first
    yield from rest


def _without_gaps(
    expansion: Expansion, group_no: int, size: Size, left: int
) -> Iterator[NewChunk]:
    length = expansion.shots_in_group(group_no) * expansion.seeds_per_shot
    start = 0
    while start < length:
        stop = min(start + size(group_no, left), length)
        yield NewChunk(group_no=group_no, start=start, stop=stop, total=stop - start)
        left -= stop - start
        start = stop


def _with_gaps(expansion: Expansion, group_no: int, size: Size, left: int) -> Iterator[NewChunk]:
    """Chunks over a group in which some places are empty. Each is filled up across the gaps, so
    that no batch is padded for them.
    """
    per_shot = expansion.seeds_per_shot
    start = held = 0
    shots, room = expansion.shots_in_group(group_no), size(group_no, left)
    for shot_no in range(shots):
        first, places, at = shot_no * per_shot, expansion.places_of(group_no, shot_no), 0
        while places and held + len(places) - at >= room:
            at += room - held
            stop = first + places[at - 1] + 1
            yield NewChunk(group_no=group_no, start=start, stop=stop, total=room)
            left -= room
            start, held, room = stop, 0, size(group_no, left)
        held += len(places) - at
    if held:
        yield NewChunk(group_no=group_no, start=start, stop=shots * per_shot, total=held)
