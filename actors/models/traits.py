"""What one model takes, within what its family does: read from the configs of its folder and the
source of its pipeline. No torch here.
"""

import ast
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from actors.models.families import is_known
from actors.models.family import Family, guidance_of, takes_guidance
from actors.models.source import Facts, PipelineSource, UnknownValue, divisors_of_sides, source_of
from actors.recipes.guidance import GuidanceKind

_SIZED = ("__call__", "check_inputs", "prepare_latents")
_COUNTS_ALL_PLACES = "AuraFlowTransformer2DModel"  # others count those of one side
_COLOURS = 3
_TRUE_GUIDANCE = 4.0  # Qwen-Image's
_ROUNDERS = {"downscale_height_and_width", "get_new_h_w"}
_DOWNSCALED = (
    64  # Kandinsky's latents are counted in eights of pixels, rounded up to eights of those
)
_WIDEST = 1024  # of a multiple: code that divides by more divides something else


@dataclass(frozen=True, kw_only=True)
class Traits:
    """What one model takes."""

    multiple_of: int
    """Of what a picture's sides must be multiples."""
    longest_side: int | None
    """The most pixels that a side may have; None if nothing limits it."""
    guidance: float | None
    """What a campaign gets that names none; None if the model has none, or if a campaign must name
    it.
    """
    has_guidance: bool
    """Whether guidance that a campaign names changes its pictures."""
    needs_guidance: bool = False
    """Whether the pipeline refuses to paint without a guidance that is named."""
    guidance_kind: GuidanceKind = GuidanceKind.STANDARD
    """How its guidance is used."""
    guidance_off: float | None = None
    """The guidance up to which pictures are the same, whatever it is; None if each changes
    them.
    """
    steps: int | None = None
    """How many steps it makes whatever it is told; None if it makes those that it is told."""
    has_negative: bool
    """Whether negative prompts change its pictures."""


def traits_of(family: Family, facts: Facts) -> Traits:
    """What a model of a family takes."""
    source = source_of(family.pipeline)
    assert source is not None  # a family is one of diffusers' classes
    denoiser = facts.configs.get(family.denoiser, {})
    conditions = list(_guided_if(source, facts))
    is_fed = bool(denoiser.get("time_cond_proj_dim")) or bool(family.guidance_key)
    is_off = any(holds is False for _, holds in conditions)
    limits = [limit for limit, _ in conditions if limit is not None]
    has_guidance = takes_guidance(family, denoiser) and (is_fed or not is_off)
    guidance = guidance_of(family, denoiser) if has_guidance else None
    if guidance is not None and facts.index.get("is_distilled") is True and limits:
        guidance = limits[0]  # it was distilled to paint without, though it can be told otherwise
    return Traits(
        multiple_of=family.multiple_of if is_known(family) else multiple_of(source, facts, family),
        longest_side=_longest_side(source, facts, family),
        guidance=guidance,
        has_guidance=has_guidance,
        needs_guidance=has_guidance and family.guidance is None,
        guidance_kind=_guidance_kind(family, denoiser, has_guidance=has_guidance),
        guidance_off=_guidance_off(family, source, [] if is_fed else limits),
        steps=_own_steps(source, facts),
        has_negative=family.has_negative and not is_off and _is_truly_guided(source),
    )


def _guidance_kind(
    family: Family, denoiser: Mapping[str, Any], *, has_guidance: bool
) -> GuidanceKind:
    """A U-Net that was distilled with its guidance reads the number itself."""
    if not has_guidance:
        return GuidanceKind.NONE
    return GuidanceKind.EMBEDDED if denoiser.get("time_cond_proj_dim") else family.guidance_kind


def _guidance_off(family: Family, source: PipelineSource, limits: list[float]) -> float | None:
    """The "true" guidance of a family with a row is told to it, and is none up to 1."""
    is_true = is_known(family) and (source.call or {}).get("true_cfg_scale", 0.0) > 1
    return limits[0] if limits else 1.0 if is_true else None


def multiple_of(source: PipelineSource, facts: Facts, family: Family) -> int:
    """Of what the sides of a pipeline's pictures must be multiples: what its code divides them by,
    and what its patches cover.
    """
    found = {1, _patch(source, facts, family), _levels_of_pixels(facts, family)}
    for part in (source, *source.decoders):
        for function in (part.functions[name] for name in _SIZED if name in part.functions):
            divisors = [
                _value(part, divisor, facts, function) for divisor in divisors_of_sides(function)
            ]
            found |= {
                value for value in divisors if isinstance(value, int) and 1 < value <= _WIDEST
            }
            found |= {
                _DOWNSCALED
                for node in ast.walk(function)
                if isinstance(node, ast.Name) and node.id in _ROUNDERS
            }
    return math.lcm(*found)


