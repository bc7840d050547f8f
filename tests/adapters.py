"""Tiny LoRA adapters, made with peft for a pipeline's own layers and saved as diffusers saves
them.
"""

from pathlib import Path

import diffusers
import torch
from peft import LoraConfig, get_peft_model_state_dict
from safetensors.torch import save_file

from actors.models.families import family_of
from actors.painting.loading import load_pipeline

_TARGETS = ["to_q", "to_k", "to_v", "q_proj", "k_proj", "v_proj", "out_proj"]


def save_adapter(
    model: Path, file: Path, *, seed: int = 0, rank: int = 4, text: bool = False
) -> Path:
    """A LoRA with random weights for the denoiser of the pipeline in `model`, and with `text` for
    its text encoder too.
    """
    kind = diffusers.DiffusionPipeline.load_config(model)["_class_name"]
    pipe = load_pipeline(Path(model), family_of(kind), torch.float32, torch.device("cpu"))
    denoiser = "unet" if hasattr(pipe, "unet") else "transformer"
    generator = torch.Generator().manual_seed(seed)
    tensors = {}
    for name in (denoiser, "text_encoder") if text else (denoiser,):
        part = getattr(pipe, name)
        part.add_adapter(
            LoraConfig(r=rank, lora_alpha=rank, target_modules=_TARGETS, init_lora_weights=False),
            adapter_name="made",
        )
        for key, value in get_peft_model_state_dict(part, adapter_name="made").items():
            tensors[f"{name}.{key}"] = torch.randn(value.shape, generator=generator) * 0.3
    file.parent.mkdir(parents=True, exist_ok=True)
    save_file(tensors, file)
    return file
