"""Times each request until its answer begins. Written for ASGI itself, like the guards."""

import time
from typing import Protocol

from starlette.types import ASGIApp, Message, Receive, Scope, Send


class Note(Protocol):
    """Hears of an answer: the route's template, None if none was found."""

    def __call__(self, route: str | None, method: str, status: int, seconds: float) -> None: ...


def template_of(scope: Scope) -> str | None:
    """The template of the route that a request found; None if it found none."""
    path = getattr(scope.get("route"), "path", None)
    return path if isinstance(path, str) else None


class Timed:
    """Stands before all guards, so that what they refuse is timed too. An answer that goes on, as
    a stream does, is timed to its first byte.
    """

    def __init__(self, app: ASGIApp, note: Note) -> None:
        self._app = app
        self._note = note

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()

        async def noting(message: Message) -> None:
            if message["type"] == "http.response.start":
                route = template_of(scope)
                seconds = time.perf_counter() - began
                self._note(route, scope["method"], message["status"], seconds)
            await send(message)

        await self._app(scope, receive, noting)
