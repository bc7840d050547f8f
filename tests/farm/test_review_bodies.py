"""What the routes about reviews, redos, brands and drift refuse, over real HTTP: each body that is
wrong is named at its place, and changes nothing.
"""

import httpx
import pytest

from farm.app import open_app, serve
from farm.client.client import Client
from farm.config import read_settings
from tests.answers import refused
from tests.campaigns import campaign

ENTRY = {"client": "c", "sequence": 1}
REVIEW, UNDO = "campaigns/spring/reviews", "campaigns/spring/reviews/undo"
REDO, CALIBRATE = "campaigns/spring/redo", "campaigns/spring/calibrate"
MODEL = f"models/{'0' * 64}"
APPROVE = {**ENTRY, "verdict": "approved", "numbers": [0]}
REJECT = {**ENTRY, "verdict": "rejected", "numbers": [0]}
CHANGE = {**ENTRY, "numbers": [0], "seed": 3}


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    settings = read_settings(home=tmp_path_factory.mktemp("bodies") / "home")
    with open_app(settings) as app, serve(app, 0) as url, Client(url) as client:
        client.submit(campaign(proof={"steps": 4}))
        yield url


@pytest.fixture(scope="module")
def http(url):
    with httpx.Client(base_url=f"{url}/api/v1/") as http:
        yield http


def told(answer, status=422):
    """The sentence of a refusal, and its places."""
    body = refused(answer, status)
    return body["detail"], [".".join(map(str, p["path"])) for p in body["problems"]]


@pytest.mark.parametrize(
    ("route", "body", "place"),
    [
        (REVIEW, {}, "client"),
        (REVIEW, {**APPROVE, "client": ""}, "client"),
        (REVIEW, {**APPROVE, "client": "c" * 65}, "client"),
        (REVIEW, {**APPROVE, "client": "a\nb"}, "client"),
        (REVIEW, {**APPROVE, "sequence": -1}, "sequence"),
        (REVIEW, {**APPROVE, "sequence": 2**53}, "sequence"),
        (REVIEW, {**APPROVE, "sequence": "1"}, "sequence"),
        (REVIEW, {**APPROVE, "by": "x" * 121}, "by"),
        (REVIEW, {**APPROVE, "note": "x" * 2001}, "note"),
        (REVIEW, {**APPROVE, "verdict": "maybe"}, "verdict"),
        (REVIEW, {**APPROVE, "verdict": None}, "verdict"),
        (REVIEW, {**APPROVE, "numbers": []}, "numbers"),
        (REVIEW, {**APPROVE, "numbers": [-1]}, "numbers.0"),
        (REVIEW, {**APPROVE, "numbers": [0, 1.5]}, "numbers.1"),
        (REVIEW, {**APPROVE, "numbers": [0, True]}, "numbers.1"),
        (REVIEW, {**APPROVE, "numbers": 0}, "numbers"),
        (REVIEW, {**APPROVE, "seed": 3}, "seed"),
        (REVIEW, {**APPROVE, "shot": "x"}, "shot"),
        (REVIEW, {**APPROVE, "where": ["color=red"]}, "where"),
        (REVIEW, {**APPROVE, "rule": "border"}, "rule"),
        (REVIEW, {**APPROVE, "drift_below": 0.5}, "drift_below"),
        (REVIEW, {**APPROVE, "reason": "colour"}, "reason"),
        (REVIEW, {**APPROVE, "reroll": True}, "reroll"),
        (REVIEW, {**REJECT, "reason": "ugly"}, "reason"),
        (REVIEW, {**REJECT, "reroll": "yes"}, "reroll"),
        (REVIEW, {**REJECT, "dry_run": 1}, "dry_run"),
        (REVIEW, {**ENTRY, "verdict": "approved", "seed": 2**32}, "seed"),
        (REVIEW, {**ENTRY, "verdict": "approved", "drift_below": 0}, "drift_below"),
        (REVIEW, {**ENTRY, "verdict": "approved", "drift_below": 1.1}, "drift_below"),
        (REVIEW, {**ENTRY, "verdict": "approved", "where": ["x" * 2001]}, "where.0"),
        (REVIEW, {**ENTRY, "verdict": "approved", "where": "color=red"}, "where"),
        (REVIEW, {**APPROVE, "verdicts": "approved"}, "verdicts"),
        (UNDO, {**ENTRY, "entry": -1}, "entry"),
        (UNDO, {**ENTRY, "verdict": "approved"}, "verdict"),
        (UNDO, {"entry": 1}, "client"),
        (REDO, {**ENTRY, "seed": 3}, "numbers"),
        (REDO, {**CHANGE, "numbers": []}, "numbers"),
        (REDO, {**CHANGE, "seed": -1}, "seed"),
        (REDO, {**CHANGE, "seed": 2**32}, "seed"),
        (REDO, {**CHANGE, "next_seed": True}, "seed"),
        (REDO, {**CHANGE, "prompt": ""}, "prompt"),
        (REDO, {**CHANGE, "prompt": "x" * 20_001}, "prompt"),
        (REDO, {**CHANGE, "prompt": "a \x07 mug"}, "prompt"),
        (REDO, {**CHANGE, "prompt": "a (mug:1.4)"}, "prompt"),
        (REDO, {**CHANGE, "prompts": ["a mug"]}, "prompts"),
        (REDO, {**ENTRY, "numbers": [0]}, ""),
        (CALIBRATE, {"limit": 0}, "limit"),
        (CALIBRATE, {"limit": 1}, "limit"),
        (CALIBRATE, {"limit": "0.3"}, "limit"),
        (CALIBRATE, {"limits": 0.3}, "limits"),
        (MODEL, {"grip": 1.5, "measure": "layout@1"}, "grip"),
        (MODEL, {"grip": 0.5, "measure": "layout"}, "measure"),
        (MODEL, {"grip": 0.5}, "measure"),
        ("brands", {}, "pack"),
        ("brands", {"pack": []}, "pack"),
        ("brands", {"pack": {}}, "name"),
        ("brands", {"pack": {"name": "acme"}, "project": "a b"}, "project"),
        ("brands", {"pack": {"name": "acme", "banned": ["x" * 201]}}, "banned.0"),
        ("brands", {"pack": {"name": "acme", "texts": {"a b": "x"}}}, "texts.a b"),
        ("brands", {"pack": {"name": "acme", "rules": {"border": "some"}}}, "rules.border"),
        ("prompts", {}, "campaign"),
        ("prompts", {"campaign": {}, "limit": 0}, "limit"),
        ("prompts", {"campaign": {}, "limit": 100_001}, "limit"),
    ],
)  # fmt: skip
def test_a_wrong_body_is_named_at_its_place(http, route, body, place):
    error, places = told(http.post(route, json=body))
    assert not error.startswith(":")
    is_missing = error.startswith(f"the key {place!r} is missing")
    assert is_missing or any(f"{found}.".startswith(f"{place}.") for found in places), error


