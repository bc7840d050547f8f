"""The API's routes about costs."""

from typing import Annotated, Any

from fastapi import APIRouter, Query

from farm.api.bodies import Name, Project
from farm.api.needs import needs
from farm.api.routing import api_router, shows
from farm.service.access import Deed
from farm.service.cost_views import CampaignCosts, ProjectCosts
from farm.service.costs import CostReading

Json = dict[str, Any]
Since = Annotated[
    float | None, Query(ge=0, le=1e12, description="Seconds since 1970; all if not given.")
]


def cost_routes(costs: CostReading) -> APIRouter:
    routes = api_router("costs")

    @routes.get("/campaigns/{name}/costs", **shows(CampaignCosts))
    @needs(Deed.LOOK)
    def of_campaign(name: Name, project: Project = "default") -> Json:
        return costs.of_campaign(project, name)

    @routes.get("/costs", **shows(ProjectCosts))
    @needs(Deed.LOOK)
    def of_project(project: Project = "default", since: Since = None) -> Json:
        return costs.of_project(project, since)

    return routes
