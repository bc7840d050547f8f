"""The routes to scripts and styles: open to everybody, since the login page needs them."""

from fastapi import APIRouter, Request, Response

from farm.api.needs import open_to_all
from farm.web.rendering import Renderer
from farm.web.routing import error_page, page_router
from farm.web.static_files import StaticFiles

_FOREVER = "public, max-age=31536000, immutable"


def asset_routes(renderer: Renderer, static: StaticFiles) -> APIRouter:
    routes = page_router(renderer)

    @routes.get("/static/{digest}/{name}")
    @open_to_all
    def asset(request: Request, digest: str, name: str) -> Response:
        file = static.files.get(name)
        if file is None or digest != static.digest:
            return error_page(renderer, request, 404, "There is no such file: reload the page.")
        headers = {"Cache-Control": _FOREVER, "X-Content-Type-Options": "nosniff"}
        data = file.data
        if file.zipped is not None:
            headers["Vary"] = "Accept-Encoding"
            if "gzip" in request.headers.get("accept-encoding", ""):
                headers["Content-Encoding"] = "gzip"
                data = file.zipped
        return Response(data, media_type=file.kind, headers=headers)

    @routes.get("/favicon.ico")
    @open_to_all
    def icon() -> Response:
        file = static.files["icon.svg"]
        headers = {"Cache-Control": "max-age=86400", "X-Content-Type-Options": "nosniff"}
        return Response(file.data, media_type=file.kind, headers=headers)

    return routes
