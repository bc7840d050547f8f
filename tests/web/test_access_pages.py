"""The pages of projects and tokens, and the orders that are given there."""

import httpx
import pytest

from farm.client.client import Client
from farm.config import read_settings
from farm.service.secrets import new_secret
from storage.database import closing_engine
from storage.tokens import Tokens
from tests.campaigns import campaign
from tests.web.conftest import served
from tests.web.looking import assert_everybody_can_use, axe_problems
from tests.web.painted import paint

ADMIN = "the-token-of-the-admin-here"


@pytest.fixture
def settings(tmp_path):
    return read_settings(home=tmp_path / "home", token=ADMIN)


@pytest.fixture
def url(settings):
    with served(settings) as address:
        yield address


@pytest.fixture
def client(url):
    with Client(url, token=ADMIN) as made:
        yield made


@pytest.fixture
def opened(look):
    """Opens pages as somebody who shows a token."""

    def opened(path, token=ADMIN, **options):
        page = look.open("/login", **options)
        page.get_by_label("Token").fill(token)
        page.get_by_role("button", name="Log in").click()
        page.wait_for_url(look.url + "/")
        page.goto(look.url + path)
        return page

    return opened


@pytest.fixture
def holder(settings, url):
    """The secret of somebody with a role in a project."""

    def holder(person, project, role):
        secret = new_secret()
        with closing_engine(settings.database_address) as engine:
            Tokens(engine).create(
                token_id=secret.id, person=person, digest=secret.digest, expires_in_s=None,
                project=project, role=role,
            )  # fmt: skip
        return secret.text

    return holder


def test_use_is_shown_beside_the_quota(opened, settings, client, url):
    with Client(url, token=ADMIN, project="acme") as mine:
        mine.submit(campaign(name="launch"))
    client.submit(campaign(name="spring"))
    paint(settings, "spring")
    client.create_project("acme", limits={"queued": 20, "workers": 4}, roles={"mira": "viewer"})
    usage = client.usage()
    assert (usage["acme"].queued, usage["acme"].campaigns, usage["acme"].workers) == (18, 1, 0)
    assert usage["default"].queued == 0
    assert usage["default"].stored_bytes > 18
    page = opened("/projects")
    card = page.locator(".card", has_text="acme")
    assert "18 of 20" in " ".join(card.inner_text().split())
    assert card.locator(".b-held").count() == 1  # nine tenths are used
    assert "not made known" in page.locator(".card", has_text="default").first.inner_text()


def test_a_project_is_made_and_gets_a_quota_and_people(opened, client):
    page = opened("/projects")
    page.get_by_label("Name of a new project").fill("acme")
    page.get_by_role("button", name="Create").click()
    page.get_by_text("acme is known now").wait_for()
    card = page.locator(".card", has=page.get_by_role("link", name="acme"))
    card.get_by_text("Change the quota").click()
    card.get_by_label("Renders that wait").fill("500")
    card.get_by_role("button", name="Save").click()
    page.get_by_text("The quota of acme is changed.").wait_for()
    card.get_by_label("Person").fill("mira")
    card.get_by_label("Role").select_option("reviewer")
    card.get_by_role("button", name="Give").click()
    page.get_by_text("mira is reviewer in acme.").wait_for()
    row = client.project_of("acme")
    assert (row.quota.queued, row.quota.workers, row.roles) == (500, None, {"mira": "reviewer"})
    card.get_by_role("button", name="Remove mira, reviewer").click()
    page.get_by_text("mira has no role in acme any more.").wait_for()
    assert client.project_of("acme").roles == {}


