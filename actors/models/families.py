"""The pipelines that can be painted with, a row each. No torch or diffusers here: submission reads
this table too.

How the pipelines of a family are called stands in `actors.painting.pipelines`. To add a family is
to add a row here and a class there.
"""

from dataclasses import replace
from functools import cache

from actors.models.family import Family, Reader
from actors.models.plain_families import plain_family
from actors.recipes.guidance import GuidanceKind

_DIFFUSION = (
    "ddim",
    "ddpm",
    "euler",
    "euler-ancestral",
    "dpm++-2m",
    "dpm++-2m-karras",
    "unipc",
    "lcm",
    "tcd",
)

_QWEN = Family(
    name="Qwen-Image",
    pipeline="QwenImagePipeline",
    image_to_image="QwenImageImg2ImgPipeline",
    weights=("transformer", "vae", "text_encoder"),
    guidance=4.0,
    guidance_kind=GuidanceKind.TRUE,
    schedulers=("flow-match-euler",),
    is_flow=True,
    multiple_of=16,
    sample_size=128,
    adapted=("transformer",),
    readers=(Reader(tokenizer="tokenizer", tokens=507),),  # five of 512 end the template
    unpaintable="guidance_embeds",
)
_QWEN_EDIT = replace(
    _QWEN,
    name="Qwen-Image-Edit",
    pipeline="QwenImageEditPipeline",
    image_to_image=None,
    readers=(Reader(tokenizer="tokenizer", tokens=504),),  # three more stand for its picture
    taken_out=("<|image_pad|>", "<|video_pad|>"),
    edits=1,
    only_edits=True,
)

