"""Views hold all that the farm answers, on its side and on the client's."""

import httpx
import pytest
from fastapi import FastAPI
from fastapi.exceptions import ResponseValidationError
from fastapi.testclient import TestClient

from farm.api.fleet import fleet_routes
from farm.app import open_app
from farm.client.transport import Transport
from farm.config import read_settings
from farm.service.access import EVERYWHERE, Access, Role
from farm.service.fleet_views import Fleet
from farm.service.views import Health, View
from storage.errors import WorkError

ANSWERED = {"farm": "seedbed", "home": "abc"}


@pytest.fixture
def answering():
    """A transport whose server answers with a body."""

    def make(**body):
        transport = Transport("http://farm.test", token=None, timeout_s=1.0)
        transport._http = httpx.Client(
            base_url="http://farm.test",
            transport=httpx.MockTransport(lambda _request: httpx.Response(200, json=body)),
        )
        return transport

    return make


def test_a_farm_cannot_answer_with_a_key_that_its_view_does_not_have():
    class Fleeting:
        def __init__(self, **more):
            self.more = more

        def scaling(self):
            told = {"floor": 1, "ceiling": None, "frozen": False, "draining": [], "orders": []}
            return {**told, "workers": {}, **self.more}

    def ask(fleet):
        app = FastAPI()
        app.include_router(fleet_routes(None, fleet, None))

        async def by_an_admin(scope, receive, send):
            admin = Access(person="x", roles={EVERYWHERE: Role.ADMIN})
            await app({**scope, "state": {"access": admin}}, receive, send)

        return TestClient(by_an_admin).get("/api/v1/scaling").json()

    assert ask(Fleeting())["floor"] == 1
    with pytest.raises(ResponseValidationError, match="weather"):
        ask(Fleeting(weather="fine"))


def test_every_answer_in_json_is_a_view(tmp_path):
    with open_app(read_settings(home=tmp_path / "home")) as app:
        described = app.openapi()
    answers = [
        (path, answer["content"]["application/json"]["schema"])
        for path, operations in described["paths"].items()
        for operation in operations.values()
        for status, answer in operation["responses"].items()
        if status.startswith("2") and "application/json" in answer.get("content", {})
    ]
    assert len(answers) > 20
    assert not [path for path, schema in answers if "components/schemas" not in str(schema)]
    schemas = described["components"]["schemas"]
    closed = [name for name in ("Line", "Fleet") if "additionalProperties" in schemas[name]]
    assert not closed, "a later farm may answer with more keys"


def test_a_client_passes_over_the_keys_of_a_later_farm(answering):
    told = answering(**ANSWERED, weather="fine").get(Health, "health")
    assert told == Health(**ANSWERED)


@pytest.mark.parametrize("view", [Fleet, list[Health]])
def test_an_answer_that_is_no_such_view_is_not_a_farms(answering, view):
    with pytest.raises(WorkError, match="is not a farm, or a farm of another version"):
        answering(**ANSWERED).get(view, "health")


def test_an_answer_is_printed_as_it_was_sent():
    """A field with a default that was not sent is not there."""

    class Note(View):
        text: str
        number: int = 0

    assert Note.model_validate_json('{"text": "a"}').as_json() == {"text": "a"}
