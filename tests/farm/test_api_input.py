"""Hostile and odd requests, over real HTTP: each is refused in one shape, by a sentence, and none
is a fault of the farm.
"""

import contextlib
import json
import socket
from pathlib import Path

import httpx
import hypothesis
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase
from hypothesis.errors import Unsatisfiable
from schemathesis.specs.openapi.checks import positive_data_acceptance

from farm.app import open_app, serve
from farm.client.client import Client
from farm.config import read_settings
from storage.errors import RequestError
from tests.answers import SHAPE, refused
from tests.campaigns import campaign

ORDERS = (
    "campaigns", "campaigns/spring/repaint", "campaigns/spring/priority", "campaigns/spring/retry",
    "campaigns/spring/pause",
    "campaigns/spring/manifest", "prune", "scaling", "drains",
)  # fmt: skip
GOOD = {
    "campaigns": {"campaign": campaign().model_dump(mode="json"), "dry_run": True},
    "campaigns/spring/repaint": {"numbers": [1]},
    "campaigns/spring/priority": {"priority": 3},
    "campaigns/spring/retry": {"render": 0},
    "prune": {"older_than_s": 1e9},
    "scaling": {"floor": 0},
    "drains": {"target": "nobody"},
}


@pytest.fixture(scope="module")
def app(tmp_path_factory):
    with open_app(read_settings(home=tmp_path_factory.mktemp("api") / "home")) as app:
        yield app


@pytest.fixture(scope="module")
def url(app):
    with serve(app, 0) as url:
        yield url


@pytest.fixture(scope="module")
def http(url):
    with httpx.Client(
        base_url=f"{url}/api/v1/", headers={"Content-Type": "application/json"}
    ) as http:
        yield http


BAD = [
    "NaN", "Infinity", "-Infinity", "1e400", "-1e999", r'"\ud800"', r'"a\udfffb"',
    r'{"\udc00": 1}', "[1, NaN]", r'[{"a": ["\ud800"]}]',
    r'"\udc00\ud800"', "9" * 5000,
]  # fmt: skip


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("bad", BAD, ids=lambda bad: bad[:20])
def test_what_is_no_json_number_or_text_is_refused_wherever_it_stands(http, order, bad):
    good = json.dumps(GOOD.get(order, {}))[1:-1]
    bodies = [
        bad,
        f'{{"odd": {bad}}}',
        f'{{{good}{"," if good else ""} "odd": {bad}}}',
        f'{{"odd": {bad}{"," if good else ""} {good}}}',
    ]
    for body in bodies:
        refused(http.post(order, content=body), 422)


PLACES = (
    "campaign", "campaign.name", "campaign.model", "campaign.prompt", "campaign.seeds",
    "campaign.seeds.count", "campaign.settings",
    "campaign.settings.guidance",
    "campaign.vary.color", "campaign.vary.color.0", "campaign.priority", "campaign.skip",
    "project", "dry_run",
)  # fmt: skip


@pytest.mark.parametrize("place", PLACES)
def test_a_bad_value_in_a_good_campaign_is_named_by_its_place(http, place):
    for bad in ("NaN", "1e400", r'"\ud800"'):
        data = {"project": "default", **json.loads(json.dumps(GOOD["campaigns"]))}
        *outer, last = [int(part) if part.isdecimal() else part for part in place.split(".")]
        inner = data
        for part in outer:
            inner = inner[part]
        inner[last] = "BAD"
        body = refused(http.post("campaigns", content=json.dumps(data).replace('"BAD"', bad)), 422)
        assert [problem["path"] for problem in body["problems"]] == [[*outer, last]]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("", "the body is missing"),
        ("{", "not JSON (line 1"),
        ("[" * 100_000, "nested more than 50"),
        ('{"older_than_s":' + "[" * 60 + "]" * 60 + "}", "nested more than 50"),
        (b"\xff\xfe{}", "UTF-8"),
        ('{"older_than_s": 1}'.encode("utf-16"), "UTF-8"),
        ('{"older_than_s": 1, "older_than_s": 0}', "'older_than_s' stands twice"),
        ('{"older_than_s": "1"}', "older_than_s"),
        ('{"older_than_s": true}', "older_than_s"),
        ('{"older_than_s": -1}', "-1 is too small: at least 0."),
        ('{"names": "spring"}', "names"),
        ('{"names": ["../x"]}', "names"),
        ('{"project": "a b"}', "project"),
        ('{"with_pictures": "yes"}', "with_pictures"),
        ('{"older_than_s": 1, "olderthan": 1}', "unknown key 'olderthan'"),
        ("[1]", "not a JSON object"),
        ("null", "not a JSON object"),
        ("1", "not a JSON object"),
    ],
    ids=lambda part: str(part)[:25],
)
def test_a_body_that_is_not_as_described_is_a_sentence(http, body, words):
    assert words in refused(http.post("prune", content=body), 422)["detail"]


