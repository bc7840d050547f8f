"""Files of a campaign that no render has any more: what an update has retired, and what broken-off attempts have left."""

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from actors.encoding import Format
from farm.manifest import STAGE, folder_of, manifest_lines, picture_key
from farm.specs import expansion_of
from storage.campaigns import Campaigns
from storage.errors import RequestError
from storage.outputs import Outputs
from storage.rows import CampaignRow

_REMOVERS = 16
_AT_ONCE = 1_000
# A shot's folder ends with sixteen digits of a hash; beside the picture of a seed lie its previews.
_PAINTED = re.compile(rf"(v[0-9]+/)?{STAGE}/[^/]*_[0-9a-f]{{16}}/[0-9]+(\.({'|'.join(Format)})|\.step[0-9]{{3,4}}\.webp)")


def is_painted(place: str) -> bool:
    """Whether a file, named from its campaign's folder, has a name that only the farm gives: a picture or a preview."""
    return _PAINTED.fullmatch(place) is not None


class Leftovers:
    """Finds and removes files that no render of a campaign has any more. Nothing but pictures and previews is ever removed."""

    def __init__(self, *, campaigns: Campaigns, outputs: Outputs) -> None:
        self._campaigns = campaigns
        self._outputs = outputs

    def find(self, project: str, name: str) -> list[str]:
        """The keys of such files, in order. Until the campaign is over, no file counts whose place is that of one of its renders."""
        return self._find(self._campaigns.get(project, name))

    def clean(self, project: str, name: str) -> int:
        """Remove them, and return how many there were. Raises RequestError if the campaign is changed meanwhile: ask again."""
        campaign = self._campaigns.get(project, name)
        keys = self._find(campaign)
        with ThreadPoolExecutor(_REMOVERS, thread_name_prefix="clean") as pool:
            for k in range(0, len(keys), _AT_ONCE):
                now = self._campaigns.get(project, name)
                if (now.id, now.state.is_final) != (campaign.id, campaign.state.is_final):
                    raise RequestError(f"The campaign {name} was changed after {k:,} files were removed: run `farm clean {name}` again.")
                list(pool.map(self._outputs.delete, keys[k : k + _AT_ONCE]))
        return len(keys)

    def _find(self, campaign: CampaignRow) -> list[str]:
        folder = f"{folder_of(campaign)}/"
        there = [key for key in self._outputs.keys(folder_of(campaign)) if is_painted(key.removeprefix(folder))]
        written = set(self._written(campaign))  # read after `there`: it may grow meanwhile
        places = set() if campaign.state.is_final else set(self._places(campaign))
        return sorted(key for key in there if key not in written and _without_ending(key) not in places)

    def _written(self, campaign: CampaignRow) -> Iterator[str]:
        for line in manifest_lines(self._campaigns, campaign):
            if line["key"]:
                yield line["key"]
                yield from line["previews"]

    def _places(self, campaign: CampaignRow) -> Iterator[str]:
        """Where the pictures of all renders are or will be, without the endings of their names."""
        expansion = expansion_of(campaign.spec)
        for _, render in expansion.all_renders():
            yield _without_ending(picture_key(campaign, render, expansion.campaign.encoding.format))


def _without_ending(key: str) -> str:
    """A picture and its previews are the same up to here."""
    folder, _, file = key.rpartition("/")
    return f"{folder}/{file.partition('.')[0]}"
