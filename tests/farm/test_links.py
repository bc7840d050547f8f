"""Links for people outside: what they open, what they do not, and when that ends."""

import time

import anyio
import httpx
import pytest
from sqlalchemy import text

from farm.api.cookies import COOKIE
from farm.app import open_app, serve
from farm.client.client import Client
from farm.config import read_settings
from farm.service.links import LONGEST_S, USUAL_S, end_of
from farm.service.passphrases import fits, kept
from storage.database import closing_engine
from storage.errors import NotAllowed, NotFound, RequestError
from storage.links import MOST_TRIES, WAIT_S
from tests.campaigns import campaign
from tests.farm import access_walk
from tests.farm.access_walk import OWN
from tests.routes import routes_of
from tests.web.painted import PROOFED, paint

ADMIN = "the-token-of-the-first-admin"
WORDS = "four quiet grey herons"
AT = "/api/v1/campaigns/spring"
PAGE = f"/campaigns/{OWN}/spring"
DECISION = {"client": "page", "sequence": 0, "verdict": "approved", "numbers": [0]}
OPENED = {
    "GET /api/v1/campaigns/{name}/atlases/{atlas}",
    "GET /api/v1/campaigns/{name}/map",
    "GET /api/v1/campaigns/{name}/map/before",
    "GET /api/v1/campaigns/{name}/map/cells",
    "GET /api/v1/campaigns/{name}/map/counts",
    "GET /api/v1/campaigns/{name}/map/layout",
    "GET /api/v1/campaigns/{name}/map/matches",
    "GET /api/v1/campaigns/{name}/renders/{number}/details",
    "GET /api/v1/campaigns/{name}/renders/{number}/picture",
    "GET /api/v1/campaigns/{name}/renders/{number}/reference",
    "GET /api/v1/campaigns/{name}/renders/{number}/steps",
    "GET /api/v1/campaigns/{name}/renders/{number}/steps/{step}",
    "GET /api/v1/campaigns/{name}/reviews",
    "GET /campaigns/{project}/{name}",
    "GET /campaigns/{project}/{name}/renders/{number}",
    "GET /campaigns/{project}/{name}/review",
    "POST /logout",
}
"""All that a link opens whose holder may look."""
OPEN_TO_ALL = {
    "GET /api/v1/health", "GET /api/v1/ready", "GET /favicon.ico", "GET /login", "POST /login",
    "GET /share", "POST /share", "GET /static/{digest}/{name}",
}  # fmt: skip
DECIDING = {"POST /api/v1/campaigns/{name}/reviews", "POST /api/v1/campaigns/{name}/reviews/undo"}


@pytest.fixture
def settings(tmp_path):
    return read_settings(home=tmp_path / "home", token=ADMIN)


@pytest.fixture
def app(settings):
    with open_app(settings) as app:
        yield app


@pytest.fixture
def url(app):
    with serve(app, 0) as url:
        yield url


@pytest.fixture
def client(url):
    with Client(url, token=ADMIN, project=OWN) as client:
        client.submit(campaign())
        yield client


@pytest.fixture
def database(settings, client):
    with closing_engine(settings.database_address) as engine:
        yield engine


@pytest.fixture
def opened(url):
    """A browser that has opened a link, or tried to."""
    browsers = []

    def opened(link, passphrase=""):
        browser = httpx.Client(base_url=url)
        browsers.append(browser)
        form = {"link": url + link.path, "passphrase": passphrase}
        browser.answer = browser.post("/share", data=form)
        return browser

    yield opened
    for browser in browsers:
        browser.close()


def ask(browser, path, **query):
    return browser.get(path, params={"project": OWN, **query})


def decide(browser, path="reviews", **body):
    return browser.post(f"{AT}/{path}", params={"project": OWN}, json=body)


def walked(app, cookie, own=OWN, name="spring"):
    """The routes that let somebody in who has a cookie and asks for a campaign of a project."""
    found = set()

    async def walk():
        # the last one ends the login
        for path, route in sorted(routes_of(app), key=lambda pair: pair[0] == "/logout"):
            whole = access_walk.filled(path.replace("{project}", own).replace("{name}", name))
            asked = access_walk.question(route)
            asked["query"] = asked["query"].replace(OWN, own)
            if asked["body"]:
                asked["body"] = {"project": own}
            for method in route.methods:
                status, body = await access_walk.ask(
                    app, method, whole, headers=[(b"cookie", cookie)], **asked
                )
                if access_walk.verdict(status, body) == "in":
                    found.add(f"{method} {path}")

    anyio.run(walk)
    return found - OPEN_TO_ALL


