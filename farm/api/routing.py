"""Routes that take what they describe and nothing else: strict JSON, and no parameter that they do
not know. Each is held against what it needs (`farm.api.needs`).
"""

from collections.abc import Callable, Coroutine, Iterable
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.concurrency import run_in_threadpool

from farm.api.errors import Answer, Refusal
from farm.api.idempotency import once, order_key
from farm.api.late import LateRoute
from farm.api.needs import UNDECLARED, admit, declared_need, is_of_the_farm
from farm.documents.document import DocumentError, Problem, did_you_mean
from farm.documents.strict_json import parse_strictly
from storage.keys import project_of

Handler = Callable[[Request], Coroutine[Any, Any, Response]]
LINES = "application/x-ndjson"
PREFIX = "/api/v1"
# In the description of the API, beside what each path answers when all is well.
REFUSALS: dict[int | str, dict[str, Any]] = {"4XX": {"model": Refusal}, "5XX": {"model": Refusal}}


def answers_with(kind: str) -> dict[str, Any]:
    """What a route says of itself whose answer is no JSON, but a file or lines of one."""
    return {"response_class": Response, "responses": {200: {"content": {kind: {}}}}}


def shows(view: Any) -> dict[str, Any]:
    """The arguments of a route that answers with a view, or a list of one."""
    return {"response_model": view, "response_model_exclude_unset": True}


class StrictRoute(LateRoute):
    """A route that refuses whoever may not ask, parameters that it does not know, or gets twice,
    and bodies that are no strict JSON.
    """

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        self.need = declared_need(endpoint) or UNDECLARED
        described = {**(options.pop("openapi_extra", None) or {}), "x-needs": self.need.text}
        super().__init__(path, endpoint, openapi_extra=described, **options)

    def get_route_handler(self) -> Handler:
        handle, takes_body = super().get_route_handler(), self.body_field is not None
        known = [parameter.alias for parameter in self.dependant.query_params]
        asks = Question(self)

        async def strictly(request: Request) -> Response:
            if not asks.in_body:
                admit(request, self.need, asks.projects(request, None))
            if problems := list(_parameter_problems(request.query_params.multi_items(), known)):
                raise DocumentError(problems)
            if self.need.takes_bytes:
                return await handle(request)
            read = _ReadRequest(request.scope, request.receive)
            if data := await read.body():
                read.value = await run_in_threadpool(
                    parse_strictly, data
                )  # a campaign may have megabytes
            if asks.in_body:
                admit(request, self.need, asks.projects(request, read.value))
            if not takes_body and read.value not in (None, {}):
                raise DocumentError(
                    [Problem((), f"{request.method} {request.url.path} takes no body: send none.")]
                )
            key = order_key(request)
            if key is None or self.need.tells_secret:  # the answer would have to be kept
                return await handle(read)
            return await once(request.app.state.answers, read, key, data, lambda: handle(read))

        return strictly


def api_router(tag: str) -> APIRouter:
    """A router for paths of the API that are described under one heading."""
    return APIRouter(
        prefix=PREFIX,
        tags=[tag],
        route_class=StrictRoute,
        default_response_class=Answer,
        responses=REFUSALS,
    )


class Question:
    """Where a route's requests name the project that they are about: in the path, the query or the
    body. A key of the outputs begins with it.
    """

    def __init__(self, route: LateRoute) -> None:
        self._need = declared_need(route.endpoint) or UNDECLARED
        self._path = {parameter.alias for parameter in route.dependant.path_params}
        query = {parameter.alias: parameter for parameter in route.dependant.query_params}
        body = getattr(route.body_field, "field_info", None)
        fields = getattr(getattr(body, "annotation", None), "model_fields", {})
        named = query.get("project")
        self.in_body = "project" in fields and not is_of_the_farm(self._need)
        self._is_in_query = named is not None
        self._default: str | None = None
        if self.in_body:
            self._default = fields["project"].default
        elif named is not None:
            self._default = named.default

    def projects(self, request: Request, body: Any) -> list[str | None]:
        """The projects that a request is about; None in it stands for all."""
        if is_of_the_farm(self._need):
            return [None]
        if "project" in self._path:
            return [request.path_params["project"]]
        if "key" in self._path:
            return [project_of(request.path_params["key"])]
        if self.in_body:
            given = body.get("project", self._default) if isinstance(body, dict) else self._default
            found: list[str | None] = [given if isinstance(given, str) else None]
        elif self._is_in_query:
            found = [*request.query_params.getlist("project")] or [self._default]
        else:
            found = [None]
        return [] if self._need.across and found == [None] else found


class _ReadRequest(Request):
    """A request whose body has been read already. The framework would answer in its own words to
    what is raised while it reads one.
    """

    value: Any = None

    async def json(self) -> Any:
        return self.value


def _parameter_problems(given: Iterable[tuple[str, str]], known: list[str]) -> Iterable[Problem]:
    seen: set[str] = set()
    for name, _ in given:
        if name not in known:
            hint = did_you_mean(name, known) if known else "this path takes none."
            yield Problem((name,), f"unknown parameter {name!r}: {hint}")
        elif name in seen:
            yield Problem((name,), f"the parameter {name!r} is given twice: keep one of them.")
        seen.add(name)
