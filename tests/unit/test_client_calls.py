"""What the client asks a farm, and how it puts answers together that come in parts."""

import io
import json
from urllib.parse import parse_qs

import httpx
import pytest

from farm.client.client import Client
from farm.client.event_calls import PAUSES_S
from storage.errors import NotFound, RequestError, Unreachable, WorkError
from tests.campaigns import campaign
from tests.unit.test_transport import Farm, problem


@pytest.fixture
def asks():
    """A client whose farm gives the answers that a test names, and the farm."""

    def prepared(*answers):
        farm = Farm(*answers)
        client = Client("http://farm", project="p")
        client._http = farm.transport
        return client, farm

    return prepared


def fine(body, **headers):
    return httpx.Response(200, json=body, headers=headers)


def asked(farm):
    """The path and the parameters of each request."""
    return [
        (
            request.url.raw_path.decode().partition("?")[0].removeprefix("/api/v1/"),
            {key: value[0] for key, value in parse_qs(request.url.query.decode()).items()},
        )
        for request in farm.asked
    ]


def bodies(farm):
    return [json.loads(request.content) for request in farm.asked]


def render(number):
    return {
        "number": number, "state": "done", "reason": None, "detail": None, "shot": "main",
        "coordinates": {"product": "mug"}, "seed": 7, "version": 1, "review": None, "drift": None,
        "rules_failed": [], "key": "k", "bytes": 9, "finished_at": 1.0,
    }  # fmt: skip


def linked(numbers, address=None):
    links = {} if address is None else {"Link": f'<{address}>; rel="next"'}
    return fine([render(number) for number in numbers], **links)


def test_the_pages_of_a_list_are_asked_for_as_the_farm_links_them(asks):
    client, farm = asks(
        linked([0, 1], "http://inside:1/api/v1/campaigns/x/renders?after=1&where=&limit=2"),
        linked([2]),
    )
    assert [item.number for item in client.renders("x")] == [0, 1, 2]
    assert asked(farm)[1] == ("campaigns/x/renders", {"after": "1", "limit": "2"})
    assert {request.url.host for request in farm.asked} == {"farm"}, "not an address it is told"


def test_a_page_is_asked_for_when_it_is_read(asks):
    client, farm = asks(linked([0, 1], "/api/v1/campaigns/x/renders?after=1"), linked([2]))
    items = client.renders("x")
    assert farm.asked == []
    next(items), next(items)
    assert len(farm.asked) == 1


def test_renders_are_chosen_by_all_that_is_named_and_by_nothing_else(asks):
    client, farm = asks(linked([]))
    list(client.renders("x"))
    assert asked(farm)[0][1] == {"project": "p", "stage": "final", "limit": "1000"}
    list(
        client.renders(
            "a/b@3", state="done", where=["product=mug", "color=red"], seed=0, review="rejected",
            drift=(0.0, 0.5), failed_rule="sharp", numbers=range(50), stage="proof",
        )
    )  # fmt: skip
    path, params = asked(farm)[1]
    assert path == "campaigns/a%2Fb/renders"
    assert params == {
        "project": "p", "stage": "proof", "limit": "1000", "version": "3", "state": "done",
        "where": "product=mug\ncolor=red", "seed": "0", "review": "rejected", "drift_above": "0.0",
        "drift_below": "0.5", "failed_rule": "sharp", "from": "0", "to": "50",
    }  # fmt: skip


def test_a_range_with_nothing_in_it_is_asked_for_as_a_range(asks):
    client, farm = asks(linked([]))
    assert list(client.renders("x", numbers=range(5, 5))) == []
    assert {key: asked(farm)[0][1][key] for key in ("from", "to")} == {"from": "5", "to": "5"}


def row(name):
    counts = dict.fromkeys(
        ("total", "done", "failed", "held", "running", "waiting", "cancelled", "undecided",
         "rejected", "queued", "reused", "early_stopped", "redone"), 0
    )  # fmt: skip
    return {
        "campaign": name, "project": "p", "state": "done", "halted": None, "waits_for": None,
        "standstill": None, "refusal": None, "model": "m", "brand": None, "priority": 50,
        "numerics_class": None, "renders": counts, "proofs": None, "deadline": None,
        "device_s": 0.0, "budget_s": None, "version": 1, "created_at": 1.0, "started_at": None,
        "finished_at": None,
    }  # fmt: skip


def test_a_limit_ends_a_list_between_pages_and_within_one(asks):
    following = {"Link": '</api/v1/campaigns?after=2&limit=3>; rel="next"'}
    pages = [
        fine([row("a"), row("b")], **following),
        fine([row("c"), row("d")], **following),
    ]
    client, farm = asks(*pages)
    assert [found.campaign for found in client.campaigns(limit=3)] == ["a", "b", "c"]
    assert len(farm.asked) == 2, "a third page is not asked for"
    assert asked(farm)[0] == ("campaigns", {"project": "p", "limit": "3"})
    client, farm = asks(fine([]))
    assert client.campaigns(all_projects=True, since=0.0, state="paused", text="ü&") == []
    assert asked(farm)[0][1] == {"since": "0.0", "state": "paused", "text": "ü&", "limit": "250"}


