"""Logging in with a token: who gets in, for how long, and how that ends."""

import httpx
import pytest
from fastapi import Request
from sqlalchemy import text

from farm.api.cookies import is_open, wants_page
from farm.config import read_settings
from farm.service.identity import Identities
from farm.service.links import LinkService
from farm.service.logins import LoginService
from farm.service.secrets import digest_of, new_secret
from farm.web.login import own_path
from storage.campaigns import Campaigns
from storage.database import closing_engine, prepare
from storage.errors import Unauthenticated
from storage.links import Links
from storage.logins import LASTS_S, Logins
from storage.tokens import Tokens
from tests.web.conftest import served
from tests.web.looking import Held

TOKEN = "a-token-of-enough-characters"


@pytest.fixture
def settings(tmp_path):
    return read_settings(home=tmp_path / "home", token=TOKEN)


def log_in(http, token=TOKEN, to="/"):
    return http.post("/login", data={"token": token, "to": to})


def test_a_stranger_is_sent_to_log_in_and_then_where_they_wanted_to_go(http):
    sent = http.get("/?state=done")
    assert sent.status_code == 303
    assert sent.headers["location"] == "/login?to=%2F%3Fstate%3Ddone"
    page = http.get(sent.headers["location"])
    assert 'value="/?state=done"' in page.text
    answer = log_in(http, to="/?state=done")
    assert answer.headers["location"] == "/?state=done"
    assert http.get("/?state=done").status_code == 200


def test_programs_are_told_and_not_sent_to_a_page(http):
    assert http.get("/api/v1/campaigns").status_code == 401
    assert http.get("/metrics").status_code == 401
    assert http.post("/logout").status_code == 401


def test_the_cookie_opens_the_api_too_and_scripts_cannot_read_it(http):
    cookie = log_in(http).headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert "Secure" not in cookie  # this farm is reached over http
    assert TOKEN not in cookie
    assert http.get("/api/v1/campaigns").status_code == 200
    foreign = {"Origin": "https://evil.example"}
    for path in ("/api/v1/campaigns/x/pause", "/logout"):
        assert http.post(path, headers=foreign).status_code == 403
    assert http.get("/api/v1/campaigns").status_code == 200


def test_a_wrong_token_lets_nobody_in(http):
    answer = log_in(http, "another-token-of-enough-characters")
    assert answer.status_code == 401
    assert "set-cookie" not in answer.headers
    assert "does not know this token" in answer.text
    for cookie in ("", "x", "x" * 5_000):
        guess = http.get("/api/v1/campaigns", headers={"Cookie": f"farm_login={cookie}"})
        assert guess.status_code == 401


def test_logging_out_ends_the_login_for_every_copy_of_the_cookie(http, url):
    log_in(http)
    copy = {"Cookie": f"farm_login={http.cookies['farm_login']}"}
    assert httpx.get(f"{url}/", headers=copy).status_code == 200
    assert "Log out" in httpx.get(f"{url}/", headers=copy).text
    http.post("/logout")
    assert httpx.get(f"{url}/", headers=copy).status_code == 303


def test_a_wrong_token_beside_a_good_cookie_counts(http):
    log_in(http)
    assert http.get("/api/v1/campaigns", headers={"Authorization": "Bearer no"}).status_code == 401


def test_logins_end_when_another_token_is_set(tmp_path):
    home = tmp_path / "home"
    with served(read_settings(home=home, token=TOKEN)) as url, httpx.Client() as http:
        http.post(f"{url}/login", data={"token": TOKEN})
        cookie = {"Cookie": f"farm_login={http.cookies['farm_login']}"}
        assert httpx.get(f"{url}/", headers=cookie).status_code == 200
    with served(read_settings(home=home, token="quite-another-token")) as url:
        assert httpx.get(f"{url}/", headers=cookie).status_code == 303


def test_a_form_leads_to_no_other_place():
    for path in ("/", "/campaigns/default/spring?i=4#x", "/login"):
        assert own_path(path) == path
    for elsewhere in (
        "//evil.example",
        "https://evil.example",
        "/\\evil.example",
        "/a\\b",
        "javascript:alert(1)",
        "/\nset-cookie: a=b",
        "",
        "evil",
    ):
        assert own_path(elsewhere) == "/"


