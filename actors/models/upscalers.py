"""Models that make pictures larger, on disk: whether a folder can be used, and its digest. No
torch here.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from actors.models.model_files import read_json
from actors.models.models import files_digest
from actors.models.weights import check_weights, files_of_one
from actors.models.whole import check_shapes
from storage.errors import RequestError

KIND = "Swin2SRForImageSuperResolution"
"""The one class of transformers that does so."""
LANCZOS = "lanczos"
"""What a campaign names in the place of a model."""
TILE, OVERLAP = 256, 16
"""Pixels a side of what a model sees at once of a larger picture, and how many of them it shares
with the one before. In recipes, since other tiles are other pixels.
"""
_MODEL_TYPE = "swin2sr"
_CONFIG = "config.json"


@dataclass(frozen=True, kw_only=True)
class Upscaler:
    """A model that makes pictures `by` times larger, whose folder has been looked at."""

    name: str
    folder: str
    digest: str
    by: int
    kind: ClassVar[str] = KIND


def is_upscaler(folder: Path) -> bool:
    """Whether a folder is that of a single model of transformers."""
    if not (folder / _CONFIG).is_file() or (folder / "model_index.json").exists():
        return False
    config = read_json(folder / _CONFIG, folder.name)
    return "model_type" in config and "_class_name" not in config


def inspect_upscaler(name: str, folder: Path, digest: str | None = None) -> Upscaler:
    """Look at an upscaler's folder without loading it. `digest` is that of its files, if the
    folder has only the heads of those with weights.

    Raises RequestError, naming the fault, if it cannot be used.
    """
    if not is_upscaler(folder):
        raise RequestError(
            f"{name} is no upscaler: its folder needs a {_CONFIG} beside its weights, as"
            f" `{KIND}.save_pretrained` writes them."
        )
    config = read_json(folder / _CONFIG, name)
    if (kind := config["model_type"]) != _MODEL_TYPE:
        raise RequestError(
            f"{name} is a {kind}, and pictures can be made larger by a {KIND} alone."
        )
    if {config.get("num_channels", 3), config.get("num_channels_out", 3)} != {3}:
        raise RequestError(f"{name} cannot be used: it does not make colours of colours.")
    by = config.get("upscale", 2)
    if not isinstance(by, int) or by < 2:
        raise RequestError(f"{name} cannot be used: by its {_CONFIG} it makes nothing larger.")
    check_weights(name, folder, "transformers")
    digest = digest or upscaler_digest(folder)
    check_shapes(name, folder, digest)
    return Upscaler(name=name, folder=str(folder), digest=digest, by=by)


def upscaler_digest(folder: Path) -> str:
    """sha256 over the files that are loaded. Raises RequestError if one cannot be read."""
    return files_digest(folder, upscaler_files(folder))


def upscaler_files(folder: Path) -> Iterator[Path]:
    """The files of an upscaler that are loaded."""
    return files_of_one(folder, "transformers")
