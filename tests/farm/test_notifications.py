"""Notifications: told once through Apprise itself, to servers on this machine; their addresses
shown to nobody; and a process that can do nothing but send.
"""

import email
import io
import json
import sys
from ipaddress import ip_network
from pathlib import Path

import httpx
import pytest

from farm.app import open_app, serve
from farm.cli import main
from farm.client.client import Client
from farm.config import read_settings
from farm.dispatch import notifying as telling
from farm.dispatch.apprise_process import Guard, answer_to, hidden, is_known, readable_folders
from farm.dispatch.notifying import asker, checker, notifying
from farm.dispatch.outgoing import AGAIN_S
from farm.service.notifications import NotificationService
from storage.errors import AlreadyThere, NotFound, RequestError
from storage.event_kinds import EventKind
from storage.events import Events, record
from storage.notifications import Notifications
from tests.receivers import Mailbox, Receiver, serving

LOCAL = (ip_network("127.0.0.0/8"),)
FAILING = EventKind.CAMPAIGN_FAILING
SECRET = "hunter2hunter2"
MESSAGE = {"title": "Spring is done", "body": "6 done of 6 renders."}


@pytest.fixture
def notifications(engine):
    return Notifications(engine)


@pytest.fixture
def note(engine):
    def note(kind=FAILING, project="p", **data):
        with engine.begin() as connection:
            record(connection, kind, project=project, campaign="spring", data=data)

    return note


def add(notifications, address="ntfy://x/y", name="ops", kinds=(FAILING,), project="p"):
    told = {"name": name, "service": "ntfy", "address": address, "kinds": list(kinds)}
    return notifications.add(project, **told)


# --- with Apprise itself ---


def test_a_mailbox_gets_one_letter_for_each_event(notifications, note):
    mailbox = Mailbox()
    address = (
        f"mailto://127.0.0.1:{mailbox.port}?mode=insecure&from=farm@example.com&to=ann@example.com"
    )
    add(notifications, address)
    note(failed=3, total=60)
    note(EventKind.CAMPAIGN_PAUSED)
    note(project="q", failed=1, total=2)
    loop = notifying(notifications, asker(LOCAL))
    with serving(mailbox):
        assert (loop.tick(1.0), loop.tick(2.0)) == (1, 0)
    (letter,) = map(email.message_from_string, mailbox.letters)
    assert letter["Subject"] == "spring is failing"
    assert letter["To"] == "ann@example.com"
    (text,) = [part for part in letter.walk() if part.get_content_type() == "text/plain"]
    assert "3 of 60 renders have failed" in text.get_payload(decode=True).decode()


def test_a_chat_is_told_over_the_web_and_a_bad_answer_is_tried_again(notifications, note):
    note(failed=1, total=2)  # before anybody listened
    with serving(Receiver()) as receiver:
        add(notifications, f"ntfy://127.0.0.1:{receiver.port}/renders?redirect=yes")
        note(failed=1, total=2)
        loop = notifying(notifications, asker(LOCAL))
        receiver.status, receiver.location = 302, receiver.url + "/inside"
        loop.tick(1.0)
    assert len(receiver.got) == 1  # a redirect is not followed, though the address asks for it
    (waiting,) = due_now(notifications)
    assert (waiting.tries, "Apprise says" in waiting.error) == (1, True)
    assert "127.0.0.1" not in waiting.error


def due_now(notifications):
    box = notifications.outbox
    with box._engine.begin() as connection:
        connection.exec_driver_sql("UPDATE messages SET due_at = 1.0 WHERE due_at IS NOT NULL")
    return box.due(9)


def test_nothing_is_told_inside_unless_an_operator_allows_it(notifications, note):
    with serving(Receiver()) as receiver:
        add(notifications, f"ntfy://127.0.0.1:{receiver.port}/renders")
        note(failed=1, total=2)
        notifying(notifications, asker(())).tick(1.0)
    assert receiver.got == []
    (dead,) = notifications.outbox.dead("p")
    assert "FARM_WEBHOOK_NETWORKS" in dead.error


def test_an_address_that_names_a_file_of_the_farms_is_refused(tmp_path):
    (tmp_path / "secret").write_text("{{ app_body }}")
    address = f"discord://{'1' * 18}/{'a' * 68}?template={tmp_path / 'secret'}"
    with pytest.raises(RequestError, match="names a file") as refused:
        checker(asker(LOCAL))(address)
    assert "aaaa" not in str(refused.value)


