"""Events as people and programs hear of them: over HTTP, through the client and the commands."""

import json
from contextlib import ExitStack, contextmanager
from types import MappingProxyType

import httpx
import pytest

from farm.api.live import MOST_LISTENERS, Listeners
from farm.app import open_app, serve
from farm.cli import main
from farm.client.client import Client
from farm.client.event_calls import PAUSES_S
from farm.commands.events import moment_of
from farm.config import read_settings
from farm.service.events import FRESH_S, EventReading, kinds_named
from storage.author import Author, author
from storage.errors import RequestError, TooManyRequests, Unreachable
from storage.event_kinds import EventKind
from storage.events import ALL, Events, Wanted, record
from storage.tokens import Tokens
from tests.farm import test_tokens

give = test_tokens.give
PAUSED, JOINED = EventKind.CAMPAIGN_PAUSED, EventKind.WORKER_JOINED
HOSTILE = "a\r\n\r\ndata: {}\nid: 99\n\u2028\0\ud800é"


@pytest.fixture
def settings(tmp_path, database_url):
    return read_settings(home=tmp_path / "home", database_url=database_url)


@pytest.fixture
def tokens(engine):
    return Tokens(engine)


@pytest.fixture
def note(engine):
    def note(kind=PAUSED, by=None, **more):
        token = author.set(None if by is None else Author(name=by, address="192.0.2.7"))
        try:
            with engine.begin() as connection:
                record(connection, kind, **more)
        finally:
            author.reset(token)

    return note


@pytest.fixture
def serving(settings):
    @contextmanager
    def serving():
        with open_app(settings, "127.0.0.1") as app, serve(app, 0) as url:
            yield url

    return serving


@pytest.fixture
def url(serving):
    with serving() as url:
        yield url


@contextmanager
def listening(url, params=None, headers=None):
    """The lines of a stream, once it has begun."""
    with (
        httpx.Client(base_url=url, timeout=30) as http,
        http.stream("GET", "/api/v1/events", params=params, headers=headers) as response,
    ):
        lines = response.iter_lines() if response.status_code == 200 else iter(())
        yield response, lines


def heard(lines, count):
    """So many events of a stream, as (id, kind, data)."""
    found, event = [], {}
    while len(found) < count:
        key, _, value = next(lines).partition(": ")
        if key in ("id", "event", "data"):
            event[key] = value
        elif not key and event:
            found.append((int(event["id"]), event["event"], json.loads(event["data"])))
            event = {}
    return found


def test_a_stream_tells_what_comes_and_a_page_what_was(url, note):
    note(project="p", campaign="spring")
    with listening(url) as (response, lines):
        assert response.headers["content-type"].startswith("text/event-stream")
        assert next(lines) == ": listening"
        note(project="p", campaign="autumn", data={"text": HOSTILE})
        ((number, kind, event),) = heard(lines, 1)
    assert (number, kind, event["campaign"]) == (2, "campaign.paused", "autumn")
    assert event["data"]["text"] == HOSTILE.replace("\ud800", "?")
    page = httpx.get(f"{url}/api/v1/events/page").json()
    assert [event["campaign"] for event in page["events"]] == ["spring", "autumn"]
    assert page["last"] == 2


def test_pages_go_back_from_the_newest(url, note):
    for name in ("a", "b", "c"):
        note(project="p", campaign=name, by="ann" if name != "b" else None)
    asked = {"before": 3, "limit": 1}
    page = httpx.get(f"{url}/api/v1/events/page", params=asked).json()
    assert ([event["campaign"] for event in page["events"]], page["last"]) == (["b"], 2)
    page = httpx.get(f"{url}/api/v1/audit", params={"before": 3}).json()
    assert [event["campaign"] for event in page["events"]] == ["a"]
    page = httpx.get(f"{url}/api/v1/events/page", params={"before": 1}).json()
    assert page == {"events": [], "last": 1}


def test_a_listener_goes_on_after_what_it_has_seen(url, note):
    for name in ("a", "b", "c"):
        note(project="p", campaign=name)
    with listening(url, headers={"Last-Event-ID": "1"}) as (_, lines):
        assert [number for number, _, _ in heard(lines, 2)] == [2, 3]
    with listening(url, {"after": "2"}) as (_, lines):
        assert [number for number, _, _ in heard(lines, 1)] == [3]


