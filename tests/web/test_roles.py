"""Pages for people with tokens: each shows what its reader may see, and says what they may not."""

import httpx
import pytest

from farm.config import read_settings
from farm.service.reading import Reading
from farm.service.secrets import new_secret
from storage.tokens import Tokens
from tests.campaigns import campaign
from tests.web.conftest import Client, served
from tests.web.test_map import database  # noqa: F401

ADMIN = "the-token-of-the-admin-here"


@pytest.fixture
def settings(tmp_path):
    return read_settings(home=tmp_path / "home", token=ADMIN)


@pytest.fixture
def url(settings):
    with served(settings) as address:
        yield address


@pytest.fixture
def log_in(url, database):  # noqa: F811
    """A browser of somebody with a role in a project."""
    opened = []

    def log_in(project, role):
        secret = new_secret()
        Tokens(database).create(
            token_id=secret.id, person=f"{role}-{secret.id}", digest=secret.digest,
            expires_in_s=None, project=project, role=role,
        )  # fmt: skip
        browser = httpx.Client(base_url=url)
        opened.append(browser)
        assert browser.post("/login", data={"token": secret.text}).status_code == 303
        return browser

    yield log_in
    for browser in opened:
        browser.close()


@pytest.fixture
def admin(url):
    with Client(url, token=ADMIN, project="spring-team") as client:
        client.submit(campaign(name="tulips"))
        yield client


def test_a_list_has_the_campaigns_of_the_projects_of_whoever_looks(admin, log_in):
    mine = log_in("spring-team", "viewer").get("/")
    others = log_in("autumn-team", "admin").get("/")
    everybodys = log_in("*", "viewer").get("/")
    assert "tulips" in mine.text
    assert "tulips" not in others.text
    assert "No campaigns yet" in others.text
    assert "tulips" in everybodys.text


def test_a_campaign_of_others_is_as_if_it_were_not_there(admin, log_in):
    mine = log_in("spring-team", "viewer").get("/campaigns/spring-team/tulips")
    browser = log_in("autumn-team", "admin")
    theirs = browser.get("/campaigns/spring-team/tulips")
    none = browser.get("/campaigns/winter-team/tulips")
    assert (mine.status_code, theirs.status_code, none.status_code) == (200, 404, 404)
    assert "You have no role" in theirs.text or "you have no role" in theirs.text
    assert theirs.text.count("tulips") == none.text.count("tulips")


def test_a_viewer_sees_maps_and_gives_no_orders(admin, log_in):
    browser = log_in("spring-team", "viewer")
    path, where = "/api/v1/campaigns/tulips", {"project": "spring-team"}
    assert browser.get(f"{path}/map", params=where).status_code == 200
    assert browser.get(f"{path}/map/counts", params=where).json()["total"] == 18
    refused = browser.post(f"{path}/pause", params=where)
    assert refused.status_code == 403
    assert admin.status("tulips").state == "queued"


@pytest.mark.parametrize("part", ["map", "map/layout", "map/matches", "map/counts"])
def test_maps_of_others_cannot_be_read(admin, log_in, part):
    browser = log_in("autumn-team", "admin")
    answer = browser.get(f"/api/v1/campaigns/tulips/{part}", params={"project": "spring-team"})
    assert answer.status_code == 404


def test_a_fault_of_the_farm_is_a_page_without_its_insides(url, log_in, monkeypatch):
    def fail(*_):
        raise ValueError("the secret of the farm")

    browser = log_in("*", "viewer")
    monkeypatch.setattr(Reading, "all", fail)
    answer = browser.get("/")
    assert answer.status_code == 500
    assert "fault of the farm" in answer.text
    assert "secret of the farm" not in answer.text
