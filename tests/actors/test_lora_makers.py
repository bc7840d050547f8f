"""LoRA files whose layers have the names that the makers of a model gave them: laid over the same
layers, as strongly, as diffusers lays them.
"""

import diffusers
import pytest
import torch
from peft.tuners.lora import LoraLayer
from safetensors.torch import save_file

from actors.models.adapter_files import AdapterFile
from actors.models.lora import read_lora
from actors.models.lora_names import Weights
from storage.errors import RequestError
from tests.actors.test_lora_strengths import laid_over

Z_IMAGE, FLUX_2, CHROMA, KREA_2 = (
    "ZImagePipeline",
    "Flux2KleinPipeline",
    "ChromaPipeline",
    "Krea2Pipeline",
)
DOUBLE, SINGLE = "transformer_blocks.0", "single_transformer_blocks.0"
QKV = [f"{DOUBLE}.attn.to_{part}" for part in "qkv"]
ADDED = [f"{DOUBLE}.attn.add_{part}_proj" for part in "qkv"]
FLUX_ATTENTION = {
    "double_blocks.0.img_attn.qkv": QKV,
    "double_blocks.0.txt_attn.qkv": ADDED,
    "double_blocks.0.img_attn.proj": [f"{DOUBLE}.attn.to_out.0"],
    "double_blocks.0.txt_attn.proj": [f"{DOUBLE}.attn.to_add_out"],
    "img_in": ["x_embedder"],
    "txt_in": ["context_embedder"],
    "final_layer.linear": ["proj_out"],
}
NAMES = {
    Z_IMAGE: {
        "layers.0.attention.qkv": [f"layers.0.attention.to_{part}" for part in "qkv"],
        "layers.0.attention.out": ["layers.0.attention.to_out.0"],
        "noise_refiner.0.attention.qkv": [
            f"noise_refiner.0.attention.to_{part}" for part in "qkv"
        ],
        "context_refiner.0.attention.to_q": ["context_refiner.0.attention.to_q"],
        "layers.0.feed_forward.w2": ["layers.0.feed_forward.w2"],
        "layers.0.adaLN_modulation.0": ["layers.0.adaLN_modulation.0"],
    },
    FLUX_2: {
        **FLUX_ATTENTION,
        "double_blocks.0.img_mlp.0": [f"{DOUBLE}.ff.linear_in"],
        "double_blocks.0.img_mlp.2": [f"{DOUBLE}.ff.linear_out"],
        "double_blocks.0.txt_mlp.0": [f"{DOUBLE}.ff_context.linear_in"],
        "double_blocks.0.txt_mlp.2": [f"{DOUBLE}.ff_context.linear_out"],
        "single_blocks.0.linear1": [f"{SINGLE}.attn.to_qkv_mlp_proj"],
        "single_blocks.0.linear2": [f"{SINGLE}.attn.to_out"],
        "time_in.in_layer": ["time_guidance_embed.timestep_embedder.linear_1"],
        "double_stream_modulation_img.lin": ["double_stream_modulation_img.linear"],
        "single_stream_modulation.lin": ["single_stream_modulation.linear"],
    },
    CHROMA: {
        **FLUX_ATTENTION,
        "double_blocks.0.img_mlp.0": [f"{DOUBLE}.ff.net.0.proj"],
        "double_blocks.0.txt_mlp.2": [f"{DOUBLE}.ff_context.net.2"],
        "single_blocks.0.linear1": [
            *(f"{SINGLE}.attn.to_{part}" for part in "qkv"),
            f"{SINGLE}.proj_mlp",
        ],
        "single_blocks.0.linear2": [f"{SINGLE}.proj_out"],
        "distilled_guidance_layer.in_proj": ["distilled_guidance_layer.in_proj"],
    },
    KREA_2: {
        "blocks.0.attn.wq": [f"{DOUBLE}.attn.to_q"],
        "blocks.0.attn.wk": [f"{DOUBLE}.attn.to_k"],
        "blocks.0.attn.wv": [f"{DOUBLE}.attn.to_v"],
        "blocks.0.attn.wo": [f"{DOUBLE}.attn.to_out.0"],
        "blocks.0.attn.gate": [f"{DOUBLE}.attn.to_gate"],
        "blocks.0.mlp.gate": [f"{DOUBLE}.ff.gate"],
        "blocks.0.mlp.up": [f"{DOUBLE}.ff.up"],
        "blocks.0.mlp.down": [f"{DOUBLE}.ff.down"],
        "txtfusion.layerwise_blocks.0.attn.wq": ["text_fusion.layerwise_blocks.0.attn.to_q"],
        "txtfusion.refiner_blocks.0.mlp.down": ["text_fusion.refiner_blocks.0.ff.down"],
        "txtfusion.projector": ["text_fusion.projector"],
        "first": ["img_in"],
        "last.linear": ["final_layer.linear"],
        "tmlp.0": ["time_embed.linear_1"],
        "tproj.1": ["time_mod_proj"],
        "txtmlp.3": ["txt_in.linear_2"],
    },
}


