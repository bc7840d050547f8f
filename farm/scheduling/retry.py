"""What follows from an attempt at a chunk: which renders have ended, and how the others go on.
Pure, like `farm.scheduling.assignment`.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace

from actors.recipes.jobs import ChunkJob, ChunkResult, Failure, FailureKind, PictureJob
from storage.rows import CampaignBackoff, Chunk, NewChunk, RenderOutcome, Settlement, SmallerBatch
from storage.states import AttemptOutcome, Reason, RenderState

MAX_FAILURES = 3
MAX_LOSSES = 5
LOSSES_BEFORE_SPLIT = 2
FIRST_BACKOFF_S, LONGEST_BACKOFF_S = 5.0, 300.0
REPLAN_S = 60.0
"""How long a campaign waits for its new plan; then it is tried as it was."""
MAX_BACKOFFS = 8  # 5 s, 10 s … 300 s: a quarter of an hour, after which a person must look
BLAMED_ON_WORKER = frozenset(
    {AttemptOutcome.OUT_OF_MEMORY, AttemptOutcome.STUCK, AttemptOutcome.UNKNOWN}
)
_BAD_OUTPUT = (
    "The model's numbers are not a picture, on two attempts: not finite, or one flat colour."
)


@dataclass(frozen=True, kw_only=True)
class Again:
    """Back into the queue with these counts; `elsewhere`: not on the same worker, if there are
    others.
    """

    failures: int
    losses: int
    elsewhere: bool = False


@dataclass(frozen=True, kw_only=True)
class Split(Again):
    """Back into the queue as two halves, until the render that makes attempts fail is alone."""


@dataclass(frozen=True, kw_only=True)
class GiveUp:
    """The renders that have not ended fail, for this reason."""

    reason: Reason


@dataclass(frozen=True, kw_only=True)
class Backoff:
    """Back into the queue, and nothing of the campaign is painted for these seconds."""

    seconds: float


@dataclass(frozen=True, kw_only=True)
class Replan(Backoff):
    """Back into the queue. While the campaign waits, its group is planned with a smaller batch."""

    batch: int


@dataclass(frozen=True, kw_only=True)
class Halt:
    """Back into the queue, and nothing of the campaign is painted until a person has acted."""


Verdict = Again | GiveUp | Backoff | Halt


def after_failure(
    failure: Failure,
    chunk: Chunk,
    *,
    left: int,
    backoffs: int,
    smaller_batch: int | None = None,
) -> Verdict:
    """What becomes of the `left` renders of a chunk that an attempt did not paint. `backoffs`
    counts how often in a row its campaign was backed off; `smaller_batch` is what its group may be
    planned anew with.
    """
    match failure.kind:
        case FailureKind.BAD_REQUEST:
            return GiveUp(reason=Reason.BAD_REQUEST)
        case FailureKind.BAD_SPEC | FailureKind.OUTPUTS | FailureKind.MODEL:
            return Halt()
        case FailureKind.SHORTAGE:
            return (
                Backoff(seconds=min(LONGEST_BACKOFF_S, FIRST_BACKOFF_S * 2**backoffs))
                if backoffs < MAX_BACKOFFS
                else Halt()
            )
        case (
            FailureKind.PREEMPTED
            | FailureKind.STOPPED
            | FailureKind.NUMERICS
            | FailureKind.LOADING
        ):
            return Again(
                failures=chunk.failures,
                losses=chunk.losses,
                elsewhere=failure.kind is FailureKind.NUMERICS,
            )
        case FailureKind.OUT_OF_MEMORY:
            return _after_out_of_memory(chunk, backoffs, smaller_batch)
        case FailureKind.WORKER_LOST:
            return _after_loss(chunk, left)
        case FailureKind.STUCK:
            return _after_blame(chunk, left, Reason.STUCK)
        case FailureKind.UNKNOWN:
            return _after_blame(chunk, left, Reason.UNKNOWN)


def _after_out_of_memory(chunk: Chunk, backoffs: int, smaller_batch: int | None) -> Verdict:
    """The batch shape is part of the recipe, so a smaller batch is another picture: only a
    campaign that asks for it gets one. Another device may have more memory free, so the chunk is
    tried a second time first.
    """
    if chunk.failures == 0:
        return Again(failures=1, losses=chunk.losses, elsewhere=True)
    if smaller_batch is not None and backoffs < MAX_BACKOFFS:
        return Replan(seconds=REPLAN_S, batch=smaller_batch)
    return GiveUp(reason=Reason.OUT_OF_MEMORY)


def _after_loss(chunk: Chunk, left: int) -> Verdict:
    """Free of charge, but not for ever: a chunk may be what kills its workers."""
    losses = chunk.losses + 1
    if losses >= LOSSES_BEFORE_SPLIT and left > 1:
        return Split(failures=chunk.failures, losses=losses)
    return (
        Again(failures=chunk.failures, losses=losses)
        if losses < MAX_LOSSES
        else GiveUp(reason=Reason.WORKER_LOST)
    )


def _after_blame(chunk: Chunk, left: int, reason: Reason) -> Verdict:
    failures = chunk.failures + 1
    if failures > 1 and left > 1:
        return Split(failures=failures, losses=chunk.losses, elsewhere=True)
    return (
        Again(failures=failures, losses=chunk.losses, elsewhere=True)
        if failures < MAX_FAILURES
        else GiveUp(reason=reason)
    )


def settlement_of(
    result: ChunkResult, chunk: Chunk, job: Callable[[], ChunkJob], *, backoffs: int
) -> Settlement:
    """What to write down of a result. `job` computes the chunk's renders; it is called only if
    some of them have not ended.
    """
    result = _printable(result)
    plain = _plain(result)
    failure = result.failure
    if failure is None and not result.bad_outputs:
        return plain
    if failure is not None and failure.kind is FailureKind.BAD_SPEC:
        return _whole(replace(plain, halt=failure.detail), chunk, _as_before(chunk))
    whole = job()
    ended = {outcome.number for outcome in result.outcomes}.union(result.bad_outputs)
    left = [picture for picture in whole.pictures if picture.number not in ended]
    bad = [picture for picture in whole.pictures if picture.number in set(result.bad_outputs)]
    done = _with_bad_outputs(plain, chunk, whole, bad)
    if failure is None or not left:
        return done
    verdict = after_failure(
        failure, chunk, left=len(left), backoffs=backoffs, smaller_batch=whole.smaller_batch
    )
    return _with_failure(done, failure, verdict, chunk, whole, left)


def unknown_chunk(result: ChunkResult) -> Chunk:
    """Stands for the chunk of a result that was settled already: whatever is written of it is
    stale.
    """
    return Chunk(
        id=result.chunk_id, campaign_id=result.campaign_id, group_no=0, start=0, stop=0, total=0,
        lease=result.lease, failures=0, losses=0,
        worker=result.worker,
    )  # fmt: skip


def _with_bad_outputs(
    settlement: Settlement, chunk: Chunk, job: ChunkJob, bad: Sequence[PictureJob]
) -> Settlement:
    """The same seed on another worker, once; then a person must look."""
    if not bad:
        return settlement
    settlement = replace(settlement, outcome=AttemptOutcome.BAD_OUTPUT)
    if chunk.bad_outputs == 0:
        elsewhere = replace(_as_before(chunk), elsewhere=True)
        again = replace(_part(settlement, chunk, bad, elsewhere), bad_outputs=1)
        return replace(settlement, again=(*settlement.again, again))
    return _with_ended(settlement, job, bad, RenderState.HELD, Reason.BAD_OUTPUT, _BAD_OUTPUT)


def _with_failure(
    settlement: Settlement,
    failure: Failure,
    verdict: Verdict,
    chunk: Chunk,
    job: ChunkJob,
    left: Sequence[PictureJob],
) -> Settlement:
    match verdict:
        case GiveUp(reason=reason):
            return _with_ended(settlement, job, left, RenderState.FAILED, reason, failure.detail)
        case Replan(seconds=seconds, batch=batch):
            smaller = SmallerBatch(size=(job.group.width, job.group.height), batch=batch)
            why = f"{failure.detail} Pictures of this size are planned anew, {batch} at once."
            backoff = CampaignBackoff(seconds=seconds, why=why)
            settlement = replace(settlement, backoff=backoff, smaller=smaller)
        case Backoff(seconds=seconds):
            backoff = CampaignBackoff(seconds=seconds, why=failure.detail)
            settlement = replace(settlement, backoff=backoff)
        case Halt():
            settlement = replace(settlement, halt=failure.detail)
    again = verdict if isinstance(verdict, Again) else _as_before(chunk)
    if isinstance(again, Split):
        parts = _halves(left, job.group.batch)
    elif settlement.outcomes or settlement.again:
        parts = [left]
    else:
        return _whole(settlement, chunk, again)
    back = [_part(settlement, chunk, part, again) for part in parts]
    return replace(settlement, again=(*settlement.again, *back))


def _as_before(chunk: Chunk) -> Again:
    """The chunk's own counts: the attempt costs nothing."""
    return Again(failures=chunk.failures, losses=chunk.losses)


