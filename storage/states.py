"""The states of renders, the reasons for their ends, and the legal steps between states; the
states of chunks, attempts, campaigns and workers.
"""

from enum import StrEnum


class Stage(StrEnum):
    """The purpose of a picture. It is a part of the picture's key."""

    PROOF = "proof"
    """A cheap draft, to decide whether the final is wanted."""
    FINAL = "final"


class RenderState(StrEnum):
    """Where a render is. Queued and running are read off its chunk; only the others are stored in
    a row of its own.
    """

    QUEUED = "queued"
    RUNNING = "running"
    HELD = "held"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    REJECTED = "rejected"
    """It was held for a person, who did not want it."""


TRANSITIONS: dict[RenderState, frozenset[RenderState]] = {
    # Waiting in a chunk that no worker has.
    RenderState.QUEUED: frozenset({RenderState.RUNNING, RenderState.CANCELLED}),
    # In a chunk that a worker has leased; a lost lease puts it back.
    RenderState.RUNNING: frozenset(
        {
            RenderState.QUEUED,
            RenderState.HELD,
            RenderState.DONE,
            RenderState.FAILED,
            RenderState.CANCELLED,
        }
    ),
    # A person has to look: it may be tried again, given up, let through or rejected.
    RenderState.HELD: frozenset(
        {RenderState.QUEUED, RenderState.CANCELLED, RenderState.DONE, RenderState.REJECTED}
    ),
    # Its picture is in the outputs. One that a person let through can be held again.
    RenderState.DONE: frozenset({RenderState.HELD, RenderState.REJECTED}),
    # It will not be tried again unless somebody asks.
    RenderState.FAILED: frozenset({RenderState.QUEUED}),
    # Its campaign was cancelled.
    RenderState.CANCELLED: frozenset(),
    # A person may decide again.
    RenderState.REJECTED: frozenset({RenderState.HELD, RenderState.DONE, RenderState.QUEUED}),
}


def moved(state: RenderState, to: RenderState) -> RenderState:
    """The state of a render after a step, which must be a legal one."""
    assert to in TRANSITIONS[state], f"a render that is {state} cannot become {to}"
    return to


class Reason(StrEnum):
    """Why a render ended as it did."""

    PAINTED = "painted"
    COPIED = "copied"
    BAD_REQUEST = "bad_request"
    BAD_OUTPUT = "bad_output"
    BRAND = "brand"
    DRIFT = "drift"
    """Its composition is farther from its anchor than the campaign allows."""
    DRIFT_STOPPED = "drift_stopped"
    """So was its look at an early step, and it was not painted further."""
    OUT_OF_MEMORY = "out_of_memory"
    WORKER_LOST = "worker_lost"
    STUCK = "stuck"
    UNKNOWN = "unknown"


HELD_BY_RULE = (Reason.BRAND, Reason.DRIFT, Reason.DRIFT_STOPPED)
"""The reasons for which a render is held that a person may let through."""


class AttemptOutcome(StrEnum):
    """How an attempt at a chunk ended: it painted, its result came too late, or it failed in one
    of the ways that `actors.recipes.jobs.FailureKind` describes.
    """

    PAINTED = "painted"
    STALE = "stale"
    """The lease was not the session's any more: nothing of the result counts."""
    BAD_OUTPUT = "bad_output"
    BAD_REQUEST = "bad_request"
    BAD_SPEC = "bad_spec"
    WORKER_LOST = "worker_lost"
    PREEMPTED = "preempted"
    OUT_OF_MEMORY = "out_of_memory"
    OUTPUTS = "outputs"
    MODEL = "model"
    LOADING = "loading"
    SHORTAGE = "shortage"
    NUMERICS = "numerics"
    STUCK = "stuck"
    STOPPED = "stopped"
    UNKNOWN = "unknown"


class WorkerState(StrEnum):
    """The activity of a worker, as people and metrics see it; its dispatcher records it."""

    STARTING = "starting"
    """It was asked for or found, and has not answered yet."""
    IDLE = "idle"
    PAINTING = "painting"
    DRAINING = "draining"
    """It gets no more chunks, and is ended when it has none left."""
    QUARANTINED = "quarantined"
    """It gets no chunks for a time, because it failed."""

    @property
    def takes_work(self) -> bool:
        return self in (WorkerState.IDLE, WorkerState.PAINTING)


class ChunkState(StrEnum):
    """Where a chunk is: waiting, leased to a worker, settled, or cancelled."""

    QUEUED = "queued"
    LEASED = "leased"
    SETTLED = "settled"
    CANCELLED = "cancelled"


class CampaignState(StrEnum):
    """Where a campaign is; worked out from its counts and marks, never stored."""

    QUEUED = "queued"
    RUNNING = "running"
    PAUSED = "paused"
    HALTED = "stopped"  # people, the API and old databases know it by this word
    AWAITING_REVIEW = "awaiting_review"
    """Nothing is left but what a person has to approve or reject."""
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    REMOVING = "removing"


def campaign_state(
    *,
    total: int,
    done: int,
    failed: int,
    held: int,
    cancelled: int,
    rejected: int = 0,
    held_by_rule: int = 0,
    awaits_review: bool = False,
    started: bool,
    paused: bool,
    halted: str | None,
) -> CampaignState:
    """A campaign whose renders have all ended is done if those that were not rejected are. It
    awaits a review if a rule holds all the others, else it has failed. Paused and halted ones wait
    for a person.
    """
    if done + failed + held + cancelled + rejected >= total:
        if done + rejected == total:
            return CampaignState.DONE
        if cancelled:
            return CampaignState.CANCELLED
        waits = held_by_rule == held and not failed
        return CampaignState.AWAITING_REVIEW if waits else CampaignState.FAILED
    if halted is not None:
        return CampaignState.HALTED
    if paused:
        return CampaignState.PAUSED
    if awaits_review:
        return CampaignState.AWAITING_REVIEW
    return CampaignState.RUNNING if started else CampaignState.QUEUED


class Verdict(StrEnum):
    """A person's decision about a render."""

    APPROVED = "approved"
    REJECTED = "rejected"


class RejectReason(StrEnum):
    """Why a render was rejected."""

    COMPOSITION = "composition"
    COLOUR = "colour"
    TEXTURE = "texture"
    BRAND = "brand"
    DEFECT = "defect"
    OTHER = "other"
