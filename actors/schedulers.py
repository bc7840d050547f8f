"""The schedulers that a campaign can name. No torch here: submission reads this table too."""

from typing import Any

# name: (class in diffusers, what it changes in the model's own scheduler config)
SCHEDULERS: dict[str, tuple[str, dict[str, Any]]] = {
    "ddim": ("DDIMScheduler", {}),
    "ddpm": ("DDPMScheduler", {}),
    "euler": ("EulerDiscreteScheduler", {}),
    "euler-ancestral": ("EulerAncestralDiscreteScheduler", {}),
    "dpm++-2m": ("DPMSolverMultistepScheduler", {"algorithm_type": "dpmsolver++"}),
    "unipc": ("UniPCMultistepScheduler", {}),
}


def scheduler_config(name: str, model_config: dict[str, Any]) -> dict[str, Any]:
    """The config that scheduler `name` gets for a model: the model's own, with what the name changes."""
    class_name, changes = SCHEDULERS[name]
    own = {key: value for key, value in model_config.items() if not key.startswith("_")}
    return {"_class_name": class_name, **own, **changes}
