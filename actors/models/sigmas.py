"""How much noise Euler's schedulers see at each step, computed as diffusers 0.42 computes it: bit
for bit, since that decides what is NaN.

No torch here.
"""

import math
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np

Numbers = np.ndarray[Any, np.dtype[np.float32]]

_LEAST_SIGNAL = (
    2.0**-24
)  # which diffusers leaves at the last timestep of a schedule that ends with none
_MAX_BETA = 0.999
_LARGEST_HALF = 65504.0  # of float16
# in standard deviations: of a million numbers, one in five hundred such sets has a larger one
_LARGEST_NOISE = 6.0


def sigmas_of(full: Mapping[str, Any], steps: int) -> Numbers:
    """The standard deviation of the noise before each step, float32, and 0 behind the last. `full`
    is a config without gaps.
    """
    signal = _signal(full)
    with np.errstate(divide="ignore", over="ignore"):
        of_timesteps = ((np.float32(1) - signal) / signal) ** np.float32(0.5)
    times = _timesteps(full, steps)
    found = np.interp(times, np.arange(len(of_timesteps)), of_timesteps)
    return np.concatenate([found, [0.0]]).astype(np.float32)


def is_ancestral_finite(sigmas: Numbers) -> bool:
    """Whether each step of the ancestral scheduler gives numbers. Between very unlike sigmas
    rounding makes a square root negative.
    """
    before, after = sigmas[:-1], sigmas[1:]
    with np.errstate(invalid="ignore"):
        up = np.sqrt(after**2 * (before**2 - after**2) / before**2)
        down = np.sqrt(after**2 - up**2)
    return bool(np.isfinite(up).all() and np.isfinite(down).all())


def overflows_half(sigmas: Numbers) -> bool:
    """Whether the noise that a picture begins with has numbers that float16 cannot hold."""
    return bool(sigmas.max() * _LARGEST_NOISE > _LARGEST_HALF)


def _signal(full: Mapping[str, Any]) -> Numbers:
    """The share of the picture, squared, that is left at each timestep."""
    betas = _betas(full)
    if not full["rescale_betas_zero_snr"]:
        return _product(1 - betas)
    root = np.sqrt(_product(1 - betas))
    root = (root - root[-1]) * (root[0] / (root[0] - root[-1]))
    square = root**2
    signal = _product(1 - (1 - np.concatenate([square[:1], square[1:] / square[:-1]])))
    signal[-1] = _LEAST_SIGNAL
    return signal


def _product(values: Numbers) -> Numbers:
    return np.cumprod(values, dtype=np.float64).astype(np.float32)


def _betas(full: Mapping[str, Any]) -> Numbers:
    trained, begin, end = (
        int(full["num_train_timesteps"]),
        float(full["beta_start"]),
        float(full["beta_end"]),
    )
    if full["trained_betas"] is not None:
        return np.asarray(full["trained_betas"], np.float32)
    match full["beta_schedule"]:
        case "linear":
            return np.linspace(begin, end, trained, dtype=np.float32)
        case "scaled_linear":
            return np.linspace(begin**0.5, end**0.5, trained, dtype=np.float32) ** 2
        case _:
            ends = [
                math.cos((k / trained + 0.008) / 1.008 * math.pi / 2) ** 2
                for k in range(trained + 1)
            ]
            return np.array(
                [min(1 - after / before, _MAX_BETA) for before, after in pairwise(ends)],
                np.float32,
            )


def _timesteps(full: Mapping[str, Any], steps: int) -> Numbers:
    trained = int(full["num_train_timesteps"])
    match full["timestep_spacing"]:
        case "linspace":
            return np.linspace(0, trained - 1, steps, dtype=np.float32)[::-1]
        case "leading":
            return (np.arange(steps) * (trained // steps))[::-1].astype(np.float32) + np.float32(
                full["steps_offset"]
            )
        case _:
            return np.arange(trained, 0, -trained / steps).round().astype(np.float32) - 1
