"""From the settings of renders to what they share in one device call, and to its recipe."""

from typing import Any

from actors.models.families import family_of
from actors.models.models import Model
from actors.models.schedulers import scheduler_config
from actors.models.spacings import spaced
from actors.recipes.recipe import Group
from farm.campaign.settings import Settings
from farm.campaign.sources import DEFAULT_STRENGTH, EDITS, NONE


def group_of(
    settings: Settings, model: Model, scheduler: tuple[str, dict[str, Any]], batch: int
) -> Group:
    """What renders with these settings share, without what stands beside their model.
    `scheduler` is a name and its config.
    """
    width, height = settings.size or model.size
    guidance = model.guidance if settings.guidance is None else settings.guidance
    has_reference = settings.reference not in (None, NONE)
    pipeline = (_beginning(settings, model) if has_reference else None) or model.pipeline
    if has_control(settings):
        family = family_of(model.pipeline)
        if family is not None:
            beside = family.controlled if settings.control_kind is None else family.united
            pipeline = beside.get(pipeline, pipeline)
    name, config = scheduler
    return Group(
        model=model.digest,
        pipeline=pipeline,
        steps=settings.steps,
        guidance=None if guidance is None else float(guidance),
        scheduler=name,
        scheduler_config=config,
        width=width,
        height=height,
        dtype=settings.dtype,
        batch=batch,
        strength=(settings.strength or DEFAULT_STRENGTH) if has_reference else None,
        edits=edits_of(settings) or None,
        # Of these, 0 is none.
        eta=settings.eta or None,
        clip_skip=settings.clip_skip or None,
        guidance_rescale=settings.guidance_rescale or None,
        vae_tile=settings.vae_tile or None,
    )


def has_control(settings: Settings) -> bool:
    """Whether renders with these settings follow a picture."""
    return settings.control_image not in (None, NONE)


def has_likeness(settings: Settings) -> bool:
    """Whether renders with these settings are to be like a picture."""
    return settings.likeness_image not in (None, NONE)


def edits_of(settings: Settings) -> int:
    """How many pictures renders with these settings are edits of."""
    return sum(getattr(settings, name) not in (None, NONE) for name in EDITS)


def _beginning(settings: Settings, model: Model) -> str | None:
    """The class of the pipeline that begins from a reference, or that paints a part of it anew."""
    if settings.reference_mask in (None, NONE):
        return model.image_to_image
    family = family_of(model.pipeline)
    return None if family is None else family.inpaint


def config_of(name: str, settings: Settings, model: Model) -> dict[str, Any]:
    """The config of a scheduler for a model, as settings lay its steps out."""
    config = scheduler_config(name, model.scheduler_config, model.assumed)
    return spaced(config, settings.spacing, settings.terminal_snr)
