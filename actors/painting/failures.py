"""Why an attempt at a chunk failed, read off the error that ended it."""

import traceback

import torch

from actors.painting.canaries import Unstable
from actors.recipes.errors import BadRequest, LoadFailed, PartMissing, Stopped, WeightsChanged
from actors.recipes.jobs import ChunkJob, Failure, FailureKind
from storage.errors import OutputsAway, OutputsError

_FRAMES_KEPT = 6
_DETAIL_KEPT = 4000  # characters


def failure_of(exc: Exception, job: ChunkJob) -> Failure:
    """The failure that an error amounts to. Every error has one: a chunk without an answer would
    be lost.
    """
    kind, detail = FailureKind.UNKNOWN, str(exc)
    match exc:
        case PartMissing():
            kind = FailureKind.LOADING
        case LoadFailed():
            kind = FailureKind.LOADING
            detail = f"The model {job.model_name} cannot be loaded: {exc}"
        case WeightsChanged():
            kind = FailureKind.MODEL
        case BadRequest():
            kind = FailureKind.BAD_REQUEST
        case Unstable():
            kind = FailureKind.NUMERICS
        case OutputsAway():
            kind = FailureKind.SHORTAGE
        case OutputsError():
            kind = FailureKind.OUTPUTS
        case Stopped():
            kind, detail = FailureKind.STOPPED, "It was asked to stop."
        case torch.OutOfMemoryError():
            kind = FailureKind.OUT_OF_MEMORY
            advice = "" if job.smaller_batch else ": give the campaign a smaller settings.batch"
            detail = (
                f"The device ran out of memory at a batch of {job.group.batch}{advice}. ({exc})"
            )
        case _:
            # Nobody foresaw it, so the innermost frames go with it.
            frames = "".join(traceback.format_exception(exc)[-_FRAMES_KEPT:])
            detail = f"{type(exc).__name__}: {exc}\n{frames}"[:_DETAIL_KEPT]
    return Failure(kind=kind, detail=detail)
