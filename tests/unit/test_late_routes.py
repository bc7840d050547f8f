"""Routes are taken apart when they are first asked for, and answer as any other."""

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from farm.api.late import LateRoute

taken_apart = []


class Watched(LateRoute):
    def get_route_handler(self):
        taken_apart.append(self.path)
        return super().get_route_handler()


@pytest.fixture
def api():
    taken_apart.clear()
    api = FastAPI(openapi_url=None)
    api.router.route_class = Watched

    @api.get("/doubled/{number}")
    def doubled(number: int) -> int:
        """Twice a number."""
        return 2 * number

    @api.post("/others")
    def others(text: str) -> str:
        return text

    return api


def test_a_route_is_taken_apart_once_at_its_first_request(api):
    client = TestClient(api)
    assert taken_apart == []
    assert [client.get(f"/doubled/{number}").json() for number in (1, 2)] == [2, 4]
    assert client.get("/doubled/one").status_code == 422
    assert taken_apart == ["/doubled/{number}"]


def test_what_no_route_has_is_not_found(api):
    client = TestClient(api)
    assert client.get("/others").status_code == 405
    assert client.get("/nothing").status_code == 404
    [route] = [route for route in api.routes if route.path == "/others"]
    with pytest.raises(AttributeError, match="Watched has no colour"):
        _ = route.colour


def test_the_description_has_routes_that_nobody_asked_for(api):
    operation = api.openapi()["paths"]["/doubled/{number}"]["get"]
    assert operation["description"] == "Twice a number."
    assert operation["parameters"][0]["schema"]["type"] == "integer"
