"""Routes that answer with pages. Each is held against what it needs, as those of the API are
(`farm.api.needs`). What goes wrong is a page too, with the sentence that the API answers with.
"""

import logging
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from farm.api.errors import status_of
from farm.api.late import LateRoute
from farm.api.needs import UNDECLARED, admit, declared_need
from farm.api.routing import Question
from farm.web.rendering import Renderer
from storage.errors import SeedbedError

Handler = Callable[[Request], Coroutine[Any, Any, Response]]
_log = logging.getLogger(__name__)

_NOT_AN_ADDRESS = "This address is not one of the farm's: look at its spelling."
_FAULT = (
    "The farm could not make this page. This is a fault of the farm, not of yours: its log says"
    " more."
)


def page_router(renderer: Renderer) -> APIRouter:
    """A router whose errors are pages; none of its routes is a part of the API's description."""

    class PageRoute(LateRoute):
        def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
            self.need = declared_need(endpoint) or UNDECLARED
            super().__init__(path, endpoint, **options)

        def get_route_handler(self) -> Handler:
            handle, asks = super().get_route_handler(), Question(self)

            async def with_error_pages(request: Request) -> Response:
                try:
                    admit(request, self.need, asks.projects(request, None))
                    return await handle(request)
                except SeedbedError as exc:
                    return error_page(renderer, request, status_of(exc), str(exc))
                except RequestValidationError:
                    return error_page(renderer, request, 404, _NOT_AN_ADDRESS)
                except HTTPException as exc:
                    return error_page(renderer, request, exc.status_code, str(exc.detail))
                except Exception:  # noqa: BLE001  # a page for whoever asked; the rest goes to the log
                    _log.exception("the page %s could not be made", request.url.path)
                    return error_page(renderer, request, 500, _FAULT)

            return with_error_pages

    return APIRouter(route_class=PageRoute, include_in_schema=False)


_TITLES = {401: "Log in first", 403: "Not allowed", 404: "Not found", 409: "Not possible"}


def error_page(renderer: Renderer, request: Request, status: int, sentence: str) -> Response:
    """A page that says what went wrong and what to do."""
    title = _TITLES.get(status, "Something went wrong")
    return renderer.page(request, "error.html", status=status, title=title, sentence=sentence)
