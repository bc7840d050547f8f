"""Attacks by names, texts and uploads: cases 3, 9, 20, 21, 23, 26 and 27 of the holes that other
projects had. Each test is named by its case.
"""

import csv
import io
import json
import logging
import zipfile
import zlib

import httpx
import numpy as np
import pytest
import ray
from PIL import Image
from prometheus_client.parser import text_string_to_metric_families

from actors.fleet.fleet import connect
from actors.pictures.files import preview
from actors.pictures.reference import read_reference
from farm.app import open_app, serve
from farm.campaign.checks import parse_campaign
from farm.campaign.expansion import Expansion
from farm.client.client import Client
from farm.client.naming import Naming
from farm.commands import shared
from farm.config import read_settings
from farm.documents.document import DocumentError
from farm.results.manifest_csv import write_csv
from storage.errors import BadKey, Conflict, NotFound, RequestError
from storage.log_events import JsonLines, ReadableLines
from storage.outputs import FolderOutputs
from storage.redaction import Redaction
from storage.uploads import Uploads
from tests.answers import refused
from tests.campaigns import MODEL, data
from tests.unit.test_manifest_csv import REST
from tests.unit.test_where import line

ADMIN = "the-token-of-the-first-admin"
SHOWN = {"Authorization": f"Bearer {ADMIN}"}
HOSTILE = "<img src=x onerror=alert(1)>\"'`{{7*7}}${7*7}"
LINES = "x\n\nevent: evil\ndata: {}\nid: 9\n\n"


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    return read_settings(home=tmp_path_factory.mktemp("attacks") / "home", token=ADMIN)


@pytest.fixture(scope="module")
def url(settings):
    with open_app(settings, "0.0.0.0") as app, serve(app, 0) as url:
        yield url


@pytest.fixture(scope="module")
def client(url):
    with Client(url, token=ADMIN) as client:
        yield client


# --- 3: names that leave their folder when many files are fetched ---


@pytest.mark.parametrize("names", ["../{seed}", "/tmp/{seed}", "a/../../{seed}", "..\\{seed}"])
def test_case_3_no_template_of_an_export_leaves_its_folder(names):
    with pytest.raises(RequestError, match="--names"):
        Naming(names)


@pytest.mark.parametrize("value", ["..", "../../x", "/etc/x", "a\\..\\b", "x\0", "CON", "\u202ex"])
def test_case_3_no_value_of_an_axis_leaves_the_folder_of_an_export(value):
    with pytest.raises(RequestError, match="--names: "):
        Naming("{product}/{seed}").path(line(0, {"product": value}, seed=7), "png")


@pytest.mark.parametrize("name", ["../evil", "a/b", "..", "%2e%2e", "a\\b", "A", "é", "x\0", ""])
def test_case_3_no_campaign_brand_or_model_has_a_name_that_is_a_path(client, url, name):
    with pytest.raises(DocumentError, match="name"):
        parse_campaign(data(name=name))
    pack = {"project": "p", "pack": {"name": name}}
    assert httpx.post(f"{url}/api/v1/brands", json=pack, headers=SHOWN).status_code == 422
    with pytest.raises(RequestError, match="model"):
        client.plan(data(model=f"{name}/../x"))


def test_case_3_a_farm_that_lies_about_keys_writes_nothing_elsewhere(tmp_path):
    outputs = FolderOutputs(tmp_path / "here")
    for key in ("../out", "/etc/x", "a/../../out", "a\0b"):
        with pytest.raises(BadKey):
            outputs.put(key, b"x")
    assert not (tmp_path / "out").exists()


# --- 9: a port that runs whatever is sent to it ---


def test_case_9_a_cluster_of_the_farms_own_listens_on_loopback_and_has_no_dashboard(
    monkeypatch, tmp_path, settings
):
    asked = {}
    monkeypatch.setattr(ray, "init", lambda **how: asked.update(how))
    connect(settings.fleet_settings(), tmp_path)
    assert asked["_node_ip_address"] == "127.0.0.1"
    assert asked["include_dashboard"] is False
    assert not {"dashboard_host", "ray_client_server_port"} & set(asked)


@pytest.mark.parametrize(
    "body",
    [
        {"entrypoint": "id"}, {"campaign": data(), "command": "id"}, {"__reduce__": "os.system"},
        {"campaign": {**data(), "pipeline": "os.system"}},
        {"campaign": {**data(), "custom_pipeline": "evil/x"}},
        {"campaign": {**data(), "model": {"__import__": "os"}}},
    ],
)  # fmt: skip
def test_case_9_no_submission_has_a_place_for_code(url, body):
    refused(httpx.post(f"{url}/api/v1/campaigns", json=body, headers=SHOWN), 422)
    for path in ("jobs", "jobs/", "serve/applications", "actors", "exec", "eval"):
        assert httpx.post(f"{url}/api/v1/{path}", json=body, headers=SHOWN).status_code == 404


