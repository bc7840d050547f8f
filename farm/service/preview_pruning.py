"""Removes the previews of campaigns that are over: they go before the pictures do.

A campaign is marked first: its manifest names no previews from then on, so that a kill in the
middle leaves files that nobody misses, and the next pruning removes them.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Any

from actors.recipes.encoding import Format
from farm.service.retention import Order, choose
from storage.campaigns import Campaigns
from storage.errors import NotFound
from storage.keys import campaign_folder, is_preview, pictures_of
from storage.removal import Removal
from storage.rows import CampaignRow
from storage.states import Stage
from storage.store import Outputs

Json = dict[str, Any]
_REMOVERS, _PAGE = 16, 1_000


class PreviewPruner:
    """Removes previews of finals."""

    def __init__(self, *, campaigns: Campaigns, removal: Removal, outputs: Outputs) -> None:
        self._campaigns = campaigns
        self._removal = removal
        self._outputs = outputs

    def prune(self, project: str, order: Order, *, dry_run: bool = False) -> Json:
        """Remove the previews of the campaigns that an order is about, and say which those are.
        Raises NotFound, with nothing removed, for names that there are not.
        """
        rows = self._campaigns.all(project)
        if missing := sorted(order.names - {row.name for row in rows}):
            raise NotFound(
                f"Project {project} has no campaign {', '.join(missing)}: `farm list` shows those"
                " it has. Nothing is removed."
            )
        chosen = choose(rows, order, self._removal.under_way())
        found = [
            {"campaign": row.name, "files": self._remove(row, dry_run=dry_run)}
            for row in chosen.forgotten
            if not row.is_leaving
        ]
        return {
            "project": project,
            "dry_run": dry_run,
            "campaigns": [one for one in found if one["files"]],
            "spared": [{"campaign": row.name, "why": why} for row, why in chosen.spared],
        }

    def _remove(self, campaign: CampaignRow, *, dry_run: bool) -> int:
        """How many files are removed, or would be. One that is not over any more keeps them."""
        if not dry_run and not self._removal.mark_previews(campaign.id):
            return 0
        others = self._removal.namers(campaign.id, campaign.project, campaign.name)
        count = 0
        with ThreadPoolExecutor(_REMOVERS, thread_name_prefix="prune") as pool:
            for page in self._pages(campaign):
                places = {key: pictures_of(key, Format) for key in page}
                every = {place for found in places.values() for place in found}
                named = self._removal.named(others, every)
                doomed = [key for key, found in places.items() if named.isdisjoint(found)]
                count += len(doomed)
                if not dry_run:
                    list(pool.map(self._outputs.delete, doomed))
        return count

    def _pages(self, campaign: CampaignRow) -> Iterator[list[str]]:
        folder = f"{campaign_folder(campaign.project, campaign.name)}/"
        keys = (
            key
            for key in list(self._outputs.keys(folder.rstrip("/")))
            if is_preview(key.removeprefix(folder), Stage.FINAL)
        )
        while page := list(islice(keys, _PAGE)):
            yield page