@pytest.mark.parametrize("may_review", [False, True])
def test_a_link_opens_its_campaign_and_no_other_route_of_the_farm(app, client, opened, may_review):
    client.submit(campaign(name="autumn"))
    with client.of("other") as other:
        other.submit(campaign())
    link = client.share("spring", may_review=may_review)
    browser = opened(link)
    assert browser.answer.headers["location"] == PAGE
    cookie = f"{COOKIE}={browser.cookies[COOKIE]}".encode()
    assert walked(app, cookie) == OPENED | (DECIDING if may_review else set())


def test_a_link_opens_no_other_campaign_whether_it_is_there_or_not(app, client, opened):
    client.submit(campaign(name="autumn"))
    with client.of("other") as other:
        other.submit(campaign())
    browser = opened(client.share("spring", may_review=True))
    words = set()
    for own, name in ((OWN, "autumn"), ("other", "spring"), (OWN, "none")):
        for page in (f"/campaigns/{own}/{name}", f"/campaigns/{own}/{name}/review"):
            answer = browser.get(page)
            assert answer.status_code == 403
            words.add(answer.text.partition("<h1>")[2])
        answer = browser.get(f"/api/v1/campaigns/{name}/map", params={"project": own})
        assert answer.status_code == 403
    assert len(words) == 1
    cookie = f"{COOKIE}={browser.cookies[COOKIE]}".encode()
    assert walked(app, cookie, "other", "autumn") == {"POST /logout"}


def test_a_link_opens_nothing_of_the_farm_itself_and_of_no_other_project(client, opened):
    with client.of("other") as other:
        other.submit(campaign())
    browser = opened(client.share("spring"))
    for path in ("/", "/new", "/metrics", "/api/docs", "/api/openapi.json"):
        assert browser.get(path).status_code == 403
    assert ask(browser, f"{AT}/map").status_code == 200
    for project in ({"project": "other"}, {}, {"project": [OWN, "other"]}):
        assert browser.get(f"{AT}/map", params=project).status_code in (403, 422)


def test_a_guess_opens_nothing(client, url):
    secret = client.share("spring").path.partition("#")[2]
    for guess in (secret[:-1], secret[:30], "", f"{secret[:-2]}xx", ADMIN):
        answer = httpx.post(f"{url}/share", data={"link": guess})
        assert answer.status_code == 401
        assert COOKIE not in answer.cookies


def test_a_link_is_no_token_and_a_token_no_link(client, url):
    secret = client.share("spring").path.partition("#")[2]
    shown = {"Authorization": f"Bearer {secret}"}
    assert httpx.get(f"{url}{AT}/map", params={"project": OWN}, headers=shown).status_code == 401
    token = client.create_token("mira", role="viewer").secret
    assert httpx.post(f"{url}/share", data={"link": token}).status_code == 401


def test_a_link_that_is_revoked_or_over_ends_what_it_has_opened(client, opened, database):
    first, second = client.share("spring", name="anna"), client.share("spring", name="ben")
    browsers = [opened(first), opened(second)]
    assert [ask(one, f"{AT}/map").status_code for one in browsers] == [200, 200]
    client.revoke_link(first.id)
    with database.begin() as connection:
        ended = text("UPDATE links SET expires_at = 1 WHERE id = :id")
        connection.execute(ended, {"id": second.id})
    assert [ask(one, f"{AT}/map").status_code for one in browsers] == [401, 401]
    assert [one.get(PAGE).status_code for one in browsers] == [303, 303]
    assert "taken back" in opened(first).answer.text
    assert "ended on 1970-01-01" in opened(second).answer.text
    assert [link.state for link in client.links("spring")] == ["revoked", "expired"]


def test_a_link_ends_with_its_campaign(client, opened):
    link = client.share("spring")
    browser = opened(link)
    client.cancel("spring")
    client.prune(names=["spring"])
    client.submit(campaign(prompt="the secret {color} {product}"))
    assert ask(browser, f"{AT}/map").status_code == 401
    assert "taken back" in opened(link).answer.text


