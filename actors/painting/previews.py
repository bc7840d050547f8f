"""Looks at a scheduler while a pipeline uses it: that it made a step, and what picture it expects
there.
"""

from collections.abc import Callable, Collection
from functools import wraps
from typing import Any

from torch import Tensor


def watch_steps(
    scheduler: Any,
    on_step: Callable[[int], None],
    see: Callable[[int, Tensor], None],
    *,
    at: Collection[int],
    last: int,
) -> None:
    """Call `on_step` after each step with how many are left, and show `see` the predicted x0 of
    the steps `at`, as soon as each is made.
    """
    step = scheduler.step
    done = 0

    @wraps(step)  # pipelines look at its signature
    def watched(
        model_output: Tensor, timestep: Any, sample: Tensor, *args: Any, **kwargs: Any
    ) -> Any:
        nonlocal done
        if (
            done == 0
            and getattr(scheduler, "begin_index", 0) is None
            and scheduler.step_index is None
        ):
            # Else it looks its place up by timestep. If noise has no bound, Karras' first two
            # steps round to one timestep; then it takes the second for its place and falls off the
            # end. A pipeline that begins later has said so.
            scheduler.set_begin_index(0)
        done += 1
        if done in at:
            output = step(model_output, timestep, sample, *args, **{**kwargs, "return_dict": True})
            see(done, _predicted_x0(scheduler, output, model_output, sample, timestep))
            output = output if kwargs.get("return_dict", True) else output.to_tuple()
        else:
            output = step(model_output, timestep, sample, *args, **kwargs)
        on_step(max(0, last - done))
        return output

    scheduler.step = watched


def _predicted_x0(
    scheduler: Any, output: Any, model_output: Tensor, sample: Tensor, timestep: Any
) -> Tensor:
    for name in ("pred_original_sample", "denoised"):
        known: Tensor | None = getattr(output, name, None)
        if known is not None:
            return known
    # The others do not give it away; this is its definition at the step just made.
    if not hasattr(scheduler, "sigmas"):
        return _x0_at(scheduler, int(timestep), model_output, sample)
    sigma = scheduler.sigmas[scheduler.step_index - 1].to(sample.device)
    kind = scheduler.config.get("prediction_type", "flow_prediction")
    if kind == "flow_prediction":
        return sample - sigma * model_output
    alpha, sigma = scheduler._sigma_to_alpha_sigma_t(sigma)
    return _x0(kind, alpha, sigma, model_output, sample)


def _x0_at(scheduler: Any, timestep: int, model_output: Tensor, sample: Tensor) -> Tensor:
    """Of a scheduler that knows its noise by timesteps alone."""
    share = scheduler.alphas_cumprod[timestep].to(sample.device)
    kind = scheduler.config.prediction_type
    return _x0(kind, share**0.5, (1 - share) ** 0.5, model_output, sample)


def _x0(kind: str, alpha: Tensor, sigma: Tensor, model_output: Tensor, sample: Tensor) -> Tensor:
    if kind == "v_prediction":
        return alpha * sample - sigma * model_output
    return model_output if kind == "sample" else (sample - sigma * model_output) / alpha
