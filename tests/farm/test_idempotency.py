"""Orders with an Idempotency-Key over HTTP: however often one is sent, it is carried out once."""

import threading
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from farm.api.idempotency import HEADER, REPEATED
from farm.app import open_app, serve
from farm.config import read_settings
from farm.service.repainting import Repaints
from farm.service.submission import Submissions
from storage.errors import OutputsAway
from tests.answers import refused
from tests.campaigns import data

PATIENCE_S = 30


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    home = tmp_path_factory.mktemp("once") / "home"
    with open_app(read_settings(home=home)) as app, serve(app, 0) as url:
        yield url


@pytest.fixture(scope="module")
def http(url):
    with httpx.Client(base_url=f"{url}/api/v1/", timeout=PATIENCE_S) as http:
        yield http


def submit(http, key, name="spring", **changes):
    return http.post(
        "campaigns", json={"campaign": data(name=name, **changes)}, headers={HEADER: key}
    )


def test_an_order_that_is_sent_again_is_answered_as_it_was(http):
    first, again = submit(http, "a"), submit(http, "a")
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.content == again.content
    assert REPEATED not in first.headers
    assert again.headers[REPEATED] == "true"
    assert submit(http, "b").status_code == 200  # another order: the campaign is there already


def test_a_key_of_another_order_is_refused_with_its_own_code(http):
    submit(http, "c", "c")
    refused(submit(http, "c", "d"), 409, "key-reused")
    refused(http.get("campaigns/d"), 404)
    other = http.post("campaigns/c/pause", headers={HEADER: "c"})
    refused(other, 409, "key-reused")


def test_a_refusal_is_not_kept(http):
    refused(http.post("campaigns/later/pause", headers={HEADER: "e"}), 404)
    submit(http, "f", "later")
    assert http.post("campaigns/later/pause", headers={HEADER: "e"}).status_code == 200


def test_what_failed_can_be_sent_again(http, monkeypatch):
    def fails(*_, **__):
        raise OutputsAway("The outputs are full.")

    with monkeypatch.context() as broken:
        broken.setattr(Submissions, "submit", fails)
        refused(submit(http, "g", "g"), 507, "outputs-unavailable")
    assert submit(http, "g", "g").status_code == 201


@pytest.mark.parametrize("key", ["", "a b", "x" * 256, "\x7f", "é".encode("latin-1")])
def test_what_is_no_key_is_refused(http, key):
    answer = http.post("campaigns/spring/pause", headers={HEADER: key})
    assert refused(answer, 422)["problems"][0]["path"] == [HEADER]


def test_a_question_needs_no_key(http):
    submit(http, "asked", "asked")
    for _ in range(2):
        answer = http.get("campaigns/asked", headers={HEADER: "a"})
        assert answer.status_code == 200
        assert REPEATED not in answer.headers


def test_of_the_same_order_at_once_one_is_carried_out(http, monkeypatch):
    submit(http, "h", "h")
    inside, go_on, made = threading.Event(), threading.Event(), []
    repaint = Repaints.repaint

    def slow(self, *given):
        made.append(given)
        inside.set()
        assert go_on.wait(PATIENCE_S)
        return repaint(self, *given)

    monkeypatch.setattr(Repaints, "repaint", slow)

    def order():
        body = {"numbers": [0]}
        return http.post("campaigns/h/repaint", json=body, headers={HEADER: "i"})

    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(order)
        assert inside.wait(PATIENCE_S)
        busy = order()
        assert refused(busy, 409, "in-progress")
        assert busy.headers["retry-after"] == "1"
        go_on.set()
        assert first.result().status_code == 201
    assert order().content == first.result().content
    assert len(made) == 1
