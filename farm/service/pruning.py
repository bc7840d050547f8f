"""Forgets campaigns, with their pictures or without.

A campaign that loses its pictures is first marked in the database, then its files are deleted page
by page, and its rows go last. So a kill in the middle leaves a campaign that the next pruning
finishes.
"""

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Any

from actors.recipes.encoding import Format
from farm.service.retention import Choice, Order, choose, goes_whole
from farm.service.uploads import UploadService
from storage.campaigns import Campaigns
from storage.errors import NotFound, OutputsError, RequestError
from storage.keys import campaign_folder, is_ours, pictures_of
from storage.removal import Removal
from storage.rows import CampaignRow
from storage.store import Outputs

Json = dict[str, Any]
_REMOVERS = 16
_PAGE = 1_000
_PER_REQUEST = (
    10_000  # files: 20 s if a bucket takes 30 ms for each, far below the 600 s that a client waits
)


class Pruner:
    """Forgets campaigns."""

    def __init__(
        self,
        *,
        campaigns: Campaigns,
        removal: Removal,
        outputs: Outputs,
        uploads: UploadService | None = None,
    ) -> None:
        """Without `uploads`, uploaded files stay as they are."""
        self._campaigns = campaigns
        self._removal = removal
        self._outputs = outputs
        self._uploads = uploads

    def moment(self, seconds_ago: float) -> float:
        """A time by the database's clock."""
        return self._removal.moment(seconds_ago)

    def prune(self, project: str | None, order: Order, *, dry_run: bool = False) -> Json:
        """Forget what an order is about, of one project or of all, and say what that was. At most
        some thousand files are deleted: if there are `more`, an order without names and time goes
        on.

        Raises RequestError if names are given for all projects, NotFound for names that there are
        not.
        """
        chosen = self._choose(project, order)
        versions = (
            0
            if order.names or order.before is None
            else self._removal.old_versions(project, order.before)
        )
        answer: Json = {
            "project": project,
            "dry_run": dry_run,
            "with_pictures": order.with_pictures,
            "over_before": order.before,
            "campaigns": [self._json(campaign, order) for campaign in chosen.forgotten],
            "spared": [
                {"project": c.project, "campaign": c.name, "why": why} for c, why in chosen.spared
            ],
            "versions": versions,
            "uploads": 0,
            "pruned": 0,
            "files_removed": 0,
            "files_left": self._count(
                campaign for campaign in chosen.forgotten if not goes_whole(campaign, order)
            ),
            "more": False,
        }
        if self._uploads and order.before is not None and order.with_pictures:
            answer["uploads"] = self._uploads.prune(project, order.before, dry_run=dry_run)
        if dry_run:
            return answer
        if versions and order.before is not None:
            answer["versions"] = self._removal.let_old_versions_go(project, order.before)
        return self._forget(answer, chosen, order)

    def _choose(self, project: str | None, order: Order) -> Choice:
        if order.names and project is None:
            raise RequestError(
                "Names are those of one project's campaigns: give names, or all projects, not"
                " both."
            )
        campaigns = self._campaigns.all(project)
        if missing := sorted(order.names - {campaign.name for campaign in campaigns}):
            raise NotFound(
                f"Project {project} has no campaign {', '.join(missing)}: `farm list` shows those"
                " it has. Nothing is forgotten."
            )
        return choose(campaigns, order, self._removal.under_way())

    def _forget(self, answer: Json, chosen: Choice, order: Order) -> Json:
        whole = [campaign for campaign in chosen.forgotten if goes_whole(campaign, order)]
        rest = [campaign for campaign in chosen.forgotten if not goes_whole(campaign, order)]
        whole = [
            campaign
            for campaign in whole
            if campaign.is_leaving or self._removal.mark(campaign.id)
        ]
        answer["pruned"] = sum(self._removal.forget(campaign.id) for campaign in rest)
        for campaign in whole:
            removed, left = self._delete_files(campaign, _PER_REQUEST - answer["files_removed"])
            answer["files_removed"] += removed
            if left is None:
                answer["more"] = True
                break
            if answer["files_left"] is not None:
                answer["files_left"] += left
            answer["pruned"] += self._removal.forget(campaign.id)
        self._removal.sweep()
        return answer

    def _json(self, campaign: CampaignRow, order: Order) -> Json:
        return {
            "project": campaign.project,
            "campaign": campaign.name,
            "state": campaign.state,
            "renders": campaign.total,
            "pictures": campaign.done,
            "bytes": self._removal.bytes_of(campaign.id) if goes_whole(campaign, order) else None,
            "finished_at": campaign.finished_at,
        }

    def _count(self, campaigns: Iterable[CampaignRow]) -> int | None:
        """How many files the campaigns have; None if the outputs cannot be read: a farm that has
        lost them can still forget.
        """
        try:
            return sum(
                1
                for campaign in campaigns
                for _ in self._outputs.keys(campaign_folder(campaign.project, campaign.name))
            )
        except OutputsError:
            return None

    def _delete_files(self, campaign: CampaignRow, most: int) -> tuple[int, int | None]:
        """Delete what the farm has written for a campaign; returns how many files that were and
        how many are left, which is None while there are more to delete. What renders of other
        campaigns name stays.
        """
        others = self._removal.namers(campaign.id, campaign.project, campaign.name)
        removed = 0
        with ThreadPoolExecutor(_REMOVERS, thread_name_prefix="prune") as pool:
            # until a look at all keys finds nothing to delete: not every server lists well while
            # it deletes
            while True:
                gone = left = 0
                for page in _pages(
                    self._outputs.keys(campaign_folder(campaign.project, campaign.name))
                ):
                    if removed >= most:
                        return removed, None
                    doomed = self._doomed(campaign, page, others)
                    list(pool.map(self._outputs.delete, doomed))
                    gone, left, removed = (
                        gone + len(doomed),
                        left + len(page) - len(doomed),
                        removed + len(doomed),
                    )
                if not gone:
                    return removed, left

    def _doomed(self, campaign: CampaignRow, page: list[str], others: list[int]) -> list[str]:
        folder = f"{campaign_folder(campaign.project, campaign.name)}/"
        pictures = {
            key: pictures_of(key, Format)
            for key in page
            if is_ours(key.removeprefix(folder), Format)
        }
        named = self._removal.named(
            others, {place for places in pictures.values() for place in places}
        )
        return [key for key, places in pictures.items() if named.isdisjoint(places)]


def _pages(keys: Iterator[str]) -> Iterator[list[str]]:
    while page := list(islice(keys, _PAGE)):
        yield page
