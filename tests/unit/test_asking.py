"""Questions to what may not answer."""

import threading

import pytest

from farm.service.asking import Asking


def test_each_question_is_asked_anew_once_the_one_before_is_answered():
    asked = []
    asking = Asking(lambda: asked.append(1) or len(asked), patience_s=60)
    assert [asking.answer() for _ in range(3)] == [1, 2, 3]


def test_nobody_waits_for_longer_than_their_patience_and_one_question_is_open_at_a_time():
    asked, go = [], threading.Event()

    def ask():
        asked.append(1)
        go.wait()

    asking = Asking(ask, patience_s=0.01)
    for _ in range(3):
        with pytest.raises(TimeoutError):
            asking.answer()
    go.set()
    assert asked == [1]


def test_an_error_is_that_of_whoever_asked():
    def ask():
        raise ValueError("no")

    asking = Asking(ask, patience_s=60)
    for _ in range(2):
        with pytest.raises(ValueError, match="no"):
            asking.answer()
