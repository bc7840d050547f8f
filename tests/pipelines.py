"""Tiny pipelines with random weights, one function a family, made of the real classes:
`save("FluxPipeline", folder)`.
"""

import json
import string
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import diffusers
import diffusers.pipelines.flux.pipeline_flux_kontext as kontext
import diffusers.pipelines.qwenimage.pipeline_qwenimage_edit as one_picture
import diffusers.pipelines.qwenimage.pipeline_qwenimage_edit_plus as several
import pytest
import torch
from diffusers import (
    AutoencoderDC,
    AutoencoderKL,
    AutoencoderKLFlux2,
    AutoencoderKLQwenImage,
    ChromaTransformer2DModel,
    DDIMScheduler,
    DPMSolverMultistepScheduler,
    FlowMatchEulerDiscreteScheduler,
    Flux2Transformer2DModel,
    FluxTransformer2DModel,
    Krea2Transformer2DModel,
    LCMScheduler,
    PixArtTransformer2DModel,
    QwenImageTransformer2DModel,
    SanaTransformer2DModel,
    SD3Transformer2DModel,
    UNet2DConditionModel,
    ZImageTransformer2DModel,
)
from diffusers.models.embeddings import (
    ImageProjection,
    IPAdapterFullImageProjection,
    IPAdapterPlusImageProjection,
)
from safetensors.torch import save_file
from tokenizers import Tokenizer
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel
from transformers import (
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    CLIPTokenizer,
    CLIPVisionConfig,
    CLIPVisionModelWithProjection,
    Gemma2Config,
    Gemma2Model,
    GemmaTokenizerFast,
    Mistral3Config,
    Mistral3ForConditionalGeneration,
    PreTrainedTokenizerFast,
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen2Tokenizer,
    Qwen2VLImageProcessorPil,
    Qwen3Config,
    Qwen3ForCausalLM,
    Qwen3Model,
    Qwen3VLConfig,
    Qwen3VLModel,
    Swin2SRConfig,
    Swin2SRForImageSuperResolution,
    T5Config,
    T5EncoderModel,
    T5TokenizerFast,
)

from actors.models.families import FAMILIES
from actors.models.models import SEEDLING
from actors.painting.qwen_edits import PictureReader

FREE = [family for family in FAMILIES if not family.only_edits]
"""The families that paint from a prompt alone."""
KINDS_OF_VAE = (
    "StableDiffusionPipeline", "Flux2KleinPipeline", "QwenImagePipeline", "SanaPipeline",
)  # fmt: skip
"""One family for each class of VAE that there is."""
WIDTH = 32
LETTERS = string.printable.strip()


_NEW_IN_CONTROLS = (
    "controlnet_down_blocks",
    "controlnet_mid_block",
    "controlnet_cond_embedding",
    "task_embedding",
    "transformer_layes",  # so spelt
    "spatial_ch_projs",
    "control_type_proj",
    "control_add_embedding",
)


def save(pipeline: str, folder: Path, *, dtype: torch.dtype | None = None, **options) -> Path:
    """Save a tiny pipeline of that class into a folder; always the same weights. `options` are
    those of `save_pretrained`.
    """
    torch.manual_seed(0)
    pipe = (BUILDERS | PLAIN)[pipeline]()
    (pipe if dtype is None else pipe.to(dtype)).save_pretrained(folder, **options)
    if isinstance(reader := pipe.components.get("processor"), PictureReader):
        reader.tokenizer.save_pretrained(folder / "processor")
        reader.image_processor.save_pretrained(folder / "processor")
        _name_class(folder, "processor", "Qwen2VLProcessor")
    return folder


