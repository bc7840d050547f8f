"""The client's requests: what is sent again and what is not, and after how long."""

import json

import httpx
import pytest

from farm.client.transport import LONGEST_PAUSE_S, TRIES, Transport
from storage.errors import (
    Conflict,
    RequestError,
    TooManyRequests,
    Unreachable,
    WorkError,
)


def problem(status, code, **headers):
    body = {"status": status, "code": code, "detail": "A sentence.", "problems": []}
    return httpx.Response(
        status, json=body, headers={k.replace("_", "-"): v for k, v in headers.items()}
    )


class Farm:
    """Answers with what a test has prepared, one after the other; the last one stays."""

    def __init__(self, *answers):
        self.answers, self.asked, self.slept = list(answers), [], []
        self.transport = Transport(
            "http://farm", token=None, timeout_s=1.0, sleep=self.slept.append
        )
        self.transport._http = httpx.Client(
            base_url="http://farm", transport=httpx.MockTransport(self.answer)
        )

    def answer(self, request):
        self.asked.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    @property
    def keys(self):
        return [request.headers.get("Idempotency-Key") for request in self.asked]


FINE = httpx.Response(200, json={})
PASSING = [
    httpx.ConnectError("refused"), httpx.ReadError("reset"), httpx.RemoteProtocolError("cut"),
    httpx.ConnectTimeout("no answer"), httpx.Response(502), httpx.Response(503),
    httpx.Response(504), problem(503, "full"), problem(503, "database-unavailable"),
    problem(409, "in-progress"), problem(429, "too-many-requests"),
]  # fmt: skip


@pytest.mark.parametrize("trouble", PASSING, ids=str)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_what_passes_is_sent_again_and_an_order_with_the_same_key(method, trouble):
    farm = Farm(trouble, trouble, FINE)
    assert farm.transport.request(method, "campaigns").status_code == 200
    assert len(farm.asked) == 3
    assert len(set(farm.keys)) == 1
    assert (farm.keys[0] is None) == (method == "GET")
    assert farm.slept == sorted(farm.slept)


def test_every_order_has_a_key_of_its_own():
    farm = Farm(FINE)
    for _ in range(3):
        farm.transport.request("POST", "prune", body={})
    assert len(set(farm.keys)) == 3


@pytest.mark.parametrize(
    ("trouble", "kind"),
    [
        (problem(409, "conflict"), Conflict),
        (problem(400, "bad-request"), RequestError),
        (problem(500, "fault"), WorkError),
        (problem(507, "outputs-unavailable"), WorkError),
        (httpx.Response(500, text="<html>"), WorkError),
        (httpx.ReadTimeout("too long"), Unreachable),
        (httpx.WriteTimeout("too long"), Unreachable),
    ],
    ids=str,
)
def test_what_does_not_pass_is_sent_once(trouble, kind):
    farm = Farm(trouble)
    with pytest.raises(kind):
        farm.transport.request("GET", "campaigns")
    assert (len(farm.asked), farm.slept) == (1, [])


def test_at_some_time_the_client_gives_up_with_the_last_error():
    farm = Farm(httpx.ConnectError("refused"))
    with pytest.raises(Unreachable, match="farm up"):
        farm.transport.request("GET", "campaigns")
    assert len(farm.asked) == TRIES
    asked_once = Farm(httpx.ConnectError("refused"))
    with pytest.raises(Unreachable):
        asked_once.transport.request("GET", "health", tries=1)
    assert len(asked_once.asked) == 1


@pytest.mark.parametrize(("asked", "pause"), [("7", 7), ("0", 0), ("9999", LONGEST_PAUSE_S)])
def test_the_client_waits_as_long_as_the_farm_asks(asked, pause):
    farm = Farm(problem(429, "too-many-requests", retry_after=asked), FINE)
    farm.transport.request("GET", "campaigns")
    assert farm.slept == [pause]


def test_a_refusal_for_haste_says_when_to_ask_again():
    farm = Farm(problem(429, "too-many-requests", retry_after="3"))
    with pytest.raises(TooManyRequests) as haste:
        farm.transport.request("GET", "campaigns")
    assert haste.value.retry_after_s == 3


def test_lines_and_files_begin_again_but_are_never_sent_twice_in_part(tmp_path):
    lines = b"".join(json.dumps(n).encode() + b"\n" for n in range(3))
    farm = Farm(httpx.Response(503), httpx.Response(200, content=lines))
    assert list(farm.transport.lines("campaigns/x/files", {})) == [0, 1, 2]

    def cut():
        yield b"half"
        raise httpx.ReadError("cut")

    cut_off = Farm(httpx.Response(200, content=cut()))
    with (tmp_path / "sheet").open("wb") as file, pytest.raises(Unreachable, match="broke off"):
        cut_off.transport.download("campaigns/x/sheet", {}, file)
    assert len(cut_off.asked) == 1
