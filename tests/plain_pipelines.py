"""Tiny pipelines that have no row of their own, made of the real classes:
`save_plain("ZImagePipeline", folder)`.
"""

from collections.abc import Callable
from pathlib import Path

import diffusers
import torch
from diffusers import FlowMatchEulerDiscreteScheduler
from tokenizers.pre_tokenizers import ByteLevel
from transformers import (
    BertConfig,
    BertModel,
    BertTokenizer,
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen2Tokenizer,
    Qwen3Config,
    Qwen3ForCausalLM,
    Qwen3Model,
)

from tests.pipelines import LETTERS, WIDTH, _clip, _clip_tokenizer, _t5, _t5_tokenizer, _unet, _vae

_MARKS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
_CHAT = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor"
    " %}<|im_start|>assistant\n"
)


def save_plain(pipeline: str, folder: Path, **how) -> Path:
    """Save a tiny pipeline of that class into a folder; always the same weights."""
    torch.manual_seed(0)
    pipe = PLAIN[pipeline](**how)
    for name, part in pipe.components.items():
        for tensor in part.parameters() if isinstance(part, torch.nn.Module) else ():
            # What training would have filled, some classes leave empty or zero: nothing that is
            # told them would change a picture.
            if name == "transformer" and (not tensor.isfinite().all() or not tensor.any()):
                tensor.data = torch.randn(tensor.shape) / 10
    pipe.save_pretrained(folder)
    return folder


def z_image() -> diffusers.DiffusionPipeline:
    transformer = diffusers.ZImageTransformer2DModel(
        all_patch_size=(2,), all_f_patch_size=(1,), in_channels=4, dim=32, n_layers=1,
        n_refiner_layers=1, n_heads=2, n_kv_heads=2,
        cap_feat_dim=16, axes_dims=[8, 4, 4], axes_lens=[1024, 64, 64],
    )  # fmt: skip
    return diffusers.ZImagePipeline(
        transformer=transformer, vae=_vae(shift_factor=0.1),
        scheduler=FlowMatchEulerDiscreteScheduler(), text_encoder=_qwen(Qwen3Model, 2),
        tokenizer=_byte_tokenizer(),
    )  # fmt: skip


def flux_klein(is_distilled: bool = True) -> diffusers.DiffusionPipeline:
    transformer = diffusers.Flux2Transformer2DModel(
        patch_size=1, in_channels=16, num_layers=1, num_single_layers=1, attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=3 * 16, timestep_guidance_channels=16, axes_dims_rope=[4, 4, 4, 4],
        guidance_embeds=False,
    )  # fmt: skip
    vae = diffusers.AutoencoderKLFlux2(
        block_out_channels=(8, 16), latent_channels=4, norm_num_groups=8, layers_per_block=1,
        sample_size=32,
        down_block_types=("DownEncoderBlock2D",) * 2, up_block_types=("UpDecoderBlock2D",) * 2,
    )  # fmt: skip
    return diffusers.Flux2KleinPipeline(
        transformer=transformer, vae=vae, scheduler=FlowMatchEulerDiscreteScheduler(),
        tokenizer=_byte_tokenizer(),
        text_encoder=_qwen(Qwen3ForCausalLM, 27), is_distilled=is_distilled,
    )  # fmt: skip


def qwen_image(guidance_embeds: bool = False) -> diffusers.DiffusionPipeline:
    transformer = diffusers.QwenImageTransformer2DModel(
        patch_size=2, in_channels=16, out_channels=4, num_layers=1, attention_head_dim=16,
        num_attention_heads=3, joint_attention_dim=16,
        guidance_embeds=guidance_embeds, axes_dims_rope=(8, 4, 4),
    )  # fmt: skip
    vae = diffusers.AutoencoderKLQwenImage(
        base_dim=24,
        z_dim=4,
        dim_mult=[1, 2],
        num_res_blocks=1,
        temperal_downsample=[False],
        latents_mean=[0.0] * 4,
        latents_std=[1.0] * 4,
    )
    text = {
        "hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1,
        "num_attention_heads": 2, "num_key_value_heads": 2,
        "rope_scaling": {"mrope_section": [1, 1, 2], "rope_type": "default", "type": "default"},
        "vocab_size": 512,
    }  # fmt: skip
    vision = {
        "depth": 1,
        "hidden_size": 16,
        "intermediate_size": 16,
        "num_heads": 2,
        "out_hidden_size": 16,
    }
    encoder = Qwen2_5_VLForConditionalGeneration(
        Qwen2_5_VLConfig(text_config=text, vision_config=vision)
    ).eval()
    return diffusers.QwenImagePipeline(
        transformer=transformer,
        vae=vae,
        scheduler=FlowMatchEulerDiscreteScheduler(),
        text_encoder=encoder,
        tokenizer=_byte_tokenizer(),
    )


