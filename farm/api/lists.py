"""The API's routes to lists: campaigns, and the renders of one."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response

from farm.api.bodies import AtStage, Bound, Name, Project, RuleName, Version
from farm.api.needs import access_of, needs
from farm.api.paging import Cursor, Limit, name_next, place_of
from farm.api.routing import api_router, shows
from farm.service.access import Deed
from farm.service.list_views import RenderItem
from farm.service.lists import Lists, RenderFilter
from farm.service.views import CampaignRowView
from storage.listing import CampaignFilter, EndedFilter
from storage.states import CampaignState, Reason, RenderState, Stage, Verdict

Json = dict[str, Any]
Text = Annotated[
    str | None,
    Query(min_length=1, max_length=80, description="What stands somewhere in the name."),
]
Since = Annotated[
    float | None,
    Query(ge=0, le=1e11, description="Those submitted since then, in seconds since 1970."),
]
First = Annotated[
    int, Query(alias="from", ge=0, lt=2**53, description="The first number of a window.")
]
Stop = Annotated[
    int | None,
    Query(alias="to", ge=0, lt=2**53, description="The number after the last of a window."),
]
Seed = Annotated[int | None, Query(ge=0, lt=2**32)]
Review = Annotated[
    Literal["approved", "rejected", "undecided"] | None,
    Query(description="What people have decided."),
]
Where = Annotated[
    str, Query(max_length=10_000, description="Conditions like `product=mug`, one a line.")
]


_VERDICTS = {verdict.value: verdict for verdict in Verdict}


def campaign_list_routes(lists: Lists) -> APIRouter:
    routes = api_router("campaigns")

    @routes.get("/campaigns", **shows(list[CampaignRowView]))
    @needs(Deed.LOOK, across=True)
    def campaigns(
        request: Request,
        response: Response,
        project: Project | None = None,
        state: CampaignState | None = None,
        text: Text = None,
        since: Since = None,
        cursor: Cursor = None,
        limit: Limit = 100,
    ) -> list[Json]:
        """Those of a project, or of all projects in which whoever asks has a role, the newest
        first. Campaigns that are submitted meanwhile move none to another page.
        """
        mine = access_of(request).projects(Deed.LOOK)
        chosen = CampaignFilter(project=project, projects=mine, text=text, since=since)
        page = lists.campaigns(chosen, state, place_of(cursor, "c"), limit)
        name_next(page, "c", request, response)
        return page.items

    return routes


def render_list_routes(lists: Lists) -> APIRouter:
    routes = api_router("campaigns")

    @routes.get("/campaigns/{name}/renders", **shows(list[RenderItem]))
    @needs(Deed.LOOK)
    def renders(
        request: Request,
        response: Response,
        name: Name,
        project: Project = "default",
        version: Version = None,
        stage: AtStage = Stage.FINAL,
        first: First = 0,
        stop: Stop = None,
        state: RenderState | None = None,
        where: Where = "",
        seed: Seed = None,
        review: Review = None,
        reason: Reason | None = None,
        drift_above: Bound = None,
        drift_below: Bound = None,
        failed_rule: RuleName = None,
        cursor: Cursor = None,
        limit: Limit = 100,
    ) -> list[Json]:
        """The renders of a campaign in the order of their numbers, painted or not. All filters
        have to fit. A page may be shorter than its limit, or empty, before the last one.
        """
        pictures = EndedFilter(
            state=state, reason=reason, drift_above=drift_above, drift_below=drift_below,
            failed_rule=failed_rule,
        )  # fmt: skip
        chosen = RenderFilter(
            first=first, stop=stop, where=tuple(where.splitlines()), seed=seed, ended=pictures,
            is_undecided=review == "undecided", verdict=_VERDICTS.get(review or ""),
        )  # fmt: skip
        after = place_of(cursor, "r")
        page = lists.renders(
            project, name, chosen, after=-1 if after is None else after, limit=limit,
            version=version, stage=stage,
        )  # fmt: skip
        name_next(page, "r", request, response)
        return page.items

    return routes
