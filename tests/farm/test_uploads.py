"""Files that people upload: kept once, counted, named by campaigns, and removed."""

import hashlib
import io
import threading
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
import yaml
from PIL import Image
from sqlalchemy import update

from farm.app import open_app, serve
from farm.campaign.addresses import path_of, uploaded_address, uploaded_digest, whole_address
from farm.campaign.loading import load_campaign
from farm.campaign.named_files import with_adapters, with_folders, with_references
from farm.client.client import Client
from farm.config import read_settings
from farm.documents.document import DocumentError
from farm.service.access import Access, Role
from farm.service.campaign_texts import CampaignTexts
from farm.service.intake import Intake
from farm.service.pruning import Pruner
from farm.service.retention import Order
from farm.service.submission import Submissions
from farm.service.uploads import UploadService
from storage.access_tables import files
from storage.author import Author, author
from storage.database import closing_engine
from storage.errors import Conflict, NotAllowed, NotFound, RequestError
from storage.events import Events
from storage.projects import Projects, Quota
from storage.removal import Removal
from storage.uploads import ARRIVES_S, Uploads
from tests.answers import refused
from tests.campaigns import data
from tests.farm.test_access_commands import as_json, run

ADMIN = "the-token-of-the-first-admin"
TABLE = b"product,color\nmug,red\nlamp,blue\n"
MIRA = Access(person="mira", roles={"p": Role.SUBMITTER})
TOM = Access(person="tom", roles={"p": Role.SUBMITTER})
OPS = Access(person="ops", roles={"*": Role.OPERATOR})


def png(shade=90, **options):
    file = io.BytesIO()
    Image.new("RGB", (40, 32), (shade, 20, 20)).save(file, "PNG", **options)
    return file.getvalue()


PICTURE = png()
DIGEST = hashlib.sha256(PICTURE).hexdigest()


@pytest.fixture
def uploads(engine, outputs):
    return UploadService(Uploads(engine), outputs)


@pytest.fixture
def submissions(campaigns, control, watching, outputs, brands, uploads):
    return Submissions(
        campaigns=campaigns, control=control, watching=watching, outputs=outputs, brands=brands,
        intake=Intake(outputs, uploads=uploads),
    )  # fmt: skip


@pytest.fixture
def by_mira():
    token = author.set(Author(name="mira"))
    yield
    author.reset(token)


def keys(outputs):
    return sorted(outputs.keys("p"))


def kinds(engine):
    return [event.kind for event in Events(engine).all()]


# --- kept ---


def test_a_file_is_kept_once_under_its_digest_and_a_second_time_changes_nothing(
    engine, uploads, outputs, by_mira
):
    first, is_new = uploads.add("p", PICTURE, "mug.png")
    assert is_new
    assert (first["sha256"], first["address"]) == (DIGEST, f"file:{DIGEST}")
    assert (first["kind"], first["bytes"], first["added_by"]) == ("picture", len(PICTURE), "mira")
    assert keys(outputs) == [first["key"]]
    assert uploads.add("p", PICTURE, "other.png") == (first, False)
    assert keys(outputs) == [first["key"]]
    assert kinds(engine) == ["file.added"]
    assert uploads.read("p", DIGEST) == PICTURE
    assert uploads.all("p") == [uploads.show("p", DIGEST)] == [first]


def test_each_project_has_files_of_its_own(uploads):
    uploads.add("p", PICTURE, None)
    for ask in (uploads.show, uploads.read):
        with pytest.raises(NotFound, match=f"The project zen has no file {DIGEST}"):
            ask("zen", DIGEST)
    assert uploads.all("zen") == []


