"""Attacks on who may do what: cases 6, 7, 8, 10, 11 and 24 of the holes that other projects had.
Each test is named by its case.
"""

import anyio
import httpx
import pytest

from farm.api.cookies import is_open
from farm.api.known_only import OPEN
from farm.app import embedded_farm, open_app, serve
from farm.config import read_settings
from farm.service.secrets import new_secret
from storage.database import closing_engine
from storage.errors import RequestError
from storage.projects import Projects
from storage.tokens import Tokens
from tests.farm import access_walk
from tests.routes import routes_of

OWN_HOST = (b"origin", b"http://127.0.0.1:8600")
FOREIGN = (b"origin", b"https://evil.example")
ADMIN = "the-token-of-the-first-admin"


@pytest.fixture
def settings(tmp_path):
    return read_settings(home=tmp_path / "home")


@pytest.fixture
def closed(settings):
    return settings.model_copy(update={"token": read_settings(token=ADMIN).token})


@pytest.fixture
def app(settings):
    with open_app(settings) as app:
        yield app


def token_of(settings, person, **roles):
    secret = new_secret()
    with closing_engine(settings.database_address) as engine:
        Tokens(engine).create(
            token_id=secret.id, person=person, digest=secret.digest, expires_in_s=None
        )
        for project, role in roles.items():
            Projects(engine).give({person: role}, project=project)
    return secret


# --- 6: every method of every route, in every role, with and without Origin ---


@pytest.mark.parametrize("origin", [(), (OWN_HOST,)], ids=["without Origin", "own Origin"])
def test_case_6_every_route_lets_in_whom_the_committed_table_says(app, settings, origin):
    found = anyio.run(access_walk.walk, app, access_walk.people(settings), origin)
    assert access_walk.table_text(found) == access_walk.TABLE.read_text(), (
        "run `python -m tests.farm.access_walk` if that is meant"
    )


def test_case_6_a_page_of_another_site_changes_nothing_in_any_role(app, settings):
    secrets = access_walk.people(settings)

    async def ask_all():
        for path, route in routes_of(app):
            for subject in ("nobody", "own:operator", "*:admin"):
                for method in route.methods - {"GET"}:
                    status, body = await access_walk.ask(
                        app, method, access_walk.filled(path), secret=secrets.get(subject),
                        headers=[FOREIGN],
                        **access_walk.question(route),
                    )  # fmt: skip
                    assert status == 403, (method, path, subject)
                    assert b"other-site" in body

    anyio.run(ask_all)


def test_case_6_a_method_that_no_route_has_is_refused_to_all(app, settings):
    secrets = access_walk.people(settings)

    async def ask_all():
        taken = {}
        for path, route in routes_of(app):
            taken.setdefault(path, set()).update(route.methods)
        for path, methods in taken.items():
            whole = access_walk.filled(path)
            for method in {"PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE"} - methods:
                for subject, secret in (("nobody", None), ("admin", secrets["*:admin"])):
                    status, _ = await access_walk.ask(app, method, whole, secret=secret)
                    is_for_all = path in OPEN or is_open(path)
                    expected = 405 if secret is not None or is_for_all else 401
                    assert status == expected, (method, whole, subject)

    anyio.run(ask_all)


# --- 7: DNS rebinding ---


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example:8600", "0.0.0.0:8600", "localhost.", "[::2]"]
)
def test_case_7_a_farm_that_is_open_to_its_machine_answers_to_no_name_of_others(settings, host):
    with open_app(settings) as app, serve(app, 0) as url:
        for path in ("/api/v1/campaigns", "/api/v1/health", "/metrics", "/api/docs"):
            assert httpx.get(url + path, headers={"Host": host}).status_code == 400
            assert httpx.get(url + path).status_code == 200
        mira = token_of(settings, "mira", acme="viewer")  # whoever shows one may use any name
        headers = {"Host": host, "Authorization": f"Bearer {mira.text}"}
        assert httpx.get(f"{url}/api/v1/whoami", headers=headers).status_code == 200


# --- 8: orders that a form of another site can send ---


ELSEWHERE = (
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
)


@pytest.mark.parametrize(
    "kind",
    ["application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/plain", ""],
)
def test_case_8_a_form_of_another_site_is_refused_whatever_its_content_type(settings, kind):
    with open_app(settings) as app, serve(app, 0) as url:
        for origin in ELSEWHERE:
            headers = {**origin, **({"Content-Type": kind} if kind else {})}
            answer = httpx.post(f"{url}/api/v1/scaling", content=b'{"floor": 9}', headers=headers)
            assert (answer.status_code, answer.json()["code"]) == (403, "other-site")
        assert httpx.get(f"{url}/api/v1/scaling").json()["floor"] != 9


