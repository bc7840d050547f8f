"""Logging in by an OpenID provider: a browser is led to it and back."""

from collections.abc import Awaitable, Callable

from fastapi import APIRouter, Request, Response
from fastapi.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.routing import Route

from farm.api.cookies import OPENID_BACK_PATH, OPENID_PATH
from farm.api.errors import status_of
from farm.service.logins import LoginService
from farm.web.login import is_https, logged_in, own_path
from farm.web.provider import Provider, ProviderAway
from farm.web.rendering import HEADERS, Renderer
from farm.web.routing import error_page
from storage.errors import SeedbedError

_COOKIE = "farm_openid"
_TAKES_S = 600
_TO = "to"
_BAD_GATEWAY = 502


def openid_routes(
    renderer: Renderer, logins: LoginService, provider: Provider, address: str | None
) -> APIRouter:
    """`address` is where browsers find the farm; None for the one that they ask it by."""
    from starlette.middleware.sessions import (  # noqa: PLC0415  # needs the extra of `provider`
        SessionMiddleware,
    )

    async def leave(request: Request) -> Response:
        request.session[_TO] = own_path(request.query_params.get("to", "/"))
        sent = await provider.send_to(request, f"{_own(request, address)}{OPENID_BACK_PATH}")
        sent.headers.update(HEADERS)
        return sent

    async def come_back(request: Request) -> Response:
        to = own_path(request.session.pop(_TO, "/"))
        person = await provider.person(request)
        secret, lasts_s = await run_in_threadpool(logins.begin_as, person)
        # The browser still counts the address that it is led on to as one that another site has
        # led it to, and would not show the new cookie there: a page of the farm leads it on.
        onward = renderer.page(request, "onward.html", to=to, person=person)
        return logged_in(onward, secret, lasts_s, is_secure=is_https(request, address))

    kept = [
        Middleware(
            SessionMiddleware,
            secret_key=provider.key,
            session_cookie=_COOKIE,
            max_age=_TAKES_S,
            path=OPENID_PATH,
            same_site="lax",  # a provider leads back from another site
            https_only=(address or "").startswith("https:"),
        )
    ]
    routes = APIRouter()
    for path, answer in ((OPENID_PATH, leave), (OPENID_BACK_PATH, come_back)):
        said = _with_error_pages(renderer, answer)
        routes.routes.append(Route(path, said, methods=["GET"], middleware=kept))
    return routes


def _own(request: Request, address: str | None) -> str:
    return (address or str(request.base_url)).rstrip("/")


def _with_error_pages(
    renderer: Renderer, answer: Callable[[Request], Awaitable[Response]]
) -> Callable[[Request], Awaitable[Response]]:
    async def said(request: Request) -> Response:
        try:
            return await answer(request)
        except ProviderAway as exc:
            return error_page(renderer, request, _BAD_GATEWAY, str(exc))
        except SeedbedError as exc:
            return error_page(renderer, request, status_of(exc), str(exc))

    return said
