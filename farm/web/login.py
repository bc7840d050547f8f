"""Logging in: a person shows a token once, and the browser has a cookie for it from then on."""

from urllib.parse import parse_qs, urlsplit

from fastapi import APIRouter, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import RedirectResponse

from farm.api.askers import asker_of
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


def login_routes(
    renderer: Renderer, logins: LoginService, address: str | None, *, has_provider: bool
) -> APIRouter:
    """`address` is where browsers find the farm; None for the one that they ask it by."""
    routes = page_router(renderer)

    def page(request: Request, to: str, wrong: str | None = None, status: int = 200) -> Response:
        return renderer.page(
            request, "login.html", status=status, to=to, wrong=wrong, has_provider=has_provider
        )

    @routes.get(LOGIN_PATH)
    @open_to_all
    def show(request: Request, to: str = "/") -> Response:
        return page(request, own_path(to))

    @routes.post(LOGIN_PATH)
    @open_to_all
    async def log_in(request: Request) -> Response:
        form = parse_qs((await request.body())[:_MOST_BYTES].decode(errors="replace"))
        to, token = own_path(form.get("to", ["/"])[0]), form.get("token", [""])[0].strip()
        asker = asker_of(request.scope)
        try:
            secret, lasts_s = await run_in_threadpool(logins.begin, token, asker)
        except Unauthenticated:
            return page(request, to, _WRONG, 401)
        except TooManyRequests as exc:
            return page(request, to, str(exc), 429)
        return logged_in(led_on(to), secret, lasts_s, is_secure=is_https(request, address))

    @routes.post(LOGOUT_PATH)
    @needs(Deed.KNOW, in_links=True)
    def log_out(request: Request) -> Response:
        logins.end(request.cookies.get(COOKIE, ""))
        answer = led_on(LOGIN_PATH)
        answer.delete_cookie(COOKIE, path="/", httponly=True, samesite="strict")
        return answer

    return routes


def led_on(to: str) -> Response:
    """Leads a browser on to another page."""
    return RedirectResponse(to, _SEE_OTHER, headers=HEADERS)


def logged_in(answer: Response, secret: str, lasts_s: float, *, is_secure: bool) -> Response:
    """An answer with the cookie of a login that has begun. With `is_secure`, the browser shows it
    over https alone.
    """
    answer.set_cookie(
        COOKIE,
        secret,
        max_age=int(lasts_s),
        path="/",
        httponly=True,
        samesite="strict",
        secure=is_secure,
    )
    return answer


def is_https(request: Request, address: str | None) -> bool:
    """Whether a browser reaches the farm over https."""
    return (address or str(request.base_url)).startswith("https:")


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
