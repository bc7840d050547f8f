"""Attacks on the API, each by the number of its case: what they got elsewhere, and do not get
here.
"""

import hashlib
import json
import socket
import threading
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from farm.app import embedded_farm, open_app, serve
from farm.commands import doctor
from farm.config import read_settings
from farm.service.output_files import OutputFiles
from storage.errors import RequestError, SeedbedError
from tests.answers import refused
from tests.campaigns import campaign

TOKEN = "0123456789abcdef"
PICTURE = bytes(range(256)) * 40
HOSTILE = b"<script>fetch('https://evil.example')</script>"
PATIENCE_S = 30


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("attacks") / "home"


@pytest.fixture(scope="module")
def url(home):
    with open_app(read_settings(home=home)) as app, serve(app, 0) as url:
        yield url


@pytest.fixture(scope="module")
def http(url):
    with httpx.Client(base_url=f"{url}/api/v1/", timeout=PATIENCE_S) as http:
        yield http


@pytest.fixture(scope="module")
def put(home, http):
    def put(name, data):
        file = home / "outputs" / "default" / "spring" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
        return f"outputs/default/spring/{name}"

    return put


@pytest.fixture
def picture(put):
    return put("a.png", PICTURE)


# --- 11: a first start that anybody can use ---


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1"])
def test_case_11_no_farm_starts_on_a_public_address_without_a_token(tmp_path, host):
    settings = read_settings(home=tmp_path / "home")
    with pytest.raises(RequestError, match="set FARM_TOKEN"):
        embedded_farm(settings, port=0, host=host).__enter__()


@pytest.mark.parametrize("token", ["", "admin", "password1234", "x" * 15])
def test_case_11_no_short_token_is_taken(tmp_path, token):
    with pytest.raises(RequestError, match="FARM_TOKEN"):
        read_settings(home=tmp_path, token=token)


@pytest.mark.parametrize(
    "shown", [None, "", "Bearer", "Bearer password1234", "Basic YWRtaW46YWRtaW4="]
)
def test_case_11_no_known_password_opens_a_farm(tmp_path, shown):
    settings = read_settings(home=tmp_path / "home", token=TOKEN)
    headers = {} if shown is None else {"Authorization": shown}
    with open_app(settings) as app, serve(app, 0) as url:
        for path in ("/api/v1/campaigns", "/metrics", "/api/openapi.json", "/api/docs"):
            refused(httpx.get(url + path, headers=headers), 401, "unauthenticated")


# --- 13: ranges that cost more than the file ---


@pytest.mark.parametrize(
    ("asked", "part"),
    [
        ("bytes=0-0", slice(0, 1)),
        ("bytes=10-19", slice(10, 20)),
        ("bytes=10000-", slice(10000, None)),
        ("bytes=-100", slice(-100, None)),
        ("bytes=-99999999", slice(None)),
        ("bytes=10-999999999999999999", slice(10, None)),
    ],
)
def test_case_13_one_range_is_answered(http, picture, asked, part):
    answer = http.get(picture, headers={"Range": asked})
    assert answer.status_code == 206
    assert answer.content == PICTURE[part]
    first, _, size = answer.headers["content-range"].removeprefix("bytes ").partition("-")
    assert int(first) == PICTURE.index(PICTURE[part][:1]) or len(answer.content) != len(PICTURE)
    assert size.endswith(f"/{len(PICTURE)}")
    assert answer.headers["content-length"] == str(len(answer.content))


@pytest.mark.parametrize(
    "asked",
    [
        "bytes=" + ",".join(["0-"] * 1_000),
        "bytes=" + ",".join(f"{k}-{k + 500}" for k in range(200)),
        "bytes=0-1,1-2",
        "bytes=5-2",
        "bytes=-",
        "bytes=" + "9" * 30 + "-",
        "bytes=x-y",
        "pixels=0-1",
    ],
    ids=lambda asked: asked[:20],
)
def test_case_13_many_overlapping_and_strange_ranges_get_the_file_once(http, picture, asked):
    answer = http.get(picture, headers={"Range": asked})
    assert (answer.status_code, answer.content) == (200, PICTURE)


def test_case_13_a_range_beyond_the_file_is_refused(http, picture, put):
    for path, asked in ((picture, "bytes=99999-"), (put("empty.png", b""), "bytes=0-")):
        answer = http.get(path, headers={"Range": asked})
        refused(answer, 416, "bad-range")
        assert answer.headers["content-range"].startswith("bytes */")


def test_case_13_a_range_of_another_version_of_the_file_is_not_mixed_in(http, picture):
    tag = http.get(picture).headers["etag"]
    same = http.get(picture, headers={"Range": "bytes=0-9", "If-Range": tag})
    assert (same.status_code, len(same.content)) == (206, 10)
    other = http.get(picture, headers={"Range": "bytes=0-9", "If-Range": '"other"'})
    assert (other.status_code, other.content) == (200, PICTURE)