def test_case_9_yaml_makes_plain_values_alone(url):
    for tag in ("!!python/object/apply:os.system ['id']", "!!python/name:os.system",
                "!!binary aGk=", "!include /etc/passwd"):  # fmt: skip
        text = f"name: spring\nmodel: seedling\nprompt: {tag}\nseeds: [1]\n"
        asked = {"text": text, "files": {}}
        answer = httpx.post(f"{url}/api/v1/texts", json=asked, headers=SHOWN)
        refused(answer, 422)


# --- 20: texts in pages, logs, tables, streams and labels ---


def test_case_20_a_hostile_text_ends_no_line_of_a_log():
    for lines in (JsonLines(Redaction()), ReadableLines(Redaction())):
        record = logging.LogRecord("farm", 30, "x.py", 1, "Said %s.", (f"{LINES}\x1b[2J",), None)
        told = lines.format(record)
        assert "\n" not in told.rstrip("\n")
        assert "\x1b" not in told


def test_case_20_a_terminal_gets_no_orders(capsys):
    shared.say(f"{HOSTILE}\x1b]0;evil\x07\u202e[bold]x")
    told = capsys.readouterr().out
    assert not {"\x1b", "\x07"} & set(told)
    assert "[bold]x" in told


@pytest.mark.parametrize("text", ["=1+1", "@SUM(A1)", "+x", "-x", "\t=1", '=cmd|"/c calc"!A1'])
def test_case_20_no_cell_of_an_export_is_a_formula(text):
    row = {**line(0, {"product": text}), **REST, "prompt": text, "negative": text}
    file = io.BytesIO()
    write_csv(lambda: [row], file)
    cells = [cell for row in csv.reader(io.StringIO(file.getvalue().decode("utf-8-sig")))
             for cell in row]  # fmt: skip
    assert f"'{text}" in cells
    assert not any(cell.startswith(("=", "@", "+", "\t")) for cell in cells)
    assert {cell for cell in cells if cell.startswith("-")} == {"-0.5"}  # a number


def test_case_20_a_hostile_prompt_stays_text_in_answers_events_and_metrics(client, url):
    vary = {"look": [{"color": "red", "note": HOSTILE}]}
    client.submit(data(name="words", prompt="a {color} mug", notes=["note"], vary=vary))
    pages = httpx.get(f"{url}/api/v1/events/page", headers=SHOWN)
    assert pages.headers["content-type"] == "application/json"
    assert "words" in {event["campaign"] for event in pages.json()["events"]}
    metrics = httpx.get(f"{url}/metrics", headers=SHOWN).text
    assert HOSTILE not in metrics
    assert list(text_string_to_metric_families(metrics))
    with httpx.stream("GET", f"{url}/api/v1/events?after=0", headers=SHOWN) as stream:
        for line in stream.iter_lines():
            assert line.partition(":")[0] in ("", "event", "data", "id", "retry")
            if line.startswith("data:"):
                assert "kind" in json.loads(line.removeprefix("data:"))
                break


@pytest.mark.parametrize("path", ["/", "/campaigns/default/markup", "/new"])
def test_case_20_and_21_no_page_has_the_markup_of_a_prompt(client, url, path):
    hostile = '" hx-get="/evil" onmouseover="alert(1)" x="</script><script>alert(1)</script>'
    vary = {"look": [{"color": "red", "note": hostile}]}
    client.submit(data(name="markup", prompt="a {color} mug", notes=["note"], vary=vary))
    page = httpx.get(url + path, headers={**SHOWN, "Accept": "text/html"}).text
    assert "<script>alert(1)" not in page
    assert '" onmouseover="' not in page
    assert '" hx-get="/evil"' not in page


def test_case_21_no_script_of_a_page_could_act_on_such_an_attribute(url):
    answer = httpx.get(f"{url}/login", headers={"Accept": "text/html"})
    policy = answer.headers["content-security-policy"]
    assert "unsafe-inline" not in policy.partition("style-src")[0]
    assert "unsafe-eval" not in policy


# --- 23: addresses that open without a token ---


def test_case_23_nothing_opens_without_a_token_and_no_answer_is_kept_by_others(
    client, url, settings
):
    client.submit(data(name="shared"))
    for path in ("campaigns/shared", "campaigns/shared/sheet", "campaigns/shared/renders/0",
                 "outputs/default/spring/final/x/1.png", "addresses/default/x.png"):  # fmt: skip
        for query in ("", f"?token={ADMIN}", f"?access_token={ADMIN}", "?share=1", "?signature=x"):
            assert httpx.get(f"{url}/api/v1/{path}{query}").status_code == 401
    settings.open_outputs().put("default/spring/final/x/1.png", b"x")
    answer = httpx.get(f"{url}/api/v1/outputs/default/spring/final/x/1.png", headers=SHOWN)
    assert answer.headers["cache-control"].startswith("private")
    assert answer.headers["referrer-policy"] == "no-referrer"


