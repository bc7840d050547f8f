"""Events as messages to people: plain sentences, in which nothing calls anybody."""

import json

import pytest

from farm.service.notice_texts import NOTICED, notice, notice_of, plain
from storage.event_kinds import EventKind
from storage.events import EventRow

DATA = {
    EventKind.CAMPAIGN_FINISHED: (
        {"state": "failed", "done": 1200, "failed": 34, "held": 0, "total": 1234},
        "spring is failed",
        "1,200 done, 34 failed of 1,234 renders.",
    ),
    EventKind.CAMPAIGN_AWAITING_REVIEW: (
        {"undecided": 6},
        "spring awaits your review",
        "6 renders are undecided",
    ),
    EventKind.CAMPAIGN_FAILING: (
        {"failed": 3, "total": 60},
        "spring is failing",
        "3 of 60 renders have failed",
    ),
    EventKind.CAMPAIGN_STOPPED: (
        {"why": "The disk is full."},
        "spring was stopped",
        "The disk is full.",
    ),
    EventKind.CAMPAIGN_BUDGET_LOW: (
        {"device_s": 3240.0, "budget_s": 3600.0},
        "spring has nearly spent its budget",
        "0.9 of its budget of 1 GPU hours",
    ),
    EventKind.CAMPAIGN_DEADLINE_AT_RISK: (
        {"deadline": 1795000000.0, "eta": 1795000600.0, "left": 5, "why": "It is late."},
        "spring may miss its deadline of 2026-11-18 11:06 UTC",
        "It is late.",
    ),
    EventKind.PROJECT_MONTH_LOW: (
        {"used_s": 32_400.0, "limit_s": 36_000.0},
        "The device hours of this month are nearly spent",
        "9 of 10 device hours are used. Once they are spent",
    ),
    EventKind.PROJECT_MONTH_SPENT: (
        {"used_s": 36_001.0, "limit_s": 36_000.0},
        "The device hours of this month are spent",
        "No further chunk is begun until the next month",
    ),
    EventKind.WEBHOOK_DEAD: (
        {"webhook": 4, "error": "It answered 500."},
        "Webhook 4 does not answer",
        "It answered 500.",
    ),
}


def told(kind, data, campaign="spring"):
    event = EventRow(
        id=1, at=1.0, kind=kind, project="acme", campaign=campaign, data=data, author=None,
        token=None, address=None,
    )  # fmt: skip
    return json.loads(notice_of(event))


def test_an_end_at_which_rules_hold_pictures_asks_for_a_review():
    data = {"state": "awaiting_review", "done": 4, "held": 2, "total": 6}
    message = told(EventKind.CAMPAIGN_FINISHED, data)
    assert message["title"] == "spring awaits your review"
    assert "4 done, 2 held of 6 renders. What is held waits" in message["body"]


@pytest.mark.parametrize("kind", NOTICED)
def test_each_kind_that_people_hear_of_has_its_words(kind):
    data, title, words = DATA[kind]
    message = told(kind, data)
    assert message["title"] == title
    assert words in message["body"]
    assert message["body"].endswith("Project: acme")


def test_a_budget_of_money_is_told_as_money():
    data = {"money": 36.5, "budget_money": 40.0}
    assert "36.5" in told(EventKind.CAMPAIGN_BUDGET_LOW, data)["body"]


def test_a_kind_of_a_later_version_is_told_by_its_name():
    assert told("campaign.eaten", {})["title"] == "spring: campaign.eaten"
    assert told("fleet.eaten", {}, None)["title"] == "The farm: fleet.eaten"


@pytest.mark.parametrize(
    "text",
    ["@everyone", "<@123>", "<!channel>", "see https://evil.example/x", "a\x1b[31mb", "\x00"],
)
def test_nothing_in_a_text_calls_people_or_is_a_link(text):
    message = json.loads(notice(text, text, None))
    for part in (message["title"], message["body"]):
        assert not any(word in part for word in ("@e", "<@", "<!", "://", "\x1b", "\x00"))


def test_a_text_is_bounded_and_keeps_its_letters():
    assert len(plain("x" * 5_000)) == 1_000
    assert plain("Ünï 日本 < 3 @ noon\nfine") == "Ünï 日本 < 3 @ noon\nfine"