def test_an_address_that_is_none_is_refused_without_repeating_it():
    check = checker(asker(()))
    with pytest.raises(RequestError) as refused:
        check(f"slack://{SECRET}")
    assert SECRET[:3] not in str(refused.value)
    assert check("slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/#renders") == "Slack"


# --- the process that sends ---


@pytest.fixture
def guard(tmp_path):
    return Guard(LOCAL, [tmp_path])


@pytest.mark.parametrize(
    "event",
    [
        ("socket.connect", (None, ("10.0.0.1", 25))),
        ("socket.connect", (None, ("169.254.169.254", 80))),
        ("socket.connect", (None, ("::1", 25, 0, 0))),
        ("socket.connect", (None, ("metadata.internal", 80))),
        ("socket.connect", (None, "/run/postgresql/.s")),
        ("socket.sendto", (None, ("8.8.8.8", 53))),
        ("open", ("/etc/passwd", "r", 0)),
        ("open", (b"/proc/self/environ", "rb", 0)),
        ("open", ("{tmp}/../secret", "r", 0)),
        ("open", ("{tmp}/own", "w", 0)),
        ("open", ("{tmp}/own", "a+", 0)),
        ("subprocess.Popen", ("sh", ["sh"], None, None)),
        ("os.system", ("true",)),
        ("os.remove", ("x", -1)),
    ],
)
def test_the_process_can_do_nothing_but_send(guard, tmp_path, event):
    name, arguments = event
    filled = [
        one.format(tmp=tmp_path) if isinstance(one, str) and name == "open" else one
        for one in arguments
    ]
    with pytest.raises(PermissionError):
        guard(name, tuple(filled))
    assert guard.stopped
    assert guard.is_final is (name == "socket.connect")


def test_the_process_may_do_what_sending_needs(guard, tmp_path):
    guard("socket.connect", (None, ("127.0.0.1", 25)))
    guard("socket.connect", (None, ("93.184.215.14", 443)))
    guard("open", (str(tmp_path / "package.py"), "r", 0))
    guard("open", (3, "w", 0))
    guard("import", ("ssl", None, None, None, None))
    assert (guard.stopped, guard.is_final) == (None, False)
    assert any(Path(json.__file__).is_relative_to(folder) for folder in readable_folders())
    assert not any(Path("/etc/passwd").is_relative_to(folder) for folder in readable_folders())


@pytest.mark.parametrize(
    "address",
    [
        "json://example.com",
        "file:///etc",
        "syslog://",
        "dbus://",
        "mailto:",
        "slack://",
        "https://a",
    ],
)
def test_services_that_are_not_people_are_refused(address):
    assert not is_known(address)
    told = answer_to({"address": address, "allowed": [], "message": None})
    assert told["is_final"]
    assert "mailto" in told["error"]


def test_without_apprise_people_hear_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "apprise", None)
    told = answer_to({"address": "slack://a/b/c", "allowed": [], "message": None})
    assert (told["is_final"], "seedbed[notify]" in told["error"]) == (False, True)


def test_no_part_of_an_address_is_in_what_is_told_of_it():
    address = f"mailtos://ann:{SECRET}@mail.example.com?to=bob%40example.org&x=yes"
    text = f"No {SECRET} for ann at mail.example.com, bob@example.org, mailto://a:h...2@m yes"
    assert hidden(text, address) == "No … for ann at …, …, … yes"
    assert len(hidden("x" * 900, address)) == 300


@pytest.mark.parametrize(
    ("program", "words"),
    [
        ("import time; time.sleep(60)", "more than"),
        ("print('not JSON')", "without an answer"),
        ("import sys; sys.exit(3)", "without an answer"),
    ],
)
def test_a_process_that_hangs_or_breaks_is_ended_and_tried_again(monkeypatch, program, words):
    monkeypatch.setattr(telling, "WHOLE_S", 0.2 if "sleep" in program else 30.0)
    told = asker((), [sys.executable, "-I", "-c", program])("slack://x", MESSAGE)
    assert (told["is_final"], words in told["error"]) == (False, True)
    missing = asker((), ["/nowhere/python"])("slack://x", MESSAGE)
    assert "No such file" in missing["error"]


def test_the_process_knows_no_secret_and_no_proxy(monkeypatch):
    monkeypatch.setenv("FARM_TOKEN", SECRET)
    monkeypatch.setenv("HTTPS_PROXY", "http://10.0.0.1:3128")
    program = "import json, os; print(json.dumps({'service': ' '.join(os.environ)}))"
    seen = asker((), [sys.executable, "-I", "-c", program])("slack://x", None)["service"]
    assert "PATH" in seen
    assert "FARM_TOKEN" not in seen
    assert "PROXY" not in seen


