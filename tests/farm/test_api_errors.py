"""Errors on their way from a farm to a program: each arrives as what it was, with its code."""

import httpx
import pytest

import farm
from farm.api.errors import refusal_of
from farm.app import open_app, serve
from farm.config import read_settings
from farm.documents.document import DocumentError, Problem
from storage import errors
from tests.answers import refused
from tests.campaigns import campaign

TOKEN = "0123456789abcdef"


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    home = tmp_path_factory.mktemp("errors") / "home"
    with open_app(read_settings(home=home, token=TOKEN)) as app, serve(app, 0) as url:
        yield url


@pytest.fixture
def client(url):
    with farm.Client(url, token=TOKEN) as client:
        yield client


def kinds(kind=errors.SeedbedError):
    yield kind
    for inner in kind.__subclasses__():
        if inner.__module__ == errors.__name__:
            yield from kinds(inner)


def test_every_error_has_a_code_of_its_own_kind_and_an_answer():
    ours = list(kinds())
    assert len(ours) > 15
    requests = [kind for kind in ours if issubclass(kind, errors.RequestError)]
    assert len({kind.code for kind in requests}) == len(requests)
    for kind in ours:
        answer = refusal_of(kind("A sentence."))
        assert (answer.status_code < 500) == (
            issubclass(kind, errors.RequestError | errors.BadKey)
        )


def test_what_is_refused_arrives_as_the_error_that_it_is(client, url):
    with pytest.raises(farm.NotFound, match="no campaign nobody") as unknown:
        client.status("nobody")
    assert (unknown.value.code, unknown.value.place) == ("not-found", None)
    client.submit(campaign())
    with pytest.raises(farm.Conflict, match="submitted before") as other:
        client.submit(campaign(prompt="another {color} {product}"))
    assert other.value.code == "conflict"
    assert isinstance(other.value, farm.RequestError)
    with pytest.raises(farm.RequestError, match="no axis 'hue'") as axis:
        client.sheet("spring", rows="hue")
    assert not isinstance(axis.value, farm.Conflict)
    assert axis.value.code == "bad-request"
    with farm.Client(url, token="f" * 16) as stranger:  # noqa: SIM117  # the error is of the call
        with pytest.raises(farm.NotAllowed, match="does not know that token") as unauthenticated:
            stranger.campaigns()
    assert unauthenticated.value.code == "unauthenticated"


def test_what_is_wrong_in_a_document_is_named_by_its_place(client):
    with pytest.raises(farm.DocumentError) as wrong:
        client.submit(campaign(name="summer", settings={"size": "130x128"}))
    assert (wrong.value.code, wrong.value.place) == ("invalid", "settings.size")
    assert DocumentError([Problem((), "all of it")]).place is None


def test_where_no_farm_answers_is_told_apart_from_work_that_failed():
    with farm.Client("http://127.0.0.1:9") as nobody:  # noqa: SIM117
        with pytest.raises(farm.Unreachable, match="farm up") as away:
            nobody.health()
    assert away.value.code == "unreachable"
    assert isinstance(away.value, farm.WorkError)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, farm.RequestError), (401, farm.Unauthenticated), (403, farm.NotAllowed),
        (404, farm.NotFound), (409, farm.Conflict), (429, farm.TooManyRequests),
        (500, farm.WorkError), (502, farm.Unreachable), (504, farm.Unreachable),
    ],
)  # fmt: skip
def test_an_answer_of_something_before_the_farm_is_known_by_its_status(status, kind):
    from farm.client import transport

    with pytest.raises(kind, match=f"answered {status}: <html>") as strange:
        transport._raise(httpx.Response(status, text="<html>"))
    assert type(strange.value) is kind


def test_every_error_that_a_program_may_meet_can_be_imported_from_farm():
    for name in farm.__all__:
        assert getattr(farm, name).__name__ == name
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        _ = farm.Nothing


def test_a_refusal_of_a_guard_has_the_shape_of_all(url):
    answer = httpx.get(f"{url}/api/v1/campaigns")
    assert refused(answer, 401, "unauthenticated")["detail"].startswith("This farm asks")
    assert answer.headers["www-authenticate"] == "Bearer"
