"""Attacks on files: cases 1, 2, 4, 5, 12, 13, 22 and 25 of the holes that other projects had. Each
test is named by its case.
"""

import hashlib
import http.client
import io
import threading
from contextlib import closing
from urllib.parse import quote, urlsplit

import httpx
import pytest

from farm.app import open_app, serve
from farm.config import read_settings
from farm.service.output_files import OutputFile, OutputFiles
from tests.campaigns import data
from tests.farm.test_attacks_access import token_of

ADMIN = "the-token-of-the-first-admin"
SECRET = b"the picture of another project"


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    return read_settings(home=tmp_path_factory.mktemp("farm") / "home", token=ADMIN)


@pytest.fixture(scope="module")
def url(settings):
    outputs = settings.open_outputs()
    outputs.put("zen/spring/final/x/1.png", SECRET)
    outputs.put("zen/references/abc", SECRET)
    outputs.put("acme/spring/final/x/1.png", b"one's own")
    (settings.home / "secret").write_bytes(SECRET)
    with open_app(settings, "0.0.0.0") as app, serve(app, 0) as url:
        yield url


@pytest.fixture(scope="module")
def mira(settings, url):
    return token_of(settings, "mira", acme="operator").text


def raw(url, path, token, method="GET"):
    """An answer to a path that is sent as it is written."""
    place = urlsplit(url)
    with closing(http.client.HTTPConnection(place.hostname, place.port, timeout=60)) as http_:
        http_.putrequest(method, path, skip_accept_encoding=True)
        http_.putheader("Authorization", f"Bearer {token}")
        http_.endheaders()
        answer = http_.getresponse()
        return answer.status, answer.read()


LEADS_AWAY = (
    "zen/spring/final/x/1.png", "%7aen/spring/final/x/1.png", "zen%2fspring/final/x/1.png",
    "acme/../zen/spring/final/x/1.png", "acme/..%2fzen/spring/final/x/1.png",
    "acme%2f..%2fzen%2fspring%2ffinal%2fx%2f1.png", "acme/%2e%2e/zen/spring/final/x/1.png",
    "acme/%2E%2E%2Fzen/spring/final/x/1.png", "acme/%252e%252e/zen/spring/final/x/1.png",
    "acme/%252e%252e%252fzen/spring/final/x/1.png", "acme/..%5czen/spring/final/x/1.png",
    "acme%5c..%5czen%5cspring", "acme/..\\zen/spring/final/x/1.png",
    "acme/./../zen/spring/final/x/1.png", "./zen/spring/final/x/1.png",
    "acme//../zen/spring/final/x/1.png", "/zen/spring/final/x/1.png",
    "//zen/spring/final/x/1.png", "%2fzen/spring/final/x/1.png",
    "acme/%00/../../zen/spring/final/x/1.png", "acme/x%00/../../zen/spring/final/x/1.png",
    "zen%00/spring/final/x/1.png", "acme/..;/zen/spring/final/x/1.png",
    "acme/%c0%ae%c0%ae/zen/spring/final/x/1.png", "acme/%ef%bc%8e%ef%bc%8e/zen/spring",
    "%ef%bd%9aen/spring/final/x/1.png", "ZEN/spring/final/x/1.png", "C:/secret",
    "acme/../../secret",
    "..%2fsecret", "%2e%2e/secret", "acme/spring/../../../secret", "file:///etc/passwd",
    "acme/references/../../zen/references/abc", "acme/../zen/references/abc", "zen/references/abc",
)  # fmt: skip


@pytest.mark.parametrize("key", LEADS_AWAY)
def test_case_1_no_spelling_of_a_key_leads_to_another_project_or_out_of_the_outputs(
    url, mira, key
):
    status, body = raw(url, f"/api/v1/outputs/{key}", mira)
    assert status in (400, 404), body
    assert SECRET not in body
    assert raw(url, f"/api/v1/outputs/{key}", mira, "POST")[0] == 405


def test_case_1_ones_own_files_are_there(url, mira):
    assert raw(url, "/api/v1/outputs/acme/spring/final/x/1.png", mira) == (200, b"one's own")
    assert raw(url, "/api/v1/outputs/%61cme%2fspring/final/x/1.png", mira)[0] == 200
    assert raw(url, "/api/v1/outputs/zen/spring/final/x/1.png", ADMIN) == (200, SECRET)


@pytest.mark.parametrize(
    "project",
    ["zen", "ZEN", "acme/../zen", "acme%2f..%2fzen", "%7aen", "zen%00", "%20zen", "zen%20", "*",
     "acme&project=zen", "zen&project=acme", "", "ｚｅｎ"],
)  # fmt: skip
def test_case_2_no_spelling_of_a_project_leads_to_another(url, mira, project):
    named = project if "&" in project or "%" in project else quote(project)
    for path in ("campaigns", "campaigns/spring", "campaigns/spring/manifest", "brands",
                 "campaigns/spring/sheet", "campaigns/spring/files"):  # fmt: skip
        status, body = raw(url, f"/api/v1/{path}?project={named}", mira)
        assert status == 404, (path, body)
        assert b"There is no project" in body


def test_case_2_a_project_in_the_query_does_not_cover_another_in_the_body(url, mira):
    for path, body in (
        ("campaigns", {"campaign": data(), "project": "zen"}),
        ("brands", {"pack": {"name": "x"}, "project": "zen"}),
        ("prune", {"project": "zen", "names": ["spring"]}),
        ("prune", {"project": None, "older_than_s": 0}),
        ("prune/previews", {"project": "zen", "names": ["spring"]}),
        ("prompts", {"campaign": data(), "project": "zen"}),
    ):
        for query, statuses in (("", (403, 404)), ("?project=acme", (403, 404, 422))):
            answer = httpx.post(f"{url}/api/v1/{path}{query}", json=body, headers=_shown(mira))
            assert answer.status_code in statuses, (path, answer.text)
    twice = b'{"project": "acme", "project": "zen", "names": ["spring"]}'
    headers = {**_shown(mira), "Content-Type": "application/json"}
    assert httpx.post(f"{url}/api/v1/prune", content=twice, headers=headers).status_code == 422


