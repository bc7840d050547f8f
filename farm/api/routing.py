"""Routes that take what they describe and nothing else: strict JSON, and no parameter that they do
not know.
"""

from collections.abc import Callable, Coroutine, Iterable
from typing import Any

from fastapi import Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.routing import APIRoute

from farm.api.idempotency import once
from farm.documents.document import DocumentError, Problem, did_you_mean
from farm.documents.strict_json import parse_strictly

Handler = Callable[[Request], Coroutine[Any, Any, Response]]
LINES = "application/x-ndjson"


def answers_with(kind: str) -> dict[str, Any]:
    """What a route says of itself whose answer is no JSON, but a file or lines of one."""
    return {"response_class": Response, "responses": {200: {"content": {kind: {}}}}}


def shows(view: Any) -> dict[str, Any]:
    """The arguments of a route that answers with a view, or a list of one."""
    return {"response_model": view, "response_model_exclude_unset": True}


class StrictRoute(APIRoute):
    """A route that refuses parameters that it does not know, or gets twice, and bodies that are no
    strict JSON.
    """

    def get_route_handler(self) -> Handler:
        handle, takes_body = super().get_route_handler(), self.body_field is not None
        known = [parameter.alias for parameter in self.dependant.query_params]

        async def strictly(request: Request) -> Response:
            if problems := list(_parameter_problems(request.query_params.multi_items(), known)):
                raise DocumentError(problems)
            read = _ReadRequest(request.scope, request.receive)
            if data := await read.body():
                read.value = await run_in_threadpool(
                    parse_strictly, data
                )  # a campaign may have megabytes
            if not takes_body and read.value not in (None, {}):
                raise DocumentError(
                    [Problem((), f"{request.method} {request.url.path} takes no body: send none.")]
                )
            return await once(request.app.state.answers, read, data, lambda: handle(read))

        return strictly


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
