"""Registered adapters from the command to the pixels."""

# ruff: noqa: F401, F811  # fixtures of the tests of models

import json
import shutil

import pytest

from actors.models.cache import WeightsCache
from actors.models.models import SEEDLING
from actors.painting.engine import Engine
from actors.painting.painter import Painter
from actors.recipes.jobs import FailureKind
from farm.app import open_app, serve
from farm.client.client import Client
from storage.errors import Conflict, RequestError
from storage.keys import weights_key
from storage.registry import Registry
from tests.adapters import save_adapter
from tests.campaigns import campaign
from tests.farm.test_registry import (
    OWN,
    SMALL,
    command,
    database,
    farm,
    jobs_of,
    outputs,
    painted,
)

PEFT = {"peft_type": "LORA", "r": 4, "lora_alpha": 2}


def using(*names, name="spring", **more):
    return campaign(name=name, **SMALL, adapters=[{"lora": one} for one in names], **more)


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("adapters")
    return [save_adapter(SEEDLING, folder / f"{k}.safetensors", seed=k) for k in range(2)]


@pytest.fixture
def lora(made, tmp_path):
    return shutil.copy(made[0], tmp_path / "house.safetensors")


def test_an_adapter_by_its_name_paints_the_bits_of_its_file_on_a_machine_without_it(
    farm,
    jobs_of,
    outputs,
    lora,
    made,
    tmp_path,
):
    added = farm.register("house", str(lora), kind="adapters")
    lora.unlink()
    assert farm.plan(using("house")).adapters == {"house": added.digest}
    farm.submit(using("house", name="named"))
    farm.submit(using(f"house@{added.digest[:9]}", name="pinned"), fresh=True)
    farm.submit(using(str(made[0]), name="plain"), fresh=True)
    farm.submit(using(name="bare"))
    cache = WeightsCache(tmp_path / "cache", outputs)
    by_name = painted(jobs_of("named"), outputs, cache)
    assert painted(jobs_of("pinned"), outputs, cache) == by_name
    assert painted(jobs_of("plain"), outputs, cache) == by_name
    bare = painted(jobs_of("bare"), outputs, cache)
    assert set(by_name.values()).isdisjoint(bare.values())


def test_what_was_painted_names_the_version_whatever_is_added_later(farm, jobs_of, made):
    first = farm.register("house", str(made[0]), kind="adapters")
    axis = {"look": [{"lora": "none"}, {"lora": "house"}]}
    farm.submit(campaign(**{**SMALL, "vary": {**SMALL["vary"], **axis}}))
    bare, styled = jobs_of()
    assert (bare.adapter_paths, bare.adapter_manifests) == ((), ())
    assert styled.adapter_paths == (first.label,)
    assert styled.adapter_manifests == (first.manifest,)
    second = farm.register("house", str(made[1]), kind="adapters")
    farm.submit(using(styled.adapter_paths[0], name="again"))
    farm.submit(using("house", name="later"))
    found = [jobs_of(name)[0].group.adapters[0].digest for name in ("again", "later")]
    assert found == [first.digest, second.digest]
    assert farm.submit(using(str(made[1]), name="later")).created is False


def test_the_config_beside_an_adapter_is_part_of_its_version(farm, jobs_of, made, tmp_path):
    folder = tmp_path / "peft"
    folder.mkdir()
    shutil.copy(made[0], folder / "adapter_model.safetensors")
    (folder / "adapter_config.json").write_text(json.dumps(PEFT))
    versions = [
        farm.register("house", str(source), kind="adapters") for source in (made[0], folder)
    ]
    assert [row.files for row in versions] == [1, 2]
    farm.submit(using(*(row.label for row in versions)))
    plain, weaker = (one.digest for one in jobs_of()[0].group.adapters)
    assert (plain, weaker.partition("-")[0]) == (versions[0].digest, versions[0].digest)
    assert plain != weaker


