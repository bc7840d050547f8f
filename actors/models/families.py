"""The pipelines that can be painted with, a row each. No torch or diffusers here: submission reads
this table too.

How the pipelines of a family are called stands in `actors.painting.pipelines`. To add a family is
to add a row here and a class there.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from actors.models.source import PipelineSource, pipelines_folder, source_of, text_to_image_classes
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


@dataclass(frozen=True, kw_only=True)
class Reader:
    """The tokenizer of the text encoder that reads most of a prompt, and what cuts it off there,
    if not the tokenizer's own length.
    """

    tokenizer: str
    tokens: int | None = None


@dataclass(frozen=True, kw_only=True)
class Family:
    """What the pipelines of one class take."""

    name: str
    pipeline: str
    """Its text-to-image class in diffusers."""
    image_to_image: str | None = None
    """Its class that begins from a picture, if there is one."""
    inpaint: str | None = None
    """Its class that paints a part of a picture anew, if there is one."""
    controlled: Mapping[str, str] = field(default_factory=dict, hash=False)
    """By the names of those classes, the ones that do the same with a ControlNet beside them."""
    denoiser: str = "transformer"
    weights: tuple[str, ...] = ()
    """The folders whose weights are needed for painting."""
    has_negative: bool = True
    has_guidance: bool = True
    guidance: float | None
    """What a campaign gets that names none; None where there is no guidance, or where a campaign
    must name it.
    """
    guidance_kind: GuidanceKind = GuidanceKind.STANDARD
    guidance_key: str | None = None
    """What the denoiser's config must say for it to have guidance: some members of a family are
    distilled without.
    """
    schedulers: tuple[str, ...]
    """The first is its own, which a campaign gets that names none."""
    from_reference: tuple[str, ...] | None = None
    """Those of its schedulers with which it can begin from a reference; None if all can."""
    is_flow: bool = False
    """Whether its models follow straight paths from noise to picture."""
    noise: Mapping[str, Any] = field(default_factory=dict, hash=False)
    """What a scheduler config of its models means by keys that it does not have, if that is not
    what its class assumes.
    """
    multiple_of: int = 8
    """Of what a picture's sides must be multiples: what a latent pixel covers, times the patch
    that the denoiser takes at once.
    """
    sample_size: int = 64
    """Latent pixels a side that it was trained at, if the denoiser's config does not say."""
    left_out: tuple[str, ...] = ("safety_checker", "feature_extractor", "image_encoder")
    """Components that a model may come with and that are never loaded: none has a part in a
    picture made from a prompt.
    """
    readers: tuple[Reader, ...] = ()
    """The first that a model has decides how long a prompt may be. What other encoders cut off,
    this one still reads.
    """
    adapted: tuple[str, ...] = ()
    """The components that diffusers lays adapters over, the denoiser first; none where it takes no
    adapters.
    """
    edits: int = 0
    """How many pictures it can make one of, by an instruction; none if it edits none."""
    edit_side: int = 16
    """The fewest pixels that a side of such a picture may have."""
    edit_ratio: float = 8.0
    """How many times as long as the other a side of it may be."""
    has_previews: bool = True
    max_batch: int | None = None
    unpaintable: str | None = None
    """What the denoiser's config must not say, since the pipeline and the denoiser of diffusers
    disagree about it.
    """

    @property
    def takes_adapters(self) -> bool:
        return bool(self.adapted)

    def paints_parts(self, pipeline: str) -> bool:
        """Whether that class, of this family, paints a part of a picture anew."""
        return pipeline in (self.inpaint, self.controlled.get(self.inpaint or ""))


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
        readers=(Reader(tokenizer="tokenizer", tokens=500),),  # twelve of 512 go to the template
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
        readers=(Reader(tokenizer="tokenizer", tokens=512),),
    ),
    Family(
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
        readers=(Reader(tokenizer="tokenizer", tokens=507),),  # five of 512 end the template
        unpaintable="guidance_embeds",
    ),
)
_WITHOUT_PART = {
    "feature_extractor",
    "image_encoder",
    "watermarker",
}  # in a picture made from a prompt
_SHORT_SIGHTED = (
    "CLIPTokenizer",
    "BertTokenizer",
)  # they read as much as their own config says, whatever the call is told
_PARTIAL = {
    "ByT5Tokenizer"
}  # reads only what a prompt has in quotes, beside an encoder that reads all of it
_NEEDED = {"prompt", "generator", "num_inference_steps", "height", "width", "output_type"}
_KNOWN = {
    name: family
    for family in FAMILIES
    for name in (
        family.pipeline,
        family.image_to_image,
        family.inpaint,
        *family.controlled.values(),
    )
    if name
}