FAMILIES = (
    Family(
        name="Stable Diffusion 1 and 2",
        pipeline="StableDiffusionPipeline",
        image_to_image="StableDiffusionImg2ImgPipeline",
        inpaint="StableDiffusionInpaintPipeline",
        controlled={
            "StableDiffusionPipeline": "StableDiffusionControlNetPipeline",
            "StableDiffusionImg2ImgPipeline": "StableDiffusionControlNetImg2ImgPipeline",
            "StableDiffusionInpaintPipeline": "StableDiffusionControlNetInpaintPipeline",
        },
        likenesses={"all": ""},
        denoiser="unet",
        weights=("unet", "vae", "text_encoder"),
        guidance=5.0,
        schedulers=_DIFFUSION,
        noise={"steps_offset": 1},  # which the pipeline itself sets in old configs
        adapted=("unet", "text_encoder"),
        readers=(Reader(tokenizer="tokenizer"),),
    ),
    Family(
        name="Stable Diffusion XL",
        pipeline="StableDiffusionXLPipeline",
        image_to_image="StableDiffusionXLImg2ImgPipeline",
        inpaint="StableDiffusionXLInpaintPipeline",
        controlled={
            "StableDiffusionXLPipeline": "StableDiffusionXLControlNetPipeline",
            "StableDiffusionXLImg2ImgPipeline": "StableDiffusionXLControlNetImg2ImgPipeline",
            "StableDiffusionXLInpaintPipeline": "StableDiffusionXLControlNetInpaintPipeline",
        },
        united={
            "StableDiffusionXLPipeline": "StableDiffusionXLControlNetUnionPipeline",
            "StableDiffusionXLImg2ImgPipeline": "StableDiffusionXLControlNetUnionImg2ImgPipeline",
            "StableDiffusionXLInpaintPipeline": "StableDiffusionXLControlNetUnionInpaintPipeline",
        },
        likenesses={
            "all": "",
            # The two layers that InstantStyle found (Wang and others, 2024, arXiv:2404.02733).
            "style": "up_blocks.0.attentions.1.",
            "layout": "down_blocks.2.attentions.1.",
        },
        denoiser="unet",
        weights=("unet", "vae", "text_encoder", "text_encoder_2"),
        guidance=5.0,
        schedulers=_DIFFUSION,
        noise={"steps_offset": 1},
        sample_size=128,
        adapted=("unet", "text_encoder", "text_encoder_2"),
        readers=(Reader(tokenizer="tokenizer"),),
    ),
    Family(
        name="Stable Diffusion 3",
        pipeline="StableDiffusion3Pipeline",
        image_to_image="StableDiffusion3Img2ImgPipeline",
        # Many leave its third encoder, T5, out.
        weights=("transformer", "vae", "text_encoder", "text_encoder_2"),
        guidance=7.0,
        schedulers=("flow-match-euler", "dpm++-2m", "unipc"),
        from_reference=("flow-match-euler",),  # the others of diffusers have no `scale_noise`
        is_flow=True,
        multiple_of=16,
        sample_size=128,
        adapted=("transformer", "text_encoder", "text_encoder_2"),
        readers=(Reader(tokenizer="tokenizer_3", tokens=256), Reader(tokenizer="tokenizer")),
    ),
    Family(
        name="Flux",
        pipeline="FluxPipeline",
        image_to_image="FluxImg2ImgPipeline",
        weights=("transformer", "vae", "text_encoder", "text_encoder_2"),
        has_negative=False,
        guidance=3.5,
        guidance_kind=GuidanceKind.EMBEDDED,
        guidance_key="guidance_embeds",
        schedulers=("flow-match-euler",),
        is_flow=True,
        multiple_of=16,
        sample_size=128,
        adapted=("transformer", "text_encoder"),
        readers=(Reader(tokenizer="tokenizer_2", tokens=512),),
    ),
    Family(
        name="FLUX.1 Kontext",
        pipeline="FluxKontextPipeline",
        weights=("transformer", "vae", "text_encoder", "text_encoder_2"),
        has_negative=False,
        guidance=3.5,
        guidance_kind=GuidanceKind.EMBEDDED,
        guidance_key="guidance_embeds",
        schedulers=("flow-match-euler",),
        is_flow=True,
        multiple_of=16,
        sample_size=128,
        adapted=("transformer", "text_encoder"),
        readers=(Reader(tokenizer="tokenizer_2", tokens=512),),
        edits=1,
        # It sees pictures in shapes up to 1568x672: others would be squeezed into one of them.
        edit_ratio=2.5,
    ),
    Family(
        name="PixArt-Sigma",
        pipeline="PixArtSigmaPipeline",
        weights=("transformer", "vae", "text_encoder"),
        guidance=4.5,
        schedulers=("dpm++-2m", *(name for name in _DIFFUSION if name != "dpm++-2m")),
        multiple_of=16,
        sample_size=128,
        readers=(Reader(tokenizer="tokenizer", tokens=300),),
    ),
    Family(
        name="Sana",
        pipeline="SanaPipeline",
        weights=("transformer", "vae", "text_encoder"),
        guidance=4.5,
        schedulers=("dpm++-2m", "flow-match-euler", "unipc"),
        is_flow=True,
        multiple_of=32,
        sample_size=32,
        adapted=("transformer",),
        readers=(
            Reader(tokenizer="tokenizer", tokens=298),
        ),  # of 300, two go to the instruction before the prompt
    ),
    Family(
        name="Z-Image",
        pipeline="ZImagePipeline",
        image_to_image="ZImageImg2ImgPipeline",
        weights=("transformer", "vae", "text_encoder"),
        # Turbo is painted without, the base model with 3 to 5, and no file says which one it is.
        guidance=None,
        guidance_kind=GuidanceKind.ANCHORED,
        schedulers=("flow-match-euler",),
        is_flow=True,
        multiple_of=16,
        sample_size=128,
        adapted=("transformer",),
        readers=(Reader(tokenizer="tokenizer", tokens=504),),  # eight of 512 go to the template
    ),
    Family(
        name="FLUX.2 klein",
        pipeline="Flux2KleinPipeline",
        weights=("transformer", "vae", "text_encoder"),
        guidance=4.0,
        schedulers=("flow-match-euler",),
        is_flow=True,
        multiple_of=16,
        sample_size=128,
        adapted=("transformer",),
        readers=(Reader(tokenizer="tokenizer", tokens=500),),  # twelve of 512 go to the template
        edits=4,
        edit_side=64,
    ),
    Family(
        name="FLUX.2 dev",
        pipeline="Flux2Pipeline",
        weights=("transformer", "vae", "text_encoder"),
        has_negative=False,
        guidance=4.0,
        guidance_kind=GuidanceKind.EMBEDDED,
        guidance_key="guidance_embeds",
        schedulers=("flow-match-euler",),
        is_flow=True,
        multiple_of=16,
        sample_size=128,
        adapted=("transformer",),
        readers=(
            Reader(
                tokenizer="tokenizer",
                tokens=512,
                instruction="flux2/system_messages.py:SYSTEM_MESSAGE",
            ),
        ),
        taken_out=("[IMG]",),
        edits=4,
        edit_side=64,
    ),
    Family(
        name="Chroma",
        pipeline="ChromaPipeline",
        image_to_image="ChromaImg2ImgPipeline",
        weights=("transformer", "vae", "text_encoder"),
        guidance=5.0,
        schedulers=("flow-match-euler",),
        is_flow=True,
        multiple_of=16,
        sample_size=128,
        adapted=("transformer",),
        readers=(Reader(tokenizer="tokenizer", tokens=512),),
    ),
    _QWEN,
    _QWEN_EDIT,
    replace(
        _QWEN_EDIT,
        name="Qwen-Image-Edit Plus",
        pipeline="QwenImageEditPlusPipeline",
        readers=_QWEN.readers,
        edits=3,
    ),
    Family(
        name="Krea 2",
        pipeline="Krea2Pipeline",
        weights=("transformer", "vae", "text_encoder"),
        guidance=4.5,
        guidance_kind=GuidanceKind.ANCHORED,
        schedulers=("flow-match-euler",),
        is_flow=True,
        multiple_of=16,
        sample_size=128,
        adapted=("transformer",),
        readers=(Reader(tokenizer="tokenizer", tokens=507),),  # five of 512 end the template
    ),
)
_KNOWN = {
    name: family
    for family in FAMILIES
    for name in (
        family.pipeline,
        family.image_to_image,
        family.inpaint,
        *family.all_controlled,
    )
    if name
}


@cache
def family_of(pipeline: str) -> Family | None:
    """The row of a pipeline's class, or for any other text-to-image class of diffusers what its
    plain call takes.
    """
    return _KNOWN.get(pipeline) or plain_family(pipeline)


def is_known(family: Family) -> bool:
    """Whether it has a row of its own, or is painted through the plain call."""
    return family.pipeline in _KNOWN
