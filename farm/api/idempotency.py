"""Orders that are carried out once, however often they are sent: those with a key of their own."""

import hashlib
import re
from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import Request, Response
from fastapi.concurrency import run_in_threadpool

from farm.api.errors import Answer
from farm.documents.document import DocumentError, Problem
from storage.answers import Answers, StoredAnswer
from storage.author import author

HEADER = "Idempotency-Key"
REPEATED = "Idempotency-Repeated"
"""The header of an answer that was given before."""
_KEY = r"^[\x21-\x7e]{1,255}$"
PARAMETER: dict[str, Any] = {
    "name": HEADER,
    "in": "header",
    "required": False,
    "description": "A text of your own, new for each order. The same order with the same key"
    " within a day is carried out once, and answered alike.",
    "schema": {"type": "string", "pattern": _KEY},
}


def order_key(request: Request) -> str | None:
    """The key of an order, if it has one. Raises DocumentError for one that cannot be kept."""
    key = request.headers.get(HEADER)
    if key is None or request.method != "POST":
        return None
    if not re.fullmatch(_KEY, key):
        problem = "a key has 1 to 255 letters, digits and signs, and no spaces."
        raise DocumentError([Problem((HEADER,), problem)])
    return key


async def once(
    answers: Answers,
    request: Request,
    key: str,
    body: bytes,
    carry_out: Callable[[], Awaitable[Response]],
) -> Response:
    """The answer to an order, which is carried out if it was not before. A refusal is not kept: it
    has changed nothing.
    """
    scope = _sender(request)
    digest = _digest(request.method, request.url.path, request.url.query, body)
    known = await run_in_threadpool(answers.begin, scope, key, digest)
    if known is not None:
        return Answer(known.body, known.status, {REPEATED: "true"})
    try:
        response = await carry_out()
    except Exception:
        await run_in_threadpool(answers.give_up, scope, key)
        raise
    kept = StoredAnswer(status=response.status_code, body=bytes(response.body))
    await run_in_threadpool(answers.end, scope, key, kept)
    return response


def _sender(request: Request) -> str:
    """Whoever sends an order, without a secret of theirs: nobody sees the answers of others."""
    by = author.get()
    shown = by.token_id if by is not None else request.headers.get("authorization")
    return _digest(shown or "", by.name if by is not None else "")


def _digest(*parts: str | bytes) -> str:
    found = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        found.update(b"%d:" % len(data) + data)
    return found.hexdigest()
