"""What shells and service managers see of the command: completions, events on standard output,
and how the supervisor shares its own.
"""

import contextlib
import json
import os
import subprocess
import sys
import threading
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from farm.api.serving import serve
from farm.app import open_app
from farm.cli import app
from farm.client.client import Client
from farm.commands import farms
from farm.config import read_settings
from farm.dispatch import supervisor
from farm.dispatch.supervisor import Supervisor
from storage.errors import WorkError
from tests.campaigns import campaign


@pytest.fixture
def settings(tmp_path):
    settings = read_settings(home=tmp_path / "home")
    settings.home.mkdir()
    return settings


def completed(shell, line, **environment):
    """What a shell is offered for a line that has been typed so far."""
    words = line.split(" ")
    asked = {
        "_FARM_COMPLETE": f"complete_{shell}",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(words) - 1),
        "_TYPER_COMPLETE_ARGS": line,
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
    }
    code = "import sys; sys.argv[0] = 'farm'; from farm.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **asked, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stderr == ""
    return done.stdout.split()


def test_commands_options_and_names_are_completed_in_a_shell(settings):
    with open_app(settings) as api, serve(api, 0) as url, Client(url) as client:
        client.submit(campaign(name="spring-launch"))
        environment = {"FARM_HOME": str(settings.home), "FARM_URL": url}
        assert "status" in completed("bash", "farm sta", **environment)
        assert "--state" in completed("bash", "farm list --st", **environment)
        assert completed("bash", "farm status spr", **environment) == ["spring-launch"]
        assert completed("bash", "farm pause spr", **environment) == ["spring-launch"]
        assert "calibrate" in completed("bash", "farm drift c", **environment)
        assert any(
            "spring-launch" in word for word in completed("zsh", "farm why s", **environment)
        )


def test_completion_says_nothing_if_no_farm_answers(settings):
    environment = {"FARM_HOME": str(settings.home), "FARM_URL": "http://127.0.0.1:9"}
    assert completed("bash", "farm status s", **environment) == []


@pytest.fixture
def fake_farm(monkeypatch):
    """`farm up` with a farm that gives up at once; the list has how it was asked to show logs."""
    shown = []

    @contextlib.contextmanager
    def embedded(_settings, **more):
        shown.append(more["shown"])
        child = SimpleNamespace(start=lambda: None, gave_up="It is hopeless.")
        yield SimpleNamespace(url="http://127.0.0.1:1", supervisor=child)

    monkeypatch.setattr(farms, "_farm", embedded)
    monkeypatch.setattr(farms, "_say_orders", lambda _settings, _farm: None)
    monkeypatch.setattr(farms.signal, "signal", lambda *_: None)
    monkeypatch.setattr(farms, "threading", SimpleNamespace(Event=_Never))
    return shown


class _Never:
    """An event that is not set, and that nobody waits for."""

    def wait(self, _seconds):
        return False

    def set(self):
        raise AssertionError


@pytest.mark.parametrize(
    ("chosen", "shown", "is_said"), [("json", "json", False), ("text", "text", True)]
)
def test_up_says_in_words_or_as_an_event_where_it_is(
    fake_farm, tmp_path, monkeypatch, caplog, chosen, shown, is_said
):
    monkeypatch.setenv("FARM_LOG", chosen)
    caplog.set_level("INFO")
    result = CliRunner().invoke(app, ["up", "--home", str(tmp_path)])
    assert isinstance(result.exception, WorkError)
    assert fake_farm == [shown]
    assert ("The farm is up at" in result.output) == is_said
    assert any("action=up" in record.getMessage() for record in caplog.records) != is_said


def child(code):
    return (sys.executable, "-c", code)


def test_a_child_that_shows_its_log_has_its_parents_output(settings, monkeypatch, capfd):
    monkeypatch.setattr(supervisor, "backoffs", lambda: iter([0.0] * 10))
    farm = Supervisor(
        settings,
        child("import sys; print('an event'); print('a last word', file=sys.stderr)"),
        shows_log=True,
    )
    farm.start()
    farm._thread.join(60)
    assert "an event" in capfd.readouterr().out
    assert "a last word" in farm.gave_up


def test_what_a_running_child_prints_is_bounded(settings, monkeypatch):
    bounded, looked = [], threading.Event()

    def bound(path):
        bounded.append(path.name)
        if len(bounded) > 1:  # once before it began, once while it ran
            looked.set()

    monkeypatch.setattr(supervisor, "bound", bound)
    monkeypatch.setattr(supervisor, "LOOK_S", 0.01)
    farm = Supervisor(settings, child("import sys; sys.stdin.read()"))
    farm.start()
    assert looked.wait(60)
    farm.stop()
    assert set(bounded) == {"dispatcher.out"}


def test_only_events_are_on_the_standard_output_of_a_dispatcher():
    code = (
        "from farm.dispatch.process import _own_output\n"
        "own = _own_output()\n"
        "print('noise', flush=True)\n"
        "own.write('{\"event\": 1}\\n'); own.flush()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert json.loads(done.stdout) == {"event": 1}
    assert "noise" in done.stderr