@contextmanager
def small_edits() -> Iterator[None]:
    """Models that see the pictures of an edit at about a megapixel, see some 64x64 pixels: their
    autoencoders would take minutes for more.
    """
    few = one_picture.calculate_dimensions
    sizes = [(w // 16, h // 16) for w, h in kontext.PREFERRED_KONTEXT_RESOLUTIONS]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(one_picture, "calculate_dimensions", lambda _area, ratio: few(4096, ratio))
        patch.setattr(kontext, "PREFERRED_KONTEXT_RESOLUTIONS", sizes)
        patch.setattr(several, "CONDITION_IMAGE_SIZE", 4096)
        patch.setattr(several, "VAE_IMAGE_SIZE", 4096)
        yield


def _name_class(folder: Path, part: str, kind: str) -> None:
    """Write into a model's index that a part is of a class of transformers."""
    index = json.loads((folder / "model_index.json").read_text())
    index[part] = ["transformers", kind]
    (folder / "model_index.json").write_text(json.dumps(index))


def control_of(
    model: Path, folder: Path, *, seed: int = 0, kind: str = "ControlNetModel", **more
) -> Path:
    """The folder of a ControlNet for a model's U-Net. Its answers are numbers of a seed: those of
    a new one are zeros.
    """
    unet = UNet2DConditionModel.from_pretrained(model / "unet")
    vae = json.loads((model / "vae" / "config.json").read_text())
    levels = tuple(4 * (k + 1) for k in range(len(vae["block_out_channels"])))
    made = getattr(diffusers, kind)
    net = made.from_unet(unet, conditioning_embedding_out_channels=levels)
    torch.manual_seed(seed)
    if more:
        own = {name: value for name, value in net.config.items() if not name.startswith("_")}
        net = made(**own | more)
    for name, weight in net.named_parameters():
        if name.startswith(_NEW_IN_CONTROLS):
            torch.nn.init.normal_(weight, std=0.1)
    net.save_pretrained(folder)
    return folder


def union_of(model: Path, folder: Path) -> Path:
    """Likewise the folder of a union of ControlNets, which knows six kinds of pictures."""
    width = UNet2DConditionModel.load_config(model / "unet")["block_out_channels"][0]
    return control_of(
        model, folder, kind="ControlNetUnionModel", num_control_type=6, num_trans_head=2,
        num_trans_channel=width, num_proj_channel=width,
    )  # fmt: skip


def ip_adapter_of(model: Path, folder: Path, *, kind: str = "plain", seed: int = 0) -> Path:
    """The folder of an IP-Adapter for a model's U-Net, with random weights and image encoder:
    plain, or one of those that see more of a picture, plus and full.
    """
    unet = UNet2DConditionModel.from_pretrained(model / "unet")
    reads = unet.config.cross_attention_dim
    torch.manual_seed(seed)
    CLIPVisionModelWithProjection(
        CLIPVisionConfig(
            hidden_size=WIDTH, intermediate_size=2 * WIDTH, projection_dim=16, image_size=28,
            patch_size=14, num_hidden_layers=2, num_attention_heads=4,
        )
    ).save_pretrained(folder / "image_encoder")  # fmt: skip
    projections = {
        "plain": ImageProjection(16, reads, num_image_text_embeds=4),
        "plus": IPAdapterPlusImageProjection(WIDTH, reads, 64, heads=1, num_queries=4),
        "full": IPAdapterFullImageProjection(WIDTH, reads),
    }
    tensors = {
        f"image_proj.{_as_published(name, kind)}": tensor
        for name, tensor in projections[kind].state_dict().items()
    }
    for name in [name for name in tensors if name.endswith(".to_k.weight")]:
        both = [tensors.pop(name), tensors.pop(name.replace("to_k", "to_v"))]
        tensors[name.replace("to_k", "to_kv")] = torch.cat(both)
    texts = [name for name in unet.attn_processors if name.endswith("attn2.processor")]
    for k, name in enumerate(texts):
        width = unet.get_submodule(name.removesuffix(".processor")).to_k.weight.shape[0]
        for part in ("to_k_ip", "to_v_ip"):
            tensors[f"ip_adapter.{2 * k + 1}.{part}.weight"] = torch.randn(width, reads)
    save_file(
        {name: tensor.contiguous() for name, tensor in tensors.items()},
        folder / "ip-adapter.safetensors",
    )
    return folder


def _as_published(name: str, kind: str) -> str:
    """What diffusers calls a tensor of a projection, by the name that its makers gave it."""
    names = {
        "plain": {"image_embeds": "proj"},
        "full": {"ff.net.0.proj": "proj.0", "ff.net.2": "proj.2", "norm.": "proj.3."},
        "plus": {
            ".ln0": ".0.norm1", ".ln1": ".0.norm2", ".attn.to_out.0": ".0.to_out",
            ".attn.": ".0.", ".ff.0": ".1.0", ".ff.1.net.0.proj": ".1.1", ".ff.1.net.2": ".1.3",
        },
    }  # fmt: skip
    for now, published in names[kind].items():
        name = name.replace(now, published)
    return name


def upscaler_of(folder: Path, *, by: int = 2, seed: int = 0, **more) -> Path:
    """The folder of a tiny model that makes pictures larger, with random weights."""
    torch.manual_seed(seed)
    config = Swin2SRConfig(
        image_size=16, embed_dim=12, depths=[2], num_heads=[2], window_size=4, upscale=by, **more
    )
    Swin2SRForImageSuperResolution(config).save_pretrained(folder)
    return folder


def built_once(root: Path, build: Callable[..., Path] = save) -> Callable[..., Path]:
    """A function from a pipeline's name to a folder in `root`, built when first asked for."""

    def folder(name: str, **options) -> Path:
        path = root / "-".join([name, *options])
        return path if path.is_dir() else build(name, path, **options)

    return folder


def stable_diffusion() -> diffusers.DiffusionPipeline:
    return diffusers.StableDiffusionPipeline(
        vae=_vae(), text_encoder=_clip(), tokenizer=_clip_tokenizer(),
        unet=_unet(cross_attention_dim=WIDTH), scheduler=_ddim(),
        safety_checker=None, feature_extractor=None, requires_safety_checker=False,
    )  # fmt: skip


def stable_diffusion_xl() -> diffusers.DiffusionPipeline:
    unet = _unet(
        cross_attention_dim=2 * WIDTH,
        addition_embed_type="text_time",
        addition_time_embed_dim=8,
        projection_class_embeddings_input_dim=6 * 8 + WIDTH,
        use_linear_projection=True,
    )
    return diffusers.StableDiffusionXLPipeline(
        vae=_vae(), text_encoder=_clip(), text_encoder_2=_clip(CLIPTextModelWithProjection),
        tokenizer=_clip_tokenizer(),
        tokenizer_2=_clip_tokenizer(), unet=unet, scheduler=_ddim(), add_watermarker=False,
    )  # fmt: skip


def stable_diffusion_3() -> diffusers.DiffusionPipeline:
    transformer = SD3Transformer2DModel(
        sample_size=16, patch_size=2, in_channels=4, out_channels=4, num_layers=2,
        attention_head_dim=8, num_attention_heads=4,
        joint_attention_dim=2 * WIDTH, caption_projection_dim=32, pooled_projection_dim=2 * WIDTH,
        pos_embed_max_size=16,
    )  # fmt: skip
    return diffusers.StableDiffusion3Pipeline(
        transformer=transformer, vae=_vae(shift_factor=0.1),
        scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0),
        text_encoder=_clip(CLIPTextModelWithProjection), tokenizer=_clip_tokenizer(),
        text_encoder_2=_clip(CLIPTextModelWithProjection), tokenizer_2=_clip_tokenizer(),
        text_encoder_3=_t5(2 * WIDTH), tokenizer_3=_t5_tokenizer(),
    )  # fmt: skip


def flux() -> diffusers.DiffusionPipeline:
    transformer = FluxTransformer2DModel(
        patch_size=1, in_channels=16, num_layers=1, num_single_layers=1, attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=WIDTH, pooled_projection_dim=WIDTH, axes_dims_rope=(4, 4, 8),
        guidance_embeds=True,
    )  # fmt: skip
    return diffusers.FluxPipeline(
        transformer=transformer, vae=_vae(shift_factor=0.1),
        scheduler=FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True),
        text_encoder=_clip(), tokenizer=_clip_tokenizer(), text_encoder_2=_t5(),
        tokenizer_2=_t5_tokenizer(),
    )  # fmt: skip