def tensors_for(path, pipeline):
    """The halves of each layer, by the name that the makers gave it."""
    model = diffusers.DiffusionPipeline.from_pretrained(path, local_files_only=True).transformer
    generator = torch.Generator().manual_seed(5)
    made = {}
    for name, modules in NAMES[pipeline].items():
        shapes = [model.get_submodule(module).weight.shape for module in modules]
        made[name] = (
            torch.randn((4, shapes[0][1]), generator=generator),
            torch.randn((sum(shape[0] for shape in shapes), 4), generator=generator),
        )
    return made


def written(tensors, prefix="diffusion_model.", down="lora_A", up="lora_B", dot="."):
    return {
        f"{prefix}{name.replace('.', dot)}.{side}.weight": tensor
        for name, halves in tensors.items()
        for side, tensor in zip((down, up), halves, strict=True)
    }


def as_kohya(tensors):
    return written(tensors, "lora_unet_", "lora_down", "lora_up", "_")


def as_peft(tensors):
    return written(tensors, "base_model.model.")


@pytest.mark.parametrize("write", [written, as_kohya, as_peft])
@pytest.mark.parametrize("pipeline", NAMES)
def test_layers_in_the_names_of_the_makers_are_laid_over_those_of_diffusers(
    folder, tmp_path, pipeline, write
):
    path, file = folder(pipeline), tmp_path / "a.safetensors"
    tensors = tensors_for(path, pipeline)
    save_file(write(tensors), file)
    found = laid_over(path, file)
    for name, modules in NAMES[pipeline].items():
        down, up = tensors[name]
        laid = torch.cat([found.pop(("transformer", module)) for module in modules])
        assert torch.allclose(laid, up @ down, atol=1e-5), name
    assert not found


@pytest.mark.parametrize(
    ("pipeline", "write"), [(FLUX_2, written), (FLUX_2, as_kohya), (KREA_2, written)]
)
def test_so_does_diffusers(folder, tmp_path, pipeline, write):
    path, file = folder(pipeline), tmp_path / "a.safetensors"
    tensors = tensors_for(path, pipeline)
    if write is as_kohya:  # diffusers leaves these out of kohya's files
        tensors = {name: halves for name, halves in tensors.items() if "modulation" not in name}
    save_file(write(tensors), file)
    pipe = diffusers.DiffusionPipeline.from_pretrained(path, local_files_only=True)
    pipe.load_lora_weights(str(tmp_path), weight_name=file.name, adapter_name="bare")
    expected = {
        ("transformer", name): module.get_delta_weight("bare")
        for name, module in pipe.transformer.named_modules()
        if isinstance(module, LoraLayer)
    }
    found = laid_over(path, file)
    assert found.keys() == expected.keys()
    assert all(torch.allclose(found[key], expected[key], atol=1e-5) for key in found)


def test_a_layer_that_the_model_has_not_is_told_by_the_name_that_the_file_gives_it(
    folder, tmp_path
):
    path, file = folder(KREA_2), tmp_path / "a.safetensors"
    tensors = tensors_for(path, KREA_2)
    save_file(written({"blocks.99.attn.wq": tensors["blocks.0.attn.wq"]}), file)
    with pytest.raises(RequestError, match=r"has no layer diffusion_model\.blocks\.99\.attn\.wq"):
        read_lora(AdapterFile(file), Weights("tiny", path))
