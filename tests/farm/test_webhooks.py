"""Webhooks, sent to a real server on this machine: signed, tried again, given up, and never sent
to where they must not go.
"""

import base64
import hashlib
import hmac
import json
from ipaddress import ip_network

import httpx
import pytest

from farm.app import open_app, serve
from farm.cli import main
from farm.client.client import Client
from farm.config import read_settings
from farm.dispatch import webhooks as sending
from farm.dispatch.guarded_network import GuardedNetwork
from farm.dispatch.outgoing import AGAIN_S, AT_ONCE, Answer, keep_sending, pause_after
from farm.dispatch.webhooks import body_of, headers_for, sender, webhook_sending
from farm.service.webhooks import WebhookService, check_address
from storage.errors import AlreadyThere, DatabaseAway, NotFound, RequestError
from storage.event_kinds import EventKind
from storage.events import Events, record
from storage.webhooks import Webhooks
from tests.receivers import Receiver, own_certificate, serving

LOCAL = (ip_network("127.0.0.0/8"),)
SECRET = "whsec_" + base64.b64encode(b"k" * 32).decode()
PAUSED = EventKind.CAMPAIGN_PAUSED


def kinds_of(receiver):
    return [json.loads(body)["type"] for _, _, body in receiver.got]


@pytest.fixture
def receiver():
    with serving(Receiver()) as receiver:
        yield receiver


@pytest.fixture
def webhooks(engine):
    return Webhooks(engine)


@pytest.fixture
def note(engine):
    def note(kind=PAUSED, project="p", **more):
        with engine.begin() as connection:
            record(connection, kind, project=project, **more)

    return note


@pytest.fixture
def loop(webhooks):
    return webhook_sending(webhooks, sender(LOCAL))


def is_signed(secret, headers, body):
    """As a receiver checks it, by the standard's own words."""
    told = {name.lower(): value for name, value in headers.items()}
    signed = f"{told['webhook-id']}.{told['webhook-timestamp']}.".encode() + body
    key = base64.b64decode(secret.removeprefix("whsec_"))
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    return told["webhook-signature"] == f"v1,{expected}"


def test_the_signature_is_that_of_the_standards_own_example():
    headers = headers_for(
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        1614265330,
        b'{"test": 2432232314}',
    )
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_events_of_the_project_arrive_once_signed_and_in_order(webhooks, loop, note, receiver):
    note(campaign="before")
    hook = webhooks.add("p", receiver.url, SECRET, [PAUSED, EventKind.CAMPAIGN_RESUMED])
    note(campaign="spring")
    note(project="q", campaign="theirs")
    note(EventKind.RENDERS_SETTLED)
    note(EventKind.CAMPAIGN_RESUMED, campaign="spring")
    assert loop.tick(1000.0) == 2
    assert loop.tick(1001.0) == 0
    assert kinds_of(receiver) == ["campaign.paused", "campaign.resumed"]
    path, headers, body = receiver.got[0]
    assert path == "/hook"
    assert is_signed(SECRET, headers, body)
    assert not is_signed(SECRET, headers, body + b" ")
    assert not is_signed(SECRET, {**headers, "webhook-timestamp": "2000"}, body)
    told = {name.lower(): value for name, value in headers.items()}
    assert (told["webhook-timestamp"], told["host"]) == ("1000", receiver.url.split("/")[2])
    assert told["webhook-id"] == f"{hook.id}-{json.loads(body)['data']['id']}"
    assert json.loads(body)["data"]["campaign"] == "spring"


def due_now(webhooks, engine):
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE deliveries SET due_at = 1.0 WHERE due_at IS NOT NULL")


def test_what_fails_is_tried_again_with_longer_pauses_then_given_up_then_sent_again(
    engine, webhooks, loop, note, receiver
):
    webhooks.add("p", receiver.url, SECRET, [PAUSED])
    note(campaign="spring")
    receiver.status = 500
    assert loop.tick(1.0) == 1
    assert loop.tick(2.0) == 0  # it waits
    for _ in AGAIN_S:
        due_now(webhooks, engine)
        assert loop.tick(3.0) == 1
    due_now(webhooks, engine)
    assert loop.tick(4.0) == 0
    (dead,) = webhooks.outbox.dead("p")
    assert (dead.tries, dead.error) == (len(AGAIN_S) + 1, "It answered 500.")
    assert webhooks.outbox.dead("q") == []
    assert len({headers["webhook-id"] for _, headers, _ in receiver.got}) == 1
    receiver.status = 204
    assert (webhooks.outbox.send_again("q"), webhooks.outbox.send_again("p")) == (0, 1)
    assert loop.tick(5.0) == 1
    assert webhooks.outbox.dead("p") == []


def test_that_deliveries_are_given_up_is_told_once_until_they_are_sent_again(
    engine, webhooks, note
):
    hook = webhooks.add("p", "http://a.example", SECRET, [PAUSED])
    loop = webhook_sending(webhooks, lambda *_: Answer(error="Never.", is_final=True))

    def dead():
        return [event for event in Events(engine).all() if event.kind == "webhook.dead"]

    for tick in range(3):
        note()
        note()
        loop.tick(float(tick))
        loop.tick(float(tick))
    assert len(webhooks.outbox.dead("p")) > 3
    (told,) = dead()
    assert (told.project, told.data) == ("p", {"webhook": hook.id, "error": "Never."})
    webhooks.outbox.send_again("p")
    loop.tick(9.0)
    assert len(dead()) == 2