def flux_kontext() -> diffusers.DiffusionPipeline:
    """It sees what it edits at about a megapixel: a latent pixel covers eight pixels a side."""
    parts = {name: part for name, part in flux().components.items() if part is not None}
    vae = AutoencoderKL(
        block_out_channels=(8, 8, 8, 8), latent_channels=4, norm_num_groups=8, layers_per_block=1,
        sample_size=32, shift_factor=0.1,
        down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4,
    )  # fmt: skip
    return diffusers.FluxKontextPipeline(**{**parts, "vae": vae})


def pixart_sigma() -> diffusers.DiffusionPipeline:
    transformer = PixArtTransformer2DModel(
        sample_size=16, num_layers=2, patch_size=2, attention_head_dim=8, num_attention_heads=4,
        in_channels=4, out_channels=8,
        cross_attention_dim=32, caption_channels=WIDTH, norm_type="ada_norm_single",
        use_additional_conditions=False, interpolation_scale=1,
    )  # fmt: skip
    return diffusers.PixArtSigmaPipeline(
        transformer=transformer,
        vae=_vae(),
        scheduler=DPMSolverMultistepScheduler(),
        text_encoder=_t5(),
        tokenizer=_t5_tokenizer(),
    )


def sana() -> diffusers.DiffusionPipeline:
    transformer = SanaTransformer2DModel(
        patch_size=1, in_channels=4, out_channels=4, num_layers=1, num_attention_heads=2,
        attention_head_dim=8, num_cross_attention_heads=2,
        cross_attention_head_dim=8, cross_attention_dim=16, caption_channels=WIDTH, sample_size=32,
    )  # fmt: skip
    vae = AutoencoderDC(
        in_channels=3, latent_channels=4, attention_head_dim=2,
        encoder_block_types=("ResBlock", "EfficientViTBlock"),
        decoder_block_types=("ResBlock", "EfficientViTBlock"), encoder_block_out_channels=(8, 8),
        decoder_block_out_channels=(8, 8),
        encoder_qkv_multiscales=((), (5,)), decoder_qkv_multiscales=((), (5,)),
        encoder_layers_per_block=(1, 1),
        decoder_layers_per_block=(1, 1), downsample_block_type="conv",
        upsample_block_type="interpolate", decoder_norm_types="rms_norm",
        decoder_act_fns="silu", scaling_factor=0.41407,
    )  # fmt: skip
    config = Gemma2Config(
        vocab_size=128, hidden_size=WIDTH, intermediate_size=2 * WIDTH, num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=1, head_dim=8,
    )  # fmt: skip
    scheduler = DPMSolverMultistepScheduler(
        use_flow_sigmas=True, prediction_type="flow_prediction", flow_shift=3.0
    )
    tokenizer = _gemma_tokenizer()
    encoder = Gemma2Model(config).eval()
    return diffusers.SanaPipeline(
        tokenizer=tokenizer,
        text_encoder=encoder,
        vae=vae,
        transformer=transformer,
        scheduler=scheduler,
    )


