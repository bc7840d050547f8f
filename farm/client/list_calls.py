"""The part of the client that is about lists: it asks for their pages one after the other."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeVar
from urllib.parse import parse_qsl, quote, urlsplit

from farm.client.transport import Transport
from farm.results.versions import split_version
from farm.service.list_views import RenderItem
from farm.service.views import CampaignRowView

T = TypeVar("T")
_AT_ONCE = 1_000
_CAMPAIGNS_AT_ONCE = 250


class ListCalls:
    """Calls about lists, for a class that has the transport and a project."""

    _http: Transport
    project: str

    def campaigns(
        self,
        *,
        state: str | None = None,
        text: str | None = None,
        since: float | None = None,
        all_projects: bool = False,
        limit: int | None = None,
    ) -> list[CampaignRowView]:
        """Campaigns of the project, or of `all_projects`, the newest first: those in a `state`,
        with a `text` in their name, submitted `since` then in seconds since 1970. With `limit`,
        only so many of them.
        """
        asked = {"state": state, "text": text, "since": None if since is None else str(since)}
        project = {} if all_projects else {"project": self.project}
        params = project | {key: value for key, value in asked.items() if value is not None}
        found = list[CampaignRowView]()
        for page in self._pages(list[CampaignRowView], "campaigns", params, limit):
            found += page
            if limit is not None and len(found) >= limit:
                return found[:limit]
        return found

    def renders(
        self,
        name: str,
        *,
        state: str | None = None,
        where: Sequence[str] = (),
        seed: int | None = None,
        review: str | None = None,
        reason: str | None = None,
        drift: tuple[float | None, float | None] = (None, None),
        failed_rule: str | None = None,
        numbers: range | None = None,
        stage: str = "final",
    ) -> Iterator[RenderItem]:
        """The renders of a campaign, painted or not, in the order of their numbers; read while
        they are asked for. `where` has conditions like `product=mug`, `review` is `approved`,
        `rejected` or `undecided`, `drift` has the bounds above and below, and `numbers` is a
        range like range(1000, 2000).
        """
        name, version = split_version(name)
        asked = {
            "version": version, "state": state, "where": "\n".join(where) or None, "seed": seed,
            "review": review, "reason": reason, "drift_above": drift[0], "drift_below": drift[1],
            "failed_rule": failed_rule, "from": None if numbers is None else numbers.start,
            "to": None if numbers is None else numbers.stop,
        }  # fmt: skip
        params = {"project": self.project, "stage": stage} | {
            key: str(value) for key, value in asked.items() if value is not None
        }
        path = f"campaigns/{quote(name, safe='', errors='surrogatepass')}/renders"
        for page in self._pages(list[RenderItem], path, params, _AT_ONCE):
            yield from page

    def _pages(
        self, view: type[T], path: str, params: Mapping[str, str], limit: int | None
    ) -> Iterator[T]:
        """The pages of a list. Raises RequestError for what the farm refuses, at the first."""
        size = min(_AT_ONCE, limit or _CAMPAIGNS_AT_ONCE)
        asked = {**params, "limit": str(size)}
        while True:
            response = self._http.request("GET", path, params=asked)
            yield self._http.read(view, response)
            following = response.links.get("next")
            if following is None:
                return
            asked = dict(parse_qsl(urlsplit(following["url"]).query, keep_blank_values=True))
