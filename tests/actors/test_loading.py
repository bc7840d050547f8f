"""Whether a model's weights and configs can be loaded: told at submission, loaded in the variant
that is there, proven when loaded.
"""

import hashlib
import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from actors.models.families import family_of
from actors.models.models import SEEDLING, find_model, weights_digest
from actors.painting.engine import DTYPES, Engine
from actors.painting.loading import load_pipeline
from actors.painting.memory import bytes_in_files
from actors.pictures.files import pixels_digest
from actors.recipes.errors import LoadFailed, ModelMissing
from actors.recipes.recipe import Recipe
from storage.errors import RequestError
from tests.actors.tiny import group
from tests.pipelines import BUILDERS, PLAIN, save
from tests.tokenizer_files import write

UNET, ENCODER = "unet/diffusion_pytorch_model.safetensors", "text_encoder/model.safetensors"


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A tiny Stable Diffusion XL, and what it paints."""
    return save("StableDiffusionXLPipeline", tmp_path_factory.mktemp("models") / "whole")


@pytest.fixture
def folder(whole, tmp_path):
    return shutil.copytree(whole, tmp_path / "model")


def painted(folder, *prompts, dtype="float32", engine=None, **changes):
    in_group = group(folder, batch=1, steps=2, dtype=dtype, **changes)
    engine = engine or Engine(device="cpu", threads=1)
    return [
        pixels_digest(
            engine.paint(
                [Recipe(group=in_group, prompt=prompt, negative="", seed=1)], str(folder)
            ).pixels[0]
        )
        for prompt in prompts or ("a red mug",)
    ]


def weights_of(folder, dtype=torch.float32):
    """A digest of all that a pipeline has in memory once it is loaded."""
    pipe = load_pipeline(
        folder, family_of(find_model(str(folder)).pipeline), dtype, torch.device("cpu")
    )
    total = hashlib.sha256()
    for name, part in sorted(pipe.components.items()):
        for key, tensor in (
            sorted(part.state_dict().items()) if isinstance(part, torch.nn.Module) else ()
        ):
            total.update(
                f"{name}.{key} {tensor.dtype} {tuple(tensor.shape)}".encode()
                + tensor.float().numpy().tobytes()
            )
    return total.hexdigest()


def refusal(folder):
    with pytest.raises(RequestError) as refused:
        find_model(str(folder))
    text = str(refused.value)
    assert "\n" not in text
    assert str(folder.parent) not in text.replace(f"The model {folder} ", "")
    return text


def edit(path, **changes):
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


# --- variants ---


@pytest.mark.parametrize("pipeline", [*BUILDERS, *PLAIN])
def test_halves_of_weights_are_loaded_as_the_same_weights_are_under_full_names(tmp_path, pipeline):
    full = save(pipeline, tmp_path / "full", dtype=torch.float16)
    halves = save(pipeline, tmp_path / "halves", dtype=torch.float16, variant="fp16")
    shards = save(
        pipeline, tmp_path / "shards", dtype=torch.float16, variant="fp16", max_shard_size="15KB"
    )
    assert any(shards.glob("*/*.safetensors.index.fp16.json"))
    assert weights_of(halves) == weights_of(shards) == weights_of(full)


def test_one_component_may_have_halves_alone_and_another_its_full_weights(whole, folder):
    for name in (UNET, ENCODER):
        (folder / name).rename((folder / name).with_suffix(".fp16.safetensors"))
    (folder / "unet" / "LICENSE").write_text("free")  # a name without a dot
    assert weights_of(folder) == weights_of(whole)
    assert painted(folder) == painted(whole)


def test_full_weights_go_before_halves(whole, folder):
    halves = {name: tensor.half() * 2 for name, tensor in load_file(folder / UNET).items()}
    save_file(halves, (folder / UNET).with_suffix(".fp16.safetensors"))
    (folder / ENCODER).rename((folder / ENCODER).with_suffix(".fp16.safetensors"))
    assert weights_of(folder) == weights_of(whole)
    assert bytes_in_files(folder, DTYPES["float32"]) == bytes_in_files(whole, DTYPES["float32"])


@pytest.mark.parametrize(
    "index", ["{}.safetensors.fp16.index.json", "{}.fp16.safetensors.index.json"]
)
def test_shards_whose_index_has_an_older_name_are_loaded(tmp_path, index):
    full = save("StableDiffusionPipeline", tmp_path / "v1.5")
    old = save(
        "StableDiffusionPipeline", tmp_path / "v1.5 fp16", variant="fp16", max_shard_size="100KB"
    )
    for path in list(old.glob("*/*.index.fp16.json")):
        path.rename(path.with_name(index.format(path.name.partition(".")[0])))
    assert weights_of(old) == weights_of(full)


def test_only_weights_for_training_are_none(folder):
    (folder / UNET).rename((folder / UNET).with_suffix(".non_ema.safetensors"))
    text = refusal(folder)
    assert "no weights in unet/" in text
    assert "found diffusion_pytorch_model.non_ema.safetensors" in text


# --- shards ---


@pytest.fixture
def sharded(tmp_path):
    return save("StableDiffusionXLPipeline", tmp_path / "model", max_shard_size="100KB")


def test_shards_are_painted_with(whole, sharded):
    assert weights_of(sharded) == weights_of(whole)


@pytest.mark.parametrize("part", ["unet", "text_encoder_2"])
def test_a_missing_shard_is_named(sharded, part):
    last = next((sharded / part).glob("*-00002-of-*.safetensors"))
    kept = last.read_bytes()
    last.unlink()
    assert f"{part}/{last.name} is missing, which" in refusal(sharded)
    last.write_bytes(kept[:-100])
    assert f"{part}/{last.name} is not a whole safetensors file" in refusal(sharded)
    last.unlink()
    last.symlink_to("gone")
    assert f"{part}/{last.name} is a link that leads nowhere" in refusal(sharded)


def test_an_index_that_is_not_true_is_refused(sharded):
    path = sharded / "unet" / "diffusion_pytorch_model.safetensors.index.json"
    index = json.loads(path.read_text())
    tensor, shard = next(iter(index["weight_map"].items()))
    for weight_map, words in (
        ({**index["weight_map"], "no.such": shard}, f"unet/{shard} has no no.such, which"),
        (
            {**index["weight_map"], tensor: "../vae/x.safetensors"},
            "no .safetensors file beside it",
        ),
        ({**index["weight_map"], tensor: 3}, "no .safetensors file beside it"),
        ({}, "is not an index of shards"),
    ):
        path.write_text(json.dumps({**index, "weight_map": weight_map}))
        assert words in refusal(sharded)
    path.write_text(json.dumps({"weight_map": index["weight_map"]}))
    assert "it needs `metadata`" in refusal(sharded)
    path.unlink()
    assert "no weights in unet/" in refusal(sharded)


# --- what a worker would stumble over ---


def test_weights_under_names_that_nothing_reads_are_refused(folder):
    (folder / UNET).rename(folder / "unet" / "model.safetensors")
    assert "a pipeline reads diffusion_pytorch_model.safetensors there" in refusal(folder)


@pytest.mark.parametrize(
    "file",
    [
        "model_index.json",
        "unet/config.json",
        "text_encoder_2/config.json",
        "scheduler/scheduler_config.json",
    ],
)
def test_a_config_that_is_missing_leads_nowhere_or_is_no_json_is_named(folder, file):
    path = folder / file
    path.write_text("{")
    assert f"{file} is not a JSON file" in refusal(folder)
    path.write_bytes(b"\xff\xfe{}")
    assert f"{file} is not a JSON file" in refusal(folder)
    path.write_text("[" * 100_000)
    assert f"{file} is not a JSON file" in refusal(folder)
    path.write_text("[]")
    assert f"{file} is not a JSON object" in refusal(folder)
    path.unlink()
    assert f"{file} is missing" in refusal(folder)
    path.symlink_to("../../blobs/0123")
    assert f"{file} is a link that leads nowhere" in refusal(folder)
    path.unlink()
    path.symlink_to(path)
    assert f"{file} cannot be opened" in refusal(folder)
    path.unlink()
    path.mkdir()
    assert f"{file} is not a file" in refusal(folder)


@pytest.mark.parametrize(
    "file",
    ["text_encoder/generation_config.json", "tokenizer/tokenizer.json", UNET, "extra/x.json"],
)
def test_every_link_that_leads_nowhere_is_a_sentence(folder, file):
    path = folder / file
    path.parent.mkdir(exist_ok=True)
    path.unlink(missing_ok=True)
    path.symlink_to("../../blobs/0123")
    assert f"{file} is a link that leads nowhere" in refusal(folder)


def test_a_component_whose_folder_leads_nowhere_is_missing(folder):
    for part, words in (
        ("tokenizer_2", "its tokenizer tokenizer_2/ is missing"),
        ("text_encoder", "no weights in text_encoder/"),
    ):
        shutil.move(folder / part, folder / "kept")
        (folder / part).symlink_to("gone")
        assert words in refusal(folder)
        (folder / part).unlink()
        shutil.move(folder / "kept", folder / part)


@pytest.mark.parametrize(
    ("file", "changes", "words"),
    [
        (
            "model_index.json",
            {"tokenizer_2": [None, None]},
            "has a text_encoder_2 and no tokenizer_2",
        ),
        ("model_index.json", {"vae": [None, None]}, "has no vae"),
        (
            "vae/config.json",
            {"block_out_channels": 3},
            "is not what a StableDiffusionXLPipeline has there",
        ),
        (
            "unet/config.json",
            {"sample_size": [1, 2, 3]},
            "is not what a StableDiffusionXLPipeline has there",
        ),
        (
            "unet/config.json",
            {"sample_size": {"width": 8}},
            "is not what a StableDiffusionXLPipeline has there",
        ),
        (
            "tokenizer/tokenizer_config.json",
            {"model_max_length": 10**30},
            "does not say `model_max_length`",
        ),
        (
            "tokenizer_2/tokenizer_config.json",
            {"model_max_length": 512},
            "reads 48 tokens: write 48 there",
        ),
        (
            "text_encoder/config.json",
            {"vocab_size": 20},
            "has a tokenizer that is not its text_encoder's",
        ),
    ],
)
def test_parts_that_do_not_fit_together_are_told_at_submission(folder, file, changes, words):
    edit(folder / file, **changes)
    assert words in refusal(folder)


# --- digests ---


def test_folders_keep_the_digests_that_they_had(folder):
    assert (
        weights_digest(SEEDLING)
        == "2072040cb056c58880e3b185a2ab25e2ea6c6810651baaba507bff501feef37f"
    )
    before = weights_digest(folder)
    (folder / "tokenizer" / "spiece.model").write_bytes(
        b"x"
    )  # beside a tokenizer.json, nothing reads it
    assert weights_digest(folder) == before


def test_a_vocabulary_that_is_read_is_part_of_the_digest(folder):
    write(folder / "tokenizer", "spiece")
    before = weights_digest(folder)
    (folder / "tokenizer" / "spiece.model").write_bytes(b"x")
    assert weights_digest(folder) != before


# --- loading ---


def test_a_model_with_each_form_of_tokenizer_paints_what_its_prompts_say(tmp_path, whole, folder):
    for part in ("tokenizer", "tokenizer_2"):
        write(folder / part, "vocab and merges", max_length=48)
    assert painted(folder, "a red mug") == painted(whole, "a red mug")
    for pipeline, form in (("PixArtSigmaPipeline", "spiece"), ("SanaPipeline", "sentencepiece")):
        other = save(pipeline, tmp_path / pipeline)
        write(other / "tokenizer", form)
        assert len(set(painted(other, "a red mug", "two cups"))) == 2


def fails(folder, engine=None):
    with pytest.raises(LoadFailed) as failed:
        painted(folder, engine=engine)
    assert "\n" not in str(failed.value)
    assert str(folder) not in str(failed.value)
    return str(failed.value)


def zeroed(path, only=""):
    save_file(
        {name: tensor * 0 if only in name else tensor for name, tensor in load_file(path).items()},
        path,
        {"format": "pt"},
    )


@pytest.mark.parametrize("part", ["text_encoder", "text_encoder_2"])
def test_a_pipeline_that_does_not_tell_prompts_apart_is_not_loaded(folder, part):
    zeroed(folder / part / "model.safetensors")
    engine = Engine(device="cpu", threads=1)
    assert f"takes two different prompts for the same one ({part} says the same of both)" in fails(
        folder, engine
    )
    assert not engine.warm


def test_nor_is_a_plain_pipeline(tmp_path):
    folder = save(*PLAIN, tmp_path / "model")
    zeroed(folder / "text_encoder" / "model.safetensors")
    assert "takes two different prompts for the same one" in fails(folder)


@pytest.mark.parametrize("file", [UNET, ENCODER])
def test_a_worker_fills_nothing_in_by_chance_either(folder, file):
    tensors = load_file(folder / file)
    lost = sorted(tensors)[3]
    del tensors[lost]
    save_file(tensors, folder / file, {"format": "pt"})
    with pytest.raises(
        LoadFailed, match=f"the weights in {file.partition('/')[0]}/ lack 1 of its tensors"
    ):
        load_pipeline(
            folder, family_of("StableDiffusionXLPipeline"), torch.float32, torch.device("cpu")
        )


def test_a_folder_that_a_worker_lacks_is_a_failure_of_loading(folder):
    batch = [Recipe(group=group(folder), prompt="a", negative="", seed=1)]
    shutil.rmtree(folder)
    with pytest.raises(ModelMissing, match="its folder model is missing on"):
        Engine(device="cpu", threads=1).paint(batch, str(folder))
