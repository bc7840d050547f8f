"""Every route of an application, those of its routers among them."""

from fastapi.routing import APIRoute


def routes_of(app):
    """The path and the route of each, as many as the application's description has operations."""
    found = list(_routes(app.routes, ""))
    described = sum(len(operations) for operations in app.openapi()["paths"].values())
    assert len(found) >= described > 30, "the framework keeps its routes elsewhere now"
    return found


def _routes(routes, prefix):
    for route in routes:
        if isinstance(route, APIRoute):
            yield prefix + route.path, route
        elif (router := getattr(route, "original_router", None)) is not None:
            yield from _routes(router.routes, prefix + route.include_context.prefix)