# --- who is told ---


def test_what_nobody_takes_is_given_up_and_told_once(engine, notifications, note):
    add(notifications)
    note(failed=1, total=2)
    note(failed=1, total=2)
    loop = notifying(notifications, lambda *_: {"error": "Away.", "is_final": False})
    for _ in range(2 * (len(AGAIN_S) + 1)):
        due_now(notifications)
        loop.tick(1.0)
    assert [dead.error for dead in notifications.outbox.dead("p")] == ["Away."] * 2
    told = [event for event in Events(engine).all() if event.kind == "notification.dead"]
    assert [event.data["error"] for event in told] == ["Away."]
    (shown,) = NotificationService(notifications, str).all("p")
    assert (shown["given_up"], shown["error"]) == (2, "Away.")
    assert notifications.outbox.send_again("p") == 2


def test_an_address_is_in_no_event_no_answer_and_no_error(engine, notifications, note, caplog):
    address = f"mailto://ann:{SECRET}@example.com"
    service = NotificationService(notifications, lambda _: "E-Mail")
    added = service.add("p", address, None, None)
    assert added["name"] == added["service"] == "E-Mail"
    assert "campaign.deadline_at_risk" in added["kinds"]
    with pytest.raises(AlreadyThere, match="--name") as taken:
        service.add("p", address, None, None)
    assert "example.com" not in str(taken.value)
    note(failed=1, total=2)
    notifying(notifications, lambda *_: {"error": "No.", "is_final": True}).tick(1.0)
    shown = [service.all("p"), service.test("p", added["id"]), service.remove("p", added["id"])]
    events = [event.data for event in Events(engine).all()]
    everything = json.dumps([shown, events]) + repr(notifications.all()) + caplog.text
    assert "did not reach notification 1" in caplog.text
    assert SECRET not in everything
    assert "ann" not in everything


@pytest.mark.parametrize(
    ("kinds", "name"),
    [("worker.*", None), ("campaign.eaten", None), (None, "a\nb"), (None, "x" * 100), (None, " ")],
)
def test_a_wrong_notification_is_refused_before_its_address_is_looked_at(
    notifications, kinds, name
):
    with pytest.raises(RequestError):
        NotificationService(notifications, pytest.fail).add("p", "slack://x", kinds, name)


def test_projects_keep_their_notifications_to_themselves(notifications):
    mine = add(notifications)
    add(notifications, project="q")
    service = NotificationService(notifications, str)
    assert [one["id"] for one in service.all("p")] == [mine.id]
    for order in (service.remove, service.test):
        with pytest.raises(NotFound):
            order("q", mine.id)


def test_the_commands_add_try_and_remove_them(
    tmp_path, database_url, notifications, monkeypatch, capsys
):
    settings = read_settings(home=tmp_path / "home", database_url=database_url)
    with (
        serving(Receiver()) as receiver,
        open_app(settings, "127.0.0.1") as app,
        serve(app, 0) as url,
    ):
        monkeypatch.setenv("FARM_URL", url)
        address = f"ntfy://127.0.0.1:{receiver.port}/{SECRET}"
        monkeypatch.setattr(sys, "stdin", io.StringIO(address + "\n"))
        main(["notify", "add", "-", "--name", "phones", "--kinds", "campaign.*", "--json"])
        added = json.loads(capsys.readouterr().out)
        assert (added["service"], added["name"]) == ("ntfy", "phones")
        assert "webhook.dead" not in added["kinds"]
        main(["notify", "test", f"{added['id']}", "--json"])
        assert notifying(notifications, asker(LOCAL)).tick(1.0) == 1
        assert json.loads(receiver.got[0][2])["title"] == "A test of notifications"
        for words in (["list"], ["again"], ["remove", f"{added['id']}"]):
            with pytest.raises(SystemExit) as ended:
                main(["notify", *words])
            assert not ended.value.code
        said = capsys.readouterr()
        assert "phones" in said.out
        assert "0 are tried again." in said.out
        assert SECRET not in said.out + said.err + json.dumps(added)
        with Client(url) as client:
            assert client.notifications() == []
        wrong = httpx.post(f"{url}/api/v1/notifications", json={"address": f"x://{SECRET}" * 200})
        assert (wrong.status_code, SECRET in wrong.text) == (422, False)
