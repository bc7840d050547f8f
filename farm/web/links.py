"""Opening a link that somebody has sent. Its secret stands behind `#`, so that it is in no log and
in no other address; a script puts it into the form, and a person sends that.
"""

from urllib.parse import parse_qs

from fastapi import APIRouter, Request, Response
from fastapi.concurrency import run_in_threadpool

from farm.api.askers import asker_of
from farm.api.cookies import COOKIE, SHARE_PATH
from farm.api.errors import status_of
from farm.api.needs import open_to_all
from farm.service.links import PassphraseNeeded
from farm.service.logins import LoginService
from farm.web.login import is_https, led_on, logged_in
from farm.web.rendering import Renderer
from farm.web.routing import page_router
from storage.errors import SeedbedError

_MOST_BYTES = 4_096


def link_page_routes(renderer: Renderer, logins: LoginService, address: str | None) -> APIRouter:
    """`address` is where browsers find the farm; None for the one that they ask it by."""
    routes = page_router(renderer)

    @routes.get(SHARE_PATH)
    @open_to_all
    def show(request: Request) -> Response:
        return _page(renderer, request)

    @routes.post(SHARE_PATH)
    @open_to_all
    async def open_link(request: Request) -> Response:
        form = parse_qs((await request.body())[:_MOST_BYTES].decode(errors="replace"))
        secret, words = (form.get(name, [""])[0].strip() for name in ("link", "passphrase"))
        asker = asker_of(request.scope)
        try:
            begun, lasts_s, to = await run_in_threadpool(
                logins.begin_by_link, secret.rpartition("#")[2], words, asker
            )
        except PassphraseNeeded as exc:
            said = str(exc)
            return _page(renderer, request, 401, link=secret, wrong=said, asks=True)
        except SeedbedError as exc:
            return _page(renderer, request, status_of(exc), wrong=str(exc))
        return logged_in(led_on(to), begun, lasts_s, is_secure=is_https(request, address))

    return routes


def _page(
    renderer: Renderer,
    request: Request,
    status: int = 200,
    *,
    link: str = "",
    wrong: str | None = None,
    asks: bool = False,
) -> Response:
    return renderer.page(
        request,
        "share.html",
        status=status,
        sent=link,
        wrong=wrong,
        asks=asks,
        is_known=COOKIE in request.cookies,
    )