@pytest.fixture
def database(tmp_path):
    with closing_engine(f"sqlite:///{tmp_path}/logins.db") as engine:
        prepare(engine)
        yield engine


@pytest.fixture
def service(database):
    with Identities(Tokens(database), admins={"FARM_TOKEN": TOKEN}, is_open=False) as identities:
        links = LinkService(Links(database), Campaigns(database))
        yield LoginService(identities, Logins(database), links)


def test_nothing_that_is_kept_lets_anybody_in(database, service):
    secret, lasts = service.begin(TOKEN, None)
    assert lasts == LASTS_S
    with database.begin() as connection:
        row = connection.execute(text("SELECT secret, token, digest FROM logins")).one()
    assert service.of(secret).is_admin
    for kept in row:
        assert kept not in (secret, TOKEN)
        with pytest.raises(Unauthenticated):
            service.of(kept)


def test_a_login_has_the_roles_of_its_token_as_they_are_and_ends_with_it(database, service):
    tokens, made = Tokens(database), new_secret()
    tokens.create(
        token_id=made.id, person="ann", digest=digest_of(made.text), expires_in_s=None,
        project="p", role="viewer",
    )  # fmt: skip
    secret, _ = service.begin(made.text, "10.0.0.1")
    access = service.of(secret)
    assert (access.person, access.token, dict(access.roles)) == ("ann", made.id, {"p": "viewer"})
    tokens.revoke(made.id)
    with pytest.raises(Unauthenticated):
        service.of(secret)
    with pytest.raises(Unauthenticated):
        service.begin(made.text, None)


def test_logins_expire_and_are_removed_when_another_begins(database, service):
    secret, _ = service.begin(TOKEN, None)
    with database.begin() as connection:
        connection.execute(text("UPDATE logins SET expires_at = 0"))
    with pytest.raises(Unauthenticated, match="ended"):
        service.of(secret)
    service.begin(TOKEN, None)
    with database.begin() as connection:
        assert connection.execute(text("SELECT count(*) FROM logins")).scalar_one() == 1


def test_a_person_logs_in_and_out_in_a_browser(look):
    page = look.open("/?state=done")
    page.get_by_label("Token").fill("wrong")
    page.get_by_role("button", name="Log in").click()
    page.get_by_role("alert").wait_for()
    page.get_by_label("Token").fill(TOKEN)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url("**/?state=done")
    page.get_by_role("button", name="Log out").click()
    page.wait_for_url("**/login")
    page.go_back()
    page.get_by_label("Token").wait_for()
    look.pass_over("status of 401")


_LOOKS_WHILE_IT_IS_LEFT = """() => {
    const ask = window.fetch;
    window.fetch = async (...asked) => {
        const answer = await ask(...asked);
        setTimeout(() => ask("/healthz?seen"));
        return answer;
    };
    addEventListener("submit", () => document.dispatchEvent(new Event("visibilitychange")));
}"""


def test_a_page_that_finds_its_login_ended_does_not_call_off_logging_out(look, url):
    page = look.open("/login")
    page.get_by_label("Token").fill(TOKEN)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url(f"{url}/")
    page.evaluate(_LOOKS_WHILE_IT_IS_LEFT)
    page.context.clear_cookies()
    held = Held(page, "**/logout")
    with page.expect_request("**/healthz?seen"):
        page.get_by_role("button", name="Log out").click(no_wait_after=True)
    [request] = held.take()
    request.fulfill(status=303, headers={"location": "/login"})
    page.wait_for_url("**/login")
    look.pass_over("status of 401")


def asked(path, method="GET"):
    scope = {"type": "http", "method": method, "path": path, "query_string": b"", "headers": []}
    return Request({**scope, "scheme": "http", "server": ("127.0.0.1", 80), "root_path": ""})


def test_people_are_led_to_log_in_and_programs_are_not():
    assert wants_page(asked("/"))
    assert wants_page(asked("/campaigns/default/spring", "HEAD"))
    assert not wants_page(asked("/", "POST"))
    assert not wants_page(asked("/api/v1/campaigns"))
    assert not wants_page(asked("/metrics"))
    assert is_open("/login")
    assert is_open("/static/0123/base.css")
    assert not is_open("/logout")
    assert not is_open("/login/../api/v1/campaigns")
