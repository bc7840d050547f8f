"""The ControlNet beside a warm pipeline: the one used last, since each takes up to half of the
memory of its model.
"""

import platform
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from actors.models.controls import KIND, control_digest, control_files
from actors.painting.loading import load_model, reasons
from actors.painting.memory import bytes_of, numbers_in
from actors.recipes.errors import LoadFailed, PartMissing, WeightsChanged
from actors.recipes.recipe import Control


class Controls:
    """Loads and keeps the ControlNet of one pipeline."""

    def __init__(self, device: torch.device, dtype: torch.dtype) -> None:
        self._device, self._dtype = device, dtype
        self._digest: str | None = None
        self.net: Any | None = None

    @property
    def bytes(self) -> int:
        """Of its weights."""
        return 0 if self.net is None else bytes_of([self.net])

    def has(self, control: Control) -> bool:
        return control.digest == self._digest

    def coming(self, folder: Path) -> int:
        """About how many bytes that of a folder will take once it is loaded. Raises PartMissing if
        it cannot be loaded here.
        """
        if not folder.is_dir():
            raise _not_loaded(folder, f"its folder {folder} is missing on {platform.node()}.")
        with _reasons(folder):
            files = [path for path in control_files(folder) if path.suffix == ".safetensors"]
            return sum(numbers_in(path) for path in files) * self._dtype.itemsize

    def forget(self) -> None:
        self.net, self._digest = None, None

    def load(self, control: Control, folder: Path) -> None:
        """Have that one. Raises PartMissing if it cannot be loaded here, and WeightsChanged if it
        is not the one that the campaign was submitted with.
        """
        self.forget()
        _require(control, folder)
        with _reasons(folder):
            net = load_model(folder, "diffusers", KIND, self._dtype)
            if net is None:
                raise LoadFailed("it has no weights.")
        _require(control, folder)  # nor while it was read
        self.net, self._digest = net.to(self._device), control.digest


@contextmanager
def _reasons(folder: Path) -> Iterator[None]:
    """Errors in the block become PartMissing."""
    try:
        with reasons(folder):
            yield
    except LoadFailed as exc:
        raise _not_loaded(folder, str(exc)) from exc


def _not_loaded(folder: Path, why: str) -> PartMissing:
    return PartMissing(f"The ControlNet {folder.name} cannot be loaded: {why}")


def _require(control: Control, folder: Path) -> None:
    if control_digest(folder) != control.digest:
        raise WeightsChanged(
            f"The ControlNet in {folder} has changed since the campaign was submitted. Put the old"
            " files back and let it go on (`farm resume`), or submit it again under another name."
        )
