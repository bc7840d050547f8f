"""Registered models from the command to the pixels: a real model, and an engine that paints."""

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from actors.models.cache import WeightsCache
from actors.models.models import SEEDLING, find_model
from actors.painting.engine import Engine
from actors.painting.painter import Painter
from actors.recipes.jobs import FailureKind
from farm.app import open_app, serve
from farm.campaign.specs import expansion_of
from farm.cli import app
from farm.client.client import Client
from farm.config import read_settings
from farm.dispatch.chunk_job import chunk_job
from farm.service.registry import check_name
from farm.service.registry_contents import licence_of
from storage.campaigns import Campaigns
from storage.database import closing_engine
from storage.errors import Conflict, NotAllowed, NotFound, RequestError
from storage.keys import weights_key
from storage.outputs import FolderOutputs
from storage.queue import Queue
from storage.registry import Registry
from tests.campaigns import campaign

SMALL = dict(
    prompt="a {n}", vary={"n": ["mug", "lamp"]}, seeds=[7], settings={"steps": 2, "batch": 2}
)
OWN = "of-this-machine-alone"
CARD = "---\nlicense: openrail++\ntags: [a]\n---\nA model.\n"


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """A model that is not the farm's own, by its folder."""
    path = tmp_path_factory.mktemp("models") / "mine"
    shutil.copytree(SEEDLING, path)
    (path / "README.md").write_text(CARD)
    return path


@pytest.fixture
def farm(settings):
    with open_app(settings) as api, serve(api, 0) as url, Client(url) as client:
        yield client


@pytest.fixture
def database(settings, farm):
    with closing_engine(settings.database_address) as engine:
        yield engine


@pytest.fixture
def outputs(settings):
    return FolderOutputs(settings.home / "outputs")


@pytest.fixture
def command(farm, monkeypatch, settings):
    monkeypatch.setenv("FARM_URL", farm.url)

    def run(*words, code=0):
        found = CliRunner().invoke(app, [*words, "--home", str(settings.home)])
        assert found.exit_code == code, (found.output, found.exception)
        return found.stdout

    return run


@pytest.fixture
def jobs_of(database):
    """What workers get of a campaign that nothing of was claimed before."""
    queue, campaigns = Queue(database), Campaigns(database)
    session = queue.lead(owner="o", host="h", pid=1)

    def jobs_of(name="spring", project="default"):
        row = campaigns.get(project, name)
        chunks = iter(lambda: queue.claim(session, [(row.id, "w")]), [])
        return [chunk_job(row, expansion_of(row.spec), chunk) for (chunk,) in chunks]

    return jobs_of


def painted(jobs, outputs, cache):
    """The hash of each render's pixels, painted by a worker that has nothing but a cache."""
    painter = Painter("w", Engine(device="cpu", threads=1), outputs, cache)
    results = [painter.paint(job) for job in jobs]
    assert [result.failure for result in results] == [None] * len(results)
    return {one.number: one.pixels for result in results for one in result.outcomes}


def test_a_model_by_its_name_paints_the_bits_of_its_folder_on_a_machine_without_it(
    farm, jobs_of, outputs, folder, tmp_path
):
    mine = shutil.copytree(folder, tmp_path / "mine")
    added = farm.register("mine", str(mine))
    digest = find_model(str(folder)).digest
    assert (added.digest, added.label, added.did) == (digest, f"mine@{digest[:12]}", "added")
    shutil.rmtree(mine)
    farm.submit(campaign(name="named", model="mine", **SMALL))
    farm.submit(campaign(name="pinned", model=f"mine@{digest[:9]}", **SMALL), fresh=True)
    farm.submit(campaign(name="plain", model=str(folder), **SMALL), fresh=True)
    cache = WeightsCache(tmp_path / "cache", outputs)
    by_name = painted(jobs_of("named"), outputs, cache)
    assert len(set(by_name.values())) == 2
    assert painted(jobs_of("pinned"), outputs, cache) == by_name
    assert painted(jobs_of("plain"), outputs, cache) == by_name


