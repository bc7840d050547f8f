"""Canaries: small pictures that a pipeline paints when it is loaded, to prove that its pixels
repeat before anybody relies on them.

Each is painted among others, in another order, with other neighbours and alone, and must come out
the same bit for bit. A hash over all of them is then what workers of one numerics class are
compared by. No torch here: the dispatcher names subjects too.
"""

from dataclasses import replace

from actors.recipes.recipe import Group, Recipe

_STEPS = 2
# A multiple of what the known families need. Three batches of 4 of seedling's take 0.9 s of a busy
# core, and 3.8 s at 128.
_SIDE = 64
_GUIDANCE = 4.0
_FIRST_SEED = 20_260_101


def canary_group(group: Group) -> Group:
    """The group that stands for all that are painted by the same kernels: few steps, small, and
    guided or not.
    """
    return replace(
        group,
        steps=_STEPS,
        guidance=None if group.guidance is None else _GUIDANCE if group.guidance > 1 else 1.0,
        width=min(group.width, _SIDE),
        height=min(group.height, _SIDE),
        strength=None,
        control=None,
        likeness=None,
        upscale=None,
        edits=None,
        clip_skip=None,
        guidance_rescale=None,
        vae_tile=None,
    )


def subject_of(group: Group) -> str:
    """What canaries are compared by, besides the numerics class: weights, pipeline, adapters,
    scheduler, dtype and batch shape.
    """
    small = canary_group(group)
    # Layers of adapters once had other strengths: canaries of those days say nothing about these.
    strengths = ":by-layer" if small.adapters else ""
    digest = canary_recipe(small, 0).digest
    return f"{small.pipeline}:{small.dtype}:batch-{small.batch}:{digest}{strengths}"


def unlike_its_class(worker: str, numerics_class: str) -> str:
    """The sentence about a worker that paints other canaries than those known of its class."""
    return (
        f"The worker {worker} does not paint the canaries of its numerics class {numerics_class}"
        " as the first worker of it did: its pictures would not repeat. Mend or retire that"
        " machine; if the first one was wrong, `farm db forget-canaries`."
    )


def canary_recipe(group: Group, k: int) -> Recipe:
    """The canary of a number: all of a group differ in prompt and seed."""
    return Recipe(group=group, prompt=f"canary {k}", negative="", seed=_FIRST_SEED + k)