def z_image() -> diffusers.DiffusionPipeline:
    transformer = ZImageTransformer2DModel(
        in_channels=4, dim=32, n_layers=1, n_refiner_layers=1, n_heads=2, n_kv_heads=2,
        cap_feat_dim=WIDTH, axes_dims=[4, 6, 6], axes_lens=[1024, 64, 64],
    )  # fmt: skip
    return diffusers.ZImagePipeline(
        transformer=transformer, vae=_vae(shift_factor=0.1), text_encoder=_qwen3(),
        tokenizer=_qwen_tokenizer(), scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0),
    )  # fmt: skip


def flux_2_klein() -> diffusers.DiffusionPipeline:
    transformer = Flux2Transformer2DModel(
        patch_size=1, in_channels=16, num_layers=1, num_single_layers=1, attention_head_dim=16,
        num_attention_heads=2, joint_attention_dim=3 * WIDTH, timestep_guidance_channels=16,
        axes_dims_rope=[4, 4, 4, 4], guidance_embeds=False,
    )  # fmt: skip
    vae = AutoencoderKLFlux2(
        block_out_channels=(8, 16), latent_channels=4, norm_num_groups=8, layers_per_block=1,
        sample_size=32,
        down_block_types=("DownEncoderBlock2D",) * 2, up_block_types=("UpDecoderBlock2D",) * 2,
    )  # fmt: skip
    vae.bn.running_mean.normal_(0, 0.1)
    vae.bn.running_var.uniform_(0.5, 2)
    return diffusers.Flux2KleinPipeline(
        transformer=transformer, vae=vae, scheduler=FlowMatchEulerDiscreteScheduler(),
        tokenizer=_qwen_tokenizer(), text_encoder=_qwen3(Qwen3ForCausalLM, layers=27),
        is_distilled=False,
    )  # fmt: skip


