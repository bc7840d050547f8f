"""Logging in by an OpenID provider: who gets in, as whom, for how long, and who does not."""

import builtins
import subprocess
import sys
import time
from contextlib import contextmanager

import httpx
import pytest
from joserfc.jwk import RSAKey
from sqlalchemy import text

from farm.config import read_settings
from farm.service.logins import PROVIDED_S
from farm.web.provider import Provider, person_in
from storage.database import closing_engine
from storage.errors import RequestError, Unauthenticated
from storage.projects import Projects
from tests.farm.test_tokens import endless  # noqa: F401
from tests.web.conftest import served
from tests.web.looking import axe_problems
from tests.web.openid_provider import CLIENT, SECRET, running

MIRA = "mira@acme.example"


@pytest.fixture
def provider():
    with running() as made:
        yield made


def settings_for(tmp_path, issuer, **more):
    return read_settings(
        home=tmp_path / "home", oidc_issuer=issuer, oidc_client=CLIENT, oidc_secret=SECRET, **more
    )


@pytest.fixture
def settings(tmp_path, provider):
    return settings_for(tmp_path, provider.issuer)


def give(settings, project, role):
    with closing_engine(settings.database_address) as engine:
        Projects(engine).give({MIRA: role}, project=project)


@contextmanager
def browser(url):
    with httpx.Client(base_url=url, follow_redirects=True) as made:
        yield made


def go(http, to="/"):
    """To the provider and back."""
    return http.get("/login/openid", params={"to": to})


def refused(http, status, words):
    answer = go(http)
    assert (answer.status_code, words in answer.text) == (status, True), answer.text
    assert "farm_login" not in http.cookies
    assert http.get("/api/v1/campaigns").status_code == 401


def test_a_person_with_a_role_is_let_in_as_that_person(settings, url, provider):
    give(settings, "acme", "viewer")
    with browser(url) as http:
        assert "/login/openid?to=/%3Fstate%3Ddone" in http.get("/?state=done").text
        page = go(http, "/?state=done")
        assert f"You are {MIRA}" in page.text
        assert 'http-equiv="refresh" content="0; url=/?state=done"' in page.text
        who = http.get("/api/v1/whoami").json()
        assert (who["person"], who["roles"]) == (MIRA, {"acme": "viewer"})
        assert "Log out" in http.get("/").text
        assert http.post("/api/v1/campaigns", json={"project": "acme"}).status_code == 403
        http.post("/logout")
        assert http.get("/api/v1/campaigns").status_code == 401
    (asked,) = provider.asked
    assert asked["redirect_uri"] == f"{url}/login/openid/back"
    assert asked["code_challenge_method"] == "S256"
    assert SECRET not in str(asked)


def test_nobody_is_let_in_by_a_machine_of_their_own_alone(url):
    assert httpx.get(f"{url}/api/v1/campaigns").status_code == 401


def test_somebody_without_a_role_is_told_whom_to_ask(settings, url):
    with browser(url) as http:
        refused(http, 403, f"{MIRA} has no role in this farm")


def test_a_role_that_is_taken_away_ends_the_login(settings, url):
    give(settings, "acme", "reviewer")
    with browser(url) as http:
        go(http)
        assert http.get("/api/v1/campaigns").status_code == 200
        give(settings, "acme", None)
        assert http.get("/api/v1/campaigns").status_code == 401


@pytest.mark.parametrize("ends", ["role", "logout"])
def test_a_stream_under_way_ends_with_the_login(tmp_path, provider, endless, ends):  # noqa: F811
    settings = settings_for(tmp_path, provider.issuer)
    with served(settings) as url, browser(url) as http, browser(url) as same:
        give(settings, "acme", "viewer")
        go(http)
        same.cookies = http.cookies
        ways = {
            "role": lambda: give(settings, "acme", None),
            "logout": lambda: same.post("/logout"),
        }
        endless(http, ways[ends])


def test_a_login_lasts_half_a_day_and_ends_with_its_provider(tmp_path, settings, provider):
    with served(settings) as url:
        give(settings, "acme", "viewer")
        with browser(url) as http:
            go(http)
            cookie = {"Cookie": f"farm_login={http.cookies['farm_login']}"}
        with closing_engine(settings.database_address) as engine, engine.connect() as rows:
            ends = rows.execute(text("SELECT expires_at - begun_at FROM logins")).scalar()
        assert ends == pytest.approx(PROVIDED_S, abs=5)
        assert httpx.get(f"{url}/api/v1/campaigns", headers=cookie).status_code == 200
    other = settings_for(tmp_path, "https://other.example")
    none = read_settings(home=tmp_path / "home", token="a-token-of-enough-characters")
    for now in (other, none):
        with served(now) as url:
            assert httpx.get(f"{url}/api/v1/campaigns", headers=cookie).status_code == 401


@pytest.mark.parametrize(
    ("claims", "words"),
    [
        ({"aud": "another-program"}, "did not let you in"),
        ({"iss": "https://evil.example"}, "did not let you in"),
        ({"nonce": "another"}, "did not let you in"),
        ({"exp": int(time.time()) - 3600}, "did not let you in"),
        ({"email_verified": False}, f"does not say that {MIRA} is yours"),
        ({"email_verified": None}, f"does not say that {MIRA} is yours"),
        ({"email": None}, "tells no email"),
        ({"email": "mira <b>@acme.example"}, "tells no email"),
        ({"email": ["mira@acme.example"]}, "tells no email"),
    ],
)
def test_a_token_that_proves_nothing_lets_nobody_in(settings, url, provider, claims, words):
    give(settings, "acme", "viewer")
    provider.claims = claims
    with browser(url) as http:
        refused(http, 401, words)


