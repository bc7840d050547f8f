"""LoRA files by their heads: whole ones for the model are let through, whatever trainer wrote
them; others are refused by name.
"""

import numpy as np
import pytest
from safetensors.numpy import save_file

from actors.models.adapter_files import AdapterFile, adapter_file
from actors.models.lora import read_lora
from actors.models.lora_names import Weights
from actors.models.models import SEEDLING
from storage.errors import RequestError
from tests.pipelines import save

WEIGHTS = Weights("seedling", SEEDLING)
ATTENTION = "down_blocks.1.attentions.0.transformer_blocks.0.attn1"
FLAT = ATTENTION.replace(".", "_")
PEFT = "base_model.model"
SGM_DOTS = "input_blocks.3.1.transformer_blocks.0.attn1.to_q"  # of a model with one layer a block
SGM = SGM_DOTS.replace(".", "_")
TEXT = "text_model.encoder.layers.0.self_attn.q_proj"


def half(*shape):
    return np.zeros(shape, np.float32)


def pair(down, up, rank=4, inside=128, outside=128):
    return {down: half(rank, inside), up: half(outside, rank)}


def check(tmp_path, tensors):
    save_file(tensors, tmp_path / "a.safetensors")
    read_lora(AdapterFile(tmp_path / "a.safetensors"), WEIGHTS)


GOOD = {
    "peft": pair(f"unet.{ATTENTION}.to_q.lora_A.weight", f"unet.{ATTENTION}.to_q.lora_B.weight"),
    "peft, of several": pair(
        f"unet.{ATTENTION}.to_q.lora_A.default.weight",
        f"unet.{ATTENTION}.to_q.lora_B.default.weight",
    ),
    "peft, a row": pair(
        f"unet.{ATTENTION}.to_out.0.lora_A.weight", f"unet.{ATTENTION}.to_out.0.lora_B.weight"
    ),
    "diffusers": pair(
        f"unet.{ATTENTION}.to_q.lora.down.weight", f"unet.{ATTENTION}.to_q.lora.up.weight"
    ),
    "older diffusers": pair(
        f"unet.{ATTENTION}.processor.to_out_lora.down.weight",
        f"unet.{ATTENTION}.processor.to_out_lora.up.weight",
    ),
    "kohya": {
        **pair(f"lora_unet_{FLAT}_to_q.lora_down.weight", f"lora_unet_{FLAT}_to_q.lora_up.weight"),
        f"lora_unet_{FLAT}_to_q.alpha": half(),
    },
    "kohya, in the names of the model's makers": pair(
        f"lora_unet_{SGM}.lora_down.weight", f"lora_unet_{SGM}.lora_up.weight"
    ),
    "text": pair(f"text_encoder.{TEXT}.lora_A.weight", f"text_encoder.{TEXT}.lora_B.weight"),
    "kohya's text": pair(
        f"lora_te_{TEXT.replace('.', '_')}.lora_down.weight",
        f"lora_te_{TEXT.replace('.', '_')}.lora_up.weight",
    ),
    "without a part": pair(f"{ATTENTION}.to_q.lora_A.weight", f"{ATTENTION}.to_q.lora_B.weight"),
    "peft's own": pair(
        f"{PEFT}.{ATTENTION}.to_q.lora_A.weight", f"{PEFT}.{ATTENTION}.to_q.lora_B.weight"
    ),
    "peft's own, of the text encoder": pair(
        f"{PEFT}.{TEXT}.lora_A.weight", f"{PEFT}.{TEXT}.lora_B.weight"
    ),
    "peft's own, behind a part": pair(
        f"unet.{PEFT}.{ATTENTION}.to_q.lora_A.weight",
        f"unet.{PEFT}.{ATTENTION}.to_q.lora_B.weight",
    ),
    "older diffusers, without a part": pair(
        f"{ATTENTION}.processor.to_q_lora.down.weight",
        f"{ATTENTION}.processor.to_q_lora.up.weight",
    ),
    "ComfyUI": pair(
        f"diffusion_model.{SGM_DOTS}.lora_A.weight", f"diffusion_model.{SGM_DOTS}.lora_B.weight"
    ),
    "differences that are all zero": {
        **pair(f"unet.{ATTENTION}.to_q.lora_A.weight", f"unet.{ATTENTION}.to_q.lora_B.weight"),
        "unet.conv_in.diff": half(4),
    },
    "one layer by two names": {
        **pair(f"unet.{ATTENTION}.to_q.lora_A.weight", f"unet.{ATTENTION}.to_q.lora_B.weight"),
        **pair(f"lora_unet_{FLAT}_to_q.lora_down.weight", f"lora_unet_{FLAT}_to_q.lora_up.weight"),
    },
}


@pytest.mark.parametrize("kind", GOOD)
def test_a_whole_adapter_for_the_model_is_let_through(tmp_path, kind):
    check(tmp_path, GOOD[kind])


