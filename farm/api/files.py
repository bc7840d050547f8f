"""The API's routes about files: the files of a campaign, painting and repairing them, and removing
what is left over.
"""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Response
from fastapi.responses import StreamingResponse

from farm.api.bodies import (
    AtStage,
    Cleaning,
    Name,
    PreviewPruning,
    Project,
    Pruning,
    PutBack,
    Repaint,
    Version,
)
from farm.api.needs import needs
from farm.api.routing import LINES, answers_with, api_router, shows
from farm.results.line import Line
from farm.service.access import Deed
from farm.service.leftovers import Leftovers
from farm.service.preview_pruning import PreviewPruner
from farm.service.pruning import Pruner
from farm.service.reading import Reading
from farm.service.repainting import Repaints
from farm.service.repair import Repairs
from farm.service.retention import Order
from farm.service.step_views import PrunedPreviews
from farm.service.views import (
    CampaignStatus,
    Cleaned,
    Pruned,
    PutBackPage,
    RepairStarted,
)
from storage.states import Stage

Json = dict[str, Any]
_NAMED_FIRST = 5


def file_routes(reading: Reading, leftovers: Leftovers) -> APIRouter:
    routes = api_router("files")

    @routes.get("/campaigns/{name}/renders/{number}", **shows(Line))
    @needs(Deed.LOOK)
    def render(
        name: Name,
        number: Annotated[int, Path(ge=0, lt=2**53)],
        project: Project = "default",
        version: Version = None,
        stage: AtStage = Stage.FINAL,
    ) -> Line:
        return reading.render(project, name, number, version, stage)

    @routes.get("/campaigns/{name}/files", **answers_with(LINES))
    @needs(Deed.LOOK)
    def files(name: Name, project: Project = "default") -> StreamingResponse:
        return StreamingResponse(reading.files(project, name), media_type=LINES)

    @routes.post("/campaigns/{name}/clean", **shows(Cleaned))
    @needs(Deed.OPERATE)
    def clean(name: Name, body: Cleaning, project: Project = "default") -> Json:
        if body.dry_run:
            keys = leftovers.find(project, name)
            return {
                "campaign": name,
                "files": len(keys),
                "first": keys[:_NAMED_FIRST],
                "removed": 0,
            }
        return {"campaign": name, "removed": leftovers.clean(project, name)}

    return routes


def repair_routes(repaints: Repaints, repairs: Repairs, reading: Reading) -> APIRouter:
    routes = api_router("files")

    @routes.post("/campaigns/{name}/repaint", status_code=201, **shows(CampaignStatus))
    @needs(Deed.CONTROL)
    def repaint(name: Name, body: Repaint, project: Project = "default") -> Json:
        campaign = repaints.repaint(project, name, body.numbers)
        return reading.status(campaign.project, campaign.name)

    @routes.post("/campaigns/{name}/repair", **shows(RepairStarted))
    @needs(Deed.OPERATE)
    def repair(
        name: Name, body: Repaint, response: Response, project: Project = "default"
    ) -> Json:
        campaign, is_new = repairs.begin(project, name, body.numbers)
        response.status_code = 201 if is_new else 200
        return {**reading.status(campaign.project, campaign.name), "created": is_new}

    @routes.post("/campaigns/{name}/repair/put-back", **shows(PutBackPage))
    @needs(Deed.OPERATE)
    def put_back(name: Name, body: PutBack, project: Project = "default") -> Json:
        return repairs.put_back(project, name, body.after)

    return routes


def prune_routes(pruner: Pruner, previews: PreviewPruner) -> APIRouter:
    routes = api_router("files")

    @routes.post("/prune/previews", **shows(PrunedPreviews))
    @needs(Deed.OPERATE)
    def prune_previews(body: PreviewPruning) -> Json:
        """Removes the previews of campaigns that are over, and keeps their pictures."""
        age = body.older_than_s
        before = None if age is None else pruner.moment(age)
        order = Order(names=frozenset(body.names), before=before)
        return previews.prune(body.project, order, dry_run=body.dry_run)

    @routes.post("/prune", **shows(Pruned))
    @needs(Deed.OPERATE)
    def prune(body: Pruning) -> Json:
        """Deletes some thousand files a request: ask again, with neither names nor an age, until
        `more` is false.
        """
        before = body.over_before
        if before is None and body.older_than_s is not None:
            before = pruner.moment(body.older_than_s)
        order = Order(names=frozenset(body.names), before=before, with_pictures=body.with_pictures)
        return pruner.prune(body.project, order, dry_run=body.dry_run)

    return routes
