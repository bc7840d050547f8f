"""From where models are registered, and what the API server looks at of them: hostile sources,
outputs that have lost something, and models of several shapes.
"""

import json
import shutil

import pytest
from safetensors import safe_open
from safetensors.numpy import save_file

from actors.models.cache import WeightsCache
from actors.models.controls import control_digest
from actors.models.manifests import Manifest, StoredFile
from actors.models.models import SEEDLING, find_model, inspect_model, weights_digest
from farm.service import model_sources, registered
from farm.service.local_files import LocalFiles
from farm.service.model_sources import ModelSources
from farm.service.registered import RegisteredModels
from farm.service.registry import RegistryService
from farm.service.registry_contents import model_contents
from storage.errors import NotFound, OutputsAway, RequestError
from storage.keys import weights_key
from storage.outputs import FolderOutputs
from storage.registry import Registry
from tests.pipelines import built_once, control_of


@pytest.fixture(scope="session")
def built(tmp_path_factory):
    return built_once(tmp_path_factory.mktemp("built"))


@pytest.fixture
def database_url(tmp_path):
    from storage.database import open_database, upgrade

    url = f"sqlite:///{tmp_path / 'farm.db'}"
    engine = open_database(url)
    upgrade(engine)
    engine.dispose()
    return url


@pytest.fixture
def outputs(tmp_path):
    return FolderOutputs(tmp_path / "outputs")


@pytest.fixture
def sources(tmp_path):
    return ModelSources(files=LocalFiles(), folder=tmp_path / "space", buckets={"mine"})


@pytest.fixture
def service(engine, outputs, sources):
    return RegistryService(Registry(engine), outputs, sources)


@pytest.fixture
def models(engine, outputs, tmp_path):
    return RegisteredModels(Registry(engine), outputs, tmp_path / "cache")


class Bucket:
    """A store at any address, with the files that a test names."""

    def __init__(self, files, trouble=None):
        self.files, self.trouble, self.opened = files, trouble, []

    def __call__(self, address, *, s3_style):
        self.opened.append((address, s3_style))
        return self

    def keys(self, prefix):
        if self.trouble:
            raise self.trouble
        return iter(self.files)

    def size(self, key):
        if self.trouble:
            raise self.trouble
        return len(self.files[key])

    def part(self, key, start, stop):
        return self.files[key][start:stop]


@pytest.fixture
def in_bucket(monkeypatch):
    def use(files, trouble=None):
        bucket = Bucket(files, trouble)
        monkeypatch.setattr(model_sources, "open_outputs", bucket)
        return bucket

    return use


def opened(sources, source="s3://mine/model"):
    with sources.opened(source) as folder:
        return {
            path.relative_to(folder).as_posix(): path.read_bytes()
            for path in folder.rglob("*")
            if path.is_file()
        }


# --- sources ---


def test_a_prefix_of_a_bucket_is_copied_in_parts_and_nothing_stays(
    sources, in_bucket, tmp_path, monkeypatch
):
    monkeypatch.setattr(model_sources, "PART", 4)
    files = {"model_index.json": b"{}", "unet/a.safetensors": b"0123456789", "unet/empty": b""}
    bucket = in_bucket(files)
    assert opened(sources, "s3://mine/model/") == files
    assert bucket.opened == [("s3://mine/model", "auto")]
    assert list((tmp_path / "space").iterdir()) == []


def test_a_controlnet_comes_from_a_bucket_too(sources, in_bucket, tmp_path):
    made = control_of(SEEDLING, tmp_path / "made")
    in_bucket({path.name: path.read_bytes() for path in made.iterdir()})
    with sources.opened("s3://mine/net") as folder:
        found = model_contents("net", folder)
    assert (found.pipeline, found.digest) == ("ControlNetModel", control_digest(made))
    assert sorted(found.files) == ["config.json", "diffusion_pytorch_model.safetensors"]


@pytest.mark.parametrize("key", ["../up", "/etc/passwd", "a/../../b", "a\0b", "a\nb", "x" * 300])
def test_a_key_that_leads_elsewhere_is_not_copied(sources, in_bucket, tmp_path, key):
    in_bucket({"ok": b"1", key: b"2"})
    with pytest.raises(RequestError, match="cannot be kept under that name"):
        opened(sources)
    assert [path.name for path in tmp_path.iterdir()] == ["space"]
    assert list((tmp_path / "space").iterdir()) == []


@pytest.mark.parametrize("source", ["s3://mine/loras/a.safetensors", "s3://mine/loras"])
def test_an_adapter_comes_from_a_file_or_a_folder_of_a_bucket(
    sources, in_bucket, tmp_path, source
):
    bucket = in_bucket({"a.safetensors": b"0123"})
    with sources.opened_adapter(source) as file:
        assert file.path.read_bytes() == b"0123"
    assert bucket.opened == [("s3://mine/loras", "auto")]
    assert list((tmp_path / "space").iterdir()) == []
    in_bucket({}, NotFound("There is no file."))
    with (
        pytest.raises(RequestError, match=r"cannot be read: There is no"),
        sources.opened_adapter(source),
    ):
        pass