def test_listeners_choose(url, note):
    note(project="p", campaign="spring")
    note(project="q", campaign="spring")
    note(JOINED)
    note(project="q", campaign="autumn")
    for params, numbers in (
        ({"project": "q"}, [2, 4]),
        ({"campaign": "spring"}, [1, 2]),
        ({"kinds": "worker.*"}, [3]),
    ):
        with listening(url, {"after": "0", **params}) as (_, lines):
            assert [number for number, _, _ in heard(lines, len(numbers))] == numbers
        page = httpx.get(f"{url}/api/v1/events/page", params=params).json()
        assert [event["id"] for event in page["events"]] == numbers


@pytest.mark.parametrize(
    ("params", "headers"),
    [
        ({"kinds": "campaign.eaten"}, {}),
        ({"after": "-1"}, {}),
        ({"after": "1e9"}, {}),
        ({"colour": "red"}, {}),
        ({}, {"Last-Event-ID": "none"}),
        ({}, {"Last-Event-ID": str(2**70)}),
    ],
)
def test_what_cannot_be_heard_is_refused_before_the_stream_begins(url, params, headers):
    with listening(url, params, headers) as (response, _):
        response.read()
        assert response.status_code in (400, 422)
        assert response.json()["detail"]


def test_no_more_listen_than_there_is_room_for():
    listeners = Listeners()

    class Asks:
        query_params = MappingProxyType({})

    with ExitStack() as stack:
        for _ in range(MOST_LISTENERS):
            listeners.check_room(Asks())
            stack.enter_context(listeners.one_more())
        with pytest.raises(TooManyRequests):
            listeners.check_room(Asks())
    listeners.check_room(Asks())


def test_many_listeners_stall_nobody(url, note):
    """More of them than the pool has threads."""
    with ExitStack() as stack:
        streams = [stack.enter_context(listening(url)) for _ in range(60)]
        assert all(next(lines) == ": listening" for _, lines in streams)
        assert httpx.get(f"{url}/api/v1/health", timeout=20).status_code == 200
        note(project="p", campaign="spring")
        assert all(heard(lines, 1)[0][0] == 1 for _, lines in streams)


def test_a_farm_that_ends_ends_its_streams(serving):
    with ExitStack() as listener:
        with serving() as url:
            _, lines = listener.enter_context(listening(url))
            assert next(lines) == ": listening"
        # the server is over by now, and so is the answer: nothing is cut off
        assert [line for line in lines if line] == ["retry: 2000"]


def test_a_token_hears_of_its_own_projects_until_it_is_revoked(
    engine,
    settings,
    give,
    tokens,
    note,
    serving,
):
    secret = give("mira", acme="viewer")
    headers = {"Authorization": f"Bearer {secret.text}"}
    with serving() as url, listening(url, headers=headers) as (_, lines):
        next(lines)
        note(project="other", campaign="theirs")
        note(JOINED)
        note(project="acme", campaign="ours")
        ((_, _, event),) = heard(lines, 1)
        assert event["campaign"] == "ours"
        refused = httpx.get(f"{url}/api/v1/events/page?project=other", headers=headers)
        assert refused.status_code == 404
        assert httpx.get(f"{url}/api/v1/audit?project=acme", headers=headers).status_code == 403
        tokens.revoke(secret.id)
        with pytest.raises((httpx.RemoteProtocolError, StopIteration)):
            heard(lines, 1)


def test_the_audit_log_says_who_changed_what_and_from_where(url, note):
    note(project="p")
    note(project="p", campaign="spring", by="ann", before=1, after=2)
    note(project="q", by="bob")
    get = httpx.get(f"{url}/api/v1/audit").json()
    assert [event["author"] for event in get["events"]] == ["ann", "bob"]
    assert get["events"][0] == {
        "id": 2,
        "at": get["events"][0]["at"],
        "kind": "campaign.paused",
        "project": "p",
        "campaign": "spring",
        "data": {},
        "author": "ann",
        "token": None,
        "address": "192.0.2.7",
        "before": 1,
        "after": 2,
    }
    with Client(url) as client:
        assert [entry.id for entry in client.audit(who="bob")] == [3]
        assert [entry.id for entry in client.audit(project="p")] == [2]
        assert not list(client.audit(since=get["events"][0]["at"] + 1e6))


