"""The guard that finds out who asks. Written for ASGI itself, like those of `farm.api.guards`."""

import re
from urllib.parse import quote

from anyio import to_thread
from fastapi import Request, Response
from fastapi.responses import RedirectResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from farm.api.askers import asker_of
from farm.api.cookies import COOKIE, LOGIN_PATH, is_open, wants_page
from farm.api.errors import refusal, refusal_of
from farm.api.needs import beyond_link
from farm.api.open_answers import OpenAnswers
from farm.service.access import Access, Deed
from farm.service.identity import Identities
from farm.service.logins import LOGIN, LoginService
from farm.service.secrets import digest_of
from storage.author import Author, author
from storage.errors import DatabaseError, NotAllowed, SeedbedError, Unauthenticated

OPEN = frozenset({"/api/v1/health", "/api/v1/ready"})
METRICS = "/metrics"
_READERS = 20  # whoever reads metrics, with the token last shown: a few Prometheus servers
_OWN_HOST = re.compile(r"(127\.0\.0\.1|localhost|\[::1\])(:\d{1,5})?", re.IGNORECASE)
_NOT_KEPT = {"Cache-Control": "no-store", "Referrer-Policy": "same-origin"}
_OTHER_HOST = refusal(
    400,
    "other-host",
    "Without a token the farm answers to this machine alone: ask for it as 127.0.0.1 or"
    " localhost.",
)


class KnownOnly:
    """Lets through who is known, with what they may do; that there is a farm, anybody may know.

    On a farm that is open to its machine, whoever shows no token must ask for it by a name of this
    machine: a page on the web must not reach it through a name that it points here.
    """

    def __init__(
        self, app: ASGIApp, identities: Identities, answers: OpenAnswers, logins: LoginService
    ) -> None:
        self._app = app
        self._logins = logins
        self._identities = identities
        self._answers = answers
        self._readers: dict[str | None, Access] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        secret = _shown(request)
        if secret is None and self._identities.is_open and not _is_own(request):
            await _OTHER_HOST(scope, receive, send)
            return
        if scope["path"] in OPEN or is_open(scope["path"]):
            await self._app(scope, receive, send)
            return
        try:
            access = await self._who(secret, request)
            _check_path(access, scope["path"])
        except SeedbedError as exc:
            await _refusal(exc, request)(scope, receive, send)
            return
        scope.setdefault("state", {})["access"] = access
        shown = access.token if access.link is None else access.link.id
        author.set(Author(name=access.person, token_id=shown, address=asker_of(scope)))
        held = scope["state"].get("login", access.token)
        if held is None:
            await self._app(scope, receive, send)
        else:
            await self._answers.answer(self._app, held, scope, receive, send)

    async def _who(self, secret: str | None, request: Request) -> Access:
        own = self._identities.own(secret)
        if own is not None:
            return own
        cookie = request.cookies.get(COOKIE) if secret is None else None
        if cookie is not None:
            access = await to_thread.run_sync(self._logins.of, cookie)
            request.state.is_logged_in = True
            request.state.login = LOGIN + cookie
            return access
        reader = None if secret is None else digest_of(secret)
        try:
            access = await to_thread.run_sync(
                lambda: self._identities.of(secret, address=asker_of(request.scope))
            )
        except Unauthenticated:
            self._readers.pop(reader, None)
            raise
        except DatabaseError:
            # Metrics tell most while the database cannot be reached: whoever has read them before
            # may go on.
            if request.scope["path"] != METRICS or reader not in self._readers:
                raise
            return self._readers[reader]
        if request.scope["path"] == METRICS and access.may(Deed.SEE_FLEET):
            self._readers = {**dict(list(self._readers.items())[-_READERS:]), reader: access}
        return access


def _check_path(access: Access, path: str) -> None:
    """Whoever has opened a link asks the API about its campaign alone, also where no route of the
    farm's own decides. Raises NotAllowed.
    """
    if access.link is None or path.startswith(f"/api/v1/campaigns/{access.link.campaign}/"):
        return
    if path.startswith("/api/") or path == METRICS:
        raise NotAllowed(beyond_link(access.link))


def _refusal(error: SeedbedError, request: Request) -> Response:
    """A person who may not see a page yet is sent to the one to log in."""
    if not isinstance(error, Unauthenticated) or not wants_page(request):
        return refusal_of(error)
    query = f"?{request.url.query}" if request.url.query else ""
    to = quote(request.url.path + query, safe="")
    return RedirectResponse(f"{LOGIN_PATH}?to={to}", 303, headers=_NOT_KEPT)


def _shown(request: Request) -> str | None:
    """The token that a request shows; any other kind of header counts as a wrong one."""
    header = request.headers.get("authorization")
    if header is None:
        return None
    kind, _, secret = header.partition(" ")
    return secret.strip() if kind.lower() == "bearer" else ""


def _is_own(request: Request) -> bool:
    return _OWN_HOST.fullmatch(request.headers.get("host", "")) is not None
