"""How campaigns end: those that are over get a manifest, those that have spent their budget are
halted.
"""

import logging
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from farm.results.manifest import write_manifest
from farm.scheduling.budget import is_spent, spent_sentence
from farm.service.reviews import ReviewService
from storage.campaigns import Campaigns
from storage.errors import DatabaseAway, NotFound, RequestError, SeedbedError
from storage.reviews import Reviews
from storage.rows import CampaignRow, OpenCampaign
from storage.store import Outputs

log = logging.getLogger(__name__)


class Finishing:
    """The campaigns that may be over since they were last looked at.

    Manifests are written beside the loop: that of a million renders takes half a minute. So are
    the decisions about an earlier version: comparing a million takes minutes.
    """

    def __init__(
        self, *, campaigns: Campaigns, reviews: Reviews, service: ReviewService, outputs: Outputs
    ) -> None:
        self._campaigns = campaigns
        self._reviews = reviews
        self._service = service
        self._outputs = outputs
        self.waiting: set[int] = set()
        """The campaigns to be looked at in the next round."""
        self._clerk = ThreadPoolExecutor(1, thread_name_prefix="clerk")

    def touch(self, campaign_ids: Iterable[int]) -> None:
        """Look at these campaigns in the next round."""
        self.waiting.update(campaign_ids)

    def finish(self) -> None:
        """Have the manifests written of those that are over, and proofs approved that need no
        person. What a database that cannot be reached keeps from that is done later.
        """
        for campaign_id in sorted(self.waiting):
            try:
                campaign = self._campaigns.by_id(campaign_id)
            except NotFound:
                campaign = None  # removed meanwhile
            is_over = campaign is not None and campaign.is_over
            if campaign is not None and is_over and campaign.version == 1:
                self._approve(campaign)
            # Before its manifest is begun, which may ask for another look at it.
            self.waiting.discard(campaign_id)
            if campaign is not None and is_over:
                self._end(campaign)

    def _go_on(self, campaign: CampaignRow) -> None:
        """Decide as was decided about the version before, and then as the file says of proofs."""
        finals = campaign.id if campaign.proof_of is None else campaign.proof_of
        try:
            self._service.carry_over(self._campaigns.by_id(finals))
            self._approve(campaign)
        except DatabaseAway:
            self.waiting.add(campaign.id)  # it is tried again once the database is back
        except SeedbedError as exc:  # replaced or removed meanwhile
            log.warning("%s waits for a person: %s action=carry", campaign.title, exc)

    def _approve(self, campaign: CampaignRow) -> None:
        if campaign.proof_of is None:
            return
        try:
            self._service.auto_approve(campaign)
        except (RequestError, NotFound) as exc:  # replaced or removed meanwhile
            log.warning("%s waits for a person: %s action=approve", campaign.title, exc)

    def _end(self, campaign: CampaignRow) -> None:
        log.info(
            "Campaign %s is %s. action=finish campaign=%d",
            campaign.name,
            campaign.state,
            campaign.id,
        )
        if campaign.version > 1:
            self._clerk.submit(self._go_on, campaign)
        self._clerk.submit(self._write_manifest, campaign)

    def halt_spent(self, campaigns: Iterable[OpenCampaign]) -> None:
        """Halt campaigns whose budget is spent, once none of their chunks is under way: whoever
        waits for them learns of it.
        """
        for campaign in campaigns:
            if is_spent(campaign) and not campaign.running:
                log.info(
                    "Campaign %s has spent its budget. action=halt campaign=%d",
                    campaign.name,
                    campaign.id,
                )
                self._campaigns.halt(campaign.id, spent_sentence(campaign))

    def close(self) -> None:
        """Wait until the manifests that were begun are written, and the decisions made."""
        self._clerk.shutdown()

    def _write_manifest(self, campaign: CampaignRow) -> None:
        try:
            write_manifest(self._campaigns, self._reviews, campaign, self._outputs)
        except DatabaseAway:
            self.waiting.add(campaign.id)  # it is tried again once the database is back
        except SeedbedError as exc:
            log.warning(
                "The manifest of %s was not written: %s action=manifest", campaign.name, exc
            )