@pytest.mark.parametrize("body", ["", "[]", "null", "7", '"approved"', "{", '{"client": NaN}'])
@pytest.mark.parametrize("route", [REVIEW, UNDO, REDO, CALIBRATE, "brands", MODEL])
def test_what_is_no_object_is_told(http, route, body):
    told(http.post(route, content=body, headers={"Content-Type": "application/json"}))


@pytest.mark.parametrize(
    ("method", "route", "status", "said"),
    [
        ("POST", "campaigns/nothing/reviews", 404, "no campaign nothing"),
        ("POST", "campaigns/nothing/redo", 404, "no campaign nothing"),
        ("GET", "campaigns/nothing/reviews", 404, "no campaign nothing"),
        ("GET", "campaigns/nothing/reviews/waiting", 404, "no campaign nothing"),
        ("GET", "campaigns/nothing/steps", 404, "no campaign nothing"),
        ("GET", "campaigns/nothing/drift", 404, "no campaign nothing"),
        ("GET", "campaigns/spring/reviews/waiting?limit=0", 422, "limit"),
        ("GET", "campaigns/spring/reviews/waiting?limit=many", 422, "limit"),
        (
            "GET",
            "campaigns/spring/steps?where=hue%3Dred",
            400,
            "has a 'hue': there are none.",
        ),
        ("GET", "campaigns/spring/steps", 400, "no steps to show"),
        ("GET", "brands/nobody", 404, "nobody"),
        ("GET", "brands/acme?version=0", 422, "version"),
        ("GET", "models/abc", 422, "digest"),
    ],
)
def test_what_is_not_there_is_said(http, method, route, status, said):
    body = {"json": CHANGE if route.endswith("redo") else APPROVE} if method == "POST" else {}
    error, _ = told(http.request(method, route, **body), status)
    assert said in error


def test_what_was_refused_has_changed_nothing(http):
    overview = http.get(REVIEW).json()
    assert (overview["decisions"], overview["undecided"], overview["total"]) == ([], 18, 18)
    assert http.get("brands").json() == []
    assert http.get(MODEL).json()["grip"] is None


def test_a_request_that_is_sent_again_gets_the_same_answer(http):
    body = {**ENTRY, "client": "again", "verdict": "rejected"}
    body["where"] = ["color=red"]
    first = http.post(REDO, json={**CHANGE, "client": "redoer"})
    assert first.json()["redone"] == [18]
    assert http.post(REDO, json={**CHANGE, "client": "redoer"}).json() == first.json()
    assert http.get(REVIEW).json()["total"] == 19
    dry = {**body, "dry_run": True}
    assert http.post(REVIEW, json=dry).json() == http.post(REVIEW, json=dry).json()


def test_a_cancelled_campaign_is_neither_decided_about_nor_redone(url, http):
    with Client(url) as client:
        client.submit(campaign(name="gone", proof={"steps": 4}))
        client.cancel("gone")
        assert client.approve("gone", [0]).changed == 0
        (why,) = client.redo("gone", [0], seed=3).why
        assert why == "The campaign gone was cancelled: nothing more of it is painted."
        assert client.reviews("gone").decisions == []