def test_case_23_an_address_is_of_one_key_and_for_some_minutes(url):
    for seconds in (0, 3_601, -1):
        path = f"{url}/api/v1/addresses/default/x.png?seconds={seconds}"
        refused(httpx.get(path, headers=SHOWN), 422)
    refused(httpx.get(f"{url}/api/v1/addresses/default/x.png", headers=SHOWN), 409)


# --- 26: templates ---


@pytest.mark.parametrize(
    "prompt",
    ["{color.__class__}", "{color!r}", "{color:>1000000000}", "{0}", "{color[0]}", "{}",
     "{__import__('os')}"],
)  # fmt: skip
def test_case_26_a_prompt_is_no_program(prompt):
    with pytest.raises(DocumentError, match="prompt"):
        parse_campaign(data(prompt=f"a {prompt} {{color}} {{product}}"))


def test_case_26_what_a_value_says_is_no_template():
    vary = {"note": ["{color}", "{{7*7}}", "{% raw %}", "${7*7}"], "color": ["red"]}
    campaign = parse_campaign(data(prompt="a {color} {note}", syntax="literal", vary=vary))
    prompts = {render.shot.prompt for _, render in Expansion(campaign, MODEL).all_renders()}
    assert prompts == {f"a red {value}" for value in vary["note"]}


# --- 27: uploads ---


def zipped(*names):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name in names:
            archive.writestr(name, b"x" * 10)
    return file.getvalue()


def upload(url, body, name="a.png"):
    path = f"{url}/api/v1/files"
    return httpx.post(path, params={"name": name}, content=body, headers=SHOWN)


@pytest.mark.parametrize("name", ["a.zip", "a.png", "a.csv", "a.tar"])
def test_case_27_no_archive_is_taken_whatever_its_name(client, url, name):
    refused(upload(url, zipped("../../x", "/etc/x", "a"), name), 400, "bad-request")
    assert client.uploads() == []


def test_case_27_a_bomb_is_refused_before_it_is_unpacked(url):
    head = b"\x89PNG\r\n\x1a\n"
    size = (100_000).to_bytes(4, "big")
    body = b"IHDR" + size * 2 + b"\x08\x02\0\0\0"
    chunk = (13).to_bytes(4, "big") + body + zlib.crc32(body).to_bytes(4, "big")
    refused(upload(url, head + chunk), 400, "bad-request")


def test_case_27_a_link_is_uploaded_as_what_it_leads_to_and_names_no_other_place(client, tmp_path):
    (tmp_path / "secret.txt").write_text("root:x:0:0")
    (tmp_path / "a.png").symlink_to(tmp_path / "secret.txt")
    with pytest.raises(RequestError, match="no picture"):
        client.upload(tmp_path / "a.png")
    with pytest.raises(RequestError, match="cannot be read"):
        client.upload(tmp_path)


def test_case_27_a_project_has_no_million_files(engine, monkeypatch):
    monkeypatch.setattr("storage.uploads.MOST", 2)
    uploads = Uploads(engine)
    for digit in "ab":
        uploads.begin("p", digit * 64, kind="table", size=1, name=None)
    uploads.begin("p", "a" * 64, kind="table", size=1, name=None)  # known already
    with pytest.raises(Conflict, match="has 2 files already"):
        uploads.begin("p", "c" * 64, kind="table", size=1, name=None)
    uploads.begin("zen", "c" * 64, kind="table", size=1, name=None)


def test_case_27_a_picture_is_turned_upright_and_where_it_was_taken_is_told_to_nobody(client, url):
    picture = Image.fromarray(np.zeros((20, 40, 3), np.uint8))
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    exif.get_ifd(0x8825)[1] = "N"
    exif.get_ifd(0x8825)[2] = (52.0, 31.0, 12.0)
    file = io.BytesIO()
    picture.save(file, "JPEG", exif=exif)
    assert read_reference(file.getvalue()).shape == (40, 20, 3)
    assert upload(url, file.getvalue(), "a.jpg").status_code == 201
    told = client.uploads()[0]
    assert set(told.as_json()) == {
        "project", "sha256", "address", "kind", "bytes", "name", "key", "added_at", "added_by",
    }  # fmt: skip
    painted = preview(read_reference(file.getvalue()))
    assert not Image.open(io.BytesIO(painted)).getexif()
    with client.of("zen") as other, pytest.raises(NotFound):
        other.remove_upload(told.sha256)
