"""The ControlNet beside a warm pipeline: the one used last, since each takes up to half of the
memory of its model.
"""

import platform
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from actors.models.controls import KIND, UNION, control_digest, control_files
from actors.painting.loaded_pipeline import LoadedPipeline
from actors.painting.loading import load_model, reasons
from actors.painting.memory import bytes_of, numbers_in
from actors.painting.unions import UnionOneByOne
from actors.recipes.errors import LoadFailed, PartMissing, WeightsChanged
from actors.recipes.recipe import Control


class Controls:
    """Loads the ControlNet of one pipeline, which keeps it."""

    def __init__(self, pipeline: LoadedPipeline, dtype: torch.dtype) -> None:
        self._pipeline, self._dtype = pipeline, dtype
        self._digest: str | None = None

    @property
    def bytes(self) -> int:
        """Of its weights."""
        return bytes_of([self._pipeline.control])

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
        """Let it go, before another comes: both need not be in memory at once."""
        self._pipeline.stand_beside(None)
        self._digest = None

    def load(self, control: Control, folder: Path) -> None:
        """Have that one. Raises PartMissing if it cannot be loaded here, and WeightsChanged if it
        is not the one that the campaign was submitted with.
        """
        self.forget()
        _require(control, folder)
        with _reasons(folder):
            kind = KIND if control.mode is None else UNION
            net = load_model(folder, "diffusers", kind, self._dtype)
            if net is None:
                raise LoadFailed("it has no weights.")
            if control.mode is not None:
                net.__class__ = UnionOneByOne
        _require(control, folder)  # nor while it was read
        self._pipeline.stand_beside(net.to(self._pipeline.pipe.device))
        self._digest = control.digest


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