# --- events ---


def event(number):
    return {
        "id": number, "at": 1.0, "kind": "campaign.paused", "project": "p", "campaign": "x",
        "data": {}, "author": None, "of_a_later_farm": 1,
    }  # fmt: skip


def stream(*numbers, cut=False):
    """A stream of events, which ends or breaks after them."""

    def pieces():
        for number in numbers:
            yield f": alive\nid: {number}\ndata: {json.dumps(event(number))}\n\n".encode()
        if cut:
            raise httpx.ReadError("cut")

    return httpx.Response(200, content=pieces())


def taken(events, count):
    return [next(events).id for _ in range(count)]


def test_a_stream_that_breaks_goes_on_after_the_last_event(asks):
    client, farm = asks(stream(5, 6, cut=True), stream(7), stream(8))
    pauses = []
    events = client.events(campaign="x", kinds=["campaign.*", "renders.*"], after=4,
                           sleep=pauses.append)  # fmt: skip
    assert taken(events, 4) == [5, 6, 7, 8]
    assert [params["after"] for _, params in asked(farm)] == ["4", "6", "7"]
    assert asked(farm)[0][1] == {"campaign": "x", "kinds": "campaign.*,renders.*", "after": "4"}
    assert pauses == [PAUSES_S[0]], "a stream that ends in order is asked for again at once"


def test_a_stream_begins_after_the_newest_event_and_keeps_that_place(asks):
    client, farm = asks(fine({"events": [], "last": 41}), stream(cut=True), stream(42))
    assert taken(client.events(sleep=lambda _: None), 1) == [42]
    assert asked(farm)[0] == ("events/page", {"after": "0", "newest": "true"})
    assert [params["after"] for _, params in asked(farm)[1:]] == ["41", "41"]


def test_a_farm_that_stays_away_ends_the_stream_and_one_event_restores_patience(asks):
    broken = [stream(cut=True) for _ in PAUSES_S]
    more = [stream(cut=True) for _ in [*PAUSES_S, 0]]
    client, _ = asks(*broken, stream(1, cut=True), *more)
    pauses = []
    events = client.events(after=0, sleep=pauses.append)
    assert taken(events, 1) == [1]
    assert pauses == list(PAUSES_S)
    with pytest.raises(Unreachable):
        next(events)
    assert pauses == [*PAUSES_S, *PAUSES_S]


def test_past_events_and_the_audit_log_are_read_page_by_page_to_an_empty_one(asks):
    def pages(**more):
        return [
            fine({"events": [event(n) | more for n in (1, 2)], "last": 9}),
            fine({"events": [event(10) | more], "last": 10}),
            fine({"events": [], "last": 10}),
        ]

    client, farm = asks(*pages())
    assert [found.id for found in client.past_events(project="p", after=0)] == [1, 2, 10]
    assert [params["after"] for _, params in asked(farm)] == ["0", "9", "10"]
    of_a_person = {"token": None, "address": None, "before": None, "after": {"priority": 9}}
    client, farm = asks(*pages(**of_a_person))
    assert [entry.after for entry in client.audit(who="eve", since=0)] == [{"priority": 9}] * 3
    assert asked(farm)[0] == ("audit", {"who": "eve", "since": "0", "after": "0"})


# --- reviews, access, logs ---


def test_each_decision_of_a_client_has_the_next_number(asks):
    client, farm = asks(fine({"changed": 1, "why": []}))
    client.approve("x", [1, 2])
    client.reject("x", where=["product=mug"], reason="blurred", reroll=True)
    client.undo("x")
    client.redo("x", [3], next_seed=True)
    sent = bodies(farm)
    assert [body["sequence"] for body in sent] == [0, 1, 2, 3]
    assert len({body["client"] for body in sent}) == 1
    assert (sent[0]["verdict"], sent[0]["numbers"]) == ("approved", [1, 2])
    assert (sent[1]["verdict"], sent[1]["numbers"], sent[1]["reroll"]) == ("rejected", None, True)
    assert sent[2]["entry"] is None
    assert (sent[3]["next_seed"], sent[3]["seed"], sent[3]["prompt"]) == (True, None, None)
    assert [path for path, _ in asked(farm)][2:] == [
        "campaigns/x/reviews/undo",
        "campaigns/x/redo",
    ]
    other, second = asks(fine({"changed": 0, "why": []}))
    other.approve("x", [1])
    assert bodies(second)[0]["client"] != sent[0]["client"]


def test_approving_no_numbers_is_not_approving_all(asks):
    client, farm = asks(fine({"changed": 0, "why": []}))
    client.approve("x", [])
    client.approve("x")
    assert [body["numbers"] for body in bodies(farm)] == [[], None]