def test_numbers_are_numbers_and_names_can_be_printed(http):
    for order, body in [
        ("scaling", {"floor": "1"}),
        ("scaling", {"floor": 1.5}),
        ("scaling", {"frozen": 1}),
        ("scaling", {"floor": 10**30}),
        ("campaigns/spring/priority", {"priority": True}),
        ("campaigns/spring/retry", {"render": 2**63}),
        ("campaigns", {**GOOD["campaigns"], "dry_run": "yes"}),
        ("campaigns", {**GOOD["campaigns"], "project": "a\0b"}),
        ("drains", {"target": "a\0b"}),
        ("drains", {"target": "a\nb"}),
        ("drains", {"target": ""}),
        ("campaigns/spring/pause", {"now": True}),
    ]:
        refused(http.post(order, json=body), 422)


def test_a_body_that_is_too_large_is_not_read(url):
    host, port = url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), 10) as connection:
        connection.sendall(
            b"POST /api/v1/prune HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
            b"Content-Type: application/json\r\nContent-Length: 99999999999\r\n\r\n{"
        )
        head, _, body = connection.makefile("rb").read().partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 413")
    assert set(json.loads(body)) == SHAPE


@pytest.mark.parametrize(
    ("method", "path", "status", "words"),
    [
        ("GET", "nothing", 404, "nothing at /api/v1/nothing"),
        ("GET", "/nothing", 404, "nothing at /nothing"),
        ("DELETE", "campaigns", 405, "use GET, POST"),
        ("PUT", "campaigns/spring", 405, "use GET."),
        ("DELETE", "outputs/a/b.png", 405, "use GET."),
        (
            "GET",
            "campaigns?projekt=x",
            422,
            "unknown parameter 'projekt': did you mean 'project'?",
        ),
        ("GET", "campaigns?project=a&project=b", 422, "given twice"),
        ("GET", "campaigns?project=", 422, "project"),
        ("GET", "campaigns?project=%ed%a0%80", 422, "project"),
        ("GET", "workers?limit=3", 422, "unknown parameter 'limit': this path takes none"),
        ("GET", "/metrics?x=1", 422, "unknown parameter 'x'"),
        ("POST", "campaigns/spring/pause?force=1", 422, "unknown parameter 'force'"),
        ("GET", "campaigns/UPPER", 422, "'UPPER' cannot be a name"),
        ("GET", f"campaigns/{'a' * 81}", 422, "name"),
        ("GET", "campaigns/%00", 422, "name"),
        ("GET", "campaigns/spring/renders/x", 422, "number"),
        ("GET", f"campaigns/spring/renders/{2**63}", 422, "number"),
        ("GET", "campaigns/spring/why?render=-1", 422, "render"),
        ("GET", "campaigns/nobody", 404, "farm list"),
    ],
)
def test_paths_methods_and_parameters_that_are_not_there_are_refused_in_the_one_shape(
    url, method, path, status, words
):
    answer = httpx.request(method, url + path if path.startswith("/") else f"{url}/api/v1/{path}")
    assert words in refused(answer, status)["detail"]
    if status == 405:
        assert answer.headers["allow"] in ("GET, POST", "GET")


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "127.0.0.1.evil.example"},
        {"Host": "localhost@evil.example"},
    ],
)
def test_another_name_of_this_machine_is_refused_in_the_one_shape(http, headers):
    refused(http.get("campaigns", headers=headers), 400)


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://[", "\xff"])
def test_an_order_of_another_page_is_refused_in_the_one_shape(http, origin):
    refused(http.post("campaigns/spring/pause", headers={"Origin": origin.encode("latin-1")}), 403)


