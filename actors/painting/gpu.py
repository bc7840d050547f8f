"""A GPU as NVIDIA's driver tells of it, if `nvidia-ml-py` is installed (the extra `nvml`)."""

import importlib
import logging
from typing import Any

import torch

from actors.recipes.jobs import Gpu

log = logging.getLogger(__name__)


class Nvml:
    """One device of the driver's."""

    def __init__(self, library: Any, handle: Any) -> None:
        self._library = library
        self._handle = handle

    def look(self) -> Gpu | None:
        """How busy the device is now; None if the driver does not say."""
        n = self._library
        try:
            memory = n.nvmlDeviceGetMemoryInfo(self._handle)
            return Gpu(
                utilisation=n.nvmlDeviceGetUtilizationRates(self._handle).gpu / 100,
                used_bytes=int(memory.used),
                total_bytes=int(memory.total),
                watts=n.nvmlDeviceGetPowerUsage(self._handle) / 1000,
            )
        except n.NVMLError as exc:
            log.debug("The driver tells nothing of the GPU: %s", exc)
            return None


def open_nvml(device: torch.device | str) -> Nvml | None:
    """The device as the driver has it; None without a GPU, or without the library. It is found by
    its UUID: the driver counts devices in another order than a process that sees some of them.
    """
    if not isinstance(device, torch.device) or device.type != "cuda":
        return None
    try:
        library = importlib.import_module("pynvml")
    except ImportError:
        return None
    uuid = f"GPU-{torch.cuda.get_device_properties(device).uuid}"
    try:
        library.nvmlInit()
        return Nvml(library, library.nvmlDeviceGetHandleByUUID(uuid))
    except library.NVMLError as exc:
        log.warning("The driver tells nothing of the GPU: %s. action=nvml", exc)
        return None
