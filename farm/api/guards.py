"""What may be sent to the API at all; `farm.api.known_only` finds out who sends it. Written for
ASGI itself: starlette's decorator would hide it where a streamed answer breaks off.
"""

from urllib.parse import urlsplit

from fastapi import Request
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from farm.api.errors import TOO_LARGE, refusal, refusal_of
from storage.errors import NotAllowed

_FOREIGN = refusal_of(
    NotAllowed("Orders from pages of other sites are refused.", code="other-site")
)
_TOO_LARGE = refusal(413, "too-large", TOO_LARGE)


class OwnPagesOnly:
    """A page of another site may make a browser send orders here; browsers say from where they
    send them.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app: ASGIApp = (
            _FOREIGN if scope["type"] == "http" and _is_foreign(Request(scope)) else self._app
        )
        await app(scope, receive, send)


class SmallBodiesOnly:
    """Reads no body that is longer than a limit in bytes, said beforehand or not."""

    def __init__(self, app: ASGIApp, limit: int) -> None:
        self._app = app
        self._limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if (
            scope["type"] == "http"
            and int(Request(scope).headers.get("content-length", "0")) > self._limit
        ):
            await _TOO_LARGE(scope, receive, send)
            return
        size = 0

        async def counted() -> Message:
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            if size > self._limit:
                raise HTTPException(413)
            return message

        await self._app(scope, counted, send)


def _is_foreign(request: Request) -> bool:
    if request.method in ("GET", "HEAD", "OPTIONS"):
        return False
    origin = request.headers.get("origin")
    elsewhere = origin is not None and _netloc(origin) != request.headers.get("host")
    return elsewhere or request.headers.get("sec-fetch-site") in ("cross-site", "same-site")


def _netloc(origin: str) -> str | None:
    try:
        return urlsplit(origin).netloc
    except ValueError:  # like http://[
        return None
