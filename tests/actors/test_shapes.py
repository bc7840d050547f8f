"""Tensors that a model would lack, or that are of another shape: told at submission from the heads
of its files alone.
"""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from actors.models import whole
from actors.models.families import family_of
from actors.models.models import SEEDLING, find_model
from actors.models.whole import NoAnswer, fault_in
from actors.painting.loading import load_pipeline
from actors.painting.shapes import fault_of
from storage.errors import RequestError
from tests.pipelines import save

pytestmark = pytest.mark.usefixtures("unproved")

UNET, VAE = "unet/diffusion_pytorch_model.safetensors", "vae/diffusion_pytorch_model.safetensors"
ENCODER = "text_encoder/model.safetensors"
PROGRAM = fault_in  # which the tests' own fixture replaces


@pytest.fixture(scope="module")
def whole_folder(tmp_path_factory):
    return save("StableDiffusionXLPipeline", tmp_path_factory.mktemp("models") / "whole")


@pytest.fixture
def folder(whole_folder, tmp_path):
    return shutil.copytree(whole_folder, tmp_path / "model")


def rewrite(path, change):
    tensors = load_file(path)
    change(tensors)
    save_file(tensors, path, {"format": "pt"})


def edit(path, **changes):
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def refusal(folder):
    with pytest.raises(RequestError) as refused:
        find_model(str(folder))
    assert "\n" not in str(refused.value)
    assert str(folder.parent) not in str(refused.value).replace(f"The model {folder} ", "")
    return str(refused.value)


def load(folder):
    return load_pipeline(
        folder, family_of("StableDiffusionXLPipeline"), torch.float32, torch.device("cpu")
    )


@pytest.mark.parametrize("file", [UNET, ENCODER])
def test_a_missing_tensor_is_told_at_submission(folder, file):
    lost = sorted(load_file(folder / file))[3]
    rewrite(folder / file, lambda tensors: tensors.pop(lost))
    assert (
        f"the weights in {file.partition('/')[0]}/ lack 1 of its tensors,"
        f" {lost.removeprefix('text_model.')} among them" in refusal(folder)
    )


@pytest.mark.parametrize(
    ("file", "changes", "words"),
    [
        (
            "unet/config.json",
            {"block_out_channels": [16, 64]},
            "in unet/ is 32, where a UNet2DConditionModel of its config.json has 64: ",
        ),
        ("unet/config.json", {"cross_attention_dim": 24}, "in unet/ is "),
        (
            "unet/config.json",
            {"down_block_types": ["NoSuchBlock", "DownBlock2D"]},
            "no UNet2DConditionModel can be made of unet/config.json (",
        ),
        ("text_encoder/config.json", {"hidden_size": 12}, "in text_encoder/ is "),
        (
            "text_encoder_2/config.json",
            {"num_hidden_layers": 3},
            "the weights in text_encoder_2/ lack 16 of its tensors",
        ),
        (
            "text_encoder/config.json",
            {"num_attention_heads": 5},
            "no CLIPTextModel can be made of text_encoder/config.json (",
        ),
    ],
)
def test_a_config_that_is_not_that_of_the_weights_is_told_at_submission(
    folder, file, changes, words
):
    edit(folder / file, **changes)
    assert words in refusal(folder)


def test_a_shard_with_a_tensor_of_another_shape_is_told_at_submission(tmp_path):
    folder = save("StableDiffusionXLPipeline", tmp_path / "shards", max_shard_size="100KB")
    shard = next(
        path
        for path in sorted((folder / "unet").glob("*.safetensors"))
        if "conv_in.weight" in load_file(path)
    )
    rewrite(shard, lambda tensors: tensors.update({"conv_in.weight": torch.zeros(16, 9, 3, 3)}))
    assert "conv_in.weight in unet/ is 16x9x3x3, where" in refusal(folder)


def _old_attention(tensors):
    for old, new in (
        ("query", "to_q"),
        ("key", "to_k"),
        ("value", "to_v"),
        ("proj_attn", "to_out.0"),
    ):
        for name in [name for name in tensors if f".attentions.0.{new}." in name]:
            tensors[name.replace(new, old)] = tensors.pop(name)


def _older_prefix(tensors):
    for name in list(tensors):
        tensors[
            (
                f"text_model.{name}"
                if not name.startswith("text_model.")
                else name.removeprefix("text_model.")
            )
        ] = tensors.pop(name)


@pytest.mark.parametrize(
    ("file", "change"),
    [
        (VAE, _old_attention),
        (ENCODER, _older_prefix),
        (
            ENCODER,
            lambda tensors: tensors.update(
                {"text_model.embeddings.position_ids": torch.arange(48)[None]}
            ),
        ),
        (UNET, lambda tensors: tensors.update({"nobody.reads.this": torch.zeros(1)})),
    ],
)
def test_what_the_libraries_rename_or_pass_over_when_they_load_is_no_fault(folder, file, change):
    rewrite(folder / file, change)
    load(folder)
    assert fault_of(folder) is None


def test_the_shipped_model_is_whole():
    assert fault_of(SEEDLING) is None


def test_the_program_says_the_same_without_a_word_of_the_libraries(folder):
    assert PROGRAM(folder) is None
    rewrite(folder / UNET, lambda tensors: tensors.pop("conv_in.bias"))
    assert (
        PROGRAM(folder) == "the weights in unet/ lack 1 of its tensors, conv_in.bias among them."
    )


def test_a_program_that_fails_keeps_nobody_from_submitting_and_is_asked_again(
    folder, monkeypatch, caplog
):
    asked = []

    def fails(path):
        asked.append(path)
        raise NoAnswer("killed")

    monkeypatch.setattr(whole, "_known", {})
    monkeypatch.setattr(whole, "fault_in", fails)
    find_model(str(folder))
    find_model(str(folder))
    assert asked == [folder, folder]
    assert "were not looked at: killed" in caplog.text


def test_a_program_that_cannot_run_gives_no_answer(tmp_path):
    (tmp_path / "model_index.json").write_text('{"_class_name": "NoPipeline"}')
    with pytest.raises(NoAnswer, match="AssertionError"):
        PROGRAM(tmp_path)


def test_a_folder_is_looked_at_again_only_if_its_files_have_changed(folder, monkeypatch):
    asked = []
    monkeypatch.setattr(whole, "_known", {})
    monkeypatch.setattr(whole, "fault_in", asked.append)
    find_model(str(folder))
    find_model(str(folder))
    assert asked == [folder]
    edit(folder / "unet" / "config.json", note="x")
    find_model(str(folder))
    assert len(asked) == 2