def test_case_4_nothing_tells_a_project_of_others_from_one_that_is_not_there(url, mira):
    for path in ("campaigns/spring?project={}", "outputs/{}/spring/final/x/1.png",
                 "projects/{}", "brands?project={}", "outputs/{}/nothing"):  # fmt: skip
        told = {name: raw(url, f"/api/v1/{path.format(name)}", mira) for name in ("zen", "nil")}
        assert told["zen"][0] == told["nil"][0] == 404
        assert told["zen"][1].replace(b"zen", b"nil") == told["nil"][1]


def test_case_5_nothing_is_told_to_strangers_and_no_answer_has_a_secret(settings, url, mira):
    health = httpx.get(f"{url}/api/v1/health").json()
    assert set(health) <= {"farm", "home", "version"}
    for path in ("openapi.json", "docs", "v1/tokens", "v1/projects", "v1/workers", "v1/scaling",
                 "v1/whoami", "v1/campaigns"):  # fmt: skip
        assert httpx.get(f"{url}/api/{path}").status_code == 401
        answer = httpx.get(f"{url}/api/{path}", headers=_shown(ADMIN))
        assert answer.status_code == 200
        for secret in (ADMIN, mira, mira.split("_", 2)[2]):
            assert secret not in answer.text
    logs = "".join(path.read_text() for path in settings.home.rglob("*.log"))
    assert ADMIN not in logs
    assert mira not in logs


INSIDE = (
    "http://169.254.169.254/latest/meta-data/", "https://127.0.0.1/x.png",
    "http://[::ffff:7f00:1]/",
    "http://2130706433/x.png", "http://0x7f000001/", "ftp://host/x.png", "gopher://127.0.0.1:6379/_",
    "data:image/png;base64,AAAA", "s3://somebody-elses-bucket/x.png", "s3://",
    "//host/share/x.png",
    "\\\\host\\share\\x.png", "javascript:alert(1)", "file://localhost/etc/passwd",
)  # fmt: skip


@pytest.mark.parametrize("address", INSIDE)
def test_case_12_no_address_makes_the_farm_ask_another_server(url, mira, address, monkeypatch):
    def never(*_, **__):
        raise AssertionError("the farm has opened a connection")

    with httpx.Client() as http_:
        for changes in ({"reference": {"image": address}}, {"adapters": [{"lora": address}]},
                        {"model": address}):  # fmt: skip
            body = {"project": "acme", "campaign": {**data(), **changes}, "dry_run": True}
            request = http_.build_request("POST", f"{url}/api/v1/campaigns", json=body)
            request.headers.update(_shown(mira))
            with monkeypatch.context() as patch:
                patch.setattr("botocore.httpsession.URLLib3Session.send", never)
                patch.setattr("huggingface_hub.snapshot_download", never)
                answer = http_.send(request)
            assert answer.status_code == 422, answer.text
            assert "connection" not in answer.text


def test_case_13_many_ranges_give_no_more_than_the_file(url, mira):
    size = len(b"one's own")
    for ranges in (",".join(["0-"] * 2000), ",".join(f"{n}-{n}" for n in range(2000)), "0-,-1",
                   "-", "5-2", "9999999999999999999-", "a-b", "0-0,"):  # fmt: skip
        headers = {**_shown(mira), "Range": f"bytes={ranges}"}
        answer = httpx.get(f"{url}/api/v1/outputs/acme/spring/final/x/1.png", headers=headers)
        assert answer.status_code in (200, 206, 400, 416), answer.text
        assert answer.status_code >= 400 or len(answer.content) <= size


def test_case_22_a_file_is_never_served_as_a_page(settings, url, mira):
    page = b"<html><script>alert(1)</script>"
    for name in ("x.html", "x.svg", "x.png", "x.htm", "y"):
        settings.open_outputs().put(f"acme/spring/final/{name}", page)
        answer = httpx.get(f"{url}/api/v1/outputs/acme/spring/final/{name}", headers=_shown(mira))
        assert answer.status_code == 200
        kind = answer.headers["content-type"].partition(";")[0]
        assert kind in ("application/octet-stream", "image/png", "image/webp", "image/jpeg")


def test_case_25_a_request_that_waits_for_storage_holds_no_other_up(url, mira, monkeypatch):
    waiting, go_on = threading.Event(), threading.Event()

    def slow(_self, key):
        waiting.set()
        assert go_on.wait(60)
        return OutputFile(io.BytesIO(b"late"), 4, hashlib.sha256(b"late").hexdigest())

    monkeypatch.setattr(OutputFiles, "file", slow)
    told = []
    path = "/api/v1/outputs/acme/spring/final/x/1.png"
    one = threading.Thread(target=lambda: told.append(raw(url, path, mira)))
    one.start()
    try:
        assert waiting.wait(60)
        assert httpx.get(f"{url}/api/v1/whoami", headers=_shown(mira)).status_code == 200
        assert httpx.get(f"{url}/api/v1/health").status_code == 200
        assert told == []
    finally:
        go_on.set()
        one.join(60)
    assert told == [(200, b"late")]


def _shown(token):
    return {"Authorization": f"Bearer {token}"}
