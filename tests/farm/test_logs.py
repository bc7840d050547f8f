"""Logs: files, what is shown of them, how they are read, and that no secret is in them."""

import io
import json
import logging
import threading
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from actors.fleet.actor import _log_events
from farm.api.serving import serve
from farm.app import embedded_farm, open_app
from farm.cli import app
from farm.client.client import Client
from farm.commands import logs as logs_command
from farm.config import known_secrets, read_settings
from farm.dispatch.settled_log import log_settled
from farm.logs import bound, log_to_file, shown_on, way_of
from farm.service.logs import LogReading
from storage.errors import NotFound
from storage.rows import Settlement
from storage.states import AttemptOutcome, RenderState
from tests.campaigns import campaign

log = logging.getLogger("farm.test")


@pytest.fixture(autouse=True)
def root_as_before():
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    yield
    for handler in root.handlers:
        if handler not in before:
            handler.close()
    root.handlers[:] = before
    root.setLevel(level)


@pytest.fixture
def settings(tmp_path):
    return read_settings(home=tmp_path / "home")


@pytest.fixture
def folder(settings):
    folder = settings.home / "logs"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def farm(settings, folder, monkeypatch):
    with open_app(settings) as api, serve(api, 0) as url, Client(url) as client:
        monkeypatch.setenv("FARM_URL", url)
        yield client


def write(path, *events):
    with path.open("a") as file:
        for number, fields in events:
            at = f"2026-11-27T01:00:{number:02d}.000000Z"
            first = {"at": at, "level": "info", "logger": "farm.x", "message": f"event {number}"}
            file.write(json.dumps({**first, **fields}) + "\n")


def messages(events):
    return [event["message"] for event in events]


def run(*words, code=0):
    result = CliRunner().invoke(app, [str(word) for word in words])
    assert result.exit_code == code, (result.output, result.exception)
    return result.output


def test_a_log_file_has_an_event_a_line(tmp_path):
    log_to_file(tmp_path / "logs" / "x.log")
    log.warning("Chunk %d failed. action=settle campaign=%d", 4, 2)
    (line,) = (tmp_path / "logs" / "x.log").read_text().splitlines()
    event = json.loads(line)
    assert (event["level"], event["action"], event["campaign"]) == ("warning", "settle", 2)


@pytest.mark.parametrize(("how", "lines"), [("json", 2), ("text", 1)])
def test_servers_show_every_event_and_terminals_warnings(tmp_path, how, lines):
    stream = io.StringIO()
    shown = shown_on(stream, how)
    log_to_file(tmp_path / "x.log", beside=shown)
    log.info("Fine. action=a")
    log.warning("Not fine. action=b worker=%s", "w")
    shown.close()
    told = stream.getvalue().splitlines()
    assert len(told) == lines
    assert ("Not fine. action=b worker=w" in told[-1]) == (how == "text")


def test_a_reader_that_never_reads_stops_nobody(tmp_path, monkeypatch):
    monkeypatch.setattr("farm.logs._WAITING", 3)
    going = threading.Event()
    stream = SimpleNamespace(write=lambda _line: going.wait(60), flush=lambda: None)
    shown = shown_on(stream, "json")
    log_to_file(tmp_path / "x.log", beside=shown)
    for _ in range(20):
        log.info("One more.")
    assert len((tmp_path / "x.log").read_text().splitlines()) == 20
    going.set()


def test_the_way_of_showing_is_chosen_or_follows_from_the_terminal():
    terminal, pipe = SimpleNamespace(isatty=lambda: True), SimpleNamespace(isatty=lambda: False)
    assert way_of("auto", terminal) == "text"
    assert way_of("auto", pipe) == "json"
    assert way_of("json", terminal) == "json"
    assert way_of("text", pipe) == "text"


def test_what_a_dispatcher_prints_is_kept_within_bounds(tmp_path):
    path = tmp_path / "dispatcher.out"
    bound(path)
    path.write_bytes(b"a" * 60 + b"b" * 60)
    with path.open("ab") as writer:
        bound(path, most=100)
        assert path.read_bytes() == b""
        assert (tmp_path / "dispatcher.out.1").read_bytes() == b"a" * 40 + b"b" * 60
        writer.write(b"goes on")
    assert path.read_bytes() == b"goes on"
    bound(path, most=100)
    assert path.read_bytes() == b"goes on"