def test_an_adapter_that_is_needed_stays_and_a_lost_one_is_named(
    farm,
    jobs_of,
    database,
    outputs,
    lora,
    tmp_path,
):
    added = farm.register("house", str(lora), kind="adapters")
    farm.submit(using("house"))
    with pytest.raises(Conflict, match="the campaign default/spring still needs it"):
        farm.unregister("house", kind="adapters")
    for file in Registry(database).get("adapter", "house").files:
        outputs.delete(weights_key(file))
    (job,) = jobs_of()
    caches = WeightsCache(tmp_path / "cache", outputs), None
    for cache, why in zip(caches, ("not in the outputs any more", "FARM_CACHE"), strict=True):
        failure = Painter("w", Engine(device="cpu", threads=1), outputs, cache).paint(job).failure
        assert failure.kind is FailureKind.LOADING
        assert failure.detail.startswith(f"The adapter {added.label} cannot be loaded: ")
        assert why in failure.detail


@pytest.mark.parametrize(
    ("name", "source", "why"),
    [
        ("none", "house.safetensors", "An adapter cannot be called none"),
        ("a.safetensors", "house.safetensors", "An adapter cannot be called a.safetensors"),
        ("house", "gone.safetensors", "there is no file or folder"),
        ("house", "empty", "has no .safetensors files: name the one that is meant"),
        ("house", "pickle.pt", "is not a .safetensors file"),
        ("house", "half.safetensors", "The adapter house cannot be added"),
        ("house", "link.safetensors", "FARM_ALLOWED_PATHS"),
    ],
)
def test_a_name_or_a_source_that_is_none_is_refused(settings, lora, name, source, why):
    folder = lora.parent / "allowed"
    (folder / "empty").mkdir(parents=True)
    shutil.copy(lora, folder)
    (folder / "pickle.pt").write_bytes(b"\x80\x04")
    (folder / "half.safetensors").write_bytes(lora.read_bytes()[:100])
    (folder / "link.safetensors").symlink_to(lora)
    settings = settings.model_copy(update={"allowed_paths": (folder,)})
    with (
        open_app(settings) as api,
        serve(api, 0) as url,
        Client(url) as client,
    ):
        with pytest.raises(RequestError, match=why):
            client.register(name, str(folder / source), kind="adapters")
        assert client.registered("adapters") == []


def test_a_made_token_may_name_registered_adapters_and_no_files(settings, lora):
    with (
        open_app(settings, own_token=OWN) as api,
        serve(api, 0) as url,
        Client(url, token=OWN) as own,
    ):
        own.register("house", str(lora), kind="adapters")
        secret = own.create_token("ann", role="submitter").secret
        with Client(url, token=secret) as person:
            assert person.submit(using("house")).created
            with pytest.raises(RequestError, match="takes files of its own machine only"):
                person.submit(using(str(lora), name="other"))


def test_a_brand_allows_an_adapter_by_its_name_or_its_version(farm, made, tmp_path):
    first = farm.register("house", str(made[0]), kind="adapters")
    farm.register("other", str(made[1]), kind="adapters")
    like = shutil.copy(made[1], tmp_path / "a@b.safetensors")
    packs = {"any": ["house"], "one": [first.label], "path": [str(tmp_path / "a")]}
    for name, adapters in packs.items():
        farm.add_brand({"name": name, "adapters": adapters})
        refused = ["other", str(like), *(["house"] if name == "path" else [])]
        for k, address in enumerate(refused):
            with pytest.raises(RequestError, match="does not allow the adapter"):
                farm.submit(using(address, name=f"{name}-{k}", brand=f"{name}@1"))
        if name != "path":
            assert farm.submit(using("house", name=name, brand=f"{name}@1")).created


def test_the_commands_add_list_show_and_remove(command, farm, lora):
    said = command("adapters", "add", "house", str(lora))
    (row,) = map(json.loads, command("adapters", "list", "--json").splitlines())
    assert said.startswith(f"{row['label']} is registered: 1 file, ")
    assert row["label"] in command("adapters", "list")
    assert command("models", "list", "--json") == ""
    assert f"Digest: {row['digest']}" in command("adapters", "show", row["label"])
    command("adapters", "show", "No Name", code=1)
    assert command("adapters", "remove", "house", "--yes") == f"{row['label']} is removed.\n"
    assert command("adapters", "list", "--json") == ""
    with pytest.raises(RequestError, match="no adapter is registered under that name"):
        farm.submit(using("house"))