TO_Q = f"unet.{ATTENTION}.to_q"
BAD = {
    "no layers": ({"alpha.alpha": half()}, "no layers"),
    "a model": ({"unet.conv_in.weight": half(4, 4)}, "it is not a LoRA: unet.conv_in.weight"),
    "a LoHa": (
        {"lora_unet_x.hada_w1_a": half(4, 4), "lora_unet_x.alpha": half()},
        r"it is a LoHa \(lora_unet_x.hada_w1_a\)",
    ),
    "a LoKr": (
        {"lycoris_x.lokr_w1": half(4, 4), "lycoris_x.lokr_w2_a": half(4, 4)},
        r"it is a LoKr \(lycoris_x.lokr_w1\)",
    ),
    "a Tucker LoCon": (
        {**GOOD["kohya"], f"lora_unet_{FLAT}_to_q.lora_mid.weight": half(4, 4, 3, 3)},
        "it is a LoCon with a middle part",
    ),
    "an OFT": ({"lora_unet_x.oft_blocks": half(4, 4)}, "it is an OFT"),
    "whole differences": (
        {**GOOD["kohya"], "lora_unet_conv_in.diff": half(4) + 1},
        "it is a set of differences of whole weights",
    ),
    "an embedding": ({"emb_params": half(1, 768)}, "it is a textual inversion"),
    "biases": (
        {**GOOD["peft"], f"unet.{ATTENTION}.to_q.lora_B.bias": half(128)},
        "it is a LoRA with biases",
    ),
    "a control LoRA": (
        {**GOOD["peft"], "transformer.blocks.0.attn.norm_q.weight": half(4)},
        "it is a ControlLoRA",
    ),
    "an alpha of nothing": (
        {**GOOD["peft"], "unet.x.alpha": half()},
        "it has unet.x.alpha, and no such layer",
    ),
    "an alpha of several": (
        {**GOOD["peft"], f"unet.{ATTENTION}.to_q.alpha": half(2)},
        r"to_q.alpha must be one number, and has the shape \[2\]",
    ),
    "no finite alpha": (
        {**GOOD["peft"], f"unet.{ATTENTION}.to_q.alpha": np.full((), np.nan, np.float32)},
        r"the alpha of its layer unet.*to_q is nan",
    ),
    "an endless alpha": (
        {**GOOD["peft"], f"unet.{ATTENTION}.to_q.alpha": np.full((), -np.inf, np.float32)},
        "must be a finite number of at least 0",
    ),
    "a negative alpha": (
        {**GOOD["peft"], f"unet.{ATTENTION}.to_q.alpha": np.full((), -1, np.float32)},
        "is -1.0",
    ),
    "a layer twice": (
        {
            **GOOD["peft"],
            f"lora_unet_{FLAT}_to_q.lora_down.weight": half(4, 128) + 1,
            f"lora_unet_{FLAT}_to_q.lora_up.weight": half(128, 4),
        },
        rf"it has two layers for {TO_Q}: lora_unet_{FLAT}_to_q and {TO_Q}",
    ),
    "a part that takes none": (
        {
            "lora_te3_encoder_block_0.lora_down.weight": half(4, 8) + 1,
            "lora_te3_encoder_block_0.lora_up.weight": half(8, 4) + 1,
        },
        "seedling has no T5 encoder",
    ),
    "a kernel of another size": (
        {
            "unet.conv_in.lora_A.weight": half(4, 4, 1, 1),
            "unet.conv_in.lora_B.weight": half(64, 4, 1, 1),
        },
        "conv_in is for a kernel of 1x1, where seedling has one of 3x3",
    ),
    "a layer without numbers": (
        pair(f"{TO_Q}.lora_A.weight", f"{TO_Q}.lora_B.weight", rank=0),
        "do not fit together: 0x128 and 128x0",
    ),
    "a table": (
        pair(
            "lora_te_text_model_embeddings_position_embedding.lora_down.weight",
            "lora_te_text_model_embeddings_position_embedding.lora_up.weight",
        ),
        "seedling has no layer lora_te_text_model_embeddings",
    ),
    "a layer of nothing known": (
        pair("x.to_q.lora_A.weight", "x.to_q.lora_B.weight"),
        "seedling has no layer x.to_q",
    ),
    "SGM's name of no layer": (
        pair(
            "lora_unet_input_blocks_9_1_x.lora_down.weight",
            "lora_unet_input_blocks_9_1_x.lora_up.weight",
        ),
        "seedling has no layer lora_unet_input_blocks_9_1_x",
    ),
    "a DoRA": ({**GOOD["peft"], f"{TO_Q}.lora_magnitude_vector": half(128)}, "it is a DoRA"),
    "half a layer": (
        {f"{TO_Q}.lora_A.weight": half(4, 128)},
        rf"not whole: its layer {TO_Q} has only one",
    ),
    "halves of two ranks": (
        {f"{TO_Q}.lora_A.weight": half(4, 128), f"{TO_Q}.lora_B.weight": half(128, 8)},
        rf"{TO_Q} do not fit together: 4x128 and 128x8",
    ),
    "halves without sides": (
        {f"{TO_Q}.lora_A.weight": half(4), f"{TO_Q}.lora_B.weight": half(4)},
        "do not fit together",
    ),
    "another family": (
        pair("transformer.x.to_q.lora_A.weight", "transformer.x.to_q.lora_B.weight"),
        "seedling has no transformer",
    ),
    "more text encoders": (
        pair("lora_te2_x.lora_down.weight", "lora_te2_x.lora_up.weight"),
        "seedling has no text_encoder_2",
    ),
    "another model": (
        pair("unet.mid_block.x.to_q.lora_A.weight", "unet.mid_block.x.to_q.lora_B.weight"),
        "seedling has no layer unet.mid_block.x",
    ),
    "wider": (
        pair(f"{TO_Q}.lora_A.weight", f"{TO_Q}.lora_B.weight", inside=320),
        rf"{TO_Q} is for 320 numbers in and 128 out.*128 and 128",
    ),
    "kohya, wider": (
        pair(
            f"lora_unet_{FLAT}_to_q.lora_down.weight",
            f"lora_unet_{FLAT}_to_q.lora_up.weight",
            outside=320,
        ),
        f"lora_unet_{FLAT}_to_q is for 128 numbers in and 320 out",
    ),
    "wider text": (
        pair(
            f"text_encoder.{TEXT}.lora_A.weight", f"text_encoder.{TEXT}.lora_B.weight", inside=768
        ),
        "768 numbers in",
    ),
}