def test_a_result_that_comes_after_the_webhook_was_removed_tells_nothing(engine, webhooks, note):
    hook = webhooks.add("p", "http://a.example", SECRET, [PAUSED])
    note()
    webhooks.outbox.collect(hook, body_of)
    (delivery,) = webhooks.outbox.due(9)
    webhooks.remove("p", hook.id)
    webhooks.outbox.failed(delivery, "Never.", None)
    assert [event.kind for event in Events(engine).all()][-1] == "webhook.removed"


def test_pauses_are_decided_purely():
    bad = Answer(status=500)
    assert [pause_after(tries, bad) for tries in range(9)] == [*AGAIN_S, None, None]
    assert pause_after(0, Answer(error="no", is_final=True)) is None


def test_a_redirect_is_not_followed(webhooks, loop, note, receiver):
    webhooks.add("p", receiver.url, SECRET, [PAUSED])
    receiver.status, receiver.location = 302, receiver.url + "/inside"
    note()
    loop.tick(1.0)
    assert [path for path, _, _ in receiver.got] == ["/hook"]
    assert webhooks.outbox.due(9) == []  # it waits for another try, as after any other bad answer


def test_nothing_is_sent_inside_unless_an_operator_allows_it(webhooks, note, receiver):
    webhooks.add("p", receiver.url, SECRET, [PAUSED])
    note()
    webhook_sending(webhooks, sender(())).tick(1.0)
    assert receiver.got == []
    (dead,) = webhooks.outbox.dead("p")
    assert "FARM_WEBHOOK_NETWORKS" in dead.error


def test_a_name_that_leads_inside_at_its_second_look_is_looked_at_once(receiver):
    """Rebinding: the address that was checked is the one that is connected to."""
    looks = iter([["127.0.0.1"], ["10.0.0.1"]])
    asked = []

    def look_up(host, port):
        asked.append(host)
        return next(looks)

    def network(allowed, *, deadline):
        return GuardedNetwork(allowed, deadline=deadline, look_up=look_up)

    url = receiver.url.replace("127.0.0.1", "hooks.example")
    send = sender(LOCAL, network)
    assert send(url, {"a": "b"}, b"{}").status == 200
    assert asked == ["hooks.example"]
    assert receiver.got[0][1]["Host"].startswith("hooks.example:")
    assert send(url, {}, b"{}").is_final
    assert len(receiver.got) == 1


def test_an_authority_of_ones_own_is_trusted_if_the_machine_trusts_it(tmp_path, monkeypatch):
    """A certificate that nobody vouches for is refused, and tried again later."""
    certificate = own_certificate(tmp_path)
    with serving(Receiver(certificate)) as receiver:
        refused = sender(LOCAL)(receiver.url, {}, b"{}")
        assert (refused.status, refused.is_final) == (None, False)
        assert "CERTIFICATE_VERIFY_FAILED" in refused.sentence
        monkeypatch.setenv("SSL_CERT_FILE", f"{certificate[0]}")
        assert sender(LOCAL)(receiver.url, {}, b"{}").status == 200
    assert len(receiver.got) == 1


def test_one_that_cannot_be_reached_or_takes_too_long_is_tried_later(receiver, monkeypatch):
    url = receiver.url
    monkeypatch.setattr(sending, "WHOLE_S", 0.0)
    slow = sender(LOCAL)(url, {}, b"{}")
    assert (slow.status, slow.is_final) == (None, False)
    assert "could not be reached" in slow.sentence
    assert sender(LOCAL)("ftp://example.com", {}, b"").is_final


def test_one_that_does_not_answer_holds_up_the_others_once_a_round(webhooks, note):
    webhooks.add("p", "http://a.example", SECRET, [PAUSED])
    webhooks.add("p", "http://b.example", SECRET, [PAUSED])
    for _ in range(3):
        note()
    asked = []

    def send(url, headers, body):
        asked.append(url)
        return Answer(status=200 if "b." in url else 503)

    assert webhook_sending(webhooks, send).tick(1.0) == 4
    assert sorted(asked) == ["http://a.example"] + ["http://b.example"] * 3
    assert AT_ONCE > 4


def test_two_who_collect_queue_nothing_twice(webhooks, note):
    hook = webhooks.add("p", "http://a.example", SECRET, [PAUSED])
    note()
    assert webhooks.outbox.collect(hook, body_of) == 1
    assert webhooks.outbox.collect(hook, body_of) == 0  # with a view from before
    assert len(webhooks.outbox.due(9)) == 1
    webhooks.remove("p", hook.id)
    assert webhooks.outbox.due(9) == []