@pytest.mark.parametrize(
    ("body", "name", "said"),
    [
        (b"", None, "empty"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "a.svg", "no picture that renders can"),
        (PICTURE[:60], "cut.png", "cut off or damaged"),
        (png()[:8] + b"\0" * 80, "a.png", "no picture"),
        (TABLE, "looks.txt", "The name of a table ends in .csv"),
        (PICTURE, "mug.csv", "This is no table"),
        (b"product\n", "a.csv", "empty: a heading line"),
        (b"PK\x03\x04zip", "a.csv", "a workbook or another archive"),
    ],
)
def test_what_no_campaign_can_use_is_refused_and_not_kept(uploads, outputs, body, name, said):
    with pytest.raises(RequestError, match=said):
        uploads.add("p", body, name)
    assert keys(outputs) == uploads.all("p") == []


def test_files_count_as_stored_and_the_quota_refuses_what_does_not_fit(engine, uploads, outputs):
    Projects(engine).create("p", Quota(stored_bytes=len(PICTURE) + len(TABLE)), {})
    uploads.add("p", PICTURE, None)
    uploads.add("p", TABLE, "looks.csv")
    assert Projects(engine).usage("p").stored_bytes == len(PICTURE) + len(TABLE)
    uploads.add("p", PICTURE, None)  # takes no more
    with pytest.raises(Conflict, match="The project p has no room") as full:
        uploads.add("p", png(1), None)
    assert full.value.code == "over-quota"
    assert len(keys(outputs)) == 2


def test_two_files_at_once_do_not_both_take_the_last_room(engine, uploads):
    pictures = [png(shade) for shade in (1, 2)]
    Projects(engine).create("p", Quota(stored_bytes=max(map(len, pictures)) + 10), {})
    both = threading.Barrier(2, timeout=30)

    def add(picture):
        both.wait()
        try:
            return uploads.add("p", picture, None)[1]
        except Conflict:
            return False

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(add, pictures)) == [False, True]


# --- named by campaigns ---


@pytest.mark.parametrize("address", [f"file:{DIGEST}", f"file:{DIGEST}/mug.png"])
def test_a_campaign_begins_from_an_uploaded_picture(uploads, submissions, outputs, address):
    uploads.add("p", PICTURE, None)
    row, _ = submissions.submit("p", data(reference={"image": address, "strength": 0.5}))
    assert row.spec["sources"]["references"] == {address: DIGEST}
    assert outputs.read(f"p/references/{DIGEST}", 10_000) == PICTURE
    with pytest.raises(RequestError, match=f"reference.image: .* zen has no file {DIGEST}"):
        submissions.submit("zen", data(reference={"image": address}))


def test_a_campaign_varies_what_an_uploaded_table_says(uploads, submissions):
    address = uploads.add("p", TABLE, "looks.csv")[0]["address"]
    uploads.add("p", PICTURE, None)
    row, _ = submissions.submit("p", data(vary={"look": {"csv": address}}))
    looks = [{"product": "mug", "color": "red"}, {"product": "lamp", "color": "blue"}]
    assert row.spec["campaign"]["vary"]["look"] == looks
    for csv, said in ((f"file:{DIGEST}", "a picture, and no table"),
                      (f"file:{'0' * 64}", "has no file"),
                      ({"file": address, "encoding": "x"}, "there is no encoding 'x'"),
                      ("/etc/passwd", "did not come with the text")):  # fmt: skip
        with pytest.raises(DocumentError, match=f"vary.look.csv: .*{said}"):
            submissions.submit("p", data(name="other", vary={"look": {"csv": csv}}))


def test_a_text_names_uploaded_tables_too_and_a_file_on_this_machine_does_not(
    uploads, submissions, estimates, tmp_path
):
    address = uploads.add("p", TABLE, "looks.csv")[0]["address"]
    text = yaml.safe_dump(data(vary={"look": {"csv": address}}))
    row, _ = CampaignTexts(estimates, submissions, uploads).submit("p", text, {})
    assert row.total == 6
    (tmp_path / "campaign.yaml").write_text(text)
    with pytest.raises(DocumentError, match="name the CSV file itself"):
        load_campaign(tmp_path / "campaign.yaml")


def test_no_adapter_is_an_upload(uploads, submissions):
    uploads.add("p", PICTURE, None)
    with pytest.raises(RequestError, match="only references and tables are uploaded"):
        submissions.submit("p", data(adapters=[{"lora": f"file:{DIGEST}"}]))


