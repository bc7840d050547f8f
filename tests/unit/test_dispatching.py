"""The dispatcher's process before it leads."""

import io
import socket
import sys
import threading

import pytest

from farm.config import read_settings
from farm.dispatch import process as dispatching
from farm.dispatch.process import dispatch, wait_for_cluster


@pytest.mark.parametrize("address", ["local", "auto"])
def test_a_cluster_of_ones_own_is_not_waited_for(address):
    assert wait_for_cluster(address, threading.Event())


@pytest.mark.parametrize("scheme", ["", "ray://"])
def test_a_head_that_is_away_is_waited_for_until_it_is_there(scheme, monkeypatch, caplog):
    monkeypatch.setattr(dispatching, "CLUSTER_S", 0.01)
    with socket.socket() as head:
        head.bind(("127.0.0.1", 0))  # and does not listen yet
        address = f"{scheme}127.0.0.1:{head.getsockname()[1]}"
        stop, answers = threading.Event(), []
        waiting = threading.Thread(target=lambda: answers.append(wait_for_cluster(address, stop)))
        waiting.start()
        while "does not answer" not in caplog.text:
            stop.wait(0.01)
        assert waiting.is_alive()
        head.listen()
        waiting.join(30)
    assert answers == [True]
    assert caplog.text.count("does not answer") == 1


def test_whoever_stops_waits_no_longer():
    stop = threading.Event()
    stop.set()
    assert not wait_for_cluster("127.0.0.1:9", stop)


def test_a_parent_that_ends_before_it_says_what_to_do_is_no_error(monkeypatch, tmp_path):
    joined = []
    monkeypatch.setattr(dispatching, "connect", lambda *_: joined.append(True))
    monkeypatch.setattr(sys, "argv", ["dispatching", str(tmp_path)])
    monkeypatch.setattr(sys, "stdin", io.StringIO(""))
    dispatch(threading.Event())
    assert joined == []


def test_nobody_joins_a_cluster_whose_head_is_away(monkeypatch, tmp_path):
    joined = []
    monkeypatch.setattr(dispatching, "connect", lambda *_: joined.append(True))
    monkeypatch.setattr(dispatching, "log_to_file", lambda *_, **__: None)
    monkeypatch.setattr(sys, "argv", ["dispatching", str(tmp_path)])
    with socket.socket() as head:
        head.bind(("127.0.0.1", 0))  # and does not listen
        settings = read_settings(home=tmp_path, ray=f"127.0.0.1:{head.getsockname()[1]}")
        # Its parent is gone as soon as it has read them: so it stops, and does not wait for ever.
        monkeypatch.setattr(
            sys, "stdin", io.StringIO(settings.model_dump_json(exclude={"token"}) + "\n")
        )
        dispatch(threading.Event())
    assert joined == []