def test_a_secret_is_asked_for_once_whatever_comes_back(asks):
    for ask in (lambda c: c.create_token("eve"), lambda c: c.rotate_token("t/1")):
        client, farm = asks(httpx.ReadError("reset"))
        with pytest.raises(Unreachable):
            ask(client)
        assert len(farm.asked) == 1
    assert asked(farm)[0][0] == "tokens/t%2F1/rotate"


def test_a_project_s_limits_and_roles_are_sent_and_those_not_named_are_not(asks):
    client, farm = asks(fine({"roles": {"eve": "viewer"}}))
    assert client.set_roles({"eve": "viewer", "bob": None}) == {"eve": "viewer"}
    assert bodies(farm) == [{"roles": {"eve": "viewer", "bob": None}}], "None takes a role away"
    client, farm = asks(problem(403, "not-allowed"))
    for call in (client.create_project, client.set_project):
        with pytest.raises(RequestError):
            call("a b", limits={"workers": None})
    assert bodies(farm) == [
        {"name": "a b", "workers": None, "roles": {}},
        {"workers": None, "roles": {}},
    ]
    assert asked(farm)[1][0] == "projects/a%20b"


def test_logs_about_a_name_are_those_of_a_campaign_or_else_of_a_worker(asks):
    client, farm = asks(problem(404, "not-found"), fine([]))
    assert client.logs("gpu-1", limit=5) == []
    assert asked(farm) == [
        ("campaigns/gpu-1/logs", {"limit": "5", "project": "p"}),
        ("logs", {"limit": "5", "worker": "gpu-1"}),
    ]
    client, farm = asks(fine([]))
    client.logs(after=0.0)
    assert asked(farm) == [("logs", {"limit": "100", "after": "0.0"})]
    client, farm = asks(problem(403, "not-allowed"))
    with pytest.raises(RequestError):
        client.logs("x")
    assert len(farm.asked) == 1, "a refusal is not taken for a worker's name"


# --- sheets, steps, webhooks, estimates ---


def test_a_sheet_is_read_page_by_page_or_from_one_to_another(asks):
    page = httpx.Response(200, content=b"png", headers={"Farm-Pages": "3"})
    client, farm = asks(page)
    assert list(client.sheet_pages("x@2", rows="product")) == [
        (1, 3, b"png"), (2, 3, b"png"), (3, 3, b"png"),
    ]  # fmt: skip
    assert asked(farm)[0] == (
        "campaigns/x/sheet",
        {"project": "p", "stage": "final", "version": "2", "rows": "product", "page": "1"},
    )
    client, farm = asks(page)
    assert [number for number, *_ in client.sheet_pages("x", pages=(2, 2))] == [2]
    client, farm = asks(httpx.Response(200, content=b"%PDF"))
    file = io.BytesIO()
    client.sheet_pdf("x", file, where=["a=1", "b=2"], pages=(2, 3))
    assert file.getvalue() == b"%PDF"
    assert asked(farm)[0][1] == {
        "project": "p", "stage": "final", "where": "a=1\nb=2", "page": "2-3", "format": "pdf",
    }  # fmt: skip


def test_what_was_not_named_is_left_to_the_farm(asks):
    client, farm = asks(fine({"id": 1, "project": "p", "url": "u", "kinds": [], "created_at": 0}))
    client.add_webhook("https://a.example/h")
    client.add_webhook("https://a.example/h", "renders.*")
    assert bodies(farm) == [
        {"url": "https://a.example/h"},
        {"url": "https://a.example/h", "kinds": "renders.*"},
    ]
    client, farm = asks(problem(400, "bad-request"))
    for limit, age in ((None, None), (0.0, 0.0)):
        with pytest.raises(RequestError):
            client.calibrate_drift("x", limit)
        with pytest.raises(RequestError):
            client.prune_previews(age, names=["x"], dry_run=True)
    plain = {"project": "p", "names": ["x"], "dry_run": True}
    assert bodies(farm) == [{}, plain, {"limit": 0.0}, plain | {"older_than_s": 0.0}], "0 is said"


def test_an_estimate_and_a_probe_send_what_the_campaign_s_file_says(asks):
    client, farm = asks(
        fine({"campaign": "c-probe-1", "project": "p", "renders": 4, "created": 1})
    )
    assert client.probe(campaign(priority=60), 4).campaign == "c-probe-1"
    (body,) = bodies(farm)
    assert (body["project"], body["renders"], body["campaign"]["priority"]) == ("p", 4, 60)
    assert "max_workers" not in body["campaign"], "a brand may say it"
    with pytest.raises(WorkError, match="another version"):
        client.estimate(campaign())
    client, farm = asks(problem(404, "not-found"))
    with pytest.raises(NotFound):
        client.estimate(campaign(), workers=3)
    assert (asked(farm)[0][0], bodies(farm)[0]["workers"]) == ("estimates", 3)
