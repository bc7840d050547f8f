"""The ControlNet beside a warm pipeline: the one used last, since each takes up to half of the
memory of its model.
"""

from pathlib import Path

import torch

from actors.models.controls import KIND, UNION, control_digest, control_files
from actors.painting.loaded_pipeline import LoadedPipeline
from actors.painting.loading import load_model
from actors.painting.memory import bytes_of
from actors.painting.parts import Part
from actors.painting.unions import UnionOneByOne
from actors.recipes.errors import LoadFailed
from actors.recipes.recipe import Control

_PART = Part("ControlNet", control_digest, control_files)


class Controls:
    """Loads the ControlNet of one pipeline, which keeps it."""

    kind = _PART.kind

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
        return _PART.coming(folder, self._dtype)

    def forget(self) -> None:
        """Let it go, before another comes: both need not be in memory at once."""
        self._pipeline.stand_beside(None)
        self._digest = None

    def load(self, control: Control, folder: Path) -> None:
        """Have that one. Raises PartMissing if it cannot be loaded here, and WeightsChanged if it
        is not the one that the campaign was submitted with.
        """
        self.forget()
        with _PART.reading(folder, control.digest):
            kind = KIND if control.mode is None else UNION
            net = load_model(folder, "diffusers", kind, self._dtype)
            if net is None:
                raise LoadFailed("it has no weights.")
            if control.mode is not None:
                net.__class__ = UnionOneByOne
        self._pipeline.stand_beside(net.to(self._pipeline.pipe.device))
        self._digest = control.digest