@cache
def family_of(pipeline: str) -> Family | None:
    """The row of a pipeline's class, or for any other text-to-image class of diffusers what its
    plain call takes.
    """
    return _KNOWN.get(pipeline) or _plain_family(pipeline)


def is_known(family: Family) -> bool:
    """Whether it has a row of its own, or is painted through the plain call."""
    return family.pipeline in _KNOWN


def guidance_of(family: Family, denoiser_config: Mapping[str, Any]) -> float | None:
    """The guidance of a model that a campaign gets that names none, or None where the model has no
    guidance.
    """
    return family.guidance if takes_guidance(family, denoiser_config) else None


def takes_guidance(family: Family, denoiser_config: Mapping[str, Any]) -> bool:
    """Whether guidance can be told to a model of a family whose denoiser has that config."""
    return family.has_guidance and (
        not family.guidance_key or bool(denoiser_config.get(family.guidance_key))
    )


def is_pipeline_module(name: str) -> bool:
    """Whether diffusers keeps pipelines, and parts that belong to them alone, under that name."""
    return name.isidentifier() and (pipelines_folder() / name).is_dir()


def _plain_family(pipeline: str) -> Family | None:
    """What the source of diffusers says of a pipeline."""
    source = (
        source_of(pipeline)
        if pipeline in text_to_image_classes() and "Control" not in pipeline
        else None
    )
    if (
        source is None
        or source.call is None
        or not source.call.keys() >= _NEEDED
        or "num_frames" in source.call
    ):
        return None
    guidance, fed = source.call.get("guidance_scale"), _guidance_key(source)
    return Family(
        name=pipeline,
        pipeline=pipeline,
        denoiser="unet" if "unet" in source.components else "transformer",
        has_negative="negative_prompt" in source.call,
        has_guidance="guidance_scale" in source.call,
        guidance=float(guidance) if isinstance(guidance, int | float) else None,
        guidance_kind=GuidanceKind.EMBEDDED if fed else GuidanceKind.STANDARD,
        guidance_key=fed,
        schedulers=("own",),
        left_out=("safety_checker", *sorted(_WITHOUT_PART & source.optional)),
        readers=_readers(source),
        has_previews=False,
        max_batch=1,
    )


def _guidance_key(source: PipelineSource) -> str | None:
    """Some pipelines have no use for guidance but to feed it to a denoiser that was distilled for
    it.
    """
    is_fed = (
        ".config.guidance_embeds" in source.text
        and "do_classifier_free_guidance" not in source.text
    )
    return "guidance_embeds" if is_fed else None


def _readers(source: PipelineSource) -> tuple[Reader, ...]:
    """The tokenizers of a pipeline, first those that read as much as its call says, then those
    that read what their own config says.
    """
    call = source.call or {}
    own = {
        name: kind for name, kind in source.tokenizers.items() if kind.startswith(_SHORT_SIGHTED)
    }
    tokens = (
        call.get("max_sequence_length") or call.get("tokenizer_max_length") or source.longest_text
    )
    long = [
        Reader(tokenizer=name, tokens=tokens)
        for name, kind in source.tokenizers.items()
        if name not in own and kind not in _PARTIAL
    ]
    return (*long, *(Reader(tokenizer=name) for name in own))
