"""Cursors, and how often one may ask, without a farm."""

import asyncio

import pytest
from fastapi import Request, Response
from limits import parse

from farm.api.paging import name_next, place_of
from farm.api.rates import SteadyOnly
from farm.documents.document import DocumentError
from farm.service.lists import Page
from storage.author import Author, author


def request(query=b""):
    return Request(
        {
            "type": "http",
            "method": "GET",
            "path": "/api/v1/campaigns",
            "query_string": query,
            "headers": [(b"host", b"farm")],
        }
    )


def cursor_of(place, kind="c", query=b""):
    response = Response()
    name_next(Page([], place), kind, request(query), response)
    link = response.headers["link"]
    assert link.startswith("</api/v1/campaigns?")
    assert link.endswith('>; rel="next"')
    return dict(part.split("=") for part in link[1:].split(">")[0].split("?")[1].split("&"))


@pytest.mark.parametrize("place", [-1, 0, 1, 999_999, 10**17])
@pytest.mark.parametrize("kind", ["c", "r"])
def test_a_cursor_leads_back_to_its_place(place, kind):
    assert place_of(cursor_of(place, kind)["cursor"], kind) == place


def test_a_cursor_keeps_what_was_asked_and_replaces_the_one_before():
    asked = cursor_of(7, query=b"project=acme&cursor=abc&limit=3")
    assert (asked["project"], asked["limit"]) == ("acme", "3")
    assert place_of(asked["cursor"], "c") == 7


def test_the_last_page_names_no_next_one():
    response = Response()
    name_next(Page([], None), "c", request(), response)
    assert "link" not in response.headers
    assert place_of(None, "c") is None


@pytest.mark.parametrize(
    "cursor", ["", "!", "ä", "a" * 3, "A" * 40, cursor_of(5, "r")["cursor"], "YzE1eA", "Y2M"]
)
def test_what_is_no_cursor_of_the_list_is_refused(cursor):
    with pytest.raises(DocumentError, match="header Link of the page before"):
        place_of(cursor, "c")


class Asked:
    """An application behind the guard, and those who ask it."""

    def __init__(self, rate):
        self.answered = []
        self.guard = SteadyOnly(self._answer, parse(rate))

    async def _answer(self, scope, receive, send):
        self.answered.append(author.get())

    def ask(self, by):
        """The status of a refusal, or None if it was let through."""
        sent = []

        async def send(message):
            sent.append(message)

        async def asking():
            author.set(by)
            await self.guard({"type": "http", "headers": []}, None, send)

        asyncio.run(asking())
        return sent[0]["status"] if sent else None


def test_each_token_has_a_rate_of_its_own_wherever_it_is_shown():
    app = Asked("2/hour")
    ann = [Author(name="ann", token_id="a", address=place) for place in ("1.1.1.1", "2.2.2.2")]
    bob = Author(name="bob", token_id="b", address="1.1.1.1")
    assert [app.ask(by) for by in (*ann, *ann)] == [None, None, 429, 429]
    assert [app.ask(bob) for _ in range(3)] == [None, None, 429]
    assert len(app.answered) == 4


def test_whoever_shows_no_token_is_known_by_the_address():
    app = Asked("1/hour")
    here, there = (Author(name="local", address=place) for place in ("1.1.1.1", "2.2.2.2"))
    assert [app.ask(by) for by in (here, there, here)] == [None, None, 429]
    assert app.ask(None) is None  # the health, which anybody may ask for
