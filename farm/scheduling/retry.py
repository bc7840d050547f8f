"""What follows from an attempt at a chunk: which renders have ended, and how the others go on.
Pure, like `farm.scheduling.assignment`.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace

from actors.recipes.jobs import ChunkJob, ChunkResult, Failure, FailureKind, PictureJob
from storage.rows import Chunk, NewChunk, RenderOutcome, Settlement, Wait
from storage.states import AttemptOutcome, Reason, RenderState

MAX_FAILURES = 3
MAX_LOSSES = 5
LOSSES_BEFORE_SPLIT = 2
FIRST_WAIT_S, LONGEST_WAIT_S = 5.0, 300.0
MAX_WAITS = 8  # 5 s, 10 s … 300 s: a quarter of an hour, after which a person has to look
BLAMED_ON_WORKER = frozenset(
    {AttemptOutcome.OUT_OF_MEMORY, AttemptOutcome.STUCK, AttemptOutcome.UNKNOWN}
)
_BAD_OUTPUT = (
    "The model's numbers are no picture, on two attempts: not finite, or one flat colour."
)


@dataclass(frozen=True, kw_only=True)
class Again:
    """Back into the queue with these counts; `elsewhere`: not on the same worker while there are
    others.
    """

    failures: int
    losses: int
    elsewhere: bool = False


@dataclass(frozen=True, kw_only=True)
class Split(Again):
    """Back into the queue as two halves, until the one render that is to blame is alone."""


@dataclass(frozen=True, kw_only=True)
class GiveUp:
    """The renders that are left have failed, for this reason."""

    reason: Reason


@dataclass(frozen=True, kw_only=True)
class WaitFor:
    """Back into the queue, and nothing more of the campaign for so many seconds."""

    seconds: float


@dataclass(frozen=True, kw_only=True)
class Halt:
    """Back into the queue, and nothing more of the campaign until a person has acted."""


Verdict = Again | GiveUp | WaitFor | Halt


def after_failure(failure: Failure, chunk: Chunk, *, left: int, waits: int) -> Verdict:
    """What becomes of the `left` renders of a chunk that an attempt did not paint; `waits` counts
    how often in a row its campaign has waited for something that was away.
    """
    match failure.kind:
        case FailureKind.BAD_REQUEST:
            return GiveUp(reason=Reason.BAD_REQUEST)
        case FailureKind.BAD_SPEC | FailureKind.OUTPUTS | FailureKind.MODEL:
            return Halt()
        case FailureKind.SHORTAGE:
            return (
                WaitFor(seconds=min(LONGEST_WAIT_S, FIRST_WAIT_S * 2**waits))
                if waits < MAX_WAITS
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
            # The batch shape is part of the recipe: a smaller one would be another picture. A
            # device that had room for nothing else may have it now, so it is tried once more.
            return (
                Again(failures=1, losses=chunk.losses, elsewhere=True)
                if chunk.failures == 0
                else GiveUp(reason=Reason.OUT_OF_MEMORY)
            )
        case FailureKind.WORKER_LOST:
            return _after_loss(chunk, left)
        case FailureKind.STUCK:
            return _after_blame(chunk, left, Reason.STUCK)
        case FailureKind.UNKNOWN:
            return _after_blame(chunk, left, Reason.UNKNOWN)


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
    result: ChunkResult, chunk: Chunk, job: Callable[[], ChunkJob], *, waits: int
) -> Settlement:
    """What to write down of a result. `job` computes the chunk's renders, where some of them have
    not ended.
    """
    result = _printable(result)
    plain = _plain(result)
    if result.failure is None and not result.bad_outputs:
        return plain
    if result.failure is not None and result.failure.kind is FailureKind.BAD_SPEC:
        return replace(
            plain,
            failures=chunk.failures,
            losses=chunk.losses,
            bad_outputs=chunk.bad_outputs,
            halt=result.failure.detail,
        )
    whole = job()
    ended = {outcome.number for outcome in result.outcomes}.union(result.bad_outputs)
    left = [picture for picture in whole.pictures if picture.number not in ended]
    bad = [picture for picture in whole.pictures if picture.number in set(result.bad_outputs)]
    done = _with_bad_outputs(plain, chunk, whole, bad)
    if result.failure is None or not left:
        return done
    return _with_failure(done, result.failure, chunk, whole, left, waits=waits)


def _with_bad_outputs(
    settlement: Settlement, chunk: Chunk, job: ChunkJob, bad: Sequence[PictureJob]
) -> Settlement:
    """The same seed on another worker, once; then a person has to look."""
    if not bad:
        return settlement
    if chunk.bad_outputs == 0:
        refused = frozenset({settlement.worker})
        again = _again(
            chunk,
            bad,
            failures=chunk.failures,
            losses=chunk.losses,
            bad_outputs=1,
            refused_by=refused,
        )
        return replace(
            settlement, outcome=AttemptOutcome.BAD_OUTPUT, again=(*settlement.again, again)
        )
    held = tuple(
        _ended(job, picture, RenderState.HELD, Reason.BAD_OUTPUT, _BAD_OUTPUT) for picture in bad
    )
    return replace(
        settlement, outcome=AttemptOutcome.BAD_OUTPUT, outcomes=(*settlement.outcomes, *held)
    )


def _with_failure(
    settlement: Settlement,
    failure: Failure,
    chunk: Chunk,
    job: ChunkJob,
    left: Sequence[PictureJob],
    *,
    waits: int,
) -> Settlement:
    verdict = after_failure(failure, chunk, left=len(left), waits=waits)
    if isinstance(verdict, GiveUp):
        failed = tuple(
            _ended(job, picture, RenderState.FAILED, verdict.reason, failure.detail)
            for picture in left
        )
        return replace(settlement, outcomes=(*settlement.outcomes, *failed))
    if isinstance(verdict, WaitFor):
        settlement = replace(settlement, wait=Wait(seconds=verdict.seconds, why=failure.detail))
    if isinstance(verdict, Halt):
        settlement = replace(settlement, halt=failure.detail)
    failures, losses = (
        (verdict.failures, verdict.losses)
        if isinstance(verdict, Again)
        else (chunk.failures, chunk.losses)
    )
    refused = (
        frozenset({settlement.worker})
        if isinstance(verdict, Again) and verdict.elsewhere
        else frozenset()
    )
    if not settlement.outcomes and not settlement.again and not isinstance(verdict, Split):
        return replace(
            settlement,
            failures=failures,
            losses=losses,
            bad_outputs=chunk.bad_outputs,
            refused_by=refused,
        )
    parts = _halves(left, job.group.batch) if isinstance(verdict, Split) else [left]
    again = [
        _again(
            chunk,
            part,
            failures=failures,
            losses=losses,
            bad_outputs=chunk.bad_outputs,
            refused_by=refused,
        )
        for part in parts
    ]
    return replace(settlement, again=(*settlement.again, *again))


def _halves(pictures: Sequence[PictureJob], batch: int) -> list[Sequence[PictureJob]]:
    """Two parts, the first of whole batches where there is more than one."""
    middle = (len(pictures) + 1) // 2
    if len(pictures) > batch:
        middle = -(-middle // batch) * batch
    return [pictures[:middle], pictures[middle:]]


def _again(
    chunk: Chunk,
    pictures: Sequence[PictureJob],
    *,
    failures: int,
    losses: int,
    bad_outputs: int,
    refused_by: frozenset[str],
) -> NewChunk:
    return NewChunk(
        group_no=chunk.group_no,
        numbers=tuple(picture.number for picture in pictures),
        total=len(pictures),
        lease=chunk.lease,
        failures=failures,
        losses=losses,
        bad_outputs=bad_outputs,
        refused_by=refused_by,
    )


def _printable(result: ChunkResult) -> ChunkResult:
    """With a failure's text as any database takes it: what a model throws may have anything in
    it.
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


def _ended(
    job: ChunkJob, picture: PictureJob, state: RenderState, reason: Reason, detail: str
) -> RenderOutcome:
    return RenderOutcome(
        number=picture.number,
        digest=job.recipe(picture).digest,
        state=state,
        reason=reason,
        detail=detail,
    )


def unknown_chunk(result: ChunkResult) -> Chunk:
    """Stands for the chunk of a result that was settled already: whatever is written of it is
    stale.
    """
    return Chunk(
        id=result.chunk_id, campaign_id=result.campaign_id, group_no=0, start=0, stop=0, total=0,
        lease=result.lease, failures=0, losses=0,
        worker=result.worker,
    )  # fmt: skip
