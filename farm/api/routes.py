"""The HTTP application: routes under /api/v1, /metrics beside them, and guards before both."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from fastapi import APIRouter, FastAPI, Request, Response
from limits import RateLimitItem

from farm.api.description import Application
from farm.api.docs_page import docs_routes
from farm.api.errors import Answer, answer_errors
from farm.api.guards import OwnPagesOnly, SmallBodiesOnly
from farm.api.hidden_paths import PathsHidden
from farm.api.known_only import KnownOnly
from farm.api.metrics.exposition import Metrics
from farm.api.needs import needs
from farm.api.open_answers import OpenAnswers
from farm.api.rates import SteadyOnly
from farm.api.routing import REFUSALS, StrictRoute, answers_with
from farm.api.timed import Timed
from farm.service.access import Deed
from farm.service.identity import Identities
from farm.service.logins import LoginService
from storage.answers import Answers

MAX_BODY_BYTES = 128 * 1024 * 1024  # a campaign's file of 64 MB, with its CSV files read in


def make_api(
    routers: Iterable[APIRouter],
    metrics: Metrics,
    answers: Answers,
    *,
    identities: Identities,
    rate: RateLimitItem,
    logins: LoginService,
    pages: Iterable[APIRouter] = (),
    hidden: Sequence[Path] = (),
    shown: Sequence[Path] = (),
) -> FastAPI:
    """The application, with `pages` at the root. `identities` and `logins` say who asks; every
    path but the health needs somebody who is known, and who asks no more often than `rate` allows.
    No answer has paths below `hidden` folders, but for those below `shown` ones.
    """
    api = Application(
        title="Seedbed",
        version="1",
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/openapi.json",
        default_response_class=Answer,
        responses=REFUSALS,
    )
    api.add_middleware(SteadyOnly, rate=rate)
    api.add_middleware(
        KnownOnly, identities=identities, answers=OpenAnswers(logins.now), logins=logins
    )
    api.add_middleware(OwnPagesOnly)
    api.add_middleware(SmallBodiesOnly, limit=MAX_BODY_BYTES)
    if hidden:
        api.add_middleware(PathsHidden, hidden=hidden, shown=shown)
    api.add_middleware(Timed, note=metrics.requests.note)
    answer_errors(api)
    api.state.answers = answers
    api.router.route_class = StrictRoute

    # The framework's own way to include a router makes each of its routes twice.
    for router in (*routers, docs_routes(), *pages):
        api.router.routes.extend(router.routes)

    @api.get("/metrics", **answers_with("text/plain"))
    @needs(Deed.SEE_FLEET)
    def exposition(request: Request) -> Response:
        page, kind = metrics.page(request.headers.get("accept", ""))
        return Response(page, headers={"Content-Type": kind})

    return api