def flux_2_dev() -> diffusers.DiffusionPipeline:
    """With the tokenizer alone: the processor that stands around it in the model's own folder
    needs torchvision.
    """
    klein, tokenizer = flux_2_klein(), _mistral_tokenizer()
    text = {
        "model_type": "mistral", "hidden_size": WIDTH, "intermediate_size": WIDTH,
        "num_hidden_layers": 30, "num_attention_heads": 2, "num_key_value_heads": 1,
        "head_dim": 16, "vocab_size": len(tokenizer),
    }  # fmt: skip
    vision = {
        "model_type": "pixtral", "hidden_size": 16, "intermediate_size": 16,
        "num_hidden_layers": 1, "num_attention_heads": 2, "image_size": 28, "head_dim": 8,
    }  # fmt: skip
    config = Mistral3Config(text_config=text, vision_config=vision)
    guided = {**klein.transformer.config, "guidance_embeds": True}
    return diffusers.Flux2Pipeline(
        transformer=Flux2Transformer2DModel.from_config(guided), vae=klein.vae,
        scheduler=klein.scheduler, tokenizer=tokenizer,
        text_encoder=Mistral3ForConditionalGeneration(config).eval(),
    )  # fmt: skip


def chroma() -> diffusers.DiffusionPipeline:
    transformer = ChromaTransformer2DModel(
        patch_size=1, in_channels=16, num_layers=1, num_single_layers=1, attention_head_dim=16,
        num_attention_heads=2, joint_attention_dim=WIDTH, axes_dims_rope=(4, 4, 8),
        approximator_num_channels=8, approximator_hidden_dim=16, approximator_layers=1,
    )  # fmt: skip
    return diffusers.ChromaPipeline(
        transformer=transformer, vae=_vae(shift_factor=0.1),
        scheduler=FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True),
        text_encoder=_t5(), tokenizer=_t5_tokenizer(),
    )  # fmt: skip


def qwen_image() -> diffusers.DiffusionPipeline:
    transformer = QwenImageTransformer2DModel(
        patch_size=2, in_channels=16, out_channels=4, num_layers=1, attention_head_dim=16,
        num_attention_heads=2, joint_attention_dim=WIDTH, guidance_embeds=False,
        axes_dims_rope=(4, 6, 6),
    )  # fmt: skip
    tokenizer = _qwen_tokenizer()
    return diffusers.QwenImagePipeline(
        transformer=transformer, vae=_frame_vae(), scheduler=FlowMatchEulerDiscreteScheduler(),
        text_encoder=_qwen_vl(tokenizer), tokenizer=tokenizer,
    )  # fmt: skip


def _qwen_vl(tokenizer: Qwen2Tokenizer) -> Qwen2_5_VLForConditionalGeneration:
    text = {
        "hidden_size": WIDTH, "intermediate_size": WIDTH, "num_hidden_layers": 1,
        "num_attention_heads": 2, "num_key_value_heads": 2, "vocab_size": len(tokenizer),
        "rope_scaling": {"mrope_section": [2, 3, 3], "rope_type": "default", "type": "default"},
    }  # fmt: skip
    sizes = {"hidden_size": 16, "intermediate_size": 16, "out_hidden_size": WIDTH}
    vision = {"depth": 1, "num_heads": 2, **sizes}
    sees = tokenizer.get_added_vocab().get("<|image_pad|>", 0)
    config = Qwen2_5_VLConfig(text_config=text, vision_config=vision, image_token_id=sees)
    return Qwen2_5_VLForConditionalGeneration(config).eval()


def qwen_image_edit(kind: str = "QwenImageEditPipeline") -> diffusers.DiffusionPipeline:
    """With what its processor has of a text and of a picture: the processor itself needs
    torchvision.
    """
    parts, tokenizer = qwen_image().components, _qwen_tokenizer(_PICTURES)
    processor = PictureReader(tokenizer, Qwen2VLImageProcessorPil(max_pixels=28 * 28 * 64))
    encoder = _qwen_vl(tokenizer)
    for name, weight in encoder.named_parameters():
        # Those of a new encoder are so small that no token's place would show in a picture.
        if "language_model" in name and "self_attn" in name and name.endswith("weight"):
            weight.data *= 20
    return getattr(diffusers, kind)(
        **{**parts, "text_encoder": encoder, "tokenizer": tokenizer}, processor=processor
    )


