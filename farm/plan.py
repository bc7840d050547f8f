"""How a campaign is cut into chunks: runs of renders of one group, whole batches, about a minute of work each."""

from collections.abc import Iterator

from farm.expansion import Expansion
from storage.rows import NewChunk

CHUNK_S = 60.0
MAX_BATCHES = 64
# A campaign is cut into at least so many chunks where it has the batches, so that several workers share it to the end.
MIN_CHUNKS = 16
# Until a model has a history. Seedling takes 0.85 s a megapixel-step on one CPU core; a GPU is tens of times as fast, and its first
# campaign is cut finer than need be.
SECONDS_PER_MEGAPIXEL_STEP = 1.0


def renders_per_chunk(expansion: Expansion, group_no: int, seconds_per_megapixel_step: float | None) -> int:
    """How many renders a chunk of this group holds: a whole number of batches."""
    group = expansion.group(group_no)
    batch_s = group.megapixel_steps * group.batch * (seconds_per_megapixel_step or SECONDS_PER_MEGAPIXEL_STEP)
    batches_of_campaign = expansion.total // group.batch
    return group.batch * int(max(1, min(CHUNK_S / batch_s, batches_of_campaign / MIN_CHUNKS, MAX_BATCHES)))


def plan_chunks(expansion: Expansion, seconds_per_megapixel_step: float | None = None, renders: int | None = None) -> Iterator[NewChunk]:
    """The chunks of a campaign in order, lazily; each holds `renders` renders, or as many as `renders_per_chunk` says."""
    for group_no in range(expansion.groups):
        size = renders or renders_per_chunk(expansion, group_no, seconds_per_megapixel_step)
        if expansion.campaign.skip:
            yield from _with_gaps(expansion, group_no, size)
        else:
            length = expansion.shots_in_group(group_no) * expansion.seeds_per_shot
            for start in range(0, length, size):
                stop = min(start + size, length)
                yield NewChunk(group_no=group_no, start=start, stop=stop, total=stop - start)


def _with_gaps(expansion: Expansion, group_no: int, size: int) -> Iterator[NewChunk]:
    """Chunks over a group of which some cells are skipped: filled up across the gaps, so that no batch is padded for them."""
    per_shot = expansion.seeds_per_shot
    start = held = 0
    shots = expansion.shots_in_group(group_no)
    for shot_no in range(shots):
        if expansion.is_skipped(group_no, shot_no):
            continue
        ordinal, left = shot_no * per_shot, per_shot
        while held + left >= size:
            stop = ordinal + size - held
            yield NewChunk(group_no=group_no, start=start, stop=stop, total=size)
            left -= size - held
            start = ordinal = stop
            held = 0
        held += left
    if held:
        yield NewChunk(group_no=group_no, start=start, stop=shots * per_shot, total=held)
