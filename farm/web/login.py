"""Logging in: a person shows a token once, and the browser has a cookie for it from then on."""

from urllib.parse import parse_qs, urlsplit

from fastapi import APIRouter, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import RedirectResponse

from farm.api.cookies import COOKIE, LOGIN_PATH, LOGOUT_PATH
from farm.api.needs import needs, open_to_all
from farm.service.access import Deed
from farm.service.logins import LoginService
from farm.web.rendering import HEADERS, Renderer
from farm.web.routing import page_router
from storage.errors import TooManyRequests, Unauthenticated

_MOST_BYTES = 4_096
_WRONG = "The farm does not know this token: look for blanks around it, or ask who runs the farm."
_SEE_OTHER = 303


def login_routes(renderer: Renderer, logins: LoginService) -> APIRouter:
    routes = page_router(renderer)

    @routes.get(LOGIN_PATH)
    @open_to_all
    def show(request: Request, to: str = "/") -> Response:
        return renderer.page(request, "login.html", to=own_path(to), wrong=None)

    @routes.post(LOGIN_PATH)
    @open_to_all
    async def log_in(request: Request) -> Response:
        form = parse_qs((await request.body())[:_MOST_BYTES].decode(errors="replace"))
        to, token = own_path(form.get("to", ["/"])[0]), form.get("token", [""])[0].strip()
        address = request.client.host if request.client else None
        try:
            secret, lasts_s = await run_in_threadpool(logins.begin, token, address)
        except Unauthenticated:
            return renderer.page(request, "login.html", status=401, to=to, wrong=_WRONG)
        except TooManyRequests as exc:
            return renderer.page(request, "login.html", status=429, to=to, wrong=str(exc))
        return logged_in(request, to, secret, lasts_s)

    @routes.post(LOGOUT_PATH)
    @needs(Deed.KNOW, in_links=True)
    def log_out(request: Request) -> Response:
        logins.end(request.cookies.get(COOKIE, ""))
        answer = RedirectResponse(LOGIN_PATH, _SEE_OTHER, headers=HEADERS)
        answer.delete_cookie(COOKIE, path="/", httponly=True, samesite="strict")
        return answer

    return routes


def logged_in(request: Request, to: str, secret: str, lasts_s: float) -> Response:
    """Leads on to a page, with the cookie of a login that has begun."""
    answer = RedirectResponse(to, _SEE_OTHER, headers=HEADERS)
    answer.set_cookie(
        COOKIE,
        secret,
        max_age=int(lasts_s),
        path="/",
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )
    return answer


def own_path(to: str) -> str:
    """A path of this farm to go on to: never an address elsewhere, however it is written."""
    parts = urlsplit(to)
    is_own = (
        to.startswith("/")
        and not to.startswith(("//", "/\\"))
        and not parts.netloc
        and to.isprintable()
        and "\\" not in to
    )
    return to if is_own else "/"
