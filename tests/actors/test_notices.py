"""What a cloud says before it takes a machine away: with a metadata service of the tests' own."""

import json
import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from actors.fleet.notices import Watch, open_notice


class Metadata(ThreadingHTTPServer):
    """As EC2's, version 2: nothing is told without a token that was asked for with PUT."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.tokens, self.notice = [], None


class Handler(BaseHTTPRequestHandler):
    def do_PUT(self):
        assert self.path == "/latest/api/token"
        assert self.headers["X-aws-ec2-metadata-token-ttl-seconds"]
        self.server.tokens.append(f"token-{len(self.server.tokens)}")
        self._answer(200, self.server.tokens[-1])

    def do_GET(self):
        assert self.path == "/latest/meta-data/spot/instance-action"
        if (
            not self.server.tokens
            or self.headers["X-aws-ec2-metadata-token"] != self.server.tokens[-1]
        ):
            return self._answer(401, "")
        if self.server.notice is None:
            return self._answer(404, "")
        return self._answer(200, json.dumps(self.server.notice))

    def _answer(self, code, text):
        self.send_response(code)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_):
        pass


@pytest.fixture
def metadata():
    server = Metadata()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def notice_of(server):
    return open_notice(f"aws=http://127.0.0.1:{server.server_address[1]}")


def test_the_cloud_says_when_it_takes_the_machine(metadata):
    notice = notice_of(metadata)
    assert notice() is None
    metadata.notice = {
        "action": "terminate",
        "time": (datetime.now(UTC) + timedelta(seconds=120)).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    assert 110 < notice() <= 120
    metadata.notice["action"] = "hibernate"
    assert notice() == 0, "that one begins at once"
    assert len(metadata.tokens) == 1


def test_a_token_that_is_over_is_asked_for_anew(metadata):
    notice = notice_of(metadata)
    notice()
    metadata.tokens.append("another")
    assert notice() is None
    assert len(metadata.tokens) == 3


def test_a_service_that_is_not_there_or_talks_nonsense_says_nothing(metadata, caplog):
    answers = iter([None, 60.0])
    watch = Watch(notice_of(metadata), poll_s=3600)
    metadata.notice = {"action": "terminate"}
    watch.look()
    watch.look()
    assert watch.left_s() is None
    assert [record.name for record in caplog.records if record.levelname == "WARNING"] == [
        "actors.fleet.notices"
    ], "said once"
    watch = Watch(lambda: next(answers, 60.0), poll_s=3600)
    watch.look()
    assert 50 < watch.left_s() <= 60
