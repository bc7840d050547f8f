"""The bounds of the API's connections, on real sockets."""

import json
import os
import socket
import subprocess
import sys
import threading
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from farm.api import connections
from farm.api.connections import Connections, connection_limit
from farm.app import open_app, serve
from farm.config import read_settings
from farm.dispatch import supervisor
from farm.dispatch.supervisor import Supervisor
from tests.answers import SHAPE

FEW = 6
POST = (
    b"POST /api/v1/prune HTTP/1.1\r\nHost: localhost\r\nContent-Type:"
    b" application/json\r\nContent-Length: 100\r\n\r\n"
)
HEALTH = b"GET /api/v1/health HTTP/1.1\r\nHost: localhost\r\n\r\n"

# A server with few descriptors of its own, which starts a process for each line that it reads.
SERVER = """
import resource, subprocess, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (160, 160))
from farm.app import open_app, serve
from farm.config import read_settings
from farm.home import Home
from farm.logs import log_to_file
from pathlib import Path
settings = read_settings(home=Path(sys.argv[1]))
with open_app(settings) as app, serve(app, 0) as url:
    log_to_file(Home(settings.home).logs / "api.log")
    print(url, flush=True)
    for line in sys.stdin:
        child = [sys.executable, "-c", "print('started')"]
        done = subprocess.run(child, capture_output=True, text=True)
        print(done.stdout, end="", flush=True)
"""


def connect(url):
    host, port = url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), 30)


def told(connection):
    """All that comes until the farm closes a connection."""
    data = b""
    try:
        while part := connection.recv(65536):
            data += part
    except ConnectionResetError:
        pass
    return data


def test_connections_that_say_nothing_take_no_descriptors_from_the_farm(tmp_path):
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("FARM_")
    }
    server = subprocess.Popen(
        [sys.executable, "-c", SERVER, str(tmp_path / "home")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )
    with server, ExitStack() as stack:
        stack.callback(server.kill)
        url = server.stdout.readline().strip()
        first = stack.enter_context(connect(url))
        for _ in range(400):
            stack.enter_context(connect(url))
        assert told(first) == b""  # it gave way
        assert httpx.get(f"{url}/api/v1/health").status_code == 200
        server.stdin.write("\n")
        server.stdin.flush()
        assert server.stdout.readline() == "started\n"
        text = httpx.get(f"{url}/metrics").text
        assert "farm_connections_allowed 16.0" in text
        assert 1 <= float(text.split("\nfarm_connections ")[1].split("\n")[0]) <= 16
        assert (
            float(text.split('farm_connections_closed_total{reason="full"} ')[1].split("\n")[0])
            > 300
        )
        assert len(list(Path(f"/proc/{server.pid}/fd").iterdir())) < 100
        assert '"action": "connections"' in (tmp_path / "home/logs/api.log").read_text()


@pytest.fixture
def app(tmp_path):
    with open_app(read_settings(home=tmp_path / "home")) as app:
        app.state.connections = Connections(FEW)
        yield app


@pytest.fixture
def impatient(app, monkeypatch):
    monkeypatch.setattr(connections, "HEAD_S", 0.2)
    monkeypatch.setattr(connections, "SILENCE_S", 0.2)
    with serve(app, 0) as url:
        yield url


@pytest.mark.parametrize(
    "said",
    [b"", b"GET /api/v1/hea", POST, POST + b"{", HEALTH[:-2] + b"X: y"],
    ids=["nothing", "a-line", "a-head", "a-body", "b"],
)
def test_who_says_nothing_more_is_left(impatient, app, said):
    with connect(impatient) as connection:
        connection.sendall(said)
        assert told(connection) == b""
    assert app.state.connections.closed == {"idle": 1, "full": 0, "refused": 0}


def test_who_begins_another_request_and_does_not_end_it_is_left(impatient, app):
    with connect(impatient) as connection:
        connection.sendall(HEALTH + b"GET /api")
        assert told(connection).count(b"HTTP/1.1 200") == 1
    assert app.state.connections.closed["idle"] == 1


def test_who_does_not_read_his_answer_is_left(impatient, app, tmp_path):
    folder = tmp_path / "home/outputs/default"
    folder.mkdir(parents=True)
    (folder / "large.bin").write_bytes(b"x" * 50_000_000)
    with connect(impatient) as connection:
        connection.sendall(HEALTH.replace(b"health", b"outputs/default/large.bin"))
        tick = threading.Event()
        while not app.state.connections.closed["idle"]:
            tick.wait(0.02)
        assert len(told(connection)) < 50_000_000


def test_who_is_busy_does_not_give_way_and_who_comes_then_is_told(app):
    with serve(app, 0) as url, ExitStack() as stack:
        busy = [stack.enter_context(connect(url)) for _ in range(FEW)]
        for connection in busy:
            connection.sendall(POST)
        while sum(not other.is_idle for other in list(app.state.connections._open)) < FEW:
            threading.Event().wait(0.01)
        head, _, body = told(stack.enter_context(connect(url))).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 503")
        assert set(json.loads(body)) == SHAPE
        busy[0].sendall(b'{"older_than_s": 1000000' + b" " * 75 + b"}")
        assert busy[0].recv(12) == b"HTTP/1.1 200"
        with connect(url) as connection:  # the first is idle now
            connection.sendall(HEALTH)
            assert connection.recv(12) == b"HTTP/1.1 200"
        assert app.state.connections.closed == {"idle": 0, "full": 1, "refused": 1}


@pytest.mark.parametrize(
    "said",
    [
        b"\x16\x03\x01\x02\x00\x01\r\n\r\n",
        b"GET /\r\n\r\n",
        b"G\xff /\r\n\r\n",
        b"GET / HTTP/1.1\r\nX: " + b"y" * 70_000,
    ],
)
def test_what_is_no_http_is_refused_in_the_shape_of_all_refusals(app, said):
    with serve(app, 0) as url, connect(url) as connection:
        connection.sendall(said)
        head, _, body = told(connection).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400")
    assert set(json.loads(body)) == SHAPE


def test_clients_leave_descriptors_for_the_farm(monkeypatch):
    for files, most in (
        (64, 16),
        (128, 16),
        (256, 64),
        (1024, 448),
        (10**6, 1000),
        (connections.resource.RLIM_INFINITY, 1000),
    ):
        monkeypatch.setattr(
            connections.resource, "getrlimit", lambda _what, files=files: (files, files)
        )
        assert connection_limit() == most


def test_a_dispatcher_that_cannot_be_started_for_want_of_descriptors_is_tried_again(
    tmp_path, monkeypatch
):
    settings = read_settings(home=tmp_path)
    farm = Supervisor(settings, (sys.executable, "-c", f"open({str(tmp_path / 'mark')!r}, 'w')"))
    monkeypatch.setattr(supervisor, "backoffs", lambda: iter([0.0] * 10))
    start, failed = subprocess.Popen, []

    def without_descriptors(*arguments, **options):
        if len(failed) < 3:
            failed.append(1)
            raise OSError(24, "Too many open files")
        return start(*arguments, **options)

    monkeypatch.setattr(supervisor.subprocess, "Popen", without_descriptors)
    farm.start()
    farm._thread.join(60)
    assert (tmp_path / "mark").exists()
    assert "ended 4 times" in farm.gave_up
