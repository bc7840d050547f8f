"""Orders with keys in the job database: one of several begins, and its answer is kept a day."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import select, update

from storage.answers import ABANDONED_S, KEPT_S, Answers, InProgress, KeyReused, StoredAnswer
from storage.tables import answers as table

ANSWER = StoredAnswer(status=201, body=b'{"campaign":"spring"}')


@pytest.fixture
def answers(engine):
    return Answers(engine)


def grow_older(engine, seconds):
    with engine.begin() as connection:
        connection.execute(update(table).values(begun_at=table.c.begun_at - seconds))


def keys(engine):
    with engine.connect() as connection:
        return sorted(connection.execute(select(table.c.key)).scalars())


def test_an_order_is_answered_as_it_was_before(answers):
    assert answers.begin("me", "k", "order") is None
    answers.end("me", "k", ANSWER)
    assert answers.begin("me", "k", "order") == ANSWER


def test_a_key_belongs_to_one_order_of_one_sender(answers):
    assert answers.begin("me", "k", "order") is None
    with pytest.raises(KeyReused, match="key of its own"):
        answers.begin("me", "k", "another")
    assert answers.begin("you", "k", "another") is None
    assert answers.begin("me", "l", "another") is None


def test_an_order_that_is_being_carried_out_is_not_begun_again(answers):
    answers.begin("me", "k", "order")
    with pytest.raises(InProgress) as busy:
        answers.begin("me", "k", "order")
    assert (busy.value.code, busy.value.retry_after_s) == ("in-progress", 1)
    answers.give_up("me", "k")
    assert answers.begin("me", "k", "order") is None


def test_an_answer_that_was_given_is_not_given_up(answers):
    answers.begin("me", "k", "order")
    answers.end("me", "k", ANSWER)
    answers.give_up("me", "k")
    assert answers.begin("me", "k", "order") == ANSWER


def test_an_order_whose_farm_has_died_can_be_sent_again(answers, engine):
    answers.begin("me", "k", "order")
    grow_older(engine, ABANDONED_S - 60)
    with pytest.raises(InProgress):
        answers.begin("me", "k", "order")
    grow_older(engine, 120)
    assert answers.begin("me", "k", "order") is None


def test_answers_are_forgotten_after_a_day(answers, engine):
    answers.begin("me", "old", "order")
    answers.end("me", "old", ANSWER)
    grow_older(engine, KEPT_S - 60)
    answers.begin("me", "new", "order")
    assert keys(engine) == ["new", "old"]
    grow_older(engine, 120)
    answers.begin("me", "newest", "order")
    assert "old" not in keys(engine)


def test_of_several_at_once_one_begins(answers):
    def begin(_):
        try:
            return answers.begin("me", "k", "order")
        except InProgress:
            return "busy"

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(begin, range(16)))
    assert found.count(None) == 1
    assert found.count("busy") == 15
