"""Tokens as those meet them who show them: over HTTP, against the roles that the database has at
that moment.
"""

import threading
from contextlib import contextmanager

import httpx
import pytest
from sqlalchemy import text

from farm.api.needs import Admitted, Need, declared_need
from farm.api.open_answers import OpenAnswers
from farm.app import open_app, serve
from farm.config import read_settings
from farm.service.access import Access, Deed, Role
from farm.service.guesses import WRONG_TOKENS
from farm.service.identity import Identities
from farm.service.secrets import new_secret
from storage.errors import TooManyRequests, Unauthenticated
from storage.projects import Projects
from storage.tokens import Tokens
from tests.routes import routes_of

ADMIN = "the-token-of-the-first-admin"


@pytest.fixture
def settings(tmp_path, database_url):
    return read_settings(home=tmp_path / "home", database_url=database_url)


@pytest.fixture
def tokens(engine):
    return Tokens(engine)


@pytest.fixture
def give(engine, tokens):
    """Makes a token, and gives its holder roles."""

    def give(person, *, expires_in_s=None, **roles):
        secret = new_secret()
        tokens.create(
            token_id=secret.id, person=person, digest=secret.digest, expires_in_s=expires_in_s
        )
        for project, role in roles.items():
            set_role(engine, person, project, role)
        return secret

    return give


def set_role(engine, person, project, role):
    Projects(engine).give({person: role}, project="*" if project == "everywhere" else project)


@contextmanager
def asking(settings, host="127.0.0.1"):
    with open_app(settings, host) as app, serve(app, 0) as url, httpx.Client(base_url=url) as http:
        yield lambda secret, path="/api/v1/campaigns", method="GET", **how: http.request(
            method, path, headers=shown(secret), **how
        )


def shown(secret):
    if secret is None:
        return {}
    return {"Authorization": f"Bearer {getattr(secret, 'text', secret)}"}


def test_without_tokens_whoever_is_on_the_machine_is_an_admin_until_one_is_made(settings, give):
    with asking(settings) as ask:
        assert ask(None).status_code == ask(None, "/api/v1/workers").status_code == 200
        give("mira", acme="viewer")
        assert ask(None).status_code == 401
        assert ask(None, "/api/v1/health").status_code == 200
        assert "asks for a token" in ask(None).json()["detail"]


def test_revoking_the_last_token_does_not_open_the_farm(settings, give, tokens):
    secret = give("mira", everywhere="admin")
    with asking(settings) as ask:
        tokens.revoke(secret.id)
        assert ask(None).status_code == ask(secret).status_code == 401


def test_a_farm_that_others_reach_is_never_open(settings):
    with asking(settings, "0.0.0.0") as ask:
        assert ask(None).status_code == 401


def test_the_first_admin_shows_farm_token(settings, give):
    closed = settings.model_copy(update={"token": read_settings(token=ADMIN).token})
    with asking(closed) as ask:
        assert ask(None).status_code == 401
        assert ask(ADMIN, "/api/v1/workers").status_code == 200
        mira = give("mira", acme="viewer")
        assert ask(mira).status_code == ask(ADMIN).status_code == 200
        assert ask(mira, "/api/v1/workers").status_code == 403


def test_a_demotion_and_a_revocation_count_from_the_next_request_on(
    settings, engine, give, tokens
):
    mira, path = give("mira", acme="operator"), "/api/v1/prune"
    body = {"project": "acme", "dry_run": True, "older_than_s": 1}
    with asking(settings) as ask:
        assert ask(mira, path, "POST", json=body).status_code == 200
        set_role(engine, "mira", "acme", "viewer")
        answer = ask(mira, path, "POST", json=body)
        assert (answer.status_code, answer.json()["code"]) == (403, "not-allowed")
        set_role(engine, "mira", "acme", None)
        assert ask(mira, path, "POST", json=body).status_code == 404
        tokens.revoke(mira.id)
        answer = ask(mira)
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")
        assert f"{mira.id} was revoked" in answer.json()["detail"]