def test_a_prefix_with_very_many_files_is_no_model(sources, in_bucket):
    in_bucket({str(number): b"" for number in range(2_001)})
    with pytest.raises(RequestError, match="has more than 2,000 files"):
        opened(sources)


def test_a_bucket_that_cannot_be_read_is_a_sentence_and_one_that_is_away_is_not_the_fault_of_it(
    sources, in_bucket
):
    in_bucket({}, NotFound("There is no bucket."))
    with pytest.raises(RequestError, match="files at s3://mine/model cannot be read: There is no"):
        opened(sources)
    in_bucket({}, OutputsAway("does not answer"))
    with pytest.raises(OutputsAway, match="does not answer"):
        opened(sources)


def test_a_bucket_that_nobody_allowed_is_not_even_asked(sources, in_bucket):
    bucket = in_bucket({"a": b""})
    for source in ("s3://other/model", "s3://", "s3:///mine/model"):
        with pytest.raises(RequestError, match="FARM_REFERENCE_BUCKETS"):
            opened(sources, source)
    assert bucket.opened == []


def test_a_folder_that_may_not_be_named_is_not_looked_at(tmp_path):
    (tmp_path / "open").mkdir()
    (tmp_path / "closed").mkdir()
    files = LocalFiles([tmp_path / "open"])
    sources = ModelSources(files=files, folder=tmp_path / "space")
    with sources.opened(str(tmp_path / "open")) as folder:
        assert folder == tmp_path / "open"
    (tmp_path / "open" / "link").symlink_to(tmp_path / "closed")
    for named in ("closed", "open/../closed", "open/link", "nowhere"):
        with (
            pytest.raises(RequestError, match="takes files of its own machine only"),
            sources.opened(f"{tmp_path}/{named}"),
        ):
            pass


def test_a_hub_id_is_fetched_at_its_revision(sources, monkeypatch, tmp_path):
    asked = []
    monkeypatch.setattr(
        model_sources, "fetch_model", lambda *words: asked.append(words) or tmp_path
    )
    with sources.opened("owner/name@v1") as folder:
        assert folder == tmp_path
    assert asked == [("owner/name", "v1")]


def test_space_that_cannot_be_made_is_a_sentence(tmp_path, in_bucket):
    in_bucket({"a": b""})
    (tmp_path / "file").write_bytes(b"")
    sources = ModelSources(files=LocalFiles(), folder=tmp_path / "file", buckets={"mine"})
    with pytest.raises(RequestError, match="look at the disk of FARM_CACHE"):
        opened(sources)


def test_a_checkpoint_is_converted_where_nothing_stays(sources, tmp_path, monkeypatch):
    asked = []

    def convert(file, like, out):
        asked.append((file, like))
        (out / "model_index.json").write_text("{}")

    monkeypatch.setattr(model_sources.conversion, "fault_in", convert)
    file = tmp_path / "one.safetensors"
    file.write_bytes(b"")
    (tmp_path / "like").mkdir()
    with sources.opened(str(file), str(tmp_path / "like")) as folder:
        assert (folder / "model_index.json").is_file()
    assert asked == [(file, tmp_path / "like")]
    assert list((tmp_path / "space").iterdir()) == []
    monkeypatch.setattr(model_sources.conversion, "fault_in", lambda *_: "it is a cat.")
    for source, like, why in (
        (file, None, "has no configs: name a folder of the same kind of model with --like"),
        (file, tmp_path / "nowhere", "There is no folder"),
        (tmp_path / "two.safetensors", tmp_path / "like", "There is no file"),
        (tmp_path / "like", tmp_path / "like", "Only a .safetensors checkpoint is made like"),
        (file, tmp_path / "like", "cannot be converted: it is a cat."),
    ):
        with (
            pytest.raises(RequestError, match=why),
            sources.opened(str(source), None if like is None else str(like)),
        ):
            pass


# --- models of several shapes ---


@pytest.mark.parametrize(
    ("pipeline", "options"),
    [
        ("FluxPipeline", {}),
        ("QwenImagePipeline", {}),
        ("StableDiffusionXLPipeline", {"variant": "fp16"}),
        ("StableDiffusionPipeline", {"max_shard_size": "20KB"}),
    ],
)
def test_a_model_of_any_shape_comes_back_with_its_digest_and_is_known_by_its_heads(
    service, models, outputs, built, tmp_path, pipeline, options
):
    folder = built(pipeline, **options)
    whole = find_model(str(folder))
    row = service.add("model", "any", str(folder))
    assert row["digest"] == whole.digest
    with WeightsCache(tmp_path / "node", outputs).use(row["manifest"]) as fetched:
        assert weights_digest(fetched) == whole.digest
        again = inspect_model(whole.name, fetched)
    seen = models.find("any")
    assert vars(again) == {**vars(whole), "folder": again.folder}
    assert vars(seen) == {
        **vars(whole), "folder": seen.folder, "name": row["label"], "manifest": row["manifest"]
    }  # fmt: skip


