"""The supervisor with children that are small Python programs."""

import sys
import threading

import pytest

from farm.dispatch import supervisor
from farm.dispatch.supervisor import Supervisor, backoffs


def child(code):
    return (sys.executable, "-c", code)


@pytest.fixture(autouse=True)
def no_backoff(monkeypatch, settings):
    settings.home.mkdir()
    monkeypatch.setattr(supervisor, "backoffs", lambda: iter([0.0] * 10))


def test_backoffs_grow_to_a_limit():
    pending = backoffs()
    assert [next(pending) for _ in range(8)] == [0.5, 1, 2, 4, 8, 16, 30, 30]


def test_a_child_that_ends_is_started_again_until_it_is_hopeless(settings, tmp_path):
    marks = tmp_path / "marks"
    farm = Supervisor(
        settings,
        child(
            f"import sys; sys.stdin.readline(); open({str(marks)!r}, 'a').write('x'); print('the"
            " disk is full')"
        ),
    )
    farm.start()
    farm._thread.join(60)
    assert marks.read_text() == "x" * supervisor.QUICK_ENDS
    assert "the disk is full" in farm.gave_up
    assert "dispatcher.out" in farm.gave_up


def test_the_child_gets_its_settings_and_ends_with_its_parents_end_of_the_pipe(settings, tmp_path):
    heard, done = tmp_path / "heard", threading.Event()
    code = (
        f"import sys; line = sys.stdin.readline(); open({str(heard)!r}, 'w').write(line);"
        " print('up', flush=True); sys.stdin.read()"
    )
    farm = Supervisor(settings, child(code))
    farm.start()
    while not (heard.exists() and heard.read_text()):
        done.wait(0.01)
    farm.stop()
    assert type(settings).model_validate_json(heard.read_text()) == settings
    assert farm._child.poll() is not None
    assert farm.gave_up is None


def test_a_child_begins_before_it_gets_its_settings(settings, tmp_path):
    began, heard = tmp_path / "began", tmp_path / "heard"
    code = (
        f"import os, sys; open({str(began)!r}, 'a').write(f'{{os.getpid()}} ');"
        f" line = sys.stdin.readline(); open({str(heard)!r}, 'w').write(line); sys.stdin.read()"
    )
    farm = Supervisor(settings, child(code))
    farm.begin()
    wait_for(began)
    assert not heard.exists()
    farm.start()
    wait_for(heard)
    farm.stop()
    assert began.read_text().split() == [str(farm._child.pid)]
    assert farm._child.poll() is not None


def test_a_child_that_was_begun_and_never_started_ends(settings, tmp_path):
    began = tmp_path / "began"
    code = f"import sys; open({str(began)!r}, 'w').write('x'); sys.stdin.read()"
    farm = Supervisor(settings, child(code))
    farm.begin()
    wait_for(began)
    farm.stop()
    assert farm._child.poll() is not None


def test_a_child_that_ends_before_it_is_started_is_started_again(settings, tmp_path):
    marks = tmp_path / "marks"
    farm = Supervisor(settings, child(f"open({str(marks)!r}, 'a').write('x')"))
    farm.begin()
    wait_for(marks)
    farm.start()
    farm._thread.join(60)
    assert marks.read_text() == "x" * supervisor.QUICK_ENDS
    assert "times in a row" in farm.gave_up


def wait_for(path):
    """Wait until a file has a text."""
    while not (path.exists() and path.read_text()):
        threading.Event().wait(0.01)


def test_a_child_that_will_not_go_is_killed(settings, tmp_path):
    ready = tmp_path / "ready"
    code = (
        f"import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); open({str(ready)!r},"
        " 'w').close(); time.sleep(600)"
    )
    farm = Supervisor(settings, child(code))
    farm.start()
    while not ready.exists():
        threading.Event().wait(0.01)
    farm.stop(timeout_s=0.2)
    assert farm._child.poll() == -9


def test_the_token_of_the_cluster_is_for_its_owner_alone(settings):
    environment = supervisor.dispatcher_environment(settings)
    token = settings.home / "ray.token"
    assert environment["RAY_AUTH_MODE"] == "token"
    assert token.stat().st_mode & 0o077 == 0
    assert len(token.read_text()) == 64


def test_a_child_that_cannot_be_started_is_said(settings):
    (settings.home / "logs").write_text("in the way")
    farm = Supervisor(settings, child("pass"))
    farm.start()
    farm._thread.join(60)
    assert "cannot be started" in farm.gave_up