# --- 10: whoever lost a role, or the token, goes on in no way ---


def test_case_10_a_demotion_counts_for_every_token_of_a_person_at_once(settings):
    with open_app(settings) as app, serve(app, 0) as url:
        one, two = (token_of(settings, "mira", acme="operator") for _ in range(2))
        body = {"project": "acme", "dry_run": True, "older_than_s": 1}

        def prune(secret):
            headers = {"Authorization": f"Bearer {secret.text}"}
            return httpx.post(f"{url}/api/v1/prune", json=body, headers=headers).status_code

        assert [prune(one), prune(two)] == [200, 200]
        token_of(settings, "mira", acme="viewer")
        assert [prune(one), prune(two)] == [403, 403]


def test_case_10_an_answer_that_was_kept_for_an_order_is_not_given_after_a_demotion(settings):
    with open_app(settings) as app, serve(app, 0) as url:
        mira = token_of(settings, "mira", acme="operator")
        headers = {"Authorization": f"Bearer {mira.text}", "Idempotency-Key": "again"}
        body = {"project": "acme", "dry_run": True, "older_than_s": 1}
        ask = lambda: httpx.post(f"{url}/api/v1/prune", json=body, headers=headers)  # noqa: E731
        assert ask().status_code == ask().status_code == 200
        token_of(settings, "mira", acme="viewer")
        assert ask().status_code == 403


def test_case_10_nobody_makes_their_own_token_last_longer(settings):
    with open_app(settings) as app, serve(app, 0) as url:
        secret = new_secret()
        with closing_engine(settings.database_address) as engine:
            Tokens(engine).create(
                token_id=secret.id, person="mira", digest=secret.digest, expires_in_s=3600
            )
        headers = {"Authorization": f"Bearer {secret.text}"}
        path = f"{url}/api/v1/tokens/{secret.id}/rotate"
        made = httpx.post(path, json={"expires_in_s": 1e9}, headers=headers).json()
        assert made["expires_at"] - made["created_at"] <= 3600
        assert httpx.post(path, json={}, headers=headers).status_code == 401  # the old one ended


# --- 11: a first start that anybody may use ---


def test_case_11_there_is_no_password_at_the_first_start_and_no_way_to_serve_strangers_without(
    settings, closed
):
    with (
        pytest.raises(RequestError, match="set FARM_TOKEN"),
        embedded_farm(settings, port=0, host="0.0.0.0"),
    ):
        pass
    with pytest.raises(RequestError, match="FARM_TOKEN"):
        read_settings(token="admin")  # too short to be one that nobody guesses
    with open_app(closed, "0.0.0.0") as app, serve(app, 0) as url:
        for guess in ("admin", "password", "seedbed", "FARM_TOKEN", "None", "null", "*"):
            headers = {"Authorization": f"Bearer {guess}"}
            assert httpx.get(f"{url}/api/v1/whoami", headers=headers).status_code == 401


# --- 24: headers that anybody can write ---


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Forwarded-For": "127.0.0.1"}, {"Forwarded": "for=127.0.0.1;host=127.0.0.1"},
        {"X-Real-IP": "127.0.0.1"}, {"X-Forwarded-Host": "127.0.0.1"}, {"X-Remote-User": "root"},
        {"X-Forwarded-User": "admin"}, {"X-Original-URL": "/api/v1/health"},
        {"Cookie": f"token={ADMIN}; session=1"}, {"X-HTTP-Method-Override": "GET"},
    ],
)  # fmt: skip
def test_case_24_no_header_but_authorization_says_who_asks(closed, headers):
    with open_app(closed, "0.0.0.0") as app, serve(app, 0) as url:
        for path in ("/api/v1/campaigns", "/api/v1/whoami", "/metrics"):
            assert httpx.get(url + path, headers=headers).status_code == 401


def test_case_24_the_address_that_is_noted_is_the_one_of_the_connection(settings):
    with open_app(settings) as app, serve(app, 0) as url:
        mira = token_of(settings, "mira", acme="viewer")
        headers = {"Authorization": f"Bearer {mira.text}", "X-Forwarded-For": "203.0.113.9"}
        assert httpx.get(f"{url}/api/v1/whoami", headers=headers).status_code == 200
    with closing_engine(settings.database_address) as engine:  # written when the farm has ended
        assert Tokens(engine).get(mira.id).last_used_from == "127.0.0.1"
