"""Log lines as events, without secrets."""

import json
import logging

import pytest

from storage.log_events import JsonLines, KeptEvents, ReadableLines, event_of, readable, relay
from storage.redaction import HIDDEN, Redaction, password_in, secrets_in

PLAIN = Redaction()


def record(message, *values, level=logging.INFO, error=None):
    info = None if error is None else (type(error), error, None)
    return logging.getLogger("farm.test").makeRecord(
        "farm.test", level, "file.py", 1, message, values, info
    )


def test_fields_come_out_of_the_sentence():
    event = event_of(
        record("Chunk %d: %s. action=settle campaign=%d worker=%s %s", 7, "done", 3, "w-1", ""),
        PLAIN,
    )
    assert event["message"] == "Chunk 7: done."
    assert (event["action"], event["campaign"], event["worker"]) == ("settle", 3, "w-1")
    assert event["level"] == "info"
    assert event["at"].endswith("Z")


def test_a_strangers_text_cannot_add_a_field_or_a_line():
    event = event_of(record("It said %s action=%s", "campaign=9\nlevel=x", "wait"), PLAIN)
    assert "campaign" not in event
    line = JsonLines(PLAIN).format(record("It said %s", "a\nb\x1b[31m"))
    assert "\n" not in line
    assert json.loads(line)["message"] == "It said a\nb\x1b[31m"
    shown = ReadableLines(PLAIN).format(record("It said %s", "a\nb\x1b[31m"))
    assert "\x1b" not in shown
    assert "\n" not in shown


@pytest.mark.parametrize(
    ("message", "values", "told"),
    [
        ("100%% of %d", (3,), "100% of 3"),
        ("%.1f s and %5d", (1.25, 2), "1.2 s and     2"),
        ("no values at all", (), "no values at all"),
        ("at=%s stays the time", ("x",), "stays the time"),
        ("50% off", (), "50% off"),
    ],
)
def test_sentences_are_made_as_logging_makes_them(message, values, told):
    event = event_of(record(message, *values), PLAIN)
    assert event["message"].split() == told.split()
    assert event["at"] != "x"


def test_an_error_keeps_its_end():
    event = event_of(record("It broke. action=crash", error=ValueError("no disk")), PLAIN)
    assert "no disk" in event["error"]
    assert readable(event).endswith("action=crash (ValueError: no disk)")


def test_a_very_long_sentence_is_cut():
    assert len(event_of(record("%s", "x" * 100_000), PLAIN)["message"]) == 4_000


def test_events_are_kept_until_they_are_taken_and_the_oldest_give_way():
    kept = KeptEvents(PLAIN, most=2)
    for number in range(3):
        kept.handle(record("n action=%s", number))
    assert [event["action"] for event in kept.take()] == [1, 2]
    assert kept.take() == ()


def test_an_event_of_a_worker_is_logged_here_with_its_name(caplog):
    kept = KeptEvents(PLAIN)
    kept.handle(record("Painted %d. action=paint campaign=%d", 4, 2, level=logging.WARNING))
    (event,) = kept.take()
    relay(event, worker="w-1")
    (relayed,) = caplog.records
    told = json.loads(JsonLines(PLAIN).format(relayed))
    assert told == {**event, "worker": "w-1"}
    assert relayed.levelno == logging.WARNING


def test_an_event_with_a_strange_level_is_logged_all_the_same(caplog):
    caplog.set_level(logging.INFO)
    relay({"at": "2026", "level": "loud", "logger": "farm.x", "message": "m"}, worker="w")
    assert caplog.records[0].levelno == logging.INFO


PLANTED = "pl4nted/S3cret+value="


@pytest.mark.parametrize(
    "text",
    [
        f"Authorization: Bearer {PLANTED}",
        f"{{'authorization': 'Bearer {PLANTED}'}}",
        f'"Authorization": "Basic {PLANTED}"',
        f"sent bearer {PLANTED} to it",
        f"postgresql://farm:{PLANTED}@db/farm",
        f"https://b.s3.aws/x.png?X-Amz-Credential=AK&X-Amz-Signature={PLANTED}",
        f"https://b.s3.aws/x.png?AWSAccessKeyId=a&Signature={PLANTED}&Expires=1",
        f"aws_secret_access_key = {PLANTED}",
        f"FARM_TOKEN={PLANTED}",
        f"FARM_TOKEN: '{PLANTED}'",
        f"password={PLANTED} host=db",
        f'{{"api_key": "{PLANTED}"}}',
    ],
)
def test_what_looks_like_a_secret_is_hidden(text):
    told = PLAIN(text)
    assert PLANTED not in told
    assert HIDDEN in told


def test_access_keys_are_hidden():
    assert PLAIN("with AKIAIOSFODNN7EXAMPLE failed") == f"with {HIDDEN} failed"


def test_known_secrets_are_hidden_wherever_they_stand():
    redact = Redaction([PLANTED, "abc"])
    assert PLANTED not in redact(f"x{PLANTED}y")
    assert "pl4nted" not in redact("x pl4nted/S3cret%2Bvalue%3D y")
    assert redact("abc is a word") == "abc is a word"


def test_ordinary_sentences_stay_as_they_are():
    for text in (
        "Chunk 7: done.", "token limit of 77", "a basic mug", "http://127.0.0.1:8600/x?limit=3",
        "The secret is kept.", "user@host", "77 tokens: cut",
    ):  # fmt: skip
        assert PLAIN(text) == text


def test_secrets_are_found_in_an_environment():
    environment = {
        "FARM_TOKEN": "t" * 16,
        "AWS_SECRET_ACCESS_KEY": "k" * 16,
        "FARM_DATABASE_URL": "postgresql://farm:p4ssword@db/farm",
        "RAY_AUTH_TOKEN_PATH": "/home/ray.token",
        "HOME": "/root",
    }
    assert secrets_in(environment) == {"t" * 16, "k" * 16, "p4ssword"}
    assert password_in("http://host/x") is None