def test_the_client_reads_pages_and_follows(url, note):
    for name in ("a", "b"):
        note(project="p", campaign=name)
    with Client(url) as client:
        assert [event.campaign for event in client.past_events()] == ["a", "b"]
        events = client.events(after=0, kinds=["campaign.*"])
        assert [next(events).campaign, next(events).campaign] == ["a", "b"]
        note(project="p", campaign="c")
        assert next(events).campaign == "c"


class Breaking:
    """A transport whose connections break after one event each."""

    def __init__(self, events):
        self.events, self.asked = list(events), []

    def text_lines(self, path, params):
        self.asked.append(int(params["after"]))
        yield ": listening"
        for event in self.events[self.asked[-1] :][:1]:
            yield f"data: {json.dumps(event)}"
        raise Unreachable("it broke")


def test_a_client_whose_connection_breaks_goes_on_and_gives_up_at_last():
    events = [
        {
            "id": n,
            "at": 1.0,
            "kind": "k",
            "project": None,
            "campaign": None,
            "data": {},
            "author": None,
            "new": "key",
        }
        for n in (1, 2, 3)
    ]
    client, slept = Client("http://nowhere"), []
    client._http = Breaking(events)
    follow = client.events(after=0, sleep=slept.append)
    assert [next(follow).id for _ in events] == [1, 2, 3]
    assert client._http.asked == [0, 1, 2]
    slept.clear()
    with pytest.raises(Unreachable):
        next(follow)
    assert slept == list(PAUSES_S)


def test_listeners_share_a_look_at_the_newest(engine, note):
    now = [0.0]
    reading = EventReading(Events(engine), clock=lambda: now[0])
    assert reading.news(0, ALL, 10) == ([], 0)
    note(project="p")
    assert reading.news(0, ALL, 10) == ([], 0)
    now[0] += FRESH_S
    events, last = reading.news(0, ALL, 10)
    assert ([event["id"] for event in events], last) == ([1], 1)
    assert reading.news(0, Wanted(projects=["q"]), 10) == ([], 1)
    note(project="p")
    now[0] += FRESH_S
    assert reading.news(0, ALL, 1)[1] == 1


def test_kinds_are_named_one_by_one_or_by_their_subject():
    assert kinds_named(None) is None
    assert kinds_named("worker.lost, campaign.paused") == ["worker.lost", "campaign.paused"]
    assert "campaign.finished" in kinds_named("campaign.*")
    with pytest.raises(RequestError, match=r"'campaign\.eaten'"):
        kinds_named("campaign.eaten")


def run(*arguments):
    """A command, which ends well."""
    with pytest.raises(SystemExit) as ended:
        main([*arguments])
    assert not ended.value.code


def test_the_commands_print_them(url, note, monkeypatch, capsys):
    monkeypatch.setenv("FARM_URL", url)
    note(project="p", campaign="spring", by="ann", data={"id": 1, "why": HOSTILE})
    note(JOINED, data={"worker": "w1", "counts": {"done": 2}})
    run("events")
    first, second = capsys.readouterr().out.splitlines()
    assert "campaign.paused p/spring by ann why: a" in first
    assert second.endswith("worker.joined worker: w1, counts: done 2")
    run("events", "--kinds", "worker.joined")
    assert capsys.readouterr().out.splitlines() == [second]
    run("audit", "--since", "2020-01-01", "--who", "ann")
    assert "by ann from 192.0.2.7" in capsys.readouterr().out
    main(["audit", "--who", "ann", "--json"])
    assert json.loads(capsys.readouterr().out)["author"] == "ann"
    main(["audit", "--who", "nobody", "--json"])
    assert capsys.readouterr().out == ""


def test_a_time_is_read_in_utc_unless_it_says_otherwise():
    assert moment_of("1970-01-02") == 86400
    assert moment_of("1970-01-01T01:00+01:00") == 0
    assert moment_of(None) is None
    with pytest.raises(RequestError, match="cannot be read"):
        moment_of("yesterday")
