"""Links in the job database, on each of them: tries of passphrases, ends, and the log."""

from threading import Barrier, Thread

import pytest
from sqlalchemy import text

from storage.errors import NotFound
from storage.events import ALL, Events
from storage.links import MOST_TRIES, WAIT_S, Links, end_links


@pytest.fixture
def links(engine):
    return Links(engine)


@pytest.fixture
def make(links):
    def make(link_id="abc", **given):
        values = {
            "digest": "d" * 64, "passphrase": None, "project": "acme", "campaign": "spring",
            "name": "anna", "may_review": False, "expires_at": 4e9,
        }  # fmt: skip
        return links.create(link_id=link_id, **{**values, **given})

    return make


def kinds(engine):
    return [event.kind for event in Events(engine).all(ALL)]


def test_a_link_is_valid_until_it_ends(links, make, engine):
    assert make().is_valid
    assert not make("old", expires_at=1.0).is_valid
    assert links.find("none") is None
    assert [row.id for row in links.of("acme")] == ["abc", "old"]
    assert links.of("acme", "autumn") == links.of("other") == []
    assert not links.revoke("acme", "abc").is_valid
    first = links.find("abc").revoked_at
    assert links.revoke("acme", "abc").revoked_at == first
    assert kinds(engine) == ["link.created", "link.created", "link.revoked"]


def test_a_link_of_another_project_is_as_if_it_were_not_there(links, make):
    make()
    with pytest.raises(NotFound):
        links.revoke("other", "abc")
    assert links.find("abc").is_valid


def test_the_links_of_a_campaign_end_with_it_and_no_others(links, make, engine):
    make("one")
    make("two", may_review=True)
    make("autumn", campaign="autumn")
    make("other", project="other")
    links.revoke("acme", "two")
    with engine.begin() as connection:
        end_links(connection, "acme", "spring")
    valid = {name for name in ("one", "two", "autumn", "other") if links.find(name).is_valid}
    assert valid == {"autumn", "other"}
    assert kinds(engine).count("link.revoked") == 2


def test_tries_are_counted_before_they_are_compared_and_forgotten_in_time(links, make, engine):
    make()
    make("other")
    assert [links.take_try("abc") for _ in range(MOST_TRIES + 2)] == [True] * MOST_TRIES + [
        False
    ] * 2
    assert links.take_try("other")
    with engine.begin() as connection:
        past = text("UPDATE links SET tried_at = tried_at - :wait WHERE id = 'abc'")
        connection.execute(past, {"wait": WAIT_S + 1})
    assert links.take_try("abc")
    assert links.find("abc").tries == 1
    links.note_opened("abc")
    assert (links.find("abc").tries, links.find("abc").opened_at is None) == (0, False)
    assert not links.take_try("none")


def test_tries_at_the_same_moment_all_count(links, make):
    make()
    may, together = [], Barrier(MOST_TRIES + 6)

    def one():
        together.wait()
        may.append(links.take_try("abc"))

    threads = [Thread(target=one) for _ in range(MOST_TRIES + 6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert may.count(True) == MOST_TRIES
