"""What the log says of each attempt once it is written down."""

import logging

from storage.rows import OpenCampaign, Settlement
from storage.states import AttemptOutcome, RenderState

_FINE = (AttemptOutcome.PAINTED, AttemptOutcome.STALE, AttemptOutcome.PREEMPTED)


def log_settled(
    log: logging.Logger, settlement: Settlement, campaign: OpenCampaign | None
) -> None:
    """An event for an attempt: a warning, with the campaign's name, if it failed or some of its
    renders did.
    """
    failed = sum(outcome.state is RenderState.FAILED for outcome in settlement.outcomes)
    is_fine = settlement.outcome in _FINE and not failed and settlement.halt is None
    log.log(
        logging.INFO if is_fine else logging.WARNING,
        "Chunk %d of %s: %s. %s action=settle campaign=%d chunk=%d worker=%s failed=%d",
        settlement.chunk_id,
        f"campaign {settlement.campaign_id}" if campaign is None else campaign.name,
        settlement.outcome,
        settlement.halt or settlement.detail or "",
        settlement.campaign_id,
        settlement.chunk_id,
        settlement.worker,
        failed,
    )