def test_of_secrets_nothing_is_kept_that_opens_anything(client, database):
    link = client.share("spring", passphrase=WORDS)
    secret = link.path.partition("#")[2]
    random = secret.split("_", 2)[2]
    with database.connect() as connection:
        row = connection.execute(text("SELECT * FROM links")).one()
        events = connection.execute(text("SELECT * FROM events")).all()
    for value in (*row, *(part for event in events for part in event)):
        assert secret not in str(value)
        assert random not in str(value)
        assert WORDS not in str(value)
    assert row.passphrase.startswith("scrypt$16384$8$5$")
    assert fits(WORDS, row.passphrase)
    assert not fits(WORDS + " ", row.passphrase)
    assert kept(WORDS) != kept(WORDS)
    assert not hasattr(client.links()[0], "path")


def test_a_passphrase_is_asked_for_and_may_be_tried_ten_times_an_hour(client, opened, database):
    link = client.share("spring", passphrase=WORDS)
    first = opened(link)
    assert (first.answer.status_code, COOKIE in first.cookies) == (401, False)
    assert "Passphrase" in first.answer.text
    assert opened(link, WORDS).answer.status_code == 303
    with database.begin() as connection:
        connection.execute(
            text("UPDATE links SET tries = :tries, tried_at = :now"),
            {"tries": MOST_TRIES - 1, "now": time.time()},
        )
    assert "not the passphrase" in opened(link, "wrong herons").answer.text
    assert opened(link, WORDS).answer.status_code == 429
    with database.begin() as connection:
        connection.execute(
            text("UPDATE links SET tried_at = tried_at - :wait"), {"wait": WAIT_S + 60}
        )
    assert opened(link, WORDS).answer.status_code == 303


def test_decisions_through_a_link_carry_its_name_whatever_they_say(client, opened, settings):
    client.submit(campaign(name="summer", **PROOFED))
    paint(settings, "summer", proofs=True, project=OWN)
    browser = opened(client.share("summer", name="anna@client", may_review=True))
    at = "/api/v1/campaigns/summer/reviews"
    own = {"params": {"project": OWN}}
    answer = browser.post(at, json={**DECISION, "by": "the boss"}, **own)
    assert answer.json()["changed"] == 1
    (entry,) = [one for one in client.audit() if one.kind == "review.decided"]
    link = client.links("summer")[0]
    assert (entry.author, entry.token) == ("link:anna@client", link.id)
    assert client.reviews("summer").decisions[0].by == "link:anna@client"
    opening = [one for one in client.audit() if one.kind == "link.opened"]
    assert [one.author for one in opening] == ["link:anna@client"]


def test_a_link_has_nothing_painted_and_takes_nothing_of_others_back(client, opened, settings):
    paint(settings, project=OWN)
    browser = opened(client.share("spring", may_review=True))
    client.reject("spring", [1])
    theirs = client.reviews("spring").decisions[0].entry
    reroll = {**DECISION, "verdict": "rejected", "reroll": True}
    assert decide(browser, **reroll).status_code == 403
    assert decide(browser, "redo", numbers=[0], next_seed=True).status_code == 403
    for number, body in enumerate([{"entry": theirs}, {}], start=1):
        answer = decide(browser, "reviews/undo", client="page", sequence=number, **body)
        assert answer.status_code == 404
    mine = decide(browser, **DECISION).json()["entry"]
    answer = decide(browser, "reviews/undo", client="page", sequence=3, entry=mine)
    assert answer.json()["changed"] == 1


def test_a_link_that_shows_alone_decides_nothing(client, opened):
    browser = opened(client.share("spring"))
    assert decide(browser, **DECISION).status_code == 403
    assert browser.get(PAGE + "/review").text.count('data-may="no"') == 1


def test_links_are_made_by_reviewers_and_for_campaigns_that_are_there(client, url):
    for role in ("submitter", "reviewer"):
        token = client.create_token(role, role=role, project=OWN).secret
        with Client(url, token=token, project=OWN) as person:
            if role == "submitter":
                with pytest.raises(NotAllowed):
                    person.share("spring")
            else:
                assert person.share("spring").created_by == "reviewer"
    with pytest.raises(NotFound):
        client.share("none")
    link = client.links()[0]
    with client.of("other") as other, pytest.raises(NotFound):
        other.revoke_link(link.id)
    assert client.revoke_link(link.id).state == "revoked"
    kinds = [one.kind for one in client.audit() if one.kind.startswith("link.")]
    assert kinds == ["link.created", "link.revoked"]


def test_a_link_ends_between_now_and_a_year():
    assert end_of(None, 100.0) == 100.0 + USUAL_S
    assert end_of(101.0, 100.0) == 101.0
    for until in (100.0, 5.0, 101.0 + LONGEST_S):
        with pytest.raises(RequestError, match="choose"):
            end_of(until, 100.0)
