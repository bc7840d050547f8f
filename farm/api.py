"""The HTTP API under /api/v1, and /metrics beside it: a thin skin over `farm.service`."""

import secrets
from dataclasses import asdict
from typing import Annotated, Any
from urllib.parse import urlsplit

from fastapi import APIRouter, FastAPI, Path, Query, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import BaseModel, ConfigDict, Field
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from farm.document import MAX_PROBLEMS, DocumentError, problem_json
from farm.fleet_service import FleetService
from farm.metrics import Metrics
from farm.service import Json, Service
from storage.errors import DatabaseError, NotFound, OutputsError, RequestError, SeedbedError
from storage.states import RenderState

_NAME = r"^[a-z0-9][a-z0-9-]*$"
Project = Annotated[str, Query(pattern=_NAME, max_length=80)]
Name = Annotated[str, Path(pattern=_NAME, max_length=80)]
_STATUS = ((NotFound, 404), (DocumentError, 422), (RequestError, 409), (OutputsError, 507), (DatabaseError, 503), (SeedbedError, 500))


class Submission(BaseModel):
    """A campaign to submit; its CSV files are read in already."""

    model_config = ConfigDict(extra="forbid")

    project: Annotated[str, Field(pattern=_NAME, max_length=80)] = "default"
    campaign: dict[str, Any]
    dry_run: bool = False
    update: bool = False
    fresh: bool = False


class Retry(BaseModel):
    """Which renders to try again: those that failed, those that are held, or one of either."""

    model_config = ConfigDict(extra="forbid")

    failed: bool = True
    held: bool = True
    render: Annotated[int, Field(ge=0, lt=2**63)] | None = None


class Repaint(BaseModel):
    """Which renders to paint once more, in a campaign of their own."""

    model_config = ConfigDict(extra="forbid")

    numbers: Annotated[list[Annotated[int, Field(ge=0, lt=2**63)]], Field(min_length=1, max_length=100_000)]


class Priority(BaseModel):
    """A campaign's place among the others: 0 to 100, higher goes first."""

    model_config = ConfigDict(extra="forbid")

    priority: Annotated[int, Field(ge=0, le=100)]


class Scaling(BaseModel):
    """How many workers there are at least and at most, and whether their number is to stay. What is null stays as it is."""

    model_config = ConfigDict(extra="forbid")

    floor: Annotated[int, Field(ge=0, le=100_000)] | None = None
    ceiling: Annotated[int, Field(ge=0, le=100_000)] | None = None
    frozen: bool | None = None


class Drain(BaseModel):
    """A worker, or a node by its id or its host's name, that is to go once it has nothing; `undo` takes that back."""

    model_config = ConfigDict(extra="forbid")

    target: Annotated[str, Field(min_length=1, max_length=255)]
    undo: bool = False


class Pruning(BaseModel):
    """Campaigns that have been over for so long are to be forgotten."""

    model_config = ConfigDict(extra="forbid")

    older_than_s: Annotated[float, Field(ge=0, le=1e11)]