def _refused_by(settlement: Settlement, again: Again) -> frozenset[str]:
    return frozenset({settlement.worker}) if again.elsewhere else frozenset()


def _whole(settlement: Settlement, chunk: Chunk, again: Again) -> Settlement:
    """The settlement by which the chunk itself goes back into the queue, as none of its renders
    has ended.
    """
    return replace(
        settlement,
        failures=again.failures,
        losses=again.losses,
        bad_outputs=chunk.bad_outputs,
        refused_by=_refused_by(settlement, again),
    )


def _part(
    settlement: Settlement, chunk: Chunk, pictures: Sequence[PictureJob], again: Again
) -> NewChunk:
    """A new chunk of the renders of another that have not ended."""
    return NewChunk(
        group_no=chunk.group_no,
        numbers=tuple(picture.number for picture in pictures),
        total=len(pictures),
        lease=chunk.lease,
        failures=again.failures,
        losses=again.losses,
        bad_outputs=chunk.bad_outputs,
        refused_by=_refused_by(settlement, again),
    )


def _with_ended(
    settlement: Settlement,
    job: ChunkJob,
    pictures: Sequence[PictureJob],
    state: RenderState,
    reason: Reason,
    detail: str,
) -> Settlement:
    ended = tuple(
        RenderOutcome(
            number=picture.number,
            digest=job.recipe(picture).digest,
            state=state,
            reason=reason,
            detail=detail,
        )
        for picture in pictures
    )
    return replace(settlement, outcomes=(*settlement.outcomes, *ended))