def qwen_image_edit_plus() -> diffusers.DiffusionPipeline:
    return qwen_image_edit("QwenImageEditPlusPipeline")


def krea_2() -> diffusers.DiffusionPipeline:
    """It reads two layers of its encoder."""
    text = {
        "hidden_size": WIDTH, "intermediate_size": WIDTH, "num_hidden_layers": 3, "head_dim": 16,
        "num_attention_heads": 2, "num_key_value_heads": 2, "vocab_size": len(_qwen_tokenizer()),
        "rope_scaling": {"mrope_section": [2, 3, 3], "rope_type": "default"},
    }  # fmt: skip
    sizes = {"hidden_size": 16, "intermediate_size": 16, "out_hidden_size": WIDTH}
    vision = {"depth": 1, "num_heads": 2, "deepstack_visual_indexes": [0], **sizes}
    config = Qwen3VLConfig(text_config=text, vision_config=vision)
    transformer = Krea2Transformer2DModel(
        in_channels=16, num_layers=1, attention_head_dim=16, num_attention_heads=2,
        num_key_value_heads=1, intermediate_size=32, timestep_embed_dim=16, text_hidden_dim=WIDTH,
        num_text_layers=2, text_num_attention_heads=2, text_num_key_value_heads=2,
        text_intermediate_size=32, num_layerwise_text_blocks=1, num_refiner_text_blocks=1,
        axes_dims_rope=(4, 6, 6),
    )  # fmt: skip
    return diffusers.Krea2Pipeline(
        transformer=transformer, vae=_frame_vae(),
        scheduler=FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True),
        text_encoder=Qwen3VLModel(config).eval(), tokenizer=_qwen_tokenizer(),
        text_encoder_select_layers=(1, 3),
    )  # fmt: skip


def latent_consistency() -> diffusers.DiffusionPipeline:
    """One that the table of families does not have."""
    return diffusers.LatentConsistencyModelPipeline(
        vae=_vae(), text_encoder=_clip(), tokenizer=_clip_tokenizer(),
        unet=_unet(cross_attention_dim=WIDTH, time_cond_proj_dim=8),
        scheduler=LCMScheduler(), safety_checker=None, feature_extractor=None,
        requires_safety_checker=False,
    )  # fmt: skip


BUILDERS: dict[str, Callable[[], diffusers.DiffusionPipeline]] = {
    "StableDiffusionPipeline": stable_diffusion,
    "StableDiffusionXLPipeline": stable_diffusion_xl,
    "StableDiffusion3Pipeline": stable_diffusion_3,
    "FluxPipeline": flux,
    "FluxKontextPipeline": flux_kontext,
    "PixArtSigmaPipeline": pixart_sigma,
    "SanaPipeline": sana,
    "ZImagePipeline": z_image,
    "Flux2KleinPipeline": flux_2_klein,
    "Flux2Pipeline": flux_2_dev,
    "ChromaPipeline": chroma,
    "QwenImagePipeline": qwen_image,
    "QwenImageEditPipeline": qwen_image_edit,
    "QwenImageEditPlusPipeline": qwen_image_edit_plus,
    "Krea2Pipeline": krea_2,
}
PLAIN = {"LatentConsistencyModelPipeline": latent_consistency}


def _ddim() -> DDIMScheduler:
    return DDIMScheduler(steps_offset=1, clip_sample=False)


def _unet(**more) -> UNet2DConditionModel:
    return UNet2DConditionModel(
        sample_size=16, in_channels=4, out_channels=4, block_out_channels=(16, 32),
        layers_per_block=1, norm_num_groups=8,
        attention_head_dim=4,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"), **more,
    )  # fmt: skip


def _vae(**more) -> AutoencoderKL:
    """Two levels: a latent pixel covers two pixels a side."""
    return AutoencoderKL(
        block_out_channels=(8, 16), latent_channels=4, norm_num_groups=8, layers_per_block=1,
        sample_size=32,
        down_block_types=("DownEncoderBlock2D",) * 2, up_block_types=("UpDecoderBlock2D",) * 2,
        **more,
    )  # fmt: skip


