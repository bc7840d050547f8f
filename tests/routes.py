"""Every route of an application, those of its routers among them."""

from fastapi.routing import APIRoute


def routes_of(app):
    """The path and the route of each, as many as the application's description has operations."""
    found = [(route.path, route) for route in app.routes if isinstance(route, APIRoute)]
    described = sum(len(operations) for operations in app.openapi()["paths"].values())
    assert len(found) >= described > 30, "the framework keeps its routes elsewhere now"
    return found
