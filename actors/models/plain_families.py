"""Pipelines that have no row in the table of families: what their plain call takes, as the source
of diffusers says it. No torch here.
"""

from actors.models.family import Family, Reader
from actors.models.source import PipelineSource, pipelines_folder, source_of, text_to_image_classes
from actors.recipes.guidance import GuidanceKind

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


def is_pipeline_module(name: str) -> bool:
    """Whether diffusers keeps pipelines, and parts that belong to them alone, under that name."""
    return name.isidentifier() and (pipelines_folder() / name).is_dir()


def plain_family(pipeline: str) -> Family | None:
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
