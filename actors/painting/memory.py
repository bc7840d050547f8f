"""A device's memory: what pipelines take of it, and whether it is there at all."""

import math
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open

from actors.models.model_files import components_of
from actors.models.weights import weights_files

_PART_OF_DEVICE = 0.9
_PART_OF_MACHINE = 0.5  # of main memory, shared by as many workers as there are cores for
_LEAST_FREE = 0.8


class DeviceTaken(Exception):
    """Somebody else has the device's memory."""


def memory_of(device: torch.device, threads: int) -> int:
    """Bytes that a worker may fill with pipelines and what they work with."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[1] * _PART_OF_DEVICE)
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return int(machine * _PART_OF_MACHINE / max(1, (os.cpu_count() or 1) // threads))


def require_free(device: torch.device, share: float) -> None:
    """Raise DeviceTaken if less of a GPU's memory is free than a worker with that share needs.
    The process of a killed worker may still have it, or a process that is not a worker.
    """
    if device.type != "cuda":
        return
    free, total = torch.cuda.mem_get_info(device)
    if free < total * min(1.0, share) * _LEAST_FREE:
        raise DeviceTaken(
            f"{torch.cuda.get_device_name(device)} has {free / 2**30:.1f} of its"
            f" {total / 2**30:.1f} GB free: another process holds the rest. End it (`nvidia-smi`"
            " names it), or give workers a smaller share (FARM_GPU)."
        )


def bytes_in_files(folder: Path, dtype: torch.dtype) -> int:
    """About how many bytes a pipeline's weights will take once they are loaded as `dtype`,
    whichever dtype they are stored as.
    """
    parts = components_of(folder.name, folder)
    files = [
        path
        for component, (library, _) in parts.items()
        for path in weights_files(folder.name, folder / component, library)
    ]
    return sum(numbers_in(path) for path in files) * dtype.itemsize


def numbers_in(path: Path) -> int:
    """How many numbers the tensors of a file have."""
    with safe_open(path, framework="pt") as file:
        # it is not a mapping
        names = file.keys()  # the file itself cannot be iterated over
        return sum(math.prod(file.get_slice(name).get_shape()) for name in names)


def bytes_of(parts: Iterable[Any]) -> int:
    """What the weights of loaded models take; parts that are no models have none."""
    models = [part for part in parts if isinstance(part, torch.nn.Module)]
    tensors = [tensor for model in models for tensor in (*model.parameters(), *model.buffers())]
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)
