"""How the API answers: JSON that any parser takes, and one shape for every refusal, {"error": a
sentence, "problems": [...]}.
"""

import json
import math
import re
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel
from pydantic_core import ErrorDetails
from starlette.exceptions import HTTPException

from farm.documents.document import DocumentError, Problem, problem_json
from farm.problems import problem_of
from storage.errors import (
    BadKey,
    DatabaseError,
    NotFound,
    OutputsError,
    RequestError,
    SeedbedError,
)

TOO_LARGE = "The body is too large: split the campaign."
_STATUS = (
    (NotFound, 404),
    (BadKey, 400),
    (DocumentError, 422),
    (RequestError, 409),
    (OutputsError, 507),
    (DatabaseError, 503),
    (SeedbedError, 500),
)


class Answer(JSONResponse):
    """JSON without what only some parsers take: no NaN, no Infinity, no halves of characters."""

    def render(self, content: Any) -> bytes:
        return to_json(content)


def to_json(value: Any) -> bytes:
    """A value as a line of JSON in UTF-8: null for numbers that are not finite, `?` for halves of
    characters.
    """
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except ValueError:
        text = json.dumps(
            _finite(value), ensure_ascii=False, allow_nan=False, separators=(",", ":")
        )
    return text.encode(errors="replace")


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _finite(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


class Trouble(BaseModel):
    """One thing that is wrong with a request: where, as keys and indices, and what."""

    path: list[str | int]
    message: str


class Refusal(BaseModel):
    """Every answer but a good one: a sentence, and, for a request that is wrong in some places,
    each of them.
    """

    error: str
    problems: list[Trouble]


def refusal(
    status: int,
    error: str,
    problems: list[Problem] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """An answer in the one shape of all refusals."""
    told = [problem_json(problem) for problem in problems or []]
    return Answer({"error": error, "problems": told}, status, headers)


def answer_errors(api: FastAPI) -> None:
    """Have every error of an application answered in the one shape, the framework's own too."""
    api.add_exception_handler(SeedbedError, _refuse)
    api.add_exception_handler(RequestValidationError, _refuse_invalid)
    api.add_exception_handler(HTTPException, _refuse_path)
    api.add_exception_handler(Exception, _apologize)


def _refuse(_request: Request, exc: Exception) -> Response:
    code = next(code for kind, code in _STATUS if isinstance(exc, kind))
    told = exc.problems[: exc.most] if isinstance(exc, DocumentError) else None
    return refusal(code, str(exc), told)


def _refuse_invalid(request: Request, exc: Exception) -> Response:
    """For a parameter or a body that is not as the API describes it."""
    assert isinstance(exc, RequestValidationError)
    return _refuse(request, DocumentError(_problem(error) for error in exc.errors()))


def _problem(error: ErrorDetails) -> Problem:
    """One of the framework's errors, at its place without the word for where it came in: body,
    query or path.
    """
    where, *path = error["loc"]
    if where == "body" and not path:
        return Problem((), _NO_BODY if error["type"] == "missing" else _NO_OBJECT)
    if error["type"] == "string_pattern_mismatch":
        remedy = (
            "remove what cannot be printed."
            if path[-1] == "target"
            else "use small letters, digits and hyphens."
        )
        return Problem(tuple(path), f"{error['input']!r} cannot be a {path[-1]}: {remedy}")
    return problem_of({**error, "loc": tuple(path)}, {})


_NO_BODY = "the body is missing: send a JSON object, with Content-Type: application/json."
_NO_OBJECT = "the body is not a JSON object: send one, with Content-Type: application/json."


def _refuse_path(request: Request, exc: Exception) -> Response:
    """For what the framework refuses by itself: a path that is not there, a method that it does
    not take, a body too large.
    """
    assert isinstance(exc, HTTPException)
    path, headers = request.url.path, exc.headers
    match exc.status_code:
        case 404:
            error = f"There is nothing at {path}: /api/docs shows what there is."
        case 405:
            allowed = ", ".join(
                sorted(_methods(request.app, path))
            )  # the framework names those of one route alone
            headers, error = (
                {"Allow": allowed},
                f"{request.method} is not possible at {path}: use {allowed}.",
            )
        case 413:
            error = TOO_LARGE
        case _:
            error = str(exc.detail)
    return refusal(exc.status_code, error, headers=headers)


def _methods(api: FastAPI, path: str) -> set[str]:
    """The methods that some route takes at a path."""
    found: set[str] = set()
    for template, operations in api.openapi()["paths"].items():
        if re.fullmatch(
            re.sub(r"{(\w+)}", lambda name: ".*" if name[1] == "key" else "[^/]+", template), path
        ):
            found |= {method.upper() for method in operations}
    return found


def _apologize(_request: Request, exc: Exception) -> Response:
    """For what nobody foresaw: a sentence to whoever asked; the server logs the rest."""
    return refusal(
        500,
        f"The farm could not answer ({type(exc).__name__}): this is a fault of the farm, not of"
        " the request.",
    )