def test_the_address_of_an_upload_is_its_digest_and_stays_as_it_is_written(tmp_path):
    assert uploaded_digest(uploaded_address(DIGEST)) == DIGEST
    assert uploaded_digest(uploaded_address(DIGEST, "a b.png")) == DIGEST
    for other in (DIGEST, f"file:{DIGEST[:-1]}", f"file:{DIGEST.upper()}", f"file://{DIGEST}",
                  f"file:{DIGEST}/a/b.png", f"file:{DIGEST}/", f"file:{DIGEST} "):  # fmt: skip
        assert uploaded_digest(other) is None
    assert whole_address(f"file:{DIGEST}/a.png", tmp_path) == f"file:{DIGEST}/a.png"
    with pytest.raises(RequestError, match="only references and tables"):
        path_of(f"file:{DIGEST}")


def test_addresses_are_changed_in_their_places_and_no_where_else():
    campaign = {
        "prompt": "reference", "reference": {"image": "a", "strength": 0.5},
        "adapters": [{"lora": "b"}], "control": {"model": "m", "image": "g"},
        "likeness": {"model": "o", "image": "i"}, "upscale": {"model": "p", "by": 2},
        "vary": {
            "likeness_image": ["j", "none"],
            "control_image": ["h", "none"],
            "reference": ["c", "none"], "look": [{"reference": "d", "lora": "e", "word": "f"}],
        },
        "skip": [{"reference": ["c", ""], "word": "f"}],
    }  # fmt: skip
    changed = with_references(campaign, str.upper)
    assert changed["reference"]["image"] == "A"
    assert changed["vary"]["reference"] == ["C", "none"]
    assert changed["vary"]["look"] == [{"reference": "D", "lora": "e", "word": "f"}]
    assert changed["skip"] == [{"reference": ["C", ""], "word": "f"}]
    assert changed["adapters"] == [{"lora": "b"}]
    assert changed["control"] == {"model": "m", "image": "G"}
    assert changed["vary"]["control_image"] == ["H", "none"]
    assert changed["likeness"] == {"model": "o", "image": "I"}
    assert changed["vary"]["likeness_image"] == ["J", "none"]
    folders = with_folders(campaign, str.upper)
    assert folders["control"] == {"model": "M", "image": "g"}
    assert folders["likeness"] == {"model": "O", "image": "i"}
    assert folders["upscale"] == {"model": "P", "by": 2}
    assert with_adapters(campaign, str.upper)["adapters"] == [{"lora": "B"}]


# --- removed ---


def test_one_removes_ones_own_file_and_an_operator_any(engine, uploads, outputs, by_mira):
    uploads.add("p", PICTURE, "mug.png")
    with pytest.raises(NotAllowed, match="mira has uploaded this file: ask them, or an operator"):
        uploads.remove(TOM, "p", DIGEST)
    assert uploads.remove(MIRA, "p", DIGEST)["name"] == "mug.png"
    assert keys(outputs) == uploads.all("p") == []
    assert kinds(engine) == ["file.added", "file.removed"]
    with pytest.raises(NotFound):
        uploads.remove(MIRA, "p", DIGEST)
    uploads.add("p", PICTURE, None)
    uploads.remove(OPS, "p", DIGEST)
    assert uploads.all("p") == []


def test_a_file_stays_until_the_campaigns_that_name_it_are_over(
    uploads, submissions, control, by_mira, outputs
):
    uploads.add("p", PICTURE, None)
    row, _ = submissions.submit("p", data(reference={"image": f"file:{DIGEST}"}))
    with pytest.raises(Conflict, match="campaign spring is not over and names this file") as used:
        uploads.remove(MIRA, "p", DIGEST)
    assert used.value.code == "in-use"
    control.cancel(row.id)
    uploads.remove(MIRA, "p", DIGEST)
    assert keys(outputs) == [f"p/references/{DIGEST}"]  # the campaign's own copy