def test_a_token_ends_when_it_expires(settings, give):
    with asking(settings) as ask:
        answer = ask(give("mira", acme="viewer", expires_in_s=-1))
        assert answer.status_code == 401
        assert "expired on" in answer.json()["detail"]
        assert ask(give("tom", acme="viewer", expires_in_s=3600)).status_code == 200


def test_of_a_wrong_secret_nothing_is_told(settings, give, tokens):
    mira = give("mira", acme="viewer")
    forged = new_secret().text
    forged = forged.replace(forged[8:18], mira.id)
    tokens.revoke(mira.id)
    with asking(settings) as ask:
        told = {
            ask(wrong).json()["detail"]
            for wrong in (forged, new_secret(), "x", mira.text[:-1], mira.digest)
        }
        assert len(told) == 1
        assert "does not know that token" in told.pop()


def test_secrets_are_kept_as_digests_alone(engine, give):
    from sqlalchemy import text

    secret = give("mira", acme="viewer")
    with engine.connect() as connection:
        rows = str(connection.execute(text("SELECT * FROM tokens")).all())
    assert secret.digest in rows
    assert secret.text not in rows
    assert secret.text.split("_", 2)[2] not in rows


def test_the_last_use_is_noted_once_a_minute(tokens, give):
    secret = give("mira", acme="viewer")
    with Identities(tokens, admins={}, is_open=False) as identities:
        identities.of(secret.text, address="10.0.0.7")
        identities.flush()
        first = tokens.get(secret.id)
        assert first.created_at <= first.last_used_at <= first.now
        assert first.last_used_from == "10.0.0.7"
        identities.of(secret.text, address="10.0.0.8")
        identities.flush()
        tokens.note_use(secret.id, "10.0.0.9")  # another server, which has not noted it
        assert tokens.get(secret.id).last_used_from == "10.0.0.7"


def test_whoever_guesses_is_not_looked_at_any_more_and_others_go_on(tokens, give):
    mira, bob, tom = (give(name, acme="viewer") for name in ("mira", "bob", "tom"))
    here, there = "10.0.0.7", "10.0.0.8"
    with Identities(tokens, admins={"boss": "b" * 20}, is_open=False) as identities:
        assert identities.of(mira.text, address=here).person == "mira"
        for _ in range(WRONG_TOKENS.amount):
            with pytest.raises(Unauthenticated):
                identities.of(f"{mira.text}x", address=here)
        with pytest.raises(TooManyRequests, match="20 wrong tokens") as error:
            identities.of(bob.text, address=here)
        assert error.value.retry_after_s == 60
        # Whoever was right before, asks from elsewhere or has the farm's own is not kept out.
        for secret, address in ((mira.text, here), (tom.text, there), ("b" * 20, here)):
            assert identities.of(secret, address=address)
        tokens.revoke(mira.id)
        with pytest.raises(Unauthenticated):
            identities.of(mira.text, address=here)
        with pytest.raises(TooManyRequests):
            identities.of(mira.text, address=here)
        with pytest.raises(Unauthenticated):  # no token is no guess
            identities.of(None, address=here)


def test_wrong_tokens_are_answered_with_when_to_ask_again(settings, give):
    bob = give("bob", acme="viewer")
    with asking(settings) as ask:
        statuses = [ask(new_secret()).status_code for _ in range(WRONG_TOKENS.amount + 1)]
        assert set(statuses[:-1]) == {401}
        refused = ask(bob)
    assert (statuses[-1], refused.status_code) == (429, 429)
    assert (refused.headers["retry-after"], refused.json()["code"]) == ("60", "too-many-requests")


def test_projects_of_others_are_as_if_they_were_not_there(settings, give):
    mira = give("mira", acme="operator")
    give("tom", zen="operator")
    with asking(settings) as ask:
        for path in ("/api/v1/campaigns", "/api/v1/campaigns/x", "/api/v1/brands"):
            other = ask(mira, f"{path}?project=zen")
            missing = ask(mira, f"{path}?project=nil")
            assert (other.status_code, missing.status_code) == (404, 404)
            assert other.text.replace("zen", "nil") == missing.text


def test_every_route_says_what_it_needs(settings):
    with open_app(settings) as app:
        routes = routes_of(app)
        undeclared = [path for path, route in routes if declared_need(route.endpoint) is None]
        others = [path for path, route in routes if not hasattr(route, "need")]
        assert (undeclared, others) == ([], [])