def test_a_token_of_somebody_elses_key_lets_nobody_in(settings, url, provider):
    give(settings, "acme", "viewer")
    provider.shown_key = RSAKey.generate_key(2048, {"kid": "one"})
    with browser(url) as http:
        refused(http, 401, "did not let you in")


def test_an_answer_without_a_token_or_with_an_error_lets_nobody_in(settings, url, provider):
    give(settings, "acme", "viewer")
    provider.tells_token = False
    with browser(url) as http:
        refused(http, 401, "did not let you in")
    provider.tells_token, provider.refuses = True, "access_denied"
    with browser(url) as http:
        refused(http, 401, "did not let you in")


def test_nobody_is_led_into_the_login_of_another(settings, url, provider):
    """Whoever comes back must have left with the same browser, and comes back once."""
    give(settings, "acme", "viewer")
    with httpx.Client(base_url=url) as mine, httpx.Client(base_url=url) as theirs:
        sent = mine.get("/login/openid")
        back = httpx.get(sent.headers["location"]).headers["location"]
        for stranger in (theirs, httpx):
            assert stranger.get(back).status_code == 401
        forged = back.replace("state=", "state=x")
        assert mine.get(forged).status_code == 401
        assert mine.get("/login/openid/back").status_code == 401
        sent = mine.get("/login/openid")
        back = httpx.get(sent.headers["location"]).headers["location"]
        assert mine.get(back).status_code == 200
        assert mine.get(back).status_code == 401


@pytest.mark.parametrize("to", ["https://evil.example", "//evil.example", "/\\evil.example"])
def test_it_leads_on_to_the_farm_alone(settings, url, to):
    give(settings, "acme", "viewer")
    with browser(url) as http:
        assert "evil" not in go(http, to).text


def test_a_provider_that_is_away_or_talks_nonsense_is_said(tmp_path):
    with served(settings_for(tmp_path, "http://127.0.0.1:9")) as url, browser(url) as http:
        refused(http, 502, "does not answer as it should")
    with served(settings_for(tmp_path, f"{url}/login")) as other, browser(other) as http:
        refused(http, 502, "does not answer as it should")


def test_behind_a_proxy_with_tls_cookies_are_for_https_alone(tmp_path, provider):
    settings = settings_for(
        tmp_path, provider.issuer, address="https://farm.example", token="a-token-of-16-letters"
    )
    with served(settings) as url, httpx.Client(base_url=url) as http:
        sent = http.get("/login/openid")
        assert "secure" in sent.headers["set-cookie"].lower()
        assert sent.headers["cache-control"] == "no-store"
        assert provider.asked == []
        where = httpx.URL(sent.headers["location"]).params["redirect_uri"]
        assert where == "https://farm.example/login/openid/back"
        shown = http.post("/login", data={"token": "a-token-of-16-letters"})
        assert "Secure" in shown.headers["set-cookie"]


def test_a_browser_is_let_in_from_another_site(settings, look, provider):
    """A browser hides strict cookies from whatever another site has led it to."""
    give(settings, "acme", "viewer")
    page = look.open("/campaigns/acme/none")
    assert "/login?to=" in page.url
    assert axe_problems(page) == []
    page.get_by_role("link", name="Log in with your company's account").click()
    page.wait_for_url(f"{look.url}/campaigns/acme/none")
    assert page.get_by_role("button", name="Log out").is_visible()
    look.pass_over(provider.issuer)
    look.pass_over("404")  # of a campaign that is not there


# --- what a provider says, and settings ---


def test_a_person_is_named_as_the_farm_is_told():
    assert person_in({"email": " Mira@ACME.example", "email_verified": True}, "email") == MIRA
    assert person_in({"preferred_username": "mira"}, "preferred_username") == "mira"
    with pytest.raises(Unauthenticated, match="tells no preferred_username"):
        person_in({"preferred_username": "(farm)"}, "preferred_username")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"oidc_issuer": "https://id.example"}, "FARM_OIDC_CLIENT and FARM_OIDC_SECRET go tog"),
        ({"oidc_client": "farm"}, "go together"),
        (
            {"oidc_issuer": "http://id.example", "oidc_client": "f", "oidc_secret": "s"},
            "must begin with https://",
        ),
        ({"oidc_issuer": "id.example"}, "FARM_OIDC_ISSUER"),
        ({"address": "farm.example"}, "FARM_ADDRESS"),
    ],
)
def test_settings_that_do_not_go_together_are_said(given, words):
    with pytest.raises(RequestError, match=words):
        read_settings(**given)


def test_pages_without_a_provider_need_nothing_of_it():
    program = (
        "import sys; sys.modules |= dict.fromkeys(('authlib', 'itsdangerous', 'joserfc'));"
        " import farm.web.pages"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


@pytest.mark.parametrize("missing", ["authlib", "itsdangerous"])
def test_what_is_not_installed_is_said_with_what_to_install(settings, monkeypatch, missing):
    imported = builtins.__import__

    def without(name, *rest, **more):
        if name.startswith(missing):
            raise ImportError(name)
        return imported(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(RequestError, match=r'pip install "seedbed\[oidc\]"'):
        Provider(settings)
