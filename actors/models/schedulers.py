"""The schedulers that a campaign can name, and the config that each gets for a model. No torch
here: submission reads this too.

Which family takes which stands in `actors.models.families`, and what a scheduler cannot do in
`actors.models.scheduler_limits`.
"""

import ast
import importlib.util
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from actors.models.syntax import parse

_EVEN = {
    "use_karras_sigmas": False,
    "use_exponential_sigmas": False,
    "use_beta_sigmas": False,
    "use_lu_lambdas": False,
}
"""How a scheduler spreads its sigmas, if its name does not say otherwise."""
_TWO_M = {"algorithm_type": "dpmsolver++"}

# name: (class in diffusers, what it changes in the model's own scheduler config)
SCHEDULERS: dict[str, tuple[str, dict[str, Any]]] = {
    "ddim": ("DDIMScheduler", {}),
    "ddpm": ("DDPMScheduler", {}),
    "euler": ("EulerDiscreteScheduler", {}),
    "euler-ancestral": ("EulerAncestralDiscreteScheduler", {}),
    "dpm++-2m": ("DPMSolverMultistepScheduler", _TWO_M),
    "dpm++-2m-karras": ("DPMSolverMultistepScheduler", {**_TWO_M, "use_karras_sigmas": True}),
    "unipc": ("UniPCMultistepScheduler", {}),
    "lcm": ("LCMScheduler", {}),
    "tcd": ("TCDScheduler", {}),
    # Its stochastic kind draws from torch's one global generator, and no picture could be
    # repeated.
    "flow-match-euler": ("FlowMatchEulerDiscreteScheduler", {"stochastic_sampling": False}),
    "own": ("", {}),
}

_DIFFUSION = {
    "DDIM", "DDIMParallel", "DDPM", "DDPMParallel", "PNDM", "LMSDiscrete", "EulerDiscrete",
    "EulerAncestralDiscrete", "HeunDiscrete",
    "DPMSolverMultistep", "DPMSolverSinglestep", "DPMSolverSDE", "KDPM2Discrete",
    "KDPM2AncestralDiscrete", "DEISMultistep",
    "UniPCMultistep", "SASolver", "LCM", "TCD", "IPNDM",
}  # fmt: skip
"""Classes, without their ending, that describe the same noise: a model's config of one serves all
the others.
"""
_FLOW_ABLE = ("flow-match-euler", "dpm++-2m", "unipc")


