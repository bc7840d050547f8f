"""The pages of events and of the audit log: the newest first, in pages, as they come."""

import pytest

from farm.web.log import Chosen
from storage.author import Author, author
from storage.database import closing_engine
from storage.event_kinds import EventKind
from storage.events import record
from storage.projects import Projects, Quota
from tests.campaigns import campaign
from tests.web.looking import assert_everybody_can_use

ROWS = "#log tbody tr"


@pytest.fixture
def note(settings, url):
    """Writes events down, by somebody or by the farm."""

    def note(count, kind=EventKind.CAMPAIGN_PAUSED, by=None, **more):
        token = author.set(None if by is None else Author(name=by, address="192.0.2.7"))
        try:
            with closing_engine(settings.database_address) as engine:
                for _ in range(count):
                    with engine.begin() as connection:
                        record(connection, kind, **more)
        finally:
            author.reset(token)

    return note


def test_events_come_as_they_happen_over_one_connection(look, client):
    client.submit(campaign(name="spring"))
    page = look.open("/events")
    with page.expect_response("**/api/v1/events?*") as stream:
        page.reload()
    assert stream.value.status == 200
    client.pause("spring")
    page.get_by_text("Paused: nothing more of it is begun.").wait_for()
    client.resume("spring")
    page.get_by_text("Resumed.").wait_for()
    streams = [url for url in look.requests if "/api/v1/events?" in url]
    assert len(streams) == 2  # one for each time that the page was loaded


def test_a_connection_that_breaks_goes_on_after_what_was_heard(look, client):
    client.submit(campaign(name="spring"))
    page = look.open("/events")
    asked = []

    def break_off(route):
        asked.append(route.request.headers.get("last-event-id"))
        if len(asked) == 1:
            body = 'id: 41\nevent: x\ndata: {"id":41}\n\n'
            route.fulfill(body=body, content_type="text/event-stream")
        else:
            route.continue_()

    page.route("**/api/v1/events?*", break_off)
    with page.expect_response(lambda answer: len(asked) == 2 and "/events?" in answer.url):
        page.reload()
    assert asked == [None, "41"]


def test_older_events_are_a_page_further_and_a_filter_stays(http, note):
    note(130, project="acme", campaign="spring")
    note(5, project="acme", campaign="autumn")
    first = http.get("/events", params={"campaign": "spring", "subject": "campaign"}).text
    assert first.count("<tr>") == 101
    assert "autumn</a>" not in first
    assert "before=31" in first
    older = http.get("/events", params={"campaign": "spring", "before": 31}).text
    assert older.count("<tr>") == 31
    assert "Newest" in older
    assert "before=" not in older
    assert "Nothing fits" in http.get("/events", params={"subject": "webhook"}).text


def test_the_audit_log_has_what_people_changed_with_both_values(http, note, settings, url):
    note(1, by="<b>ann</b>", kind=EventKind.CAMPAIGN_PRIORITY, data={"priority": 70},
         before={"priority": 50}, after={"priority": 70})  # fmt: skip
    note(1, project="acme", campaign="spring")
    text = http.get("/audit").text
    assert "&lt;b&gt;ann&lt;/b&gt;" in text
    assert "<del>50</del> <ins>70</ins>" in text
    assert "192.0.2.7" in text
    assert "spring" not in text
    assert "Nothing fits" in http.get("/audit", params={"who": "bob"}).text
    assert "Its priority" in http.get("/audit", params={"since": "2026-01-01"}).text
    assert "Nothing fits" in http.get("/audit", params={"since": "2999-01-01"}).text
    assert http.get("/audit", params={"since": "no day"}).status_code == 200


def test_everybody_can_read_them_in_every_window(look, client, settings):
    def ready(page):
        page.locator(ROWS).first.wait_for()
        current = page.locator("nav.main [aria-current]").bounding_box()
        assert current["x"] + current["width"] <= page.viewport_size["width"]

    client.submit(campaign(name="spring"))
    with closing_engine(settings.database_address) as engine:
        Projects(engine).create("acme", Quota(workers=2), {"mira": "viewer"})
    for path in ("/events", "/audit"):
        assert_everybody_can_use(look.open(path), ready)


def test_a_farm_that_is_new_says_what_to_do(http):
    assert "New campaign" in http.get("/events").text
    assert "Nothing has happened yet" in http.get("/audit").text


def test_what_was_chosen_is_in_the_address():
    chosen = Chosen(project="acme", subject="fleet", since="2026-11-27", before=7)
    assert chosen.query == {"project": "acme", "subject": "fleet", "since": "2026-11-27"}
    assert chosen.kinds == "fleet.*"
    assert chosen.since_s == 1795737600
    assert (Chosen(subject="moon").kinds, Chosen(since="soon").since_s) == (None, None)
