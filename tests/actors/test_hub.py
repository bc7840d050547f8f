"""What is fetched from the hub: what a pipeline reads, and nothing else. The hub is a folder here,
filtered as its library does.
"""

import json
import shutil
from fnmatch import fnmatch
from pathlib import Path
from types import SimpleNamespace

import pytest
from huggingface_hub.errors import LocalEntryNotFoundError, RepositoryNotFoundError
from huggingface_hub.utils import filter_repo_objects

from actors.models.hub import _failed
from actors.models.models import SEEDLING, find_model
from storage.errors import RequestError

NAME = "owner/name@abc123"
UNET, ENCODER, VAE = (
    "unet/diffusion_pytorch_model",
    "text_encoder/model",
    "vae/diffusion_pytorch_model",
)


class Hub:
    """A repository, and the cache that its files are fetched into."""

    def __init__(self, root):
        self.repo, self.cache = root / "repo", root / "cache"
        shutil.copytree(SEEDLING, self.repo)
        self.asked = []
        self.away = None

    def add(self, *files):
        for file in files:
            (self.repo / file).parent.mkdir(parents=True, exist_ok=True)
            (self.repo / file).write_bytes(b"not to be fetched")

    def rename(self, old, new):
        (self.repo / old).rename(self.repo / new)

    @property
    def names(self):
        return sorted(
            path.relative_to(self.repo).as_posix()
            for path in self.repo.rglob("*")
            if path.is_file()
        )

    @property
    def fetched(self):
        return sorted(
            path.relative_to(self.cache).as_posix()
            for path in self.cache.rglob("*")
            if path.is_file()
        )

    def model_info(self, repo, *, revision, timeout):
        self.asked.append((repo, revision))
        if self.away:
            raise self.away
        return SimpleNamespace(siblings=[SimpleNamespace(rfilename=name) for name in self.names])

    def snapshot_download(self, repo, *, revision, allow_patterns=None, local_files_only=False):
        assert (repo, revision) == ("owner/name", "abc123")
        if local_files_only:
            if not self.cache.is_dir():
                raise LocalEntryNotFoundError("not here")
            return str(self.cache)
        for name in filter_repo_objects(self.names, allow_patterns=allow_patterns):
            (self.cache / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(self.repo / name, self.cache / name)
        return str(self.cache)


@pytest.fixture
def hub(tmp_path, monkeypatch):
    hub = Hub(tmp_path)
    monkeypatch.setattr("huggingface_hub.HfApi", lambda: hub)
    monkeypatch.setattr("huggingface_hub.snapshot_download", hub.snapshot_download)
    return hub


def components(hub, **changes):
    path = hub.repo / "model_index.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_a_hub_id_is_fetched_at_its_revision_and_inspected(hub):
    model = find_model(NAME)
    assert hub.asked == [("owner/name", "abc123")]
    assert (model.name, model.folder, model.digest) == (
        NAME,
        str(hub.cache),
        find_model("seedling").digest,
    )


def test_nothing_is_fetched_that_no_pipeline_reads(hub):
    wanted = [name for name in hub.names if "/" in name or name == "model_index.json"]
    components(
        hub,
        safety_checker=["stable_diffusion", "StableDiffusionSafetyChecker"],
        feature_extractor=[None, None],
    )
    hub.add(
        "v1-5-pruned.safetensors", "v1-5-pruned-emaonly.ckpt", "README.md", "sample.png",
        "config.json", "vocab.txt",
        f"{UNET}.fp16.safetensors", f"{UNET}.non_ema.safetensors", f"{UNET}.bin",
        f"{UNET}.fp16.bin", "unet/model.onnx",
        f"{ENCODER}.fp16.safetensors", "text_encoder/pytorch_model.bin",
        "text_encoder/flax_model.msgpack",
        "text_encoder/model.safetensors.index.fp16.json",
        "text_encoder/model.fp16-00001-of-00002.safetensors",
        "safety_checker/model.safetensors", "safety_checker/config.json",
        "feature_extractor/preprocessor_config.json",
        "vae_1_0/diffusion_pytorch_model.safetensors", "vae_1_0/config.json",
        "unet/old/config.json", "tokenizer/code.py",
    )  # fmt: skip
    find_model(NAME)
    assert hub.fetched == wanted


@pytest.mark.parametrize(
    "file",
    [
        "vocab.json", "merges.txt", "vocab.txt", "spiece.model", "tokenizer.model",
        "sentencepiece.bpe.model", "tiktoken.model",
        "qwen.tiktoken", "tekken.json", "added_tokens.json", "special_tokens_map.json",
        "chat_template.jinja",
        "additional_chat_templates/x.jinja",
    ],
)  # fmt: skip
def test_every_form_of_tokenizer_is_fetched(hub, file):
    (hub.repo / "tokenizer" / file).parent.mkdir(exist_ok=True)
    (hub.repo / "tokenizer" / file).write_text("{}")
    find_model(NAME)
    assert f"tokenizer/{file}" in hub.fetched


def test_halves_are_fetched_where_there_are_no_full_weights(hub):
    for name in (UNET, ENCODER):
        hub.rename(f"{name}.safetensors", f"{name}.fp16.safetensors")
    hub.add(f"{VAE}.fp16.safetensors", f"{UNET}.non_ema.safetensors")
    find_model(NAME)
    assert [name for name in hub.fetched if fnmatch(name, "*.safetensors")] == [
        f"{ENCODER}.fp16.safetensors", f"{UNET}.fp16.safetensors", f"{VAE}.safetensors",
    ]  # fmt: skip


def test_shards_are_fetched_by_their_index_each_name_taken_literally(hub):
    shard = "text_encoder/model-00001-of-00001.safetensors"
    hub.rename(f"{ENCODER}.safetensors", shard)
    weight_map = {"x": Path(shard).name}
    (hub.repo / "text_encoder/model.safetensors.index.json").write_text(
        json.dumps({"metadata": {}, "weight_map": weight_map})
    )
    hub.add(
        "text_encoder/model-00001-of-00002.safetensors",
        "text_encoder/model.fp16-00001-of-00002.safetensors",
    )
    hub.add("text_encoder/model.safetensors.index.fp16.json")
    with pytest.raises(
        RequestError, match="has no x, which"
    ):  # the index of this test is not true
        find_model(NAME)
    assert [name for name in hub.fetched if "text_encoder/model" in name] == [
        shard,
        "text_encoder/model.safetensors.index.json",
    ]


def test_what_cannot_be_painted_with_is_told_before_its_weights_are_fetched(hub):
    components(hub, _class_name="AudioPipeline")
    with pytest.raises(RequestError, match="is a AudioPipeline"):
        find_model(NAME)
    assert hub.fetched == ["model_index.json"]
    components(hub, _class_name="StableDiffusionPipeline")
    hub.rename(f"{VAE}.safetensors", f"{VAE}.bin")
    with pytest.raises(RequestError, match="only pickled weights in vae/"):
        find_model(NAME)
    (hub.repo / "model_index.json").unlink()
    with pytest.raises(RequestError, match=r"it has no model_index.json on the hub"):
        find_model(NAME)
    assert not any(name.endswith(".safetensors") for name in hub.fetched)


def test_a_model_that_is_here_needs_no_hub(hub):
    hub.away = ConnectionError("no route to host")
    with pytest.raises(
        RequestError,
        match=r"The model owner/name@abc123 could not be fetched from the hub: no route to host",
    ):
        find_model(NAME)
    hub.away = None
    before = find_model(NAME)
    hub.away = ConnectionError("no route to host")
    assert find_model(NAME) == before


def test_a_hub_that_refuses_is_one_sentence(hub):
    class Response:
        headers, request = {}, None

    hub.away = RepositoryNotFoundError(
        "404 Client Error.\n\nRepository Not Found for url", response=Response()
    )
    with pytest.raises(
        RequestError, match=r"could not be fetched from the hub: 404 Client Error\. \S"
    ):
        find_model(NAME)


def test_a_link_of_the_cache_that_leads_nowhere_is_a_sentence_without_the_caches_place(hub):
    find_model(NAME)
    hub.away = ConnectionError("no route to host")
    for file in (
        "tokenizer/tokenizer.json",
        "scheduler/scheduler_config.json",
        "text_encoder/config.json",
        "model_index.json",
    ):
        path = hub.cache / file
        data = path.read_bytes()
        path.unlink()
        path.symlink_to("../../../blobs/0123")
        with pytest.raises(
            RequestError,
            match=f"The model {NAME} cannot be read: {file} is a link that leads nowhere",
        ) as refused:
            find_model(NAME)
        assert str(hub.cache) not in str(refused.value)
        path.unlink()
        path.write_bytes(data)


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (401, "hf auth login"),
        (404, "its name and its revision"),
        (429, "again in some"),
        (500, "network"),
    ],
)
def test_the_sentence_about_a_hub_that_fails_says_what_to_do(status, words):
    error = OSError("no.")
    error.response = type("Response", (), {"status_code": status})()
    assert words in str(_failed("owner/name@abc123", error))
    assert "network" in str(_failed("owner/name@abc123", OSError("timed out")))
