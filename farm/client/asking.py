"""The part of the client that sends campaigns to the farm, to be submitted or looked at."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from farm.campaign.loading import CampaignFile, campaign_of, load_campaign
from farm.campaign.schema import Campaign
from farm.client.transport import Transport
from farm.client.uploading import with_uploads
from farm.documents.document import Document, DocumentError, Problem, parse_document

Json = dict[str, Any]
Source = Campaign | CampaignFile | Mapping[str, Any] | str | Path
T = TypeVar("T")


class Asking:
    """Calls with a campaign in them, for a class that has the transport and a project."""

    _http: Transport
    project: str

    def _ask(
        self, view: type[T], path: str, campaign: Source, how: Mapping[str, Any]
    ) -> tuple[T, Sequence[Problem]]:
        """The farm's answer to a campaign, and the warnings of its reading."""
        checked, document, found = _parts(_loaded(campaign))
        sent = with_uploads(written(checked), self._http, self.project)
        body = {"project": self.project, "campaign": sent, **how}
        try:
            return self._http.post(view, path, body), found
        except DocumentError as exc:
            raise DocumentError(exc.problems, document, most=exc.most) from None


def _loaded(campaign: Source) -> Campaign | CampaignFile:
    """A campaign from wherever it stands. A text has several lines, a path has one."""
    if isinstance(campaign, Mapping):
        return campaign_of(Document("the campaign", dict(campaign)), Path.cwd())
    if isinstance(campaign, str) and "\n" in campaign:
        return campaign_of(parse_document(campaign, "the campaign"), Path.cwd())
    return load_campaign(Path(campaign)) if isinstance(campaign, str | Path) else campaign


def written(campaign: Campaign) -> Json:
    """A campaign as it is sent: without what its file does not say, for a brand may say that."""
    return campaign.model_dump(mode="json", exclude_unset=True)


def _parts(
    campaign: Campaign | CampaignFile,
) -> tuple[Campaign, Document | None, Sequence[Problem]]:
    """A campaign, its document if it was read from one, and the warnings of its reading."""
    if isinstance(campaign, Campaign):
        return campaign, None, ()
    return campaign.campaign, campaign.document, campaign.warnings