# --- heads ---


def test_the_head_of_weights_tells_shapes_and_its_body_is_a_hole(service, models, tmp_path):
    folder = shutil.copytree(SEEDLING, tmp_path / "mine")
    service.add("model", "mine", str(folder))
    seen = models.find("mine")
    place = "unet/diffusion_pytorch_model.safetensors"
    with (
        safe_open(folder / place, framework="np") as whole,
        safe_open(f"{seen.folder}/{place}", framework="np") as head,
    ):
        assert set(head.keys()) == set(whole.keys())
        name = next(iter(whole.keys()))
        assert head.get_slice(name).get_shape() == whole.get_slice(name).get_shape()
        assert not head.get_tensor(name).any()


def test_what_the_outputs_have_lost_is_said_and_mended_by_adding_again(
    service, models, outputs, tmp_path
):
    folder = shutil.copytree(SEEDLING, tmp_path / "mine")
    row = Registry.get(
        service._registry, "model", service.add("model", "mine", str(folder))["name"]
    )
    manifest = models.manifest(row)
    index = next(file for file in manifest.files if file.path == "model_index.json")
    outputs.delete(weights_key(index.sha256))
    with pytest.raises(RequestError, match=r"model_index\.json is not in the outputs any more"):
        models.find("mine")
    assert list((tmp_path / "cache" / "heads").iterdir()) == []
    outputs.delete(weights_key(row.manifest))
    with pytest.raises(RequestError, match="the list of its files is not in the outputs any more"):
        models.find("mine")
    outputs.put(weights_key(row.manifest), b"[]")
    with pytest.raises(RequestError, match="the list of its files in the outputs is damaged"):
        models.find("mine")
    outputs.delete(weights_key(row.manifest))
    service.add("model", "mine", str(folder))
    assert models.find("mine").digest == row.digest


def test_a_hostile_head_takes_no_memory_and_no_disk(engine, models, outputs, monkeypatch):
    """A file that says that its head has an exabyte, and a config of a terabyte."""
    monkeypatch.setattr(registered, "_LARGEST", 100)
    data = (2**60).to_bytes(8, "little") + b"{}"
    import hashlib

    def put(content):
        digest = hashlib.sha256(content).hexdigest()
        outputs.put(weights_key(digest), content)
        return digest

    def add(name, *files):
        manifest = Manifest(digest=name * 16, files=files)
        put(manifest.data)
        Registry(engine).add(
            "model", name, name * 16, manifest=manifest.sha256, files=(), size=1, about={}
        )

    add("aaaa", StoredFile(path="unet/x.safetensors", bytes=10, sha256=put(data)))
    with pytest.raises(RequestError, match="not a diffusers folder"):
        models.find("aaaa")
    add("bbbb", StoredFile(path="model_index.json", bytes=101, sha256=put(b" " * 101)))
    with pytest.raises(RequestError, match="at most 100 are read"):
        models.find("bbbb")


def test_a_cache_that_cannot_be_written_is_a_sentence(service, engine, outputs, tmp_path):
    folder = shutil.copytree(SEEDLING, tmp_path / "mine")
    service.add("model", "mine", str(folder))
    (tmp_path / "file").write_bytes(b"")
    models = RegisteredModels(Registry(engine), outputs, tmp_path / "file")
    with pytest.raises(RequestError, match="the cache cannot be written"):
        models.find("mine")


def test_names_that_nothing_could_have_are_not_looked_for(models):
    for name in ("/a/b", "owner/name", "a" * 500, "", "x@y", "name@123", "../x"):
        assert models.find(name) is None


def test_files_that_change_while_they_are_added_are_noticed(
    service, outputs, tmp_path, monkeypatch
):
    folder = shutil.copytree(SEEDLING, tmp_path / "mine")
    put = outputs.put

    def put_and_change(key, data):
        put(key, data)
        (folder / "vae" / "config.json").write_text(json.dumps({"changed": 1}))

    monkeypatch.setattr(outputs, "put", put_and_change)
    with pytest.raises(RequestError, match="were changed while they were added"):
        service.add("model", "mine", str(folder))
    assert service.all("model") == []


def test_two_models_with_one_file_in_common_keep_it_once(service, outputs, tmp_path):
    one = shutil.copytree(SEEDLING, tmp_path / "one")
    two = shutil.copytree(SEEDLING, tmp_path / "two")
    save_file({}, two / "vae" / "other.safetensors")
    first, second = service.add("model", "one", str(one)), service.add("model", "two", str(two))
    assert first["digest"] != second["digest"]
    stored = set(outputs.keys("_weights"))
    assert len(stored) == first["files"] + 3  # another list, and a file
    service.remove("model", "one")
    assert len(set(outputs.keys("_weights"))) == second["files"] + 1
    service.remove("model", "two", second["digest"][:8])
    assert set(outputs.keys("_weights")) == set()
