"""The pages of reviewing, of one picture and of writing, and the routes beneath them, for people
with roles: each sees and does what theirs allows, and no more.
"""

import httpx
import pytest

from farm.client.client import Client
from farm.config import read_settings
from farm.service.secrets import new_secret
from storage.database import closing_engine
from storage.projects import Projects
from storage.tokens import Tokens
from tests.campaigns import campaign
from tests.web.conftest import served
from tests.web.painted import paint

ADMIN = "the-token-of-the-first-admin"
AT = "/api/v1/campaigns/spring"
PAGES = ("/campaigns/default/spring/review", "/campaigns/default/spring/renders/0")
READING = (
    f"{AT}/renders/0/details",
    f"{AT}/renders/0/campaign",
    f"{AT}/renders/0/steps",
    f"{AT}/renders/0/picture",
)
TEXT = 'name: mugs\nmodel: seedling\nprompt: "a {color} mug"\nvary: {color: [red]}\nseeds: [1]\n'
DECISION = {"client": "page", "sequence": 0, "verdict": "approved", "numbers": [0]}


@pytest.fixture
def settings(tmp_path):
    return read_settings(home=tmp_path / "home", token=ADMIN)


@pytest.fixture
def url(settings):
    with served(settings) as address:
        with Client(address, token=ADMIN) as client:
            client.submit(campaign())
        paint(settings)
        yield address


@pytest.fixture
def ask(url, settings):
    """Asks as somebody who has a role in the project of the campaign, or in another."""

    def ask(method, path, role, project="default", **how):
        secret = new_secret()
        person = f"holder-{secret.id}"
        with closing_engine(settings.database_address) as engine:
            Tokens(engine).create(
                token_id=secret.id, person=person, digest=secret.digest, expires_in_s=60
            )
            Projects(engine).give({person: role}, project=project)
        headers = {"Authorization": f"Bearer {secret.text}"}
        return httpx.request(method, url + path, headers=headers, **how)

    return ask


@pytest.mark.parametrize("path", [*PAGES, *READING])
def test_a_viewer_sees_it_and_a_stranger_is_not_told_that_it_is_there(ask, url, path):
    assert ask("GET", path, "viewer").status_code == 200
    assert ask("GET", path, "admin", project="other").status_code in (403, 404)
    stranger = httpx.get(url + path)
    assert stranger.status_code in (303, 401)


def test_only_reviewers_are_offered_to_decide_and_can(ask):
    page = PAGES[0]
    assert 'data-may="no"' in ask("GET", page, "viewer").text
    assert ask("POST", f"{AT}/reviews", "viewer", json=DECISION).status_code == 403
    assert 'data-may="yes"' in ask("GET", page, "reviewer").text
    answer = ask("POST", f"{AT}/reviews", "reviewer", json=DECISION)
    assert answer.json()["changed"] == 1


@pytest.mark.parametrize("path", ["/api/v1/texts", "/api/v1/texts/check"])
def test_texts_are_taken_from_those_who_may_submit(ask, path):
    body = {"text": TEXT}
    assert ask("POST", path, "viewer", json=body).status_code == 403
    assert ask("POST", path, "submitter", json=body).status_code in (200, 201)
    elsewhere = {**body, "project": "other"}
    assert ask("POST", path, "submitter", json=elsewhere).status_code == 404


def test_the_page_of_writing_offers_the_projects_that_one_may_submit_to(ask):
    page = ask("GET", "/new", "submitter")
    assert "<option selected>default</option>" in page.text
    free = ask("GET", "/new", "submitter", project="*")
    assert 'id="project" value="default"' in free.text


def test_the_page_of_a_campaign_leads_to_its_review(ask):
    page = ask("GET", "/campaigns/default/spring", "viewer")
    assert 'href="/campaigns/default/spring/review"' in page.text


def test_another_site_can_order_nothing(url):
    headers = {"Authorization": f"Bearer {ADMIN}", "Origin": "https://evil.example"}
    for path in ("/api/v1/texts", f"{AT}/reviews", f"{AT}/reviews/undo"):
        answer = httpx.post(url + path, headers=headers, json={})
        assert answer.status_code == 403
        assert answer.json()["code"] == "other-site"
