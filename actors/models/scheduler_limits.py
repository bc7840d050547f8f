"""What a scheduler cannot do with a model's config, told before anything is painted. No torch
here.

The rules are those of diffusers 0.42: a test walks every scheduler through real steps and holds
this file against it.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from actors.models.schedulers import class_defaults
from actors.models.sigmas import is_ancestral_finite, overflows_half, sigmas_of

_DIRECT = ("DDIMScheduler", "DDPMScheduler")
"""Those that look each timestep up in a table of the noise schedule."""
_SOLVERS = ("DPMSolverMultistepScheduler", "UniPCMultistepScheduler")
"""Those that divide by the change of noise from one step to the next."""
_EULERS = ("EulerDiscreteScheduler", "EulerAncestralDiscreteScheduler")
"""Those that begin with noise as large as it is at the first step, in the numbers that the model
is painted in.
"""
_DISTILLED = ("LCMScheduler", "TCDScheduler")
"""Those that take their timesteps from the ones that a model was distilled at."""
_BETAS = ("linear", "scaled_linear", "squaredcos_cap_v2")
_SPACINGS = ("leading", "linspace", "trailing")
_PREDICTIONS = ("epsilon", "v_prediction", "sample")


def refusal(config: Mapping[str, Any], steps: int, dtype: str = "float32") -> str | None:
    """Why a scheduler of this config cannot make `steps` steps, as the end of a sentence; None if
    it can.

    `config` is the whole of it, as `scheduler_config` gives it, and `dtype` what the campaign is
    painted in. Classes that no name stands for are not judged.
    """
    class_name = str(config.get("_class_name"))
    if class_name not in (*_DIRECT, *_SOLVERS, *_EULERS, *_DISTILLED):
        return None
    full = {**class_defaults(class_name), **config}
    return _kind_refusal(class_name, full) or (
        None if full.get("use_flow_sigmas") else _steps_refusal(class_name, full, steps, dtype)
    )


def _kind_refusal(class_name: str, full: Mapping[str, Any]) -> str | None:
    """Why the scheduler cannot be used with the model, whatever the number of steps."""
    prediction, betas = full["prediction_type"], full["beta_schedule"]
    if full.get("use_flow_sigmas"):
        if full.get("use_karras_sigmas"):
            return "the model is a flow model, which has no Karras sigmas"
        return (
            None if class_name in _SOLVERS else "the model is a flow model, which it does not know"
        )
    if prediction not in _PREDICTIONS or (
        prediction == "sample" and class_name == "EulerAncestralDiscreteScheduler"
    ):
        return f"the model predicts {prediction!r}, which it does not know"
    if class_name not in _DISTILLED and full["timestep_spacing"] not in _SPACINGS:
        return (
            f"the timestep_spacing of the model's config is {full['timestep_spacing']!r}, which it"
            " does not know"
        )
    if full["trained_betas"] is None and betas not in (
        *_BETAS,
        *(["sigmoid", "laplace"] if class_name == "DDPMScheduler" else []),
    ):
        return f"the model's noise schedule is {betas!r}, which it does not know"
    return None


def _steps_refusal(class_name: str, full: Mapping[str, Any], steps: int, dtype: str) -> str | None:
    trained = int(full["num_train_timesteps"])
    if class_name in _EULERS:
        return _euler_refusal(class_name, full, steps, dtype)
    if class_name in _DISTILLED:
        return _lcm_refusal(full, steps)
    if class_name not in (*_DIRECT, *_SOLVERS) or full.get("use_karras_sigmas"):
        return None  # these take any noise between two timesteps
    if steps > trained:
        return f"the model was trained with {trained} timesteps: take {trained} steps or fewer"
    times = _timesteps(class_name, full, steps)
    is_table_left = class_name in _DIRECT and times.max() >= trained
    # Beyond the last timestep solvers see the noise of the last: no change from one step to the
    # next.
    is_still = class_name in _SOLVERS and len(np.unique(np.minimum(times, trained - 1))) < len(
        times
    )
    if is_table_left or is_still:
        return (
            f"they cannot be laid over the model's {trained} timesteps: take fewer steps, like"
            f" {max(1, steps * 9 // 10)}"
        )
    if class_name in _DIRECT and trained - 1 in times and _predicts_noise_of_noise(full):
        return _NO_SIGNAL
    return None


def _euler_refusal(class_name: str, full: Mapping[str, Any], steps: int, dtype: str) -> str | None:
    """Why pictures would not be numbers. Model configs whose noise ends almost without signal have
    very large sigmas.
    """
    if full.get("use_karras_sigmas"):
        return None
    sigmas = sigmas_of(full, steps)
    if not np.isfinite(sigmas).all():
        return (
            "the model's noise schedule leaves nothing of a picture at the first step: take a"
            " scheduler like 'ddim'"
        )
    if dtype == "float16" and overflows_half(sigmas):
        return (
            f"with the model's noise schedule it begins with noise of {sigmas.max():.0f}, which"
            " float16 cannot hold: write `dtype: bfloat16` or float32, or take a scheduler like"
            " 'ddim'"
        )
    if class_name == "EulerAncestralDiscreteScheduler" and not is_ancestral_finite(sigmas):
        more = (
            steps + 1 if is_ancestral_finite(sigmas_of(full, steps + 1)) else steps + 2
        )  # it is rounding, and never three in a row
        return (
            f"with the model's noise schedule a step would give no numbers (NaN): take {more}"
            " steps, or the scheduler 'euler'"
        )
    return None


_NO_SIGNAL = (
    "the model predicts noise, and its config (rescale_betas_zero_snr) leaves nothing but noise at"
    " the first step"
)


def _predicts_noise_of_noise(full: Mapping[str, Any]) -> bool:
    return bool(full["rescale_betas_zero_snr"]) and full["prediction_type"] == "epsilon"


def _lcm_refusal(full: Mapping[str, Any], steps: int) -> str | None:
    original = int(full["original_inference_steps"])
    if original > full["num_train_timesteps"]:
        return (
            f"the model's config has more original_inference_steps ({original}) than timesteps"
            f" ({full['num_train_timesteps']})"
        )
    if steps > original:
        return f"it makes at most the {original} steps that it was distilled from"
    return _NO_SIGNAL if _predicts_noise_of_noise(full) else None


def _timesteps(
    class_name: str, full: Mapping[str, Any], steps: int
) -> "np.ndarray[Any, np.dtype[np.int64]]":
    """The timesteps of `steps` steps, int64, the largest first, as diffusers lays them out."""
    trained, offset = int(full["num_train_timesteps"]), int(full["steps_offset"])
    intervals = steps + 1 if class_name in _SOLVERS else steps  # solvers leave the last one out
    match full["timestep_spacing"]:
        case "leading":
            times = np.arange(intervals) * (trained // intervals) + offset
            return np.delete(times, 0)[::-1] if class_name in _SOLVERS else times[::-1]
        case "trailing":
            return np.arange(trained, 0, -trained / steps).round().astype(np.int64) - 1
        case _:
            times = np.linspace(0, trained - 1, intervals).round().astype(np.int64)[::-1]
            return times[:-1] if class_name in _SOLVERS else times