def kontext(guidance_embeds: bool = True) -> diffusers.DiffusionPipeline:
    transformer = diffusers.FluxTransformer2DModel(
        patch_size=1, in_channels=16, num_layers=1, num_single_layers=1, attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=WIDTH, pooled_projection_dim=WIDTH, axes_dims_rope=(4, 4, 8),
        guidance_embeds=guidance_embeds,
    )  # fmt: skip
    return diffusers.FluxKontextPipeline(
        transformer=transformer, vae=_vae(shift_factor=0.1),
        scheduler=FlowMatchEulerDiscreteScheduler(), text_encoder=_clip(),
        tokenizer=_clip_tokenizer(), text_encoder_2=_t5(), tokenizer_2=_t5_tokenizer(),
    )  # fmt: skip


def pixart_alpha() -> diffusers.DiffusionPipeline:
    transformer = diffusers.PixArtTransformer2DModel(
        sample_size=16, num_layers=1, patch_size=2, attention_head_dim=8, num_attention_heads=4,
        in_channels=4, out_channels=8,
        cross_attention_dim=32, caption_channels=WIDTH, norm_type="ada_norm_single",
        use_additional_conditions=False,
    )  # fmt: skip
    return diffusers.PixArtAlphaPipeline(
        transformer=transformer,
        vae=_vae(),
        scheduler=diffusers.DDIMScheduler(),
        text_encoder=_t5(),
        tokenizer=_t5_tokenizer(),
    )


def hunyuan() -> diffusers.DiffusionPipeline:
    """Its code counts on latents of eight pixels a side."""
    transformer = diffusers.HunyuanDiT2DModel(
        sample_size=16, num_layers=2, patch_size=2, attention_head_dim=8, num_attention_heads=3,
        in_channels=4, hidden_size=24,
        cross_attention_dim=WIDTH, cross_attention_dim_t5=WIDTH, pooled_projection_dim=16,
        activation_fn="gelu-approximate",
    )  # fmt: skip
    vae = diffusers.AutoencoderKL(
        block_out_channels=(8,) * 4, norm_num_groups=8,
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
    )  # fmt: skip
    words = [
        "[PAD]",
        "[UNK]",
        "[CLS]",
        "[SEP]",
        "[MASK]",
        *LETTERS,
        *(f"##{letter}" for letter in LETTERS),
    ]
    bert = BertConfig(
        vocab_size=256,
        hidden_size=WIDTH,
        num_hidden_layers=1,
        num_attention_heads=4,
        intermediate_size=37,
    )
    return diffusers.HunyuanDiTPipeline(
        transformer=transformer, vae=vae, scheduler=diffusers.DDPMScheduler(),
        text_encoder=BertModel(bert), text_encoder_2=_t5(),
        tokenizer=BertTokenizer(
            vocab={word: k for k, word in enumerate(words)}, model_max_length=77
        ),
        tokenizer_2=_t5_tokenizer(),
        safety_checker=None, feature_extractor=None, requires_safety_checker=False,
    )  # fmt: skip


def guided() -> diffusers.DiffusionPipeline:
    """Stable Diffusion with perturbed attention."""
    return diffusers.StableDiffusionPAGPipeline(
        vae=_vae(), text_encoder=_clip(), tokenizer=_clip_tokenizer(),
        unet=_unet(cross_attention_dim=WIDTH),
        scheduler=diffusers.DDIMScheduler(clip_sample=False), safety_checker=None,
        feature_extractor=None, requires_safety_checker=False,
    )  # fmt: skip


PLAIN: dict[str, Callable[..., diffusers.DiffusionPipeline]] = {
    "ZImagePipeline": z_image,
    "Flux2KleinPipeline": flux_klein,
    "QwenImagePipeline": qwen_image,
    "FluxKontextPipeline": kontext,
    "PixArtAlphaPipeline": pixart_alpha,
    "HunyuanDiTPipeline": hunyuan,
    "StableDiffusionPAGPipeline": guided,
}


def _qwen(kind: type, layers: int) -> torch.nn.Module:
    config = Qwen3Config(
        hidden_size=16, intermediate_size=16, num_hidden_layers=layers, num_attention_heads=2,
        num_key_value_heads=2, head_dim=8,
        vocab_size=512, max_position_embeddings=1024,
    )  # fmt: skip
    return kind(config).eval()


def _byte_tokenizer() -> Qwen2Tokenizer:
    """A token a byte."""
    vocab = {word: k for k, word in enumerate([*_MARKS, *sorted(ByteLevel.alphabet())])}
    tokenizer = Qwen2Tokenizer(vocab=vocab, merges=[], chat_template=_CHAT)
    tokenizer.add_special_tokens({"additional_special_tokens": _MARKS[1:]})
    return tokenizer