def test_a_picture_that_is_known_is_not_sent_again(http, picture, put):
    answer = http.get(picture)
    tag = answer.headers["etag"]
    assert tag == f'"{hashlib.sha256(PICTURE).hexdigest()}"'
    for known in (tag, f"W/{tag}", f'"x", {tag}', "*"):
        again = http.get(picture, headers={"If-None-Match": known})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    assert http.get(picture, headers={"If-None-Match": '"x"'}).status_code == 200
    put("a.png", PICTURE[::-1])
    changed = http.get(picture, headers={"If-None-Match": tag})
    assert (changed.status_code, changed.content) == (200, PICTURE[::-1])


# --- 14: bodies without end ---


def raw(url, data, *, closes=True):
    """The head and the body of the answer to some bytes."""
    host, port = url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), PATIENCE_S) as connection:
        connection.sendall(data)
        if closes:
            connection.shutdown(socket.SHUT_WR)
        return connection.makefile("rb").read().partition(b"\r\n\r\n")[::2]


HEAD = (
    b"POST /api/v1/prune HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
    b"Content-Type: application/json\r\n"
)


def test_case_14_a_body_in_chunks_is_counted(tmp_path, monkeypatch):
    from farm.api import routes

    monkeypatch.setattr(routes, "MAX_BODY_BYTES", 1_000)
    chunks = b"1F4\r\n" + b" " * 500 + b"\r\n"
    sent = HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + chunks * 4
    with open_app(read_settings(home=tmp_path / "home")) as app, serve(app, 0) as url:
        head, body = raw(url, sent, closes=False)
    assert head.startswith(b"HTTP/1.1 413")
    assert json.loads(body)["code"] == "too-large"


@pytest.mark.parametrize("length", [b"99999999999", b"134217729"])
def test_case_14_a_length_beyond_the_limit_is_refused_before_it_comes(url, length):
    head, body = raw(url, HEAD + b"Content-Length: " + length + b"\r\n\r\n{", closes=False)
    assert head.startswith(b"HTTP/1.1 413")
    assert json.loads(body)["code"] == "too-large"


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 1_000_000,
        b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
        b'{"names": ' + b"[" * 51 + b"]" * 51 + b"}",
    ],
    ids=["open", "objects", "lists"],
)
def test_case_14_nested_json_is_refused(http, body):
    answer = http.post("prune", content=body, headers={"Content-Type": "application/json"})
    assert "nested more than 50" in refused(answer, 422, "invalid")["detail"]


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("multipart/form-data; boundary=x", b"--x\r\n\r\n" * 20_000),
        ("application/x-www-form-urlencoded", b"a=1&" * 20_000),
        ("text/plain", b'{"older_than_s": 1}'[:-1]),
    ],
)
def test_case_14_forms_of_many_parts_are_no_json(http, kind, body):
    refused(http.post("prune", content=body, headers={"Content-Type": kind}), 422, "invalid")


@pytest.mark.parametrize("limit", ["0", "1001", "1e9", "-1"])
def test_case_14_pages_have_a_largest_size(http, limit):
    for path in ("campaigns", "campaigns/spring/renders"):
        refused(http.get(path, params={"limit": limit}), 422, "invalid")


def test_case_14_a_campaign_of_too_many_renders_is_refused(http):
    huge = campaign(name="huge").model_dump(mode="json")
    huge |= {"vary": {axis: list(range(3_000)) for axis in "abc"}, "prompt": "{a} {b} {c}"}
    answer = http.post("campaigns", json={"campaign": huge, "dry_run": True})
    assert "renders" in refused(answer, 422, "invalid")["detail"]


# --- 19: configuration beside what is served ---


KEYS = [
    "../farm.db", "..%2ffarm.db", "%2e%2e/farm.db", "%252e%252e%252ffarm.db", "..\\farm.db",
    "//farm.db", "/../farm.db", "default/../../farm.db", "default/spring/../../../farm.db",
    "C:%5cfarm.db",
]  # fmt: skip


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("route", ["outputs", "addresses"])
def test_case_19_nothing_of_the_home_but_outputs_is_served(home, url, put, route, key):
    put("a.png", PICTURE)
    secrets = [path for path in home.iterdir() if path.name != "outputs"]
    assert secrets
    for secret in secrets:
        host, port = url.removeprefix("http://").split(":")
        path = f"/api/v1/{route}/{key.replace('farm.db', secret.name)}"
        with socket.create_connection((host, int(port)), PATIENCE_S) as connection:
            connection.sendall(
                f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()
            )
            head = connection.makefile("rb").read().partition(b"\r\n")[0]
        assert head.split()[1] in (b"400", b"404", b"409"), (path, head)


def test_case_19_what_is_served_beside_routes_is_of_the_package(url):
    for path in ("/.env", "/farm.db", "/api/docs/../farm.db", "/api/docs/secret", "/static/x"):
        assert httpx.get(url + path).status_code == 404


# --- 22: a picture that is none ---