def test_the_loop_goes_on_when_the_database_was_away():
    class Away:
        asked, outbox = 0, None

        def all(self):
            Away.asked += 1
            raise DatabaseAway("away")

    class Stops:
        def wait(self, seconds):
            return Away.asked == 2

    keep_sending(webhook_sending(Away(), lambda *_: Answer(status=200)), Stops())
    assert Away.asked == 2


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.com",
        "example.com",
        "http://",
        "http://a b",
        "https://[::1",
        "http://x:99999",
        "http://ünï.example",
        "http://user:pass@example.com",
        "javascript:alert(1)",
        "http://x\n",
    ],
)
def test_an_address_that_is_none_is_refused(url):
    with pytest.raises(RequestError):
        check_address(url)


def test_a_secret_is_shown_once_and_never_in_an_event(engine, webhooks):
    service = WebhookService(webhooks)
    added = service.add("p", "https://example.com/hook", None)
    assert added["secret"].startswith("whsec_")
    assert "campaign.finished" in added["kinds"]
    assert "secret" not in json.dumps(service.all("p"))
    (event,) = Events(engine).after(0)
    assert added["secret"] not in json.dumps(event.data)
    assert added["secret"] not in repr(webhooks.all("p"))
    with pytest.raises(AlreadyThere):
        service.add("p", "https://example.com/hook", None)
    with pytest.raises(NotFound):
        service.remove("q", added["id"])
    with pytest.raises(NotFound):
        service.test("q", added["id"])


def test_the_commands_add_try_and_remove_them(
    tmp_path, database_url, webhooks, loop, receiver, monkeypatch, capsys
):
    settings = read_settings(home=tmp_path / "home", database_url=database_url)
    with open_app(settings, "127.0.0.1") as app, serve(app, 0) as url:
        monkeypatch.setenv("FARM_URL", url)
        main(["webhooks", "add", receiver.url, "--kinds", "worker.*", "--json"])
        added = json.loads(capsys.readouterr().out)
        main(["webhooks", "test", f"{added['id']}", "--json"])
        assert "secret" not in json.loads(capsys.readouterr().out)
        loop.tick(1.0)
        assert kinds_of(receiver) == ["webhook.test"]
        assert is_signed(added["secret"], *receiver.got[0][1:])
        for words in (["list"], ["dead", "--again"], ["remove", f"{added['id']}"]):
            with pytest.raises(SystemExit) as ended:
                main(["webhooks", *words])
            assert not ended.value.code
        said = capsys.readouterr().out
        assert receiver.url in said
        assert "0 are tried again." in said
        with Client(url) as client:
            assert client.webhooks() == client.dead_letters() == []
        assert httpx.get(f"{url}/api/v1/webhooks?project=other").json() == []


@pytest.fixture
def asking(tmp_path, database_url):
    settings = read_settings(home=tmp_path / "home", database_url=database_url)
    with open_app(settings, "127.0.0.1") as app, serve(app, 0) as url:
        yield lambda method, path, **how: httpx.request(method, f"{url}/api/v1/{path}", **how)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"url": "ftp://example.com"}, 400),
        ({"url": "http://user:secret@example.com"}, 400),
        ({"url": "https://example.com", "kinds": "campaign.eaten"}, 400),
        ({"url": 7}, 422),
        ({"url": "https://example.com/" + "x" * 2000}, 422),
        ({"kinds": "campaign.*"}, 422),
        ({"url": "https://example.com", "secret": "mine"}, 422),
    ],
)
def test_a_wrong_webhook_is_refused_and_none_is_made(asking, webhooks, body, status):
    answer = asking("POST", "webhooks", json=body)
    assert answer.status_code == status
    assert answer.json()["detail"]
    assert webhooks.all() == []


@pytest.mark.parametrize("path", ["webhooks/9/remove", "webhooks/9/test"])
def test_a_webhook_that_is_not_there_is_not_found(asking, path):
    assert asking("POST", path).status_code == 404


def test_projects_keep_their_webhooks_to_themselves(asking, webhooks):
    mine = asking("POST", "webhooks?project=acme", json={"url": "https://example.com/a"}).json()
    other = asking("POST", "webhooks?project=else", json={"url": "https://example.com/a"}).json()
    assert mine["secret"] != other["secret"]
    assert [one["id"] for one in asking("GET", "webhooks?project=acme").json()] == [mine["id"]]
    wrong = asking("POST", f"webhooks/{other['id']}/remove?project=acme")
    assert wrong.status_code == 404
    assert len(webhooks.all()) == 2
    again = asking("POST", "webhooks?project=acme", json={"url": "https://example.com/a"})
    assert again.status_code == 409


def test_dead_letters_are_listed_for_their_project_alone(asking, webhooks, note):
    webhooks.add("p", "http://a.example", SECRET, [PAUSED])
    note()
    webhook_sending(webhooks, lambda *_: Answer(error="Never.", is_final=True)).tick(1.0)
    (letter,) = asking("GET", "webhooks/dead?project=p").json()
    assert (letter["error"], letter["tries"]) == ("Never.", 1)
    assert asking("GET", "webhooks/dead?project=q").json() == []
    assert asking("POST", "webhooks/dead/again?project=p").json() == {"queued": 1}