def _frame_vae() -> AutoencoderKLQwenImage:
    """That of a video, of which a picture is one frame."""
    return AutoencoderKLQwenImage(
        base_dim=8, z_dim=4, dim_mult=[1, 2], num_res_blocks=1, temperal_downsample=[False],
        latents_mean=[0.1, -0.1, 0.2, 0.0], latents_std=[1.5, 0.7, 1.0, 2.0],
    )  # fmt: skip


def _clip(kind: type = CLIPTextModel) -> torch.nn.Module:
    tokenizer = _clip_tokenizer()
    config = CLIPTextConfig(
        vocab_size=len(tokenizer), hidden_size=WIDTH, intermediate_size=2 * WIDTH,
        num_hidden_layers=2, num_attention_heads=4,
        max_position_embeddings=tokenizer.model_max_length, projection_dim=WIDTH,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id,
    )  # fmt: skip
    return kind(config).eval()


def _clip_tokenizer() -> CLIPTokenizer:
    return CLIPTokenizer.from_pretrained(SEEDLING / "tokenizer")


def _t5(width: int = WIDTH) -> T5EncoderModel:
    return T5EncoderModel(
        T5Config(vocab_size=128, d_model=width, d_kv=8, d_ff=2 * width, num_layers=1, num_heads=2)
    ).eval()


def _t5_tokenizer() -> T5TokenizerFast:
    """A token a letter."""
    vocab = [
        ("<pad>", 0.0),
        ("</s>", 0.0),
        ("<unk>", 0.0),
        ("▁", -2.0),
        *((letter, -3.0) for letter in LETTERS),
    ]
    return T5TokenizerFast(vocab=vocab, extra_ids=0, model_max_length=512)


def _gemma_tokenizer() -> GemmaTokenizerFast:
    tokens = ["<pad>", "<eos>", "<bos>", "<unk>", "▁", *LETTERS]
    return GemmaTokenizerFast(vocab={token: k for k, token in enumerate(tokens)}, merges=[])


_CHAT = (
    "{% for message in messages %}<|im_start|>u\n{{ message.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>a\n{% endif %}"
)
"""Eight tokens, as many as the words of the real one are."""
_PICTURES = ("<|vision_start|>", "<|vision_end|>", "<|image_pad|>")
_CHAT_IN_PARTS = (
    "{{ bos_token }}{% for message in messages %}"
    "{% set mark = 'SYSTEM_PROMPT' if message.role == 'system' else 'INST' %}"
    "[{{ mark }}]{% for part in message.content %}{{ part.text }}{% endfor %}[/{{ mark }}]"
    "{% endfor %}"
)


def _qwen3(kind: type = Qwen3Model, layers: int = 2) -> torch.nn.Module:
    config = Qwen3Config(
        vocab_size=len(_qwen_tokenizer()), hidden_size=WIDTH, intermediate_size=2 * WIDTH,
        num_hidden_layers=layers, num_attention_heads=2, num_key_value_heads=1, head_dim=16,
    )  # fmt: skip
    return kind(config).eval()


def _mistral_tokenizer() -> PreTrainedTokenizerFast:
    """A token a byte, with the words of a chat whose turns have several parts."""
    words = [f"[{slash}{mark}]" for mark in ("INST", "SYSTEM_PROMPT") for slash in ("", "/")]
    marks = ["<unk>", "<s>", "</s>", "<pad>", *words, "[IMG]"]
    letters = {text: k for k, text in enumerate([*marks, *sorted(ByteLevel.alphabet())])}
    bytes_ = Tokenizer(BPE(vocab=letters, merges=[]))
    bytes_.pre_tokenizer = ByteLevel(add_prefix_space=False)
    return PreTrainedTokenizerFast(
        tokenizer_object=bytes_, bos_token="<s>", eos_token="</s>", unk_token="<unk>",
        pad_token="<pad>", padding_side="left", additional_special_tokens=[*words, "[IMG]"],
        chat_template=_CHAT_IN_PARTS,
    )  # fmt: skip


def _qwen_tokenizer(more: Sequence[str] = ()) -> Qwen2Tokenizer:
    """A token a byte, with the words of a chat."""
    letters = sorted(ByteLevel.alphabet())
    return Qwen2Tokenizer(
        vocab={letter: k for k, letter in enumerate(letters)}, merges=[],
        additional_special_tokens=["<|im_start|>", "<|im_end|>", *more], chat_template=_CHAT,
        model_max_length=1024,
    )  # fmt: skip