def test_events_of_a_campaign_and_its_proofs_are_read_and_no_others(farm, folder):
    farm.submit(campaign(name="one", proof={"steps": 2}))
    farm.submit(campaign(name="two"))
    write(folder / "dispatcher.log", *((n, {"campaign": n}) for n in range(1, 6)))
    first = farm.logs("one")
    assert {event.fields["campaign"] for event in first} == {1, 2}
    assert [event.message for event in farm.logs("two")] == ["event 3"]
    with farm.of("shop") as shop:
        assert shop.logs("one") == []  # there it names a worker, of which nothing is said


def test_events_of_a_worker_and_of_all_are_in_the_order_of_time(farm, folder):
    write(folder / "dispatcher.log", (1, {"worker": "w-1"}), (3, {"worker": "w-2"}), (5, {}))
    write(folder / "api.log", (2, {}), (4, {"action": "up"}))
    assert [event.message for event in farm.logs("w-1")] == ["event 1"]
    assert [event.message for event in farm.logs()] == [f"event {n}" for n in range(1, 6)]
    assert [event.message for event in farm.logs(limit=2)] == ["event 4", "event 5"]
    last = farm.logs()[2].at
    assert [event.message for event in farm.logs(after=last)] == ["event 4", "event 5"]


def test_rotated_files_are_read_back_and_strange_lines_passed_over(tmp_path, campaigns):
    write(tmp_path / "dispatcher.log.2", (1, {}))
    write(tmp_path / "dispatcher.log.1", (2, {}), (3, {}))
    with (tmp_path / "dispatcher.log").open("w") as file:
        file.write('2026-01-01 INFO an older version\n[1]\n{"at": 3}\n\n')
    write(tmp_path / "dispatcher.log", (4, {}))
    reading = LogReading(tmp_path, campaigns)
    assert messages(reading.of_farm()) == ["event 1", "event 2", "event 3", "event 4"]
    assert messages(reading.of_farm(limit=3)) == ["event 2", "event 3", "event 4"]


def test_lines_longer_than_a_block_are_whole(tmp_path, campaigns, monkeypatch):
    monkeypatch.setattr("farm.service.logs._BLOCK", 50)
    write(tmp_path / "dispatcher.log", *((n, {"detail": "é" * 100 * n}) for n in range(4)))
    reading = LogReading(tmp_path, campaigns)
    assert messages(reading.of_farm()) == [f"event {n}" for n in range(4)]


def test_only_so_much_of_a_log_is_read_back(tmp_path, campaigns, monkeypatch):
    monkeypatch.setattr("farm.service.logs.FARTHEST", 1)
    write(tmp_path / "dispatcher.log", (2, {}))
    write(tmp_path / "dispatcher.log.1", (1, {}))
    assert messages(LogReading(tmp_path, campaigns).of_farm()) == ["event 2"]


def test_a_campaign_that_is_not_there_has_no_logs(tmp_path, campaigns):
    with pytest.raises(NotFound):
        LogReading(tmp_path, campaigns).of_campaign("default", "nothing")


def test_logs_are_shown_to_people_and_programs(farm, folder):
    write(folder / "dispatcher.log", (1, {"action": "paint", "worker": "w-1", "error": "a\nb"}))
    told = run("logs", "w-1")
    assert "01:00:01 info    event 1 action=paint worker=w-1 (b)" in " ".join(told.split("\n"))
    event = json.loads(run("logs", "--json"))
    assert event["at"] == "2026-11-27T01:00:01.000Z"
    assert event["worker"] == "w-1"


def test_a_name_without_a_line_is_not_passed_over_in_silence(farm, folder):
    write(folder / "dispatcher.log", (1, {"action": "paint", "worker": "w-1"}))
    farm.submit(campaign(name="silent"))
    said = CliRunner().invoke(app, ["logs", "silent"], catch_exceptions=False)
    assert (said.exit_code, said.stdout) == (0, "")
    assert "No line of the log is about silent." in said.stderr
    with pytest.raises(NotFound, match="no campaign of the project default and no worker is"):
        CliRunner().invoke(app, ["logs", "slient"], catch_exceptions=False)