# Keys: what leads out of the outputs, what no file can be called, what is a folder.
KEYS = [
    "%2e%2e%2fsecret", "%2e%2e/secret", "a/..%2f..%2fsecret", "/etc/passwd", "%2fetc%2fpasswd",
    "a%00b", "a/%00", "x" * 300,
    "/".join(["x" * 200] * 30),
    "", "%2e", "default", "default/", "default%2fspring", "%ff%fe", "%ed%a0%80", "a%0ab", "~/x",
    "C:%5cx",
]  # fmt: skip


@pytest.mark.parametrize("key", KEYS, ids=lambda key: key[:20])
def test_a_key_that_is_no_file_of_the_outputs_is_no_trouble_of_the_storage(
    url, tmp_path_factory, key
):
    home = tmp_path_factory.getbasetemp()
    (home / "secret").write_text("the password")
    folder = next(home.glob("api*")) / "home" / "outputs" / "default" / "spring"
    folder.mkdir(parents=True, exist_ok=True)
    answer = httpx.get(f"{url}/api/v1/outputs/{key}")
    assert answer.status_code in (400, 404), answer.text
    refused(answer, answer.status_code)
    assert str(home) not in answer.text
    assert "password" not in answer.text


def test_the_client_refuses_what_cannot_be_sent(url):
    with Client(url) as client:
        for ask in (
            lambda: client.status("\ud800"),
            lambda: client.output("\ud800"),
            lambda: client.drain("\ud800"),
            lambda: client.prune(float("nan")),
            lambda: client.of("\ud800").campaigns(),
        ):
            with pytest.raises(RequestError):
                ask()


# --- everything that the API describes, with values made from its own description ---


MODES = [schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE]


@pytest.mark.parametrize("mode", MODES, ids=lambda mode: mode.name.lower())
def test_whatever_fits_or_breaks_the_description_is_answered_as_it_says(app, url, mode):
    operations = [
        found.ok() for found in schemathesis.openapi.from_dict(app.openapi()).get_all_operations()
    ]
    assert len(operations) > 20
    for operation in operations:
        with contextlib.suppress(Unsatisfiable):  # what takes nothing cannot be asked wrongly
            ask(operation, mode, url)


def ask(operation, mode, url):
    # What a campaign, a brand's pack or a picture is, and which parts of an order fit together,
    # the description does not say in full.
    loose = (
        "/campaigns", "/brands", "/prompts", "/reviews", "/reviews/undo", "/redo", "/prune",
        "/scaling", "/renders", "/texts", "/texts/check", "/files",
        "/registry/{kind}",
    )  # fmt: skip
    excluded = [positive_data_acceptance] if operation.path.endswith(loose) else []

    @hypothesis.given(case=operation.as_strategy(generation_mode=mode))
    @hypothesis.settings(
        max_examples=6,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )
    def answered(case):
        answer = case.call(base_url=url)
        case.validate_response(answer, excluded_checks=excluded)
        if answer.status_code >= 400:
            refused(answer, answer.status_code)
        assert answer.status_code < 500

    answered()


def test_the_committed_description_is_the_one_that_is_served(app):
    committed = Path(__file__).parents[2] / "docs/openapi.json"
    assert json.loads(committed.read_text()) == app.openapi(), "run `make openapi`"