def scheduler_config(
    name: str, model_config: Mapping[str, Any], assumed: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The config that scheduler `name` gets for a model: the model's own, with what the name
    changes.

    `assumed` is what holds for the model beside what its config says (`assumptions`). It is None
    in campaigns of versions that did not know of it: these go on as they began.
    """
    class_name, changes = SCHEDULERS[name]
    own = {key: value for key, value in model_config.items() if not key.startswith("_")}
    if name == "own":
        return {**own, "_class_name": model_config.get("_class_name")}
    if assumed is None:
        flow = _flow(class_name, model_config) if _is_flow(model_config) else {}
        return {"_class_name": class_name, **own, **changes, **flow}
    flow = _flow(class_name, {**assumed, **own}) if _is_flow({**model_config, **assumed}) else {}
    return {
        "_class_name": class_name,
        **own,
        **_unlike(class_name, own, assumed),
        **_as_named(class_name, own, changes),
        **flow,
    }


def assumptions(
    model_config: Mapping[str, Any], *, is_flow: bool, kind: Mapping[str, Any]
) -> dict[str, Any]:
    """What holds for a model's noise beside what its scheduler config says.

    1. The models of the families are latent: their values are not bounded by 1, and to clip them
       there leaves noise. Flow models follow straight paths. Both hold even if the config says
       otherwise, as diffusers' own pipelines see to.
    2. `kind` is what a family's models mean if their config does not say it.
    3. All else is as the config's own class assumes, since that is how the model was tried. The
       class that a campaign names may assume something else.
    """
    own_class = class_defaults(str(model_config.get("_class_name")))
    meant = {**own_class, **kind}
    if (
        "set_alpha_to_one" not in own_class
        and model_config.get("final_sigmas_type", own_class.get("final_sigmas_type"))
        == "sigma_min"
    ):
        meant["set_alpha_to_one"] = (
            False  # DDIM's word for a last step that does not end at no noise
        )
    always = {"use_flow_sigmas": True} if is_flow else {"clip_sample": False}
    return {key: value for key, value in meant.items() if key not in model_config} | always


def usable_schedulers(
    names: tuple[str, ...], model_config: Mapping[str, Any], assumed: Mapping[str, Any]
) -> tuple[str, ...]:
    """Those of a family's schedulers that describe the noise that a model was trained with; the
    first is the one for those who name none. A model of another kind, like one with EDM's
    preconditioning, is painted with its own scheduler alone.
    """
    if names == ("own",):
        return names
    if _is_flow({**model_config, **assumed}):
        return tuple(name for name in names if name in _FLOW_ABLE) or ("own",)
    return (
        names
        if str(model_config.get("_class_name")).removesuffix("Scheduler") in _DIFFUSION
        else ("own",)
    )


@cache
def class_defaults(class_name: str) -> dict[str, Any]:
    """What a scheduler's class in diffusers assumes for each key that it takes, read from its
    source; empty for an unknown class.

    A default that is not a plain value (a list, an infinity) is left out.
    """
    spec = importlib.util.find_spec("diffusers")
    assert spec is not None  # diffusers is one of the farm's own requirements
    assert spec.origin is not None
    for path in (Path(spec.origin).parent / "schedulers").glob("scheduling_*.py"):
        source = path.read_text(encoding="utf-8")
        if class_name.isidentifier() and f"class {class_name}(" in source:
            return _init_defaults(parse(source), class_name)
    return {}


def _init_defaults(tree: ast.Module, class_name: str) -> dict[str, Any]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef) and node.name == class_name:
            (init,) = (
                part
                for part in node.body
                if isinstance(part, ast.FunctionDef) and part.name == "__init__"
            )
            names = (
                [arg.arg for arg in init.args.args][-len(init.args.defaults) :]
                if init.args.defaults
                else []
            )
            pairs = zip(names, init.args.defaults, strict=True)
            return {
                name: default.value for name, default in pairs if isinstance(default, ast.Constant)
            }
    return {}


def _unlike(class_name: str, own: Mapping[str, Any], assumed: Mapping[str, Any]) -> dict[str, Any]:
    """What the named class would take otherwise than it holds for the model. The rest is left out,
    so that the digests of recipes that never needed it stay as they are.
    """
    theirs = class_defaults(class_name)
    return {
        key: value
        for key, value in assumed.items()
        if key in theirs and own.get(key, theirs[key]) != value
    }


def _as_named(
    class_name: str, own: Mapping[str, Any], changes: Mapping[str, Any]
) -> dict[str, Any]:
    """What the name promises, whatever the model's config has chosen for its own scheduler."""
    promised = (
        {**_EVEN, "solver_order": 2} if class_name == "DPMSolverMultistepScheduler" else _EVEN
    )
    against: dict[str, Any] = {
        key: value
        for key, value in promised.items()
        if key in own and (own[key] or False) != value
    }
    if str(own.get("variance_type")).startswith("learned"):
        # Pipelines cut a learned variance off before the scheduler sees the model's answer.
        against["variance_type"] = "fixed_small" if class_name == "DDPMScheduler" else None
    return {**against, **changes}


def _is_flow(model_config: Mapping[str, Any]) -> bool:
    """Whether a model was trained on straight paths from noise to picture, rather than on a noise
    schedule.
    """
    name = str(model_config.get("_class_name"))
    return (
        name.startswith("FlowMatch")
        or bool(model_config.get("use_flow_sigmas"))
        or model_config.get("prediction_type") == "flow_prediction"
    )


def _flow(class_name: str, model_config: Mapping[str, Any]) -> dict[str, Any]:
    """The same shift of noise, which flow schedulers call by two names."""
    shift = model_config.get("flow_shift", model_config.get("shift", 1.0))
    if class_name.startswith("FlowMatch"):
        return {"shift": shift}
    return {"flow_shift": shift, "use_flow_sigmas": True, "prediction_type": "flow_prediction"}
