"""The part of the client that is about links for people outside."""

from urllib.parse import quote

from farm.client.transport import Transport
from farm.service.access_views import LinkView, NewLinkView


class LinkCalls:
    """Calls about links, for a class that has the transport and a project."""

    _http: Transport
    project: str

    def share(
        self,
        campaign: str,
        *,
        name: str | None = None,
        may_review: bool = False,
        until: float | None = None,
        passphrase: str | None = None,
    ) -> NewLinkView:
        """A link to a campaign for people outside, until a moment in seconds since 1970, or for a
        week. Its `path`, behind the address of the farm, is in this answer and nowhere else.
        """
        body = {"name": name, "may_review": may_review, "until": until, "passphrase": passphrase}
        path = f"campaigns/{quote(campaign, safe='')}/links"
        mine = {"project": self.project}
        answer = self._http.request("POST", path, params=mine, body=body, tries=1)
        return self._http.read(NewLinkView, answer)

    def links(self, campaign: str | None = None) -> list[LinkView]:
        """The links of the project, or of one campaign."""
        chosen = {} if campaign is None else {"campaign": campaign}
        return self._http.get(list[LinkView], "links", {"project": self.project, **chosen})

    def revoke_link(self, link: str) -> LinkView:
        """End a link, by its id, for those too who have opened it."""
        path = f"links/{quote(link, safe='')}/revoke"
        return self._http.post(LinkView, path, params={"project": self.project})
