"""What every refusal of the API looks like, for tests of any part of it."""

import json
from http import HTTPStatus

SHAPE = {"type", "title", "status", "code", "detail", "problems"}


def strictly(answer):
    """The JSON of an answer, as a parser reads it that knows no NaN and no halves of
    characters.
    """

    def refuse(word):
        raise AssertionError(f"{word} is not JSON")

    text = answer.content.decode()
    value = json.loads(text, parse_constant=refuse)
    json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    return value


def refused(answer, status, code=None):
    """The body of a refusal, which has the one shape, and no fault of the farm in it."""
    assert answer.status_code == status, answer.text
    kind = answer.headers["content-type"]  # a list, if it is an answer to schemathesis
    assert kind in ("application/problem+json", ["application/problem+json"])
    body = strictly(answer)
    assert set(body) == SHAPE, body
    assert (body["status"], body["title"]) == (status, HTTPStatus(status).phrase)
    assert body["detail"].strip()
    assert body["code"] not in ("", "fault"), body
    assert code is None or body["code"] == code
    assert all(set(problem) == {"path", "message"} for problem in body["problems"])
    return body