def _levels_of_pixels(facts: Facts, family: Family) -> int:
    """A denoiser that paints pixels halves them at each of its levels."""
    config = facts.configs.get(family.denoiser, {})
    levels = config.get("block_out_channels")
    return (
        int(2 ** (len(levels) - 1))
        if config.get("in_channels") == _COLOURS and isinstance(levels, list)
        else 1
    )


def scale_of(source: PipelineSource, facts: Facts) -> int | None:
    """How many pixels a side a pipeline takes a latent pixel to cover, or None if its code does
    not tell.
    """
    expression = source.expression("vae_scale_factor")
    value = (
        None
        if expression is None
        else _value(source, expression, facts, source.functions.get("__init__"))
    )
    return value if isinstance(value, int) else None


def scale_of_vae(config: Mapping[str, Any]) -> int | None:
    """How many pixels a side a latent pixel covers for an autoencoder of that config, or None if
    it does not tell.
    """
    for key in ("block_out_channels", "encoder_block_out_channels"):
        if isinstance(levels := config.get(key), list) and levels:
            return int(2 ** (len(levels) - 1)) * _patch_of_vae(config)
    if isinstance(levels := config.get("temperal_downsample"), list):
        return int(2 ** len(levels)) * _patch_of_vae(config)
    return None


def _patch_of_vae(config: Mapping[str, Any]) -> int:
    patch = config.get("patch_size")
    return (
        patch if isinstance(patch, int) and "latents_mean" in config and "z_dim" in config else 1
    )


def _patch(source: PipelineSource, facts: Facts, family: Family) -> int:
    """How many pixels a side a patch covers that the denoiser takes at once."""
    patch, scale = (
        facts.configs.get(family.denoiser, {}).get("patch_size"),
        scale_of(source, facts),
    )
    return patch * scale if isinstance(patch, int) and scale else 1


def _longest_side(source: PipelineSource, facts: Facts, family: Family) -> int | None:
    """A denoiser that has learnt where its patches lie knows no more places than that."""
    config = facts.configs.get(family.denoiser, {})
    places, patch = config.get("pos_embed_max_size"), _patch(source, facts, family)
    if not isinstance(places, int) or patch == 1:
        return None
    return (
        math.isqrt(places) if config.get("_class_name") == _COUNTS_ALL_PLACES else places
    ) * patch


def _own_steps(source: PipelineSource, facts: Facts) -> int | None:
    """A schedule in the index that a pipeline prefers to the steps that it is told."""
    sigmas = facts.index.get("sample_sigmas")
    return (
        len(sigmas)
        if isinstance(sigmas, list) and sigmas and "self.config.sample_sigmas" in source.text
        else None
    )


def _is_truly_guided(source: PipelineSource) -> bool:
    """Beside "true" guidance, a scale of its own that a campaign cannot change, a negative prompt
    counts only above 1.
    """
    return bool((source.call or {}).get("true_cfg_scale", _TRUE_GUIDANCE) > 1)


def _guided_if(source: PipelineSource, facts: Facts) -> Iterator[tuple[float | None, bool | None]]:
    """On what it depends that a pipeline paints with guidance: above which guidance, and whether
    the model allows it.
    """
    for part in _parts(_guided(source)):
        match part:
            case ast.Compare(
                left=left,
                ops=[ast.Gt()],
                comparators=[ast.Constant(value=int() | float() as limit)],
            ) if "guidance_scale" in (ast.unparse(left)):
                yield float(limit), None
            case _:
                yield None, _value(source, part, facts, source.functions.get("__call__"))


def _guided(source: PipelineSource) -> ast.expr | None:
    name = "do_classifier_free_guidance"
    if name in source.functions:
        return source.expression(name)
    for node in ast.walk(source.functions["__call__"]):
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == name:
            return node.value
    return None


def _parts(node: ast.expr | None) -> list[ast.expr]:
    if node is None:
        return []
    return (
        list(node.values)
        if isinstance(node, ast.BoolOp) and isinstance(node.op, ast.And)
        else [node]
    )


def _value(
    source: PipelineSource, node: ast.expr, facts: Facts, function: ast.FunctionDef | None
) -> Any:
    try:
        return source.value(node, facts, function)
    except UnknownValue:
        return None
