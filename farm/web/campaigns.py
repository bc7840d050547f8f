"""The pages of all campaigns, and of one."""

import time
from collections import Counter
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response

from farm.api.bodies import AtStage, Name, Project, Version
from farm.api.needs import access_of, needs
from farm.service.access import Access, Deed
from farm.service.reading import Reading
from farm.web.rendering import Renderer
from farm.web.routing import page_router
from farm.web.standing import Group, Wanted, grouped_by_need, standing_of
from farm.web.words import STATES
from storage.states import Stage

MOST_ROWS = 200
"""Campaigns on one page."""

Text = Annotated[str, Query(max_length=200)]
State = Annotated[str, Query(max_length=20)]
PathName = Annotated[str, Path(pattern=r"^[a-z0-9][a-z0-9-]*$", max_length=80)]
Json = dict[str, Any]


def campaign_list_routes(renderer: Renderer, reading: Reading) -> APIRouter:
    routes = page_router(renderer)

    @routes.get("/")
    @needs(Deed.LOOK, across=True)
    def campaigns(
        request: Request,
        project: Project | None = None,
        q: Text = "",
        state: State = "",
        start: Annotated[int, Query(ge=0, lt=2**31)] = 0,
    ) -> Response:
        mine = access_of(request).projects(Deed.LOOK)
        everything = [
            row for row in reading.all(project or None) if mine is None or row["project"] in mine
        ]
        wanted = Wanted(text=q, state=state or None)
        found = [row for row in everything if wanted.fits(row)]
        now = time.time()
        rows = [standing_of(row, now) for row in found]
        ordered = [one for _, some in grouped_by_need(rows) for one in some]
        return renderer.page(
            request,
            "campaigns.html",
            page="campaigns",
            groups=grouped_by_need(ordered[start : start + MOST_ROWS]),
            states=_states(everything),
            projects=sorted({row["project"] for row in everything}),
            wanted=wanted,
            project=project,
            total=len(everything),
            found=len(found),
            start=start,
            more=start + MOST_ROWS if len(found) > start + MOST_ROWS else None,
        )

    return routes


def campaign_routes(renderer: Renderer, reading: Reading) -> APIRouter:
    routes = page_router(renderer)

    @routes.get("/campaigns/{project}/{name}")
    @needs(Deed.LOOK, in_links=True)
    def campaign(
        request: Request,
        project: PathName,
        name: Name,
        version: Version = None,
        stage: AtStage = Stage.FINAL,
    ) -> Response:
        """The parameters of its grid are read by its script."""
        row = reading.status(project, name, version)
        standing = standing_of(row, time.time())
        versions = reading.versions(project, name)
        earlier = [one["version"] for one in versions if one["version"] < row["version"]]
        return renderer.page(
            request,
            "campaign.html",
            page="campaigns",
            row=row,
            version=version,
            versions=versions,
            before=max(earlier, default=None),
            stage=stage,
            may_share=may_share(access_of(request), project),
            over=standing.group is Group.ENDED or row["finished_at"] is not None,
            needs=standing.needs,
            why=standing.why,
            parts=standing.parts,
            ended=standing.ended,
        )

    return routes


def may_share(access: Access, project: str) -> bool:
    """Whether somebody may make links; whoever has come by one may not."""
    return access.link is None and access.may(Deed.SHARE, project)


def _states(rows: list[Json]) -> list[tuple[str, int]]:
    """The states that some campaign is in, with how many are."""
    counts = Counter(row["state"] for row in rows)
    return [(state, counts[state]) for state in STATES if counts[state]]