@pytest.mark.parametrize(
    ("name", "kind", "is_shown"),
    [
        ("a.png", "image/png", True),
        ("a.PNG", "image/png", True),
        ("a.webp", "image/webp", True),
        ("a.jpg", "image/jpeg", True),
        ("a.jxl", "image/jxl", True),
        ("a.svg", "application/octet-stream", False),
        ("a.html", "application/octet-stream", False),
        ("a.png.html", "application/octet-stream", False),
        ("a.xml", "application/octet-stream", False),
        ("a.js", "application/octet-stream", False),
        ("manifest.jsonl", "application/x-ndjson", False),
        ("sheet.pdf", "application/pdf", False),
        ("png", "application/octet-stream", False),
        ("a", "application/octet-stream", False),
    ],
)
def test_case_22_what_a_file_holds_never_decides_what_a_browser_does(
    http, put, name, kind, is_shown
):
    answer = http.get(put(name, HOSTILE))
    assert answer.content == HOSTILE
    assert answer.headers["content-type"] == kind
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-security-policy"] == "sandbox; default-src 'none'"
    assert answer.headers["cross-origin-resource-policy"] == "same-origin"
    assert ("content-disposition" not in answer.headers) == is_shown
    if not is_shown:
        assert answer.headers["content-disposition"].startswith("attachment; filename*=UTF-8''")


def test_case_22_a_name_cannot_end_its_header(http, put):
    answer = http.get(put('a";b\u2028ä.html', HOSTILE).replace('"', "%22"))
    named = answer.headers["content-disposition"]
    assert named == "attachment; filename*=UTF-8''a%22%3Bb%E2%80%A8%C3%A4.html"


def test_addresses_are_of_buckets_alone(http, picture):
    key = picture.removeprefix("outputs/")
    told = refused(http.get(f"addresses/{key}"), 409, "no-addresses")["detail"]
    assert f"read the file from /api/v1/outputs/{key}" in told
    for seconds in ("0", "3601", "x"):
        refused(http.get(f"addresses/{key}", params={"seconds": seconds}), 422)


# --- 25: one request that stalls all others ---


def test_case_25_a_slow_file_stalls_nobody(http, picture, monkeypatch):
    inside, go_on = threading.Event(), threading.Event()
    file = OutputFiles.file

    def slow(self, key):
        inside.set()
        assert go_on.wait(PATIENCE_S)
        return file(self, key)

    monkeypatch.setattr(OutputFiles, "file", slow)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(http.get, picture)
        assert inside.wait(PATIENCE_S)
        for path in ("health", "campaigns", "workers", "scaling"):
            assert http.get(path).status_code == 200
        assert http.post("prune", json={"dry_run": True}).status_code == 200
        assert not waiting.done()
        go_on.set()
        assert waiting.result().status_code == 200


def test_case_25_whoever_asks_too_often_is_told_when_to_ask_again(tmp_path):
    settings = read_settings(home=tmp_path / "home", rate="3/hour")
    with open_app(settings) as app, serve(app, 0) as url:
        for _ in range(3):
            assert httpx.get(f"{url}/api/v1/campaigns").status_code == 200
        answer = httpx.get(f"{url}/api/v1/campaigns")
        assert "FARM_RATE" in refused(answer, 429, "too-many-requests")["detail"]
        assert answer.headers["retry-after"] == "3600"
        assert httpx.get(f"{url}/api/v1/health").status_code == 200


@pytest.mark.parametrize("rate", ["", "0/second", "100", "1/day", "10 per second", "-1/hour"])
def test_a_rate_that_cannot_be_is_refused(tmp_path, rate):
    with pytest.raises(RequestError, match="FARM_RATE"):
        read_settings(home=tmp_path, rate=rate)


# --- 28: versions with known holes ---


def test_case_28_doctor_refuses_versions_with_known_holes(settings, monkeypatch):
    assert set(doctor.FLOORS) == {"transformers", "diffusers", "starlette", "ray"}
    assert "starlette" in doctor._packages(settings)
    for name, floor in doctor.FLOORS.items():
        known = doctor.version
        with monkeypatch.context() as old:
            old.setattr(
                doctor,
                "version",
                lambda asked, old=name, known=known: "0.39.9" if asked == old else known(asked),
            )
            with pytest.raises(SeedbedError, match=f"{name} 0.39.9 has holes .* since {floor}"):
                doctor._packages(settings)


# --- the description for people ---


def test_the_docs_need_no_other_host_and_run_no_script_but_their_own(url):
    page = httpx.get(f"{url}/api/docs")
    assert page.status_code == 200
    assert "http://" not in page.text
    assert "https://" not in page.text
    assert "<script>" not in page.text
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    for name, kind, holds in [
        ("swagger-ui-bundle.js", "text/javascript", "SwaggerUIBundle"),
        ("start.js", "text/javascript", "/api/openapi.json"),
        ("swagger-ui.css", "text/css", ".swagger-ui"),
    ]:
        assert f"/api/docs/{name}" in page.text
        file = httpx.get(f"{url}/api/docs/{name}")
        assert file.headers["content-type"].startswith(kind)
        assert file.headers["x-content-type-options"] == "nosniff"
        assert holds in file.text
