"""How a picture was made, as the `parameters` text that other tools read: the form that
AUTOMATIC1111's web UI gave it.

That form quotes the values of its last line and nothing else: a prompt stands as it is, up to a
line that begins with a marker. So the markers that a prompt itself holds get a space before their
colon, which text encoders read as the same words. The record beside this text has every prompt as
it was given.
"""

import json
import re

from actors.models.families import family_of
from actors.recipes.guidance import GuidanceKind
from actors.recipes.recipe import Group, Recipe

# Some readers look for this marker in the midst of a line too, and some in any case.
_NEGATIVE = re.compile(r"(?i)\b(negative prompt):")
# A line that begins so is taken for the settings, or is left out.
_LINE = re.compile(r"(?im)^(\s*(?:steps|template|negative template)):")
_CACHED = re.compile(r"models--(?:.+--)?(?P<name>.+)")
_REVISION = re.compile(r"[\w.-]+/(?P<name>[\w.-]+)@[\w./-]+")

# class in diffusers: the sampler's name in other tools, and whether it takes a schedule of sigmas
_SAMPLERS = {
    "DDIMScheduler": ("DDIM", False),
    "DDPMScheduler": ("DDPM", False),
    "DPMSolverMultistepScheduler": ("DPM++ 2M", True),
    "DPMSolverSDEScheduler": ("DPM++ SDE", True),
    "EulerAncestralDiscreteScheduler": ("Euler a", False),
    "EulerDiscreteScheduler": ("Euler", True),
    "FlowMatchEulerDiscreteScheduler": ("Euler", True),
    "HeunDiscreteScheduler": ("Heun", True),
    "KDPM2AncestralDiscreteScheduler": ("DPM2 a", True),
    "KDPM2DiscreteScheduler": ("DPM2", True),
    "LCMScheduler": ("LCM", False),
    "LMSDiscreteScheduler": ("LMS", True),
    "TCDScheduler": ("TCD", False),
    "PNDMScheduler": ("PLMS", False),
    "UniPCMultistepScheduler": ("UniPC", True),
}
_SCHEDULES = {
    "use_karras_sigmas": "Karras",
    "use_exponential_sigmas": "Exponential",
    "use_beta_sigmas": "Beta",
}


def infotext(recipe: Recipe, model_name: str) -> str:
    """The text of a picture. `model_name` is what the campaign calls the model; of a path, only
    its last name is written.
    """
    group = recipe.group
    values = {
        "Steps": group.steps,
        **_sampler(group),
        **_guidance(group),
        "Seed": recipe.seed,
        "Size": f"{group.width}x{group.height}",
        **_options(group),
        "Model hash": group.model[:10],
        "Model": model_label(model_name) or group.pipeline,
        "Denoising strength": None if group.strength is None else f"{group.strength:g}",
        **_upscale(group),
    }
    settings = ", ".join(
        f"{key}: {_quoted(str(value))}" for key, value in values.items() if value is not None
    )
    negative = (
        f"Negative prompt: {_unmarked(recipe.negative)}\n" if recipe.negative.strip() else ""
    )
    return f"{_unmarked(recipe.prompt)}\n{negative}{settings}"


def model_label(name: str) -> str:
    """What a model is called, without the folders it lies in, its owner on the hub or its
    revision; empty if the path ends in no name.
    """
    if hub := _REVISION.fullmatch(name):
        return hub["name"]
    parts = [part for part in re.split(r"[\\/]+", name) if part not in ("", ".", "..", "~")]
    cached = [found["name"] for part in parts if (found := _CACHED.fullmatch(part))]
    return cached[-1] if cached else (parts[-1].removesuffix(".safetensors") if parts else "")


def _sampler(group: Group) -> dict[str, str | None]:
    config = group.scheduler_config
    name, has_schedule = _SAMPLERS.get(str(config.get("_class_name")), (group.scheduler, False))
    if str(config.get("algorithm_type")).startswith("sde-") and name == "DPM++ 2M":
        name = "DPM++ 2M SDE"
    schedules = [words for key, words in _SCHEDULES.items() if has_schedule and config.get(key)]
    return {"Sampler": name, "Schedule type": schedules[0] if schedules else None}


def _options(group: Group) -> dict[str, str | None]:
    """Those tools count CLIP's layers from the last one, which is their first."""
    skip, rescale = group.clip_skip, group.guidance_rescale
    return {
        "Clip skip": None if skip is None else str(skip + 1),
        "CFG Rescale phi": None if rescale is None else f"{rescale:g}",
        "Eta": None if group.eta is None else f"{group.eta:g}",
        "Tiled VAE": None if group.vae_tile is None else str(group.vae_tile),
    }


def _upscale(group: Group) -> dict[str, str]:
    if group.upscale is None:
        return {}
    name = "Lanczos" if group.upscale.digest is None else group.upscale.digest[:10]
    return {"Postprocess upscale by": str(group.upscale.by), "Postprocess upscaler": name}


def _guidance(group: Group) -> dict[str, str | None]:
    if group.guidance is None:
        return {}
    family = family_of(group.pipeline)
    if (
        family is not None and family.guidance_kind is GuidanceKind.EMBEDDED
    ):  # the model was given the number while it was trained: there is no second pass
        return {"CFG scale": "1", "Distilled CFG Scale": f"{group.guidance:g}"}
    return {"CFG scale": f"{group.guidance:g}"}


def _unmarked(prompt: str) -> str:
    return _LINE.sub(r"\1 :", _NEGATIVE.sub(r"\1 :", prompt))


def _quoted(value: str) -> str:
    """A value as those tools write it: as JSON if it holds what would end it, or what would be
    taken for such quotes.
    """
    return (
        json.dumps(value, ensure_ascii=False)
        if re.search(r'[,:"\n\r]', value) or value != value.strip()
        else value
    )