def test_what_somebody_types_stays_while_the_page_follows_the_farm(opened, client):
    for name in ("acme", "other"):
        client.create_project(name)
    page = opened("/projects")
    card = page.locator(".card", has=page.get_by_role("link", name="other"))
    card.get_by_text("Change the quota").click()
    card.get_by_label("Role").select_option("reviewer")
    card.get_by_label("Person").fill("mra")
    card.get_by_label("Person").press("Home")
    card.get_by_label("Person").press("ArrowRight")
    client.create_project("third")  # an event: the list is made anew
    page.get_by_role("link", name="third").wait_for()
    page.keyboard.type("i")
    assert card.get_by_label("Person").input_value() == "mira"
    assert card.get_by_label("Role").input_value() == "reviewer"
    assert card.get_by_label("Workers").is_visible()
    card.get_by_label("Person").press("Enter")
    page.get_by_text("mira is reviewer in other.").wait_for()
    page.wait_for_function("document.activeElement.name === 'person'")
    assert card.get_by_label("Person").input_value() == ""


def test_a_click_counts_though_the_page_is_made_anew_meanwhile(opened, client):
    client.create_project("acme", roles={"mira": "viewer"})
    page = opened("/projects")
    page.get_by_role("button", name="Remove mira, viewer").hover()
    page.mouse.down()
    with page.expect_response("**/projects"):
        client.create_project("other")
    page.mouse.up()
    page.get_by_text("mira has no role in acme any more.").wait_for()


def test_what_is_refused_says_why(opened, client, look):
    client.create_project("acme")
    page = opened("/projects")
    page.get_by_label("Name of a new project").fill("acme")
    page.get_by_role("button", name="Create").click()
    page.get_by_text("There is a project acme already").wait_for()
    look.pass_over("409")


def test_a_token_is_made_shown_once_replaced_and_revoked(opened, url):
    page = opened("/tokens")
    page.get_by_label("Person or program").fill("mira")
    page.get_by_label("Role").select_option("viewer")
    page.get_by_role("button", name="Make a token").click()
    page.locator("#secret[open]").wait_for()
    first = page.locator("#secret-text").inner_text()
    with Client(url, token=first) as mira:
        assert (mira.whoami().person, mira.whoami().roles) == ("mira", {"*": "viewer"})
        page.get_by_role("button", name="Done").click()
        page.locator("#tokens tbody tr", has_text="mira").wait_for()
        assert first not in page.content()
        page.get_by_role("button", name="Rotate").click()
        page.locator("#ask").get_by_role("button", name="Rotate").click()
        page.locator("#secret[open]").wait_for()
        second = page.locator("#secret-text").inner_text()
        assert second != first
        page.get_by_role("button", name="Done").click()
    page.locator("[data-revoke]").click()
    page.locator("#ask").get_by_role("button", name="Revoke").click()
    page.get_by_text("is revoked.").wait_for()
    answers = [
        httpx.get(f"{url}/api/v1/whoami", headers={"Authorization": f"Bearer {secret}"})
        for secret in (first, second)
    ]
    assert [answer.status_code for answer in answers] == [401, 401]


def test_others_see_what_is_theirs_and_are_offered_no_more(opened, client, holder):
    client.create_project("acme", roles={"tom": "viewer"})
    client.create_project("other")
    token = holder("mira", "acme", "operator")
    page = opened("/tokens", token)
    assert page.locator("#tokens tbody tr").count() == 1
    assert page.get_by_role("button", name="Make a token").count() == 0
    page.goto(page.url.replace("/tokens", "/projects"))
    assert page.locator(".card h2").all_inner_texts() == ["acme 0 campaigns"]
    assert page.locator("form.give, form.create").count() == 0


def test_everybody_can_use_them_in_every_window(opened, client, holder):
    client.create_project("acme-" + "of-many-words-" * 4 + "end", limits={"workers": 2},
                          roles={"mira": "viewer"})  # fmt: skip
    holder("somebody-with-a-long-name@example.com", "*", "viewer")
    for path in ("/projects", "/tokens"):
        page = opened(path)
        assert_everybody_can_use(page)
    page.locator("[data-revoke]").first.click()
    assert axe_problems(page) == []


def test_a_farm_without_any_says_what_they_are_for(url):
    with httpx.Client(base_url=url) as browser:
        browser.post("/login", data={"token": ADMIN})
        assert "No tokens yet" in browser.get("/tokens").text
        assert "No projects yet" in browser.get("/projects").text