def test_the_record_of_a_picture_names_the_version_so_that_it_can_be_painted_again(
    farm, jobs_of, folder, tmp_path
):
    first = farm.register("mine", str(folder))
    farm.submit(campaign(model="mine", **SMALL))
    (job,) = jobs_of()
    assert (job.model_name, job.group.model) == (first.label, first.digest)
    other = shutil.copytree(folder, tmp_path / "other")
    index = json.loads((other / "model_index.json").read_text())
    (other / "model_index.json").write_text(json.dumps(index, indent=3))
    second = farm.register("mine", str(other))
    assert second.digest != first.digest
    farm.submit(campaign(name="later", model="mine", **SMALL))
    farm.submit(campaign(name="again", model=job.model_name, **SMALL))
    assert [jobs_of(name)[0].group.model for name in ("later", "again")] == [
        second.digest,
        first.digest,
    ]
    assert [row.label for row in farm.registered()] == [second.label, first.label]
    again = farm.repaint("spring", [0])
    assert jobs_of(again.campaign, again.project)[0].manifest == first.manifest


def test_a_worker_without_a_cache_or_with_a_broken_one_says_what_is_missing(
    farm, jobs_of, database, outputs, folder, tmp_path
):
    farm.register("mine", str(folder))
    farm.submit(campaign(model="mine", **SMALL))
    (job,) = jobs_of()
    bare = Painter("w", Engine(device="cpu", threads=1), outputs).paint(job)
    assert bare.failure.kind is FailureKind.LOADING
    assert "set FARM_CACHE" in bare.failure.detail
    row = Registry(database).get("model", "mine")
    for file in row.files:
        outputs.delete(weights_key(file))
    cache = WeightsCache(tmp_path / "cache", outputs)
    lost = Painter("w", Engine(device="cpu", threads=1), outputs, cache).paint(job)
    assert lost.failure.kind is FailureKind.LOADING
    assert f"The model {row.label} cannot be loaded: it is not in the outputs" in (
        lost.failure.detail
    )


def test_adding_again_mends_what_is_missing_and_adds_nothing_else(farm, database, outputs, folder):
    farm.register("mine", str(folder))
    row = Registry(database).get("model", "mine")
    assert all(outputs.has(weights_key(file)) for file in row.files)
    outputs.delete(weights_key(row.files[0]))
    assert farm.register("mine", str(folder)).did == "known"
    assert farm.register("twin", str(folder)).did == "added"
    assert set(outputs.keys("_weights")) == {weights_key(f) for f in row.files}
    farm.unregister("mine")
    assert all(outputs.has(weights_key(file)) for file in row.files)
    farm.unregister("twin", digest=row.digest[:10])
    assert list(outputs.keys("_weights")) == []
    assert farm.registered() == []


def test_a_model_that_is_painted_with_is_not_removed(farm, folder):
    farm.register("mine", str(folder))
    farm.submit(campaign(model="mine", **SMALL))
    with pytest.raises(Conflict, match="the campaign default/spring still needs it"):
        farm.unregister("mine")
    farm.cancel("spring")
    assert [row.name for row in farm.unregister("mine")] == ["mine"]
    with pytest.raises(RequestError, match=r"was not found: .*one that `farm models list` shows"):
        farm.submit(campaign(name="late", model="mine", **SMALL))


def test_a_name_or_a_version_that_nothing_has_is_refused_with_those_that_there_are(farm, folder):
    added = farm.register("mine", str(folder))
    with pytest.raises(RequestError, match=f"no version 00000000: it has {added.label}"):
        farm.submit(campaign(model="mine@00000000", **SMALL))
    with pytest.raises(NotFound, match="no registered model other: there are mine"):
        farm.show_registered("other")
    with pytest.raises(NotFound):
        farm.unregister("other")


def test_a_name_that_could_mean_something_else_is_refused(farm, folder):
    for name in ("seedling", "Mine", "a/b", "", "-a", "a@b", "x" * 81, "../a"):
        with pytest.raises(RequestError):
            farm.register(name, str(folder))
        with pytest.raises(RequestError, match=r"choose another name|cannot be a name"):
            check_name(name)


def test_a_source_that_is_none_is_refused_and_nothing_is_stored(farm, outputs, tmp_path):
    (tmp_path / "empty").mkdir()
    for source, why in {
        str(tmp_path / "empty"): "not a diffusers folder: model_index.json is missing",
        str(tmp_path / "nowhere"): "There is no folder",
        "relative": "not absolute",
        "s3://elsewhere/m": "may not come from the bucket 'elsewhere'",
        "https://example.com/m": "an address on the web",
    }.items():
        with pytest.raises(RequestError, match=why):
            farm.register("mine", source)
    assert list(outputs.keys("_weights")) == []


