"""The part of the client that is about brand packs and prompts."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from farm.campaign.brand import load_pack
from farm.campaign.loading import CampaignFile
from farm.campaign.schema import Campaign
from farm.client.transport import Transport
from farm.client.uploading import with_uploads
from farm.documents.document import DocumentError
from farm.service.views import BrandVersion, PromptList


class BrandCalls:
    """Calls about brand packs, for a class that has the transport and a project."""

    _http: Transport
    project: str

    def add_brand(self, pack: str | Path | Mapping[str, Any]) -> BrandVersion:
        """Store a pack, or the file of one, and say what that did: `did` is `added`, `changed` for
        a version that no campaign has used yet, or `known`.
        """
        document = load_pack(Path(pack)).document if isinstance(pack, str | Path) else dict(pack)
        body = {"project": self.project, "pack": document}
        return self._http.post(BrandVersion, "brands", body)

    def prompts(self, campaign: Campaign | CampaignFile, *, limit: int = 100) -> PromptList:
        """The first prompts of a campaign that differ, with their negatives, their tokens for each
        text encoder, and the words that its brand bans. Raises DocumentError, with the file's
        lines, for a campaign that cannot be read.
        """
        document = campaign.document if isinstance(campaign, CampaignFile) else None
        checked = campaign.campaign if isinstance(campaign, CampaignFile) else campaign
        sent = checked.model_dump(mode="json", exclude_unset=True)
        asked = with_uploads(sent, self._http, self.project)
        body = {"project": self.project, "campaign": asked, "limit": limit}
        try:
            return self._http.post(PromptList, "prompts", body)
        except DocumentError as exc:
            raise DocumentError(exc.problems, document, most=exc.most) from None

    def brands(self) -> list[BrandVersion]:
        """Every version of every pack of the project."""
        return self._http.get(list[BrandVersion], "brands", {"project": self.project})

    def brand(self, name: str, version: int | None = None) -> BrandVersion:
        """A version of a pack, the newest if none is named; `pack` has its contents."""
        params = {"project": self.project} | ({} if version is None else {"version": str(version)})
        return self._http.get(BrandVersion, f"brands/{quote(name, safe='')}", params)