@pytest.mark.parametrize("kind", BAD)
def test_what_cannot_be_laid_over_the_model_is_refused_by_name(tmp_path, kind):
    tensors, words = BAD[kind]
    with pytest.raises(RequestError, match=words):
        check(tmp_path, tensors)


def test_half_a_file_is_no_adapter(tmp_path):
    save_file(GOOD["peft"], tmp_path / "a.safetensors")
    (tmp_path / "a.safetensors").write_bytes((tmp_path / "a.safetensors").read_bytes()[:300])
    with pytest.raises(RequestError, match="not a whole safetensors file"):
        read_lora(AdapterFile(tmp_path / "a.safetensors"), WEIGHTS)


def test_an_adapter_is_a_file_or_a_folder_with_one(tmp_path):
    def refused(path, words):
        with pytest.raises(RequestError, match=words):
            adapter_file(path)

    refused(tmp_path / "none", "there is no file or folder")
    refused(tmp_path, "has no .safetensors files")
    (tmp_path / "a.bin").write_bytes(b"\x80\x04")
    refused(tmp_path / "a.bin", "a pickle can run code")
    (tmp_path / "a.safetensors").touch()
    assert (
        adapter_file(tmp_path)
        == adapter_file(tmp_path / "a.safetensors")
        == AdapterFile(tmp_path / "a.safetensors")
    )
    (tmp_path / "b.safetensors").touch()
    refused(tmp_path, "has 2 .safetensors files")
    assert adapter_file(tmp_path / "b.safetensors").path == tmp_path / "b.safetensors"


@pytest.fixture(scope="module")
def xl(tmp_path_factory):
    return save("StableDiffusionXLPipeline", tmp_path_factory.mktemp("models") / "xl")


PROJECTION = pair(
    "lora_te2_text_projection.lora_down.weight",
    "lora_te2_text_projection.lora_up.weight",
    4,
    32,
    32,
)
BESIDE = {
    "nothing": {},
    "another encoder's layers": pair(
        f"text_encoder.{TEXT}.lora_A.weight", f"text_encoder.{TEXT}.lora_B.weight", 4, 32, 32
    ),
    "layers of the UNet": pair(
        "unet.time_embedding.linear_1.lora_A.weight",
        "unet.time_embedding.linear_1.lora_B.weight",
        4,
        16,
        64,
    ),
}


@pytest.mark.parametrize("beside", BESIDE)
def test_a_projection_that_diffusers_would_not_load_is_refused(tmp_path, xl, beside):
    """The library fails with `list index out of range` if a text encoder has no layer whose rank
    it looks for.
    """
    save_file({**PROJECTION, **BESIDE[beside]}, tmp_path / "a.safetensors")
    with pytest.raises(
        RequestError,
        match="of the text_encoder_2 it has only text_projection, which diffusers loads beside",
    ):
        read_lora(AdapterFile(tmp_path / "a.safetensors"), Weights("xl", xl))


def test_a_projection_beside_layers_of_its_encoder_is_let_through(tmp_path, xl):
    own = pair(
        f"text_encoder_2.{TEXT}.lora_A.weight", f"text_encoder_2.{TEXT}.lora_B.weight", 4, 32, 32
    )
    save_file({**PROJECTION, **own}, tmp_path / "a.safetensors")
    read_lora(AdapterFile(tmp_path / "a.safetensors"), Weights("xl", xl))