def test_a_made_token_may_name_registered_models_and_no_folders(settings, folder):
    with (
        open_app(settings, own_token=OWN) as api,
        serve(api, 0) as url,
        Client(url, token=OWN) as own,
    ):
        own.register("mine", str(folder))
        secrets = {
            role: own.create_token(role, role=role).secret for role in ("submitter", "operator")
        }
        with Client(url, token=secrets["submitter"]) as person:
            assert person.submit(campaign(model="mine", **SMALL)).created
            with pytest.raises(RequestError, match="takes files of its own machine only"):
                person.submit(campaign(name="other", model=str(folder), **SMALL))
            with pytest.raises(NotAllowed, match="needs the role operator in all projects"):
                person.register("more", str(folder))
        with Client(url, token=secrets["operator"]) as person:
            with pytest.raises(RequestError, match="takes files of its own machine only"):
                person.register("more", str(folder))
            assert person.registered()[0].name == "mine"


def test_a_model_comes_from_a_bucket_and_lives_in_one(bucket, tmp_path, folder):
    from storage.s3 import S3Outputs

    source = S3Outputs(f"{bucket}/source/mine")
    for path in folder.rglob("*"):
        if path.is_file():
            source.put(path.relative_to(folder).as_posix(), path.read_bytes())
    settings = read_settings(home=tmp_path / "home", outputs=f"{bucket}/farm")
    with open_app(settings) as api, serve(api, 0) as url, Client(url) as client:
        added = client.register("mine", f"{bucket}/source/mine/")
        assert (added.digest, added.licence) == (find_model(str(folder)).digest, "openrail++")
        client.submit(campaign(model="mine", **SMALL))
        cache = WeightsCache(tmp_path / "cache", settings.open_outputs())
        with cache.use(added.manifest) as fetched:
            assert find_model(str(fetched)).digest == added.digest
    assert not list((tmp_path / "home" / "cache").glob("adding-*"))


def test_what_the_server_looks_at_has_no_weights(farm, settings, folder):
    added = farm.register("mine", str(folder))
    farm.submit(campaign(model="mine", **SMALL))
    heads = settings.home / "cache" / "heads" / added.manifest
    unet = heads / "unet" / "diffusion_pytorch_model.safetensors"
    assert unet.stat().st_size == (folder / unet.relative_to(heads)).stat().st_size
    assert unet.stat().st_blocks * 512 < unet.stat().st_size / 10


def test_the_commands_add_list_show_and_remove(command, folder):
    said = command("models", "add", "mine", str(folder))
    digest = find_model(str(folder)).digest
    assert said.startswith(f"mine@{digest[:12]} is registered: 10 files, ")
    assert "It was there already." in command("models", "add", "mine", str(folder))
    (row,) = map(json.loads, command("models", "list", "--json").splitlines())
    assert (row["name"], row["digest"], row["licence"]) == ("mine", digest, "openrail++")
    assert f"mine@{digest[:12]}" in command("models", "list")
    shown = command("models", "show", "mine")
    assert "Licence: openrail++." in shown
    assert "No grip was measured of mine yet." in shown
    told = json.loads(command("models", "show", f"mine@{digest[:8]}", "--json"))
    assert (told["model"], told["digest"]) == (f"mine@{digest[:8]}", digest)
    assert json.loads(command("models", "show", "seedling", "--json"))["grip"] is None
    assert command("models", "remove", "mine", code=1) == ""
    assert command("models", "remove", "mine", "--yes") == f"mine@{digest[:12]} is removed.\n"
    assert command("models", "list", "--json") == ""


@pytest.mark.parametrize(
    ("card", "licence"),
    [
        (CARD, "openrail++"),
        ("---\nlicense: other\nlicense_name: 'flux-1-dev'\n---\n", "other"),
        ('---\ntags: [x]\nlicense: "apache-2.0"\n---\n', "apache-2.0"),
        ("license: mit\n", None),
        ("---\ntitle: x\n---\nlicense: mit\n", None),
        ("", None),
        ("---\nlicense: !!python/object:os.system\n---\n", None),
    ],
)
def test_the_licence_is_what_the_head_of_the_card_says(tmp_path, card, licence):
    (tmp_path / "README.md").write_text(card)
    assert licence_of(tmp_path) == licence
    assert licence_of(Path(tmp_path / "nowhere")) is None