def make_api(service: Service, fleet: FleetService, metrics: Metrics, *, home: str, token: str | None = None) -> FastAPI:
    """The application. `home` tells a client which farm it has reached; with a `token`, everything but that asks for it."""
    api = FastAPI(title="Seedbed", version="1", docs_url="/api/docs", redoc_url=None, openapi_url="/api/openapi.json")
    if token is None:
        # A page on the web must not reach the farm through a name that it points at this machine.
        api.add_middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost", "[::1]"])
    else:
        api.add_middleware(_TokenOnly, token=token)
    api.add_middleware(_OwnPagesOnly)
    api.add_exception_handler(SeedbedError, _refuse)
    api.add_exception_handler(Exception, _apologize)

    api.include_router(_campaign_routes(service), prefix="/api/v1")
    api.include_router(_proof_routes(service), prefix="/api/v1")
    api.include_router(_control_routes(service), prefix="/api/v1")
    api.include_router(_farm_routes(service, home), prefix="/api/v1")
    api.include_router(_fleet_routes(service, fleet), prefix="/api/v1")

    @api.get("/metrics")
    def exposition() -> Response:
        return Response(metrics.text(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    return api


def _campaign_routes(service: Service) -> APIRouter:
    routes = APIRouter(tags=["campaigns"])

    @routes.post("/campaigns")
    def submit(submission: Submission, response: Response) -> Json:
        if submission.dry_run:
            return service.plan(submission.campaign)
        campaign, did = service.submit(submission.project, submission.campaign, update=submission.update, fresh=submission.fresh)
        response.status_code = 201 if did["created"] else 200
        return {**service.status(campaign.project, campaign.name), **did}

    @routes.get("/campaigns")
    def campaigns(project: Project | None = None) -> list[Json]:
        return service.all(project)

    @routes.get("/campaigns/{name}")
    def status(name: Name, project: Project = "default") -> Json:
        return service.status(project, name)

    @routes.get("/campaigns/{name}/manifest")
    def manifest(name: Name, project: Project = "default") -> StreamingResponse:
        return StreamingResponse(service.manifest(project, name), media_type="application/x-ndjson")

    @routes.post("/campaigns/{name}/manifest")
    def save_manifest(name: Name, project: Project = "default") -> Json:
        return {"manifest": service.save_manifest(project, name)}

    @routes.get("/campaigns/{name}/sheet")
    def sheet(name: Name, project: Project = "default") -> Response:
        return Response(service.sheet(project, name), media_type="image/png")

    return routes


def _proof_routes(service: Service) -> APIRouter:
    routes = APIRouter(tags=["proofs"])

    @routes.get("/campaigns/{name}/renders/{number}")
    def render(name: Name, number: Annotated[int, Path(ge=0, lt=2**63)], project: Project = "default") -> Json:
        return service.render(project, name, number)

    @routes.get("/campaigns/{name}/files")
    def files(name: Name, project: Project = "default") -> StreamingResponse:
        return StreamingResponse(service.files(project, name), media_type="application/x-ndjson")

    @routes.post("/campaigns/{name}/repaint", status_code=201)
    def repaint(name: Name, body: Repaint, project: Project = "default") -> Json:
        campaign = service.repaint(project, name, body.numbers)
        return service.status(campaign.project, campaign.name)

    return routes


def _control_routes(service: Service) -> APIRouter:
    routes = APIRouter(tags=["control"])

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
        states = [state for state, wanted in ((RenderState.FAILED, body.failed), (RenderState.HELD, body.held)) if wanted]
        count = service.retry(project, name, states, body.render)
        return {**service.status(project, name), "retried": count}

    @routes.get("/campaigns/{name}/why")
    def why(name: Name, project: Project = "default", render: Annotated[int | None, Query(ge=0, lt=2**63)] = None) -> Json:
        return {"campaign": name, "render": render, "why": service.why(project, name, render)}

    return routes


def _farm_routes(service: Service, home: str) -> APIRouter:
    routes = APIRouter(tags=["farm"])

    @routes.get("/health")
    def health() -> Json:
        return {"farm": "seedbed", "home": home}

    @routes.get("/outputs/{key:path}")
    def output(key: str) -> Response:
        return Response(service.picture(key), media_type="application/octet-stream")

    @routes.post("/prune")
    def prune(body: Pruning) -> Json:
        return {"pruned": service.prune(body.older_than_s)}

    return routes


def _fleet_routes(service: Service, fleet: FleetService) -> APIRouter:
    routes = APIRouter(tags=["fleet"])

    @routes.get("/workers")
    def workers() -> list[Json]:
        return [asdict(worker) for worker in service.workers()]

    @routes.get("/scaling")
    def scaling() -> Json:
        return fleet.scaling()

    @routes.post("/scaling")
    def scale(body: Scaling) -> Json:
        return fleet.scale(floor=body.floor, ceiling=body.ceiling, is_frozen=body.frozen)

    @routes.post("/drains")
    def drain(body: Drain) -> Json:
        return fleet.drain(body.target, undo=body.undo)

    return routes


class _TokenOnly:
    """Lets through who shows the token; that there is a farm, anybody may know. Written for ASGI itself, like the one below."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app = app
        self._expected = f"Bearer {token}".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        allowed = scope["type"] != "http" or scope["path"] == _HEALTH or self._shows(Request(scope))
        app: ASGIApp = self._app if allowed else _UNKNOWN
        await app(scope, receive, send)

    def _shows(self, request: Request) -> bool:
        return secrets.compare_digest(request.headers.get("authorization", "").encode(), self._expected)


_HEALTH = "/api/v1/health"
_UNKNOWN = JSONResponse(
    {"error": "This farm asks for a token: set FARM_TOKEN, or give the client one.", "problems": []}, 401, {"WWW-Authenticate": "Bearer"}
)


class _OwnPagesOnly:
    """A page of another site may make a browser send orders here; browsers say from where they send them.

    Written for ASGI itself: starlette's decorator would hide it where a streamed answer breaks off.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app: ASGIApp = _FOREIGN if scope["type"] == "http" and _is_foreign(Request(scope)) else self._app
        await app(scope, receive, send)


_FOREIGN = JSONResponse({"error": "Orders from pages of other sites are refused.", "problems": []}, 403)


def _is_foreign(request: Request) -> bool:
    if request.method in ("GET", "HEAD", "OPTIONS"):
        return False
    origin = request.headers.get("origin")
    elsewhere = origin is not None and urlsplit(origin).netloc != request.headers.get("host")
    return elsewhere or request.headers.get("sec-fetch-site") in ("cross-site", "same-site")


def _refuse(_request: Request, exc: Exception) -> JSONResponse:
    code = next(code for kind, code in _STATUS if isinstance(exc, kind))
    problems = [problem_json(problem) for problem in exc.problems[:MAX_PROBLEMS]] if isinstance(exc, DocumentError) else []
    return JSONResponse({"error": str(exc), "problems": problems}, status_code=code)


def _apologize(_request: Request, exc: Exception) -> JSONResponse:
    """For what nobody foresaw: a sentence to whoever asked; the server logs the rest."""
    return JSONResponse(
        {"error": f"The farm could not answer ({type(exc).__name__}): this is a fault of the farm, not of the request.", "problems": []},
        500,
    )
