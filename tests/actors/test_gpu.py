"""A GPU as its driver tells of it; that of the tests is one that they made."""

import sys
from types import SimpleNamespace

import pytest
import torch

from actors.painting.gpu import open_nvml
from actors.recipes.jobs import Gpu

CUDA = torch.device("cuda", 0)


class NVMLError(Exception):
    pass


class Driver:
    """What is asked of `pynvml`, for one device."""

    NVMLError = NVMLError

    def __init__(self):
        self.away = False
        self.found = None

    def nvmlInit(self):  # noqa: N802
        if self.away:
            raise NVMLError("driver not loaded")

    def nvmlDeviceGetHandleByUUID(self, uuid):  # noqa: N802
        self.found = uuid
        return "handle"

    def nvmlDeviceGetMemoryInfo(self, _):  # noqa: N802
        return SimpleNamespace(used=30, total=80)

    def nvmlDeviceGetUtilizationRates(self, _):  # noqa: N802
        return SimpleNamespace(gpu=97, memory=40)

    def nvmlDeviceGetPowerUsage(self, _):  # noqa: N802
        if self.away:
            raise NVMLError("lost")
        return 350_000


@pytest.fixture
def driver(monkeypatch):
    driver = Driver()
    monkeypatch.setitem(sys.modules, "pynvml", driver)
    properties = SimpleNamespace(uuid="1234-abcd")
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: properties)
    return driver


def test_a_gpu_tells_how_busy_it_is(driver):
    told = open_nvml(CUDA).look()
    assert told == Gpu(utilisation=0.97, used_bytes=30, total_bytes=80, watts=350.0)
    assert driver.found == "GPU-1234-abcd"


def test_a_driver_that_refuses_tells_nothing(driver, caplog):
    opened = open_nvml(CUDA)
    driver.away = True
    assert opened.look() is None
    assert open_nvml(CUDA) is None
    assert "driver not loaded" in caplog.text


def test_without_the_library_or_a_gpu_nothing_is_asked(driver, monkeypatch):
    assert open_nvml(torch.device("cpu")) is None
    assert open_nvml("none") is None
    monkeypatch.setitem(sys.modules, "pynvml", None)
    assert open_nvml(CUDA) is None


@pytest.mark.gpu
def test_a_real_gpu_has_its_memory_and_draws_power():
    pytest.importorskip("pynvml")
    if not torch.cuda.is_available():
        pytest.skip("no NVIDIA device here")
    told = open_nvml(CUDA).look()
    assert told.total_bytes > 2**30
    assert told.used_bytes > 0
    assert 0 <= told.utilisation <= 1
    assert told.watts > 1
