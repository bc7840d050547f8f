"""Files of a campaign that no render has any more: what an update has retired, and what broken-off
attempts have left.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import chain

from actors.recipes.encoding import Format
from farm.campaign.specs import expansion_of, picture_key_of
from farm.documents.counting import counted
from farm.results.manifest import manifest_lines
from storage.campaigns import Campaigns
from storage.errors import Conflict
from storage.keys import (
    atlas_key,
    campaign_folder,
    campaign_name,
    is_atlas,
    is_painted,
    without_ending,
)
from storage.reviews import Reviews
from storage.rows import CampaignRow
from storage.store import Outputs

_REMOVERS = 16
_AT_ONCE = 1_000


class Leftovers:
    """Finds and removes files that no render of a campaign has any more. Nothing but pictures,
    previews and atlases is ever removed.
    """

    def __init__(self, *, campaigns: Campaigns, reviews: Reviews, outputs: Outputs) -> None:
        self._campaigns = campaigns
        self._reviews = reviews
        self._outputs = outputs

    def find(self, project: str, name: str) -> list[str]:
        """The keys of such files, in order. Until the campaign is over, no file counts whose place
        is that of one of its renders.
        """
        return self._find(self._campaigns.get(project, name))

    def clean(self, project: str, name: str) -> int:
        """Remove them, and return how many there were. Raises Conflict if the campaign is
        changed meanwhile: ask again.
        """
        campaign = self._campaigns.get(project, name)
        keys = self._find(campaign)
        with ThreadPoolExecutor(_REMOVERS, thread_name_prefix="clean") as pool:
            for k in range(0, len(keys), _AT_ONCE):
                now = self._campaigns.get(project, name)
                if (now.id, now.is_over) != (campaign.id, campaign.is_over):
                    raise Conflict(
                        f"The campaign {name} was changed after"
                        f" {counted(k, 'file was', 'files were')} removed: run"
                        f" `farm clean {name}` again."
                    )
                list(pool.map(self._outputs.delete, keys[k : k + _AT_ONCE]))
        return len(keys)

    def _find(self, campaign: CampaignRow) -> list[str]:
        folder = campaign_folder(campaign.project, campaign.name)
        there = [key for key in self._outputs.keys(folder) if self._counts(campaign, key)]
        rows = [campaign, *self._proofs(campaign)]
        # read after `there`: it may grow meanwhile
        written = {key for row in rows for key in self._written(row)}
        places = {place for row in rows if not campaign.is_over for place in self._places(row)}
        return sorted(
            key for key in there if key not in written and without_ending(key) not in places
        )

    def _counts(self, campaign: CampaignRow, key: str) -> bool:
        """Whether a file is one of those that are looked at. While chunks are under way, nobody
        knows which atlases are theirs.
        """
        place = key.removeprefix(f"{campaign_folder(campaign.project, campaign.name)}/")
        return is_painted(place, Format) and (campaign.is_over or not is_atlas(place))

    def _proofs(self, campaign: CampaignRow) -> list[CampaignRow]:
        return [self._campaigns.proofs_of(campaign)] if campaign.proofs else []

    def _written(self, campaign: CampaignRow) -> Iterator[str]:
        for line in manifest_lines(self._campaigns, self._reviews, campaign):
            if line["key"]:
                yield line["key"]
            yield from line["previews"]  # one that was stopped has previews alone
        name = campaign_name(campaign.name)
        for outcome, _, _ in self._campaigns.outcomes(campaign.id):
            if outcome.thumbnail is not None:
                yield atlas_key(campaign.project, name, outcome.thumbnail.partition(":")[0])

    def _places(self, campaign: CampaignRow) -> Iterator[str]:
        """The keys of the pictures of all renders, painted or not, without the endings of their
        names.
        """
        expansion = expansion_of(campaign.spec)
        redos = (expansion.render(number) for number in expansion.redos)
        for _, render in chain(expansion.all_renders(), redos):
            yield without_ending(
                picture_key_of(campaign, render, expansion.campaign.encoding.format)
            )
