"""Why an attempt at a chunk failed, read off the error that ended it."""

import traceback

import torch

from actors.models.families import family_of, is_known
from actors.painting.canaries import Unstable
from actors.recipes.errors import BadRequest, LoadFailed, PartMissing, Stopped, WeightsChanged
from actors.recipes.jobs import ChunkJob, Failure, FailureKind
from storage.errors import OutputsAway, OutputsError

_FRAMES_KEPT = 6
_DETAIL_KEPT = 4000  # characters
_TILE = 512  # pixels a side, which those VAEs were trained on


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
            detail = (
                f"The device ran out of memory at a batch of {job.group.batch}"
                f"{_smaller(job)}. ({exc})"
            )
        case _:
            # Nobody foresaw it, so the innermost frames go with it.
            frames = "".join(traceback.format_exception(exc)[-_FRAMES_KEPT:])
            detail = f"{type(exc).__name__}: {exc}\n{frames}"[:_DETAIL_KEPT]
    return Failure(kind=kind, detail=detail)


def _smaller(job: ChunkJob) -> str:
    """What its owner can do if a device is too small, unless the farm does it by itself."""
    if job.smaller_batch:
        return ""
    if job.group.batch > 1:
        return ": give the campaign a smaller settings.batch"
    group, family = job.group, family_of(job.group.pipeline)
    takes_tiles = family is not None and is_known(family)
    if takes_tiles and group.vae_tile is None and max(group.width, group.height) > _TILE:
        return f": give the campaign `settings.vae_tile: {_TILE}`, or a smaller settings.size"
    return ": give the campaign a smaller settings.size"
