"""Who asks through a proxy: believed of proxies that an operator has named, and of nobody else."""

from contextlib import contextmanager

import httpx
import pytest

from farm.api.askers import asker_of
from farm.api.serving import serve
from farm.app import open_app
from farm.config import read_settings
from farm.service.guesses import WRONG_TOKENS
from farm.service.secrets import new_secret
from storage.database import closing_engine
from storage.errors import RequestError
from storage.tokens import Tokens

ADMIN = "the-token-of-the-first-admin"
ME = "127.0.0.1"  # the proxy, as the farm sees it
MIRA, BOB = "203.0.113.7", "2001:db8::7"


@contextmanager
def behind(tmp_path, *proxies):
    settings = read_settings(home=tmp_path / "home", token=ADMIN, proxies=proxies)
    with open_app(settings) as app, serve(app, 0) as url, httpx.Client(base_url=url) as http:

        def ask(secret, told=None, path="/api/v1/campaigns", method="GET", **options):
            headers = {"Authorization": f"Bearer {secret}"}
            headers |= {} if told is None else {"X-Forwarded-For": told}
            return http.request(method, path, headers=headers | options.pop("more", {}), **options)

        yield ask, settings


def new_token(ask, person, told=None):
    body = {"person": person, "role": "viewer", "project": "default"}
    answer = ask(ADMIN, told, "/api/v1/tokens", "POST", json=body)
    assert answer.status_code == 201, answer.text
    return answer.json()


def guess(ask, told):
    for _ in range(WRONG_TOKENS.amount):
        assert ask(new_secret().text, told).status_code == 401


def test_whoever_guesses_through_a_named_proxy_keeps_nobody_else_out(tmp_path):
    with behind(tmp_path, ME) as (ask, _):
        secret = new_token(ask, "mira")["secret"]
        guess(ask, BOB)
        assert ask(secret, BOB).status_code == 429
        assert ask(secret, f"{BOB}, {ME}").status_code == 429  # by one more of our proxies
        assert ask(secret, f"{MIRA}, {BOB}").status_code == 429  # a client may write what it likes
        assert ask(secret, MIRA).status_code == 200


@pytest.mark.parametrize("proxies", [(), ("10.0.0.0/8",)])
def test_nobody_else_is_believed(tmp_path, proxies):
    with behind(tmp_path, *proxies) as (ask, _):
        secret = new_token(ask, "mira")["secret"]
        guess(ask, BOB)
        assert ask(secret, MIRA).status_code == 429


def test_an_address_that_is_none_counts_as_one_and_the_same(tmp_path):
    with behind(tmp_path, ME) as (ask, _):
        secret = new_token(ask, "mira")["secret"]
        for k in range(WRONG_TOKENS.amount):
            assert ask(new_secret().text, f"{'x' * 200}{k}").status_code == 401
        assert ask(secret, "<script>").status_code == 429
        assert ask(secret, MIRA).status_code == 200


def test_the_audit_log_has_the_address_of_a_person_not_of_the_proxy(tmp_path):
    with behind(tmp_path, ME) as (ask, settings):
        secret = new_token(ask, "mira", MIRA)
        assert ask(secret["secret"], BOB).status_code == 200
        events = ask(ADMIN, path="/api/v1/audit").json()["events"]
        assert {(event["author"], event["address"]) for event in events} == {("FARM_TOKEN", MIRA)}
    with closing_engine(settings.database_address) as engine:  # notes are written by now
        assert Tokens(engine).get(secret["id"]).last_used_from == BOB


@pytest.mark.parametrize(("proxies", "is_secure"), [((ME,), True), ((), False)])
def test_a_named_proxy_tells_that_browsers_come_by_https(tmp_path, proxies, is_secure):
    with behind(tmp_path, *proxies) as (ask, _):
        answer = ask(
            ADMIN, path="/login", method="POST", data={"token": ADMIN},
            more={"X-Forwarded-Proto": "https"}, follow_redirects=False,
        )  # fmt: skip
        assert ("secure" in answer.headers["set-cookie"].lower()) is is_secure


@pytest.mark.parametrize("named", ["10.0.0.7", "10.244.0.0/16", "2001:db8::/32"])
def test_proxies_are_addresses_or_networks(tmp_path, named):
    (network,) = read_settings(home=tmp_path, proxies=[named]).proxies
    assert named.partition("/")[0] in str(network)


@pytest.mark.parametrize("named", ["*", "proxy.example.com", "10.0.0.7/16", ""])
def test_all_else_is_refused(tmp_path, named):
    with pytest.raises(RequestError, match="FARM_PROXIES"):
        read_settings(home=tmp_path, proxies=[named])


def test_a_request_without_an_other_end_has_no_address():
    assert asker_of({"type": "http"}) is None
    for told, address in (
        ("fe80::1%<script>", "fe80::1"),
        ("2001:DB8:0::7", BOB),
        ("x", "unknown"),
    ):
        assert asker_of({"type": "http", "client": (told, 1)}) == address
