"""How the API answers: JSON that any parser takes, and one shape for every refusal, the problem
details of RFC 9457 with a code for programs and the places of what is wrong.
"""

import json
import math
import re
from collections.abc import Mapping
from http import HTTPStatus
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
    Conflict,
    DatabaseError,
    NotAllowed,
    NotFound,
    OutputsError,
    RequestError,
    SeedbedError,
    TooManyRequests,
    Unauthenticated,
)

PROBLEM_JSON = "application/problem+json"
TOO_LARGE = "The body is too large: split the campaign."
_STATUS = (
    (NotFound, 404),
    (BadKey, 400),
    (DocumentError, 422),
    (Conflict, 409),
    (Unauthenticated, 401),
    (NotAllowed, 403),
    (TooManyRequests, 429),
    (RequestError, 400),
    (OutputsError, 507),
    (DatabaseError, 503),
    (SeedbedError, 500),
)


class Answer(JSONResponse):
    """JSON without what only some parsers take: no NaN, no Infinity, no halves of characters."""

    def render(self, content: Any) -> bytes:
        return content if isinstance(content, bytes) else to_json(content)


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
    """Every answer but a good one, as RFC 9457 has it: `title` is the phrase of the `status`,
    `detail` a sentence, and `code` a word for programs, which stays as it is. A request that is
    wrong in some places has each of them in `problems`.
    """

    type: str
    title: str
    status: int
    code: str
    detail: str
    problems: list[Trouble]


class _ProblemAnswer(Answer):
    media_type = PROBLEM_JSON


def refusal(
    status: int,
    code: str,
    detail: str,
    problems: list[Problem] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """An answer in the one shape of all refusals."""
    answer = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": int(status),
        "code": code,
        "detail": detail,
        "problems": [problem_json(problem) for problem in problems or []],
    }
    return _ProblemAnswer(answer, status, headers)


def refusal_of(error: SeedbedError) -> Response:
    """The answer that an error stands for."""
    status = status_of(error)
    told = error.problems[: error.most] if isinstance(error, DocumentError) else None
    headers = {"WWW-Authenticate": "Bearer"} if isinstance(error, Unauthenticated) else {}
    if error.retry_after_s is not None:
        headers["Retry-After"] = str(error.retry_after_s)
    return refusal(status, error.code, str(error), told, headers)


def status_of(error: Exception) -> int:
    """The status that an error of the farm is answered with."""
    return next(status for kind, status in _STATUS if isinstance(error, kind))


def answer_errors(api: FastAPI) -> None:
    """Have every error of an application answered in the one shape, the framework's own too."""
    api.add_exception_handler(SeedbedError, _refuse)
    api.add_exception_handler(RequestValidationError, _refuse_invalid)
    api.add_exception_handler(HTTPException, _refuse_path)
    api.add_exception_handler(Exception, _apologize)


def _refuse(_request: Request, exc: Exception) -> Response:
    assert isinstance(exc, SeedbedError)
    return refusal_of(exc)


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
            code = "no-such-path"
            error = f"There is nothing at {path}: /api/docs shows what there is."
        case 405:
            allowed = ", ".join(
                sorted(_methods(request.app, path))
            )  # the framework names those of one route alone
            code, headers = "no-such-method", {"Allow": allowed}
            error = f"{request.method} is not possible at {path}: use {allowed}."
        case 413:
            code, error = "too-large", TOO_LARGE
        case _:
            code, error = "bad-request", str(exc.detail)
    return refusal(exc.status_code, code, error, headers=headers)


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
        "fault",
        f"The farm could not answer ({type(exc).__name__}): this is a fault of the farm, not of"
        " the request.",
    )
