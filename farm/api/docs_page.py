"""/api/docs: the API's description for a person, from files of this package alone."""

from functools import cache
from importlib.resources import files

from fastapi import APIRouter, Response

from farm.api.needs import needs
from farm.api.routing import StrictRoute
from farm.service.access import Deed

_FILES = {
    "swagger-ui-bundle.js": "text/javascript; charset=utf-8",
    "swagger-ui.css": "text/css; charset=utf-8",
}
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
    " connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Seedbed: the API</title>
<link rel="stylesheet" href="/api/docs/swagger-ui.css">
</head>
<body>
<div id="docs"></div>
<script src="/api/docs/swagger-ui-bundle.js"></script>
<script src="/api/docs/start.js"></script>
</body>
</html>
"""
_START = """SwaggerUIBundle({
  url: "/api/openapi.json", dom_id: "#docs", deepLinking: true, validatorUrl: null,
  supportedSubmitMethods: ["get"],
});
"""


def docs_routes() -> APIRouter:
    routes = APIRouter(include_in_schema=False, route_class=StrictRoute)

    @routes.get("/api/docs")
    @needs(Deed.KNOW)
    def page() -> Response:
        return _answer(_PAGE.encode(), "text/html; charset=utf-8")

    @routes.get("/api/docs/start.js")
    @needs(Deed.KNOW)
    def start() -> Response:
        return _answer(_START.encode(), _FILES["swagger-ui-bundle.js"])

    @routes.get("/api/docs/swagger-ui-bundle.js")
    @needs(Deed.KNOW)
    def script() -> Response:
        name = "swagger-ui-bundle.js"
        return _answer(_file(name), _FILES[name])

    @routes.get("/api/docs/swagger-ui.css")
    @needs(Deed.KNOW)
    def style() -> Response:
        name = "swagger-ui.css"
        return _answer(_file(name), _FILES[name])

    return routes


@cache
def _file(name: str) -> bytes:
    return files("fastapi_offline").joinpath("static", name).read_bytes()


def _answer(data: bytes, kind: str) -> Response:
    headers = {"Content-Security-Policy": _POLICY, "X-Content-Type-Options": "nosniff"}
    return Response(data, headers={**headers, "Content-Type": kind})