# --- answers under way ---


class Holders:
    """What holders of tokens may do, as a test says; wakes whoever waits for the next look."""

    def __init__(self):
        self.now, self.looks = {}, 0

    def __call__(self, ids):
        self.looks += 1
        return {name: self.now[name] for name in ids if name in self.now}


def viewer(project="acme", role=Role.VIEWER):
    return Access(person="mira", token="t", roles={project: role})


def stream_until_broken(holders, need, projects, then):
    """How many messages an endless answer sends before it is broken off, once `then` was done."""
    import anyio

    sent = []

    async def endless(scope, receive, send):
        access = holders.now["t"]
        scope["state"]["admitted"] = Admitted(
            need=need, projects=projects, across=access.projects(need.deed)
        )
        await send({"type": "http.response.start"})
        while True:
            await send({"type": "http.response.body", "more_body": True})
            await anyio.sleep(0.001)

    async def send(message):
        sent.append(message)
        if len(sent) == 5:
            then(holders)

    async def main():
        answers = OpenAnswers(holders, look_s=0.001)
        with anyio.fail_after(60):
            await answers.answer(endless, "t", {"state": {}}, None, send)

    anyio.run(main)
    return sent


LOOK = Need(deed=Deed.LOOK)
ACROSS = Need(deed=Deed.LOOK, across=True)


@pytest.mark.parametrize(
    ("need", "projects", "then"),
    [
        (LOOK, ("acme",), lambda holders: holders.now.clear()),
        (LOOK, ("acme",), lambda holders: holders.now.update(t=viewer("zen"))),
        (ACROSS, (), lambda holders: holders.now.update(t=viewer("zen"))),
        (Need(deed=Deed.KNOW), (), lambda holders: holders.now.clear()),
    ],
)
def test_an_answer_under_way_is_broken_off_once_the_right_to_it_is_lost(need, projects, then):
    holders = Holders()
    holders.now["t"] = viewer()
    sent = stream_until_broken(holders, need, projects, then)
    assert len(sent) >= 5
    assert holders.looks >= 1


STREAM = "/api/v1/campaigns/spring/files?project=acme"


@pytest.fixture
def endless(monkeypatch):
    """The lines of a list that does not end, over HTTP: the fourth has something done, and the
    stream must break off.
    """
    go_on = threading.Event()

    def lines(*_):
        while True:
            yield b'{"n": 1}\n'
            go_on.wait(0.01)

    monkeypatch.setattr("farm.service.reading.Reading.files", lines)
    monkeypatch.setattr("farm.api.open_answers.LOOK_S", 0.01)

    def read(http, then):
        with http.stream("GET", STREAM, timeout=60) as answer:
            for count, _ in enumerate(answer.iter_lines()):
                if count == 3:
                    then()

    def broken_off(http, then):
        with pytest.raises(httpx.RemoteProtocolError):
            read(http, then)
        assert http.get(STREAM).status_code == 401

    return broken_off


def test_a_stream_is_cut_for_whoever_reads_it(settings, give, tokens, endless):
    mira = give("mira", acme="viewer")
    with (
        open_app(settings) as app,
        serve(app, 0) as url,
        httpx.Client(base_url=url, headers=shown(mira)) as http,
    ):
        endless(http, lambda: tokens.revoke(mira.id))


def test_a_stream_ends_with_the_login_that_asked_for_it(settings, engine, give, tokens, endless):
    """However that ends: by the person, by time, or with the token."""
    mira = give("mira", acme="viewer")

    def expire():
        with engine.begin() as connection:
            connection.execute(text("UPDATE logins SET expires_at = 1"))

    with open_app(settings) as app, serve(app, 0) as url:
        for end in ("logout", "expired", "revoked"):
            with httpx.Client(base_url=url) as http, httpx.Client(base_url=url) as same:
                http.post("/login", data={"token": mira.text})
                same.cookies = http.cookies
                ways = {
                    "logout": lambda one=same: one.post("/logout"),
                    "expired": expire,
                    "revoked": lambda: tokens.revoke(mira.id),
                }
                endless(http, ways[end])
