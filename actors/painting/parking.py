"""Stopping a batch after some of its steps, and going on later, perhaps among other pictures, with
the very same bits.

A diffusers pipeline owns its loop, so the loop is run a second time: up to the step at which a
picture was parked, the denoiser answers with zeros and the scheduler with what it is given, which
costs nothing; there the parked latents, the scheduler's state and the generators' are put in.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from typing import Any

import torch
from diffusers.schedulers.scheduling_utils import SchedulerOutput
from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class Answer:
    """The shape and kind of what a denoiser answers to a whole batch."""

    shape: torch.Size
    dtype: torch.dtype
    device: torch.device
    count: int | None = None
    """How many of them it answers with, if it is a list of them."""

    def zeros(self) -> Tensor | list[Tensor]:
        zero = torch.zeros(self.shape, dtype=self.dtype, device=self.device)
        return zero if self.count is None else [zero] * self.count


@dataclass(frozen=True, kw_only=True)
class Parked:
    """One picture after some of its steps, in host memory."""

    steps: int
    """How many it has made."""
    latents: Tensor
    """[1, ...]"""
    state: Mapping[str, Any]
    """The scheduler's, of whose tensors over the batch it has its own place: [1, ...]."""
    generator: Tensor
    """The state of its source of noise."""
    answer: Answer


class Parking(Exception):  # it ends a pipeline's loop, and is no error
    """Every picture of the batch has made the steps that were asked for."""

    def __init__(self, parked: list[Parked]) -> None:
        super().__init__()
        self.parked = parked


@contextmanager
def parked_after(
    steps: int, scheduler: Any, denoiser: Any, generators: Sequence[torch.Generator]
) -> Iterator[None]:
    """Raise Parking from the scheduler once it has made that many steps."""
    step, done, answers = scheduler.step, 0, []

    def listen(_module: Any, _given: Any, output: Any) -> None:
        count = len(output[0]) if isinstance(output[0], list) else None
        tensor = output[0] if count is None else output[0][0]
        answers.append(
            Answer(shape=tensor.shape, dtype=tensor.dtype, device=tensor.device, count=count)
        )

    @wraps(step)
    def parking(*args: Any, **kwargs: Any) -> Any:
        nonlocal done
        output = step(*args, **kwargs)
        done += 1
        if done == steps:
            raise Parking(_parked(done, output[0], scheduler, generators, answers[-1]))
        return output

    hook = denoiser.register_forward_hook(listen)
    scheduler.step = parking
    try:
        yield
    finally:
        hook.remove()


@contextmanager
def resumed(
    parked: Sequence[Parked],
    scheduler: Any,
    denoiser: Any,
    generators: Sequence[torch.Generator],
    control: Any | None = None,
) -> Iterator[None]:
    """Let a pipeline's loop begin where the pictures of a batch were parked, after equally many
    steps. `control` is the ControlNet that helps the denoiser, if one does.
    """
    first = parked[0]
    step, done = scheduler.step, 0

    def forward(*_args: Any, **_kwargs: Any) -> tuple[Tensor | list[Tensor]]:
        return (first.answer.zeros(),)

    def no_help(*_args: Any, **_kwargs: Any) -> tuple[tuple[()], None]:
        return (), None

    @wraps(step)
    def replaying(
        model_output: Tensor, timestep: Any, sample: Tensor, *args: Any, **kwargs: Any
    ) -> Any:
        nonlocal done
        done += 1
        if done > first.steps:
            return step(model_output, timestep, sample, *args, **kwargs)
        if done == first.steps:
            sample = torch.cat([one.latents for one in parked]).to(sample.device)
            _restore(scheduler, parked, sample.device)
            for generator, one in zip(generators, parked, strict=True):
                generator.set_state(one.generator)
            for module in idle:
                del module.forward
        return SchedulerOutput(sample) if kwargs.get("return_dict", True) else (sample,)

    denoiser.forward = forward
    idle = [denoiser]
    if control is not None:
        control.forward = no_help
        idle.append(control)
    scheduler.step = replaying
    try:
        yield
    finally:
        for module in idle:
            module.__dict__.pop("forward", None)


def _parked(
    steps: int,
    latents: Tensor,
    scheduler: Any,
    generators: Sequence[torch.Generator],
    answer: Answer,
) -> list[Parked]:
    shape = latents.shape
    return [
        Parked(
            steps=steps,
            latents=latents[k : k + 1].cpu().clone(),
            state={
                name: _mapped(value, lambda t, k=k: _place(t, k, shape))  # type: ignore[misc]
                for name, value in vars(scheduler).items()
                if _is_state(name)
            },
            generator=generator.get_state(),
            answer=answer,
        )
        for k, generator in enumerate(generators)
    ]


def _restore(scheduler: Any, parked: Sequence[Parked], device: torch.device) -> None:
    shape = torch.Size([1, *parked[0].latents.shape[1:]])
    for name, value in parked[0].state.items():
        values = [one.state[name] for one in parked]
        setattr(scheduler, name, _joined(value, values, shape, device))


def _is_state(name: str) -> bool:
    return name not in ("step", "_internal_dict")


def _place(tensor: Tensor, k: int, shape: torch.Size) -> Tensor:
    """A picture's own place of a tensor over the batch; any other is shared, like the sigmas."""
    return tensor[k : k + 1].cpu().clone() if tensor.shape == shape else tensor.clone()


def _mapped(value: Any, change: Callable[[Tensor], Tensor]) -> Any:
    if isinstance(value, Tensor):
        return change(value)
    if isinstance(value, list | tuple):
        return type(value)(_mapped(inner, change) for inner in value)
    return value


def _joined(value: Any, values: Sequence[Any], shape: torch.Size, device: torch.device) -> Any:
    if isinstance(value, Tensor):
        if value.shape != shape:
            return value.clone()
        return torch.cat(list(values)).to(device)
    if isinstance(value, list | tuple):
        columns = zip(*values, strict=True)
        return type(value)(
            _joined(inner, column, shape, device)
            for inner, column in zip(value, columns, strict=True)
        )
    return value