def test_an_upload_of_the_same_content_outlives_a_removal_that_is_under_way(engine, outputs):
    rows, service = Uploads(engine), UploadService(Uploads(engine), outputs)
    first, _ = service.add("p", PICTURE, None)
    old = rows.get("p", DIGEST)
    assert rows.leave(old)
    assert not rows.leave(old)  # somebody else removes it already
    second, is_new = service.add("p", PICTURE, None)
    assert is_new
    assert second["key"] != first["key"]
    outputs.delete(old.key)
    rows.forget(old)
    assert service.read("p", DIGEST) == PICTURE


def test_pruning_removes_old_files_that_no_campaign_names_and_what_kills_have_left(
    engine, uploads, submissions, campaigns, outputs
):
    named, unnamed = png(1), png(2)
    for picture in (named, unnamed):
        uploads.add("p", picture, None)
    address = f"file:{hashlib.sha256(named).hexdigest()}"
    submissions.submit("p", data(reference={"image": address}))
    rows = Uploads(engine)
    died = rows.begin("p", "d" * 64, kind="picture", size=1, name=None)
    outputs.put(died.key, b"x")
    with engine.begin() as connection:
        late = update(files).where(files.c.id == died.id)
        connection.execute(late.values(added_at=died.added_at - ARRIVES_S - 1))
    pruner = Pruner(campaigns=campaigns, removal=Removal(engine), outputs=outputs, uploads=uploads)
    order = Order(names=frozenset(), before=died.added_at + 1e6, with_pictures=True)
    assert pruner.prune("zen", order)["uploads"] == 0
    assert pruner.prune("p", order, dry_run=True)["uploads"] == 1
    assert len(uploads.all("p")) == 2
    assert pruner.prune("p", order)["uploads"] == 1
    assert [upload["address"] for upload in uploads.all("p")] == [address]
    assert died.key not in keys(outputs)
    young = Order(names=frozenset(), before=died.added_at - 1e6, with_pictures=True)
    assert pruner.prune("p", young)["uploads"] == 0


def test_bytes_that_arrive_after_their_file_was_removed_are_deleted(
    engine, uploads, outputs, monkeypatch
):
    put = outputs.put

    def removed_meanwhile(key, body):
        put(key, body)
        rows = Uploads(engine)
        rows.leave(rows.begin("p", DIGEST, kind="picture", size=1, name=None))

    monkeypatch.setattr(outputs, "put", removed_meanwhile)
    with pytest.raises(Conflict, match="removed while it was uploaded"):
        uploads.add("p", PICTURE, None)
    assert keys(outputs) == []


# --- over the network ---


@pytest.fixture
def settings(tmp_path):
    return read_settings(home=tmp_path / "home", token=ADMIN)


@pytest.fixture
def url(settings):
    """A farm that others reach, so that it reads no paths of theirs."""
    with open_app(settings, "0.0.0.0") as app, serve(app, 0) as url:
        yield url


def test_a_file_goes_up_over_http_and_is_served_to_its_project_alone(settings, url):
    with Client(url, token=ADMIN) as admin:
        mira = admin.create_token("mira", role="submitter", project="acme").secret
        tom = admin.create_token("tom", role="viewer", project="acme").secret
    http = httpx.Client(base_url=f"{url}/api/v1/", headers={"Authorization": f"Bearer {mira}"})
    with http:
        made = http.post("files?project=acme&name=mug.png", content=PICTURE)
        assert (made.status_code, made.json()["sha256"]) == (201, DIGEST)
        assert http.post("files?project=acme", content=PICTURE).status_code == 200
        served = http.get(f"outputs/{made.json()['key']}")
        assert served.content == PICTURE
        assert served.headers["content-disposition"].startswith("attachment")
        refused(http.post("files?project=zen", content=PICTURE), 404, "not-found")
        refused(http.post("files?project=acme&name=../x.png", content=PICTURE), 422, "invalid")
        refused(http.post("files?project=acme", content=b"no picture"), 400, "bad-request")
        refused(http.get(f"files/{'0' * 64}?project=acme"), 404, "not-found")
        refused(http.get("files/..%2f..%2fetc?project=acme"), 404)
        http.headers["Authorization"] = f"Bearer {tom}"
        assert [file["sha256"] for file in http.get("files?project=acme").json()] == [DIGEST]
        refused(http.post("files?project=acme", content=png(1)), 403, "not-allowed")
        refused(http.post(f"files/{DIGEST}/remove?project=acme"), 403, "not-allowed")