def test_following_tells_each_event_once_and_ends_with_ctrl_c(farm, folder, monkeypatch):
    write(folder / "dispatcher.log", (1, {}))
    rounds = iter([(2, {}), (3, {}), None])

    def wait(_seconds):
        event = next(rounds)
        if event is None:
            raise KeyboardInterrupt
        write(folder / "dispatcher.log", event)

    monkeypatch.setattr(logs_command, "time", SimpleNamespace(sleep=wait))
    told = run("logs", "--follow", "--json", code=130)
    assert messages(map(json.loads, told.splitlines())) == ["event 1", "event 2", "event 3"]


def settled(**changes):
    return Settlement(**{"chunk_id": 7, "campaign_id": 2, "lease": 1, "worker": "w-1", **changes})


@pytest.mark.parametrize(
    ("changes", "level"),
    [
        (dict(outcome=AttemptOutcome.PAINTED), "INFO"),
        (dict(outcome=AttemptOutcome.PREEMPTED), "INFO"),
        (dict(outcome=AttemptOutcome.WORKER_LOST, detail="It died."), "WARNING"),
        (dict(outcome=AttemptOutcome.PAINTED, halt="It cannot go on."), "WARNING"),
    ],
)
def test_what_failed_is_a_warning_with_the_campaigns_name(caplog, changes, level):
    caplog.set_level(logging.INFO)
    log_settled(log, settled(**changes), SimpleNamespace(name="spring"))
    (record,) = caplog.records
    assert record.levelname == level
    assert "Chunk 7 of spring" in record.getMessage()


def test_a_failed_render_makes_a_warning(caplog):
    outcome = SimpleNamespace(state=RenderState.FAILED)
    log_settled(log, settled(outcome=AttemptOutcome.PAINTED, outcomes=(outcome,)), None)
    assert caplog.records[0].levelname == "WARNING"


def test_a_worker_keeps_what_it_logs_for_the_dispatcher(monkeypatch, capsys):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "planted-worker-key")
    kept = _log_events()
    log.info("Painted %d with planted-worker-key. action=paint campaign=%d", 3, 2)
    (event,) = kept.take()
    assert (event["action"], event["campaign"]) == ("paint", 2)
    assert "planted" not in json.dumps(event)
    assert "planted" not in capsys.readouterr().err


SECRETS = {
    "FARM_TOKEN": "planted-token-0123456789",
    "AWS_SECRET_ACCESS_KEY": "planted/aws+secret==",
    "AWS_SESSION_TOKEN": "planted-session-token",
}


def test_no_secret_is_in_any_log(tmp_path, monkeypatch):
    """Whatever is logged or refused while secrets are in the environment has none of them."""
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    settings = read_settings(home=tmp_path / "home")
    with embedded_farm(settings, port=0) as farm:
        with Client(farm.url, token=SECRETS["FARM_TOKEN"]) as client:
            answers = [_refused(client, name) for name in ("nothing", SECRETS["FARM_TOKEN"])]
        for value in (*SECRETS.values(), "http://x/?X-Amz-Signature=planted-signature"):
            log.error("It said %s: Authorization: Bearer planted-bearer. action=%s", value, value)
        try:
            raise ValueError(f"postgresql://farm:planted-password@db {SECRETS['FARM_TOKEN']}")
        except ValueError:
            log.exception("It broke. action=crash")
    text = "".join(path.read_text() for path in (settings.home / "logs").iterdir())
    assert text.count("It said") == 4
    assert "It broke" in text
    assert "planted" not in text, text
    assert "planted" not in answers[0]


def _refused(client, name):
    with pytest.raises(NotFound) as raised:
        client.status(name)
    return str(raised.value)


def test_passwords_of_addresses_are_known_secrets(tmp_path):
    settings = read_settings(
        home=tmp_path, database_url="postgresql://farm:p4ssword@db/farm", url="http://u:w0rd55@h"
    )
    assert {"p4ssword", "w0rd55"} <= known_secrets(settings)
