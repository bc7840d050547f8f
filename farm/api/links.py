"""The API's routes about links that show a campaign to people outside."""

import time
from typing import Annotated, Any

from fastapi import APIRouter, Query

from farm.api.access_bodies import NewLink, TokenId
from farm.api.bodies import Name, Project
from farm.api.needs import needs
from farm.api.routing import api_router, shows
from farm.service.access import Deed
from farm.service.access_views import LinkView, NewLinkView
from farm.service.links import LinkService

Json = dict[str, Any]
Campaign = Annotated[str | None, Query(pattern=r"^[a-z0-9][a-z0-9-]*$", max_length=80)]


def link_routes(links: LinkService) -> APIRouter:
    routes = api_router("access")

    @routes.post("/campaigns/{name}/links", status_code=201, **shows(NewLinkView))
    @needs(Deed.SHARE, tells_secret=True)
    def create(name: Name, body: NewLink, project: Project = "default") -> Json:
        return links.create(project, name, now=time.time(), **body.model_dump())

    @routes.get("/links", **shows(list[LinkView]))
    @needs(Deed.SHARE)
    def all_links(project: Project = "default", campaign: Campaign = None) -> list[Json]:
        """The links of the project, or of one campaign, those that have ended too."""
        return links.all(project, campaign)

    @routes.post("/links/{link}/revoke", **shows(LinkView))
    @needs(Deed.SHARE)
    def revoke(link: TokenId, project: Project = "default") -> Json:
        """Ends a link at once, for those too who have opened it."""
        return links.revoke(project, link)

    return routes
