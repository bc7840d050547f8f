"""The HTTP API under /api/v1, and /metrics beside it: a thin skin over
`farm.service.submission`.
"""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, FastAPI, Query, Response
from fastapi.responses import StreamingResponse
from prometheus_client import CONTENT_TYPE_LATEST

from farm.api.bodies import Drain, Name, Priority, Project, Retry, Scaling, Submission, Version
from farm.api.errors import Answer, Refusal, answer_errors
from farm.api.guards import OwnHostOnly, OwnPagesOnly, SmallBodiesOnly, TokenOnly
from farm.api.hidden_paths import PathsHidden
from farm.api.metrics import Metrics
from farm.api.routing import LINES, StrictRoute, answers_with
from farm.service.fleet import FleetService
from farm.service.submission import Json, Service
from storage.states import RenderState

MAX_BODY_BYTES = 128 * 1024 * 1024  # a campaign's file of 64 MB, with its CSV files read in
# In the description of the API, beside what each path answers when all is well.
_REFUSALS: dict[int | str, dict[str, Any]] = {"4XX": {"model": Refusal}, "5XX": {"model": Refusal}}


def make_api(
    service: Service,
    fleet: FleetService,
    metrics: Metrics,
    *,
    files: APIRouter,
    diffs: APIRouter,
    home: str,
    token: str | None = None,
    hidden: Sequence[Path] = (),
    shown: Sequence[Path] = (),
) -> FastAPI:
    """The application; `files` has the routes about files, `diffs` those that compare. `home`
    tells a client which farm it has reached; with a `token`, everything but that asks for it. No
    answer has paths below `hidden` folders, but for those below `shown` ones.
    """
    api = FastAPI(
        title="Seedbed",
        version="1",
        docs_url="/api/docs",
        redoc_url=None,
        openapi_url="/api/openapi.json",
        default_response_class=Answer,
        responses=_REFUSALS,
    )
    if token is None:
        api.add_middleware(OwnHostOnly)
    else:
        api.add_middleware(TokenOnly, token=token)
    api.add_middleware(OwnPagesOnly)
    api.add_middleware(SmallBodiesOnly, limit=MAX_BODY_BYTES)
    if hidden:
        api.add_middleware(PathsHidden, hidden=hidden, shown=shown)
    answer_errors(api)
    api.router.route_class = StrictRoute

    api.include_router(_campaign_routes(service), prefix="/api/v1")
    api.include_router(diffs, prefix="/api/v1")
    api.include_router(files, prefix="/api/v1")
    api.include_router(_control_routes(service), prefix="/api/v1")
    api.include_router(_farm_routes(service, home), prefix="/api/v1")
    api.include_router(_fleet_routes(service, fleet), prefix="/api/v1")

    @api.get("/metrics", **answers_with("text/plain"))
    def exposition() -> Response:
        return Response(metrics.text(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    return api


def _campaign_routes(service: Service) -> APIRouter:
    routes = APIRouter(tags=["campaigns"], route_class=StrictRoute)

    @routes.post(
        "/campaigns", responses={201: {"description": "The campaign was not there before."}}
    )
    def submit(submission: Submission, response: Response) -> Json:
        if submission.dry_run:
            return service.plan(
                submission.campaign,
                submission.project,
                update=submission.update,
                fresh=submission.fresh,
            )
        campaign, did = service.submit(
            submission.project,
            submission.campaign,
            update=submission.update,
            fresh=submission.fresh,
        )
        response.status_code = 201 if did["created"] else 200
        return {**service.status(campaign.project, campaign.name), **did}

    @routes.get("/campaigns")
    def campaigns(project: Project | None = None) -> list[Json]:
        return service.all(project)

    @routes.get("/campaigns/{name}")
    def status(name: Name, project: Project = "default", version: Version = None) -> Json:
        return service.status(project, name, version)

    @routes.get("/campaigns/{name}/manifest", **answers_with(LINES))
    def manifest(
        name: Name, project: Project = "default", version: Version = None
    ) -> StreamingResponse:
        return StreamingResponse(service.manifest(project, name, version), media_type=LINES)

    @routes.post("/campaigns/{name}/manifest")
    def save_manifest(name: Name, project: Project = "default") -> Json:
        return {"manifest": service.save_manifest(project, name)}

    @routes.get("/campaigns/{name}/sheet", **answers_with("image/png"))
    def sheet(
        name: Name,
        project: Project = "default",
        where: Annotated[str, Query(max_length=10_000)] = "",
        version: Version = None,
    ) -> Response:
        """`where` has conditions like `product=mug`, one a line."""
        return Response(
            service.sheet(project, name, where.splitlines(), version), media_type="image/png"
        )

    @routes.get("/campaigns/{name}/versions")
    def versions(name: Name, project: Project = "default") -> list[Json]:
        return service.versions(project, name)

    return routes


def _control_routes(service: Service) -> APIRouter:
    routes = APIRouter(tags=["control"], route_class=StrictRoute)

    @routes.post("/campaigns/{name}/pause")
    def pause(name: Name, project: Project = "default") -> Json:
        service.pause(project, name)
        return service.status(project, name)

    @routes.post("/campaigns/{name}/resume")
    def resume(name: Name, project: Project = "default") -> Json:
        service.resume(project, name)
        return service.status(project, name)

    @routes.post("/campaigns/{name}/cancel")
    def cancel(name: Name, project: Project = "default") -> Json:
        service.cancel(project, name)
        return service.status(project, name)

    @routes.post("/campaigns/{name}/priority")
    def priority(name: Name, body: Priority, project: Project = "default") -> Json:
        service.set_priority(project, name, body.priority)
        return service.status(project, name)

    @routes.post("/campaigns/{name}/retry")
    def retry(name: Name, body: Retry, project: Project = "default") -> Json:
        states = [
            state
            for state, wanted in ((RenderState.FAILED, body.failed), (RenderState.HELD, body.held))
            if wanted
        ]
        count = service.retry(project, name, states, body.render)
        why = [] if count else service.why_not_retried(project, name, states, body.render)
        return {**service.status(project, name), "retried": count, "why": why}

    @routes.get("/campaigns/{name}/why")
    def why(
        name: Name,
        project: Project = "default",
        render: Annotated[int | None, Query(ge=0, lt=2**53)] = None,
    ) -> Json:
        return {"campaign": name, "render": render, "why": service.why(project, name, render)}

    return routes


def _farm_routes(service: Service, home: str) -> APIRouter:
    routes = APIRouter(tags=["farm"], route_class=StrictRoute)

    @routes.get("/health")
    def health() -> Json:
        return {"farm": "seedbed", "home": home}

    @routes.get("/outputs/{key:path}", **answers_with("application/octet-stream"))
    def output(key: str) -> Response:
        return Response(service.picture(key), media_type="application/octet-stream")

    return routes


def _fleet_routes(service: Service, fleet: FleetService) -> APIRouter:
    routes = APIRouter(tags=["fleet"], route_class=StrictRoute)

    @routes.get("/workers")
    def workers() -> list[Json]:
        return [asdict(worker) for worker in service.workers()]

    @routes.get("/scaling")
    def scaling() -> Json:
        return fleet.scaling()

    @routes.post("/scaling")
    def scale(body: Scaling) -> Json:
        return fleet.scale(
            floor=body.floor,
            ceiling=body.ceiling,
            is_frozen=body.frozen,
            default=body.default,
            by=body.by,
        )

    @routes.post("/drains")
    def drain(body: Drain) -> Json:
        return fleet.drain(body.target, undo=body.undo, by=body.by)

    return routes