def test_a_body_without_end_is_refused_as_soon_as_it_is_too_long(url, monkeypatch):
    monkeypatch.setattr("farm.api.uploads.MAX_BYTES", 1_000)
    sent = []

    def pieces():
        for _ in range(10_000):
            sent.append(1)
            yield b"x" * 100

    headers = {"Authorization": f"Bearer {ADMIN}"}
    answer = httpx.post(f"{url}/api/v1/files", content=pieces(), headers=headers)
    refused(answer, 400, "too-large")


def test_a_campaign_from_afar_brings_its_references_and_says_so(tmp_path, url, capsys):
    for name, shade in (("a.png", 10), ("b.png", 200)):
        (tmp_path / name).write_bytes(png(shade))
    file = tmp_path / "campaign.yaml"
    vary = {**data()["vary"], "reference": ["a.png", "none", "b.png"]}
    file.write_text(yaml.safe_dump(data(vary=vary)))
    with Client(url, token=ADMIN) as client:
        plan = client.plan(file)
        assert capsys.readouterr().err == (
            "2 references are uploaded, as the farm cannot read files of this machine.\n"
        )
        digest = hashlib.sha256(png(10)).hexdigest()
        assert plan.references[f"file:{digest}/a.png"] == digest
        assert len(client.uploads()) == 2
        client.submit(file)  # they are there already
        assert len(client.uploads()) == 2
        assert client.status("spring").renders.total == 54
        with pytest.raises(Conflict, match="is not over and names"):
            client.remove_upload(f"file:{digest}/a.png")


def test_a_farm_on_this_machine_reads_the_files_itself(tmp_path, capsys):
    (tmp_path / "a.png").write_bytes(PICTURE)
    campaign = data(reference={"image": str(tmp_path / "a.png")})
    settings = read_settings(home=tmp_path / "home")
    with open_app(settings) as app, serve(app, 0) as url, Client(url) as client:
        client.submit(campaign)
        assert client.whoami().names_paths
        assert client.uploads() == []
        mira = client.create_token("mira", role="submitter", project="acme").secret
    assert capsys.readouterr().err == ""
    with (
        open_app(settings) as app,
        serve(app, 0) as url,
        Client(url, token=mira, project="acme") as client,  # whose paths it does not read
    ):
        assert not client.whoami().names_paths
        client.submit(campaign)
        assert [upload.sha256 for upload in client.uploads()] == [DIGEST]
    with closing_engine(settings.database_address) as engine:
        assert Uploads(engine).get("acme", DIGEST).added_by == "mira"


def test_files_are_added_listed_and_removed_by_command(tmp_path, monkeypatch):
    monkeypatch.setenv("FARM_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "200")
    (tmp_path / "mug.png").write_bytes(PICTURE)
    (tmp_path / "looks.csv").write_bytes(TABLE)
    added = run("files", "add", str(tmp_path / "mug.png"), str(tmp_path / "looks.csv"))
    addresses = [f"file:{DIGEST}", f"file:{hashlib.sha256(TABLE).hexdigest()}"]
    assert added.split() == addresses
    assert [row["kind"] for row in as_json("files", "list")] == ["table", "picture"]
    assert all(part in run("files", "list") for part in (*addresses, "mug.png", "looks.csv"))
    assert run("files", "remove", addresses[0]) == "mug.png is removed.\n"
    assert [row["name"] for row in as_json("files", "list")] == ["looks.csv"]
    pruned = run("prune", "--older-than", "0s", "--with-pictures", "--yes")
    assert "1 uploaded file removed, which no campaign names." in pruned
    assert as_json("files", "list") == []