def first_half(renders: int, batch: int) -> int:
    """How many of the renders of a chunk go into the first of its halves: whole batches, if there
    is more than one batch.
    """
    middle = (renders + 1) // 2
    return -(-middle // batch) * batch if renders > batch else middle


def _halves(pictures: Sequence[PictureJob], batch: int) -> list[Sequence[PictureJob]]:
    middle = first_half(len(pictures), batch)
    return [pictures[:middle], pictures[middle:]]


def _printable(result: ChunkResult) -> ChunkResult:
    """The result with a failure's text that every database accepts: a model's error may contain
    any bytes.
    """
    if result.failure is None:
        return result
    text = (
        result.failure.detail.encode("utf-8", "replace")
        .decode()
        .replace("\0", "\N{REPLACEMENT CHARACTER}")
    )
    return replace(result, failure=replace(result.failure, detail=text))


def _plain(result: ChunkResult) -> Settlement:
    failure = result.failure
    return Settlement(
        chunk_id=result.chunk_id,
        campaign_id=result.campaign_id,
        lease=result.lease,
        worker=result.worker,
        outcome=AttemptOutcome.PAINTED if failure is None else AttemptOutcome(failure.kind),
        detail=None if failure is None else failure.detail,
        outcomes=result.outcomes,
        device_s=sum(result.facts.batch_s) + result.facts.load_s,
        facts=asdict(result.facts),
    )
