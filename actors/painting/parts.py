"""What stands beside a pipeline, as it lies on disk: a ControlNet, an IP-Adapter, an upscaler."""

import platform
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

import torch

from actors.painting.loading import reasons
from actors.painting.memory import numbers_in
from actors.recipes.errors import LoadFailed, PartMissing, WeightsChanged

Wanted_contra = TypeVar("Wanted_contra", contravariant=True)


class Beside(Protocol[Wanted_contra]):
    """The part of one kind that is loaded: the one that was used last."""

    @property
    def kind(self) -> str:
        """What a person calls it."""

    def has(self, wanted: Wanted_contra, /) -> bool: ...

    def coming(self, folder: Path) -> int:
        """About how many bytes that of a folder will take once it is loaded."""

    def forget(self) -> None:
        """Let it go, before another comes: both need not be in memory at once."""

    def load(self, wanted: Wanted_contra, folder: Path, /) -> None: ...


@dataclass(frozen=True)
class Part:
    """A kind of part: what a person calls it, the digest of its folder, and the files that count
    for that.
    """

    kind: str
    digest: Callable[[Path], str]
    files: Callable[[Path], Iterable[Path]]

    def coming(self, folder: Path, dtype: torch.dtype) -> int:
        """About how many bytes that of a folder will take once it is loaded. Raises PartMissing if
        it cannot be loaded here.
        """
        if not folder.is_dir():
            raise self._not_loaded(folder, f"its folder {folder} is missing on {platform.node()}.")
        with self._reasons(folder):
            files = [path for path in self.files(folder) if path.suffix == ".safetensors"]
            return sum(map(numbers_in, files)) * dtype.itemsize

    @contextmanager
    def reading(self, folder: Path, digest: str) -> Iterator[None]:
        """Its files are read in the block. Raises PartMissing if it cannot be loaded here, and
        WeightsChanged if it is not the one that the campaign was submitted with, or was changed
        meanwhile.
        """
        self._require(folder, digest)
        with self._reasons(folder):
            yield
        self._require(folder, digest)

    @contextmanager
    def _reasons(self, folder: Path) -> Iterator[None]:
        """Errors in the block become PartMissing."""
        try:
            with reasons(folder):
                yield
        except LoadFailed as exc:
            raise self._not_loaded(folder, str(exc)) from exc

    def _not_loaded(self, folder: Path, why: str) -> PartMissing:
        return PartMissing(f"The {self.kind} {folder.name} cannot be loaded: {why}")

    def _require(self, folder: Path, digest: str) -> None:
        if self.digest(folder) != digest:
            raise WeightsChanged(
                f"The {self.kind} in {folder} has changed since the campaign was submitted. Put"
                " the old files back and let it go on (`farm resume`), or submit it again under"
                " another name."
            )
