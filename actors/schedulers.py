"""The schedulers that a campaign can name. No torch here: submission reads this table too.

Which family takes which stands in `actors.families`.
"""

from typing import Any

# name: (class in diffusers, what it changes in the model's own scheduler config)
SCHEDULERS: dict[str, tuple[str, dict[str, Any]]] = {
    "ddim": ("DDIMScheduler", {}),
    "ddpm": ("DDPMScheduler", {}),
    "euler": ("EulerDiscreteScheduler", {}),
    "euler-ancestral": ("EulerAncestralDiscreteScheduler", {}),
    "dpm++-2m": ("DPMSolverMultistepScheduler", {"algorithm_type": "dpmsolver++"}),
    "dpm++-2m-karras": ("DPMSolverMultistepScheduler", {"algorithm_type": "dpmsolver++", "use_karras_sigmas": True}),
    "unipc": ("UniPCMultistepScheduler", {}),
    "lcm": ("LCMScheduler", {}),
    # Its stochastic kind draws from torch's one global generator, and no picture could be repeated.
    "flow-match-euler": ("FlowMatchEulerDiscreteScheduler", {"stochastic_sampling": False}),
    "own": ("", {}),
}


def scheduler_config(name: str, model_config: dict[str, Any]) -> dict[str, Any]:
    """The config that scheduler `name` gets for a model: the model's own, with what the name changes."""
    class_name, changes = SCHEDULERS[name]
    own = {key: value for key, value in model_config.items() if not key.startswith("_")}
    if name == "own":
        return {**own, "_class_name": model_config.get("_class_name")}
    return {"_class_name": class_name, **own, **changes, **(_flow(class_name, model_config) if _is_flow(model_config) else {})}


def _is_flow(model_config: dict[str, Any]) -> bool:
    """Whether a model was trained on straight paths from noise to picture, rather than on a noise schedule."""
    name = str(model_config.get("_class_name"))
    return (
        name.startswith("FlowMatch")
        or bool(model_config.get("use_flow_sigmas"))
        or model_config.get("prediction_type") == "flow_prediction"
    )


def _flow(class_name: str, model_config: dict[str, Any]) -> dict[str, Any]:
    """The same shift of noise, which flow schedulers call by two names."""
    shift = model_config.get("flow_shift", model_config.get("shift", 1.0))
    if class_name.startswith("FlowMatch"):
        return {"shift": shift}
    return {"flow_shift": shift, "use_flow_sigmas": True, "prediction_type": "flow_prediction"}
