"""ControlNets on disk: whether a folder can be used, its digest, and whether it fits a model. No
torch here.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from actors.models.model_files import read_json
from actors.models.models import files_digest
from actors.models.weights import check_weights, files_of_one
from actors.models.whole import check_shapes
from storage.errors import RequestError

KIND = "ControlNetModel"
UNION = "ControlNetUnionModel"
MODES = {
    "pose": 0,
    "depth": 1,
    "scribble": 2,
    "canny": 3,
    "normal": 4,
    "segments": 5,
    "tile": 6,
}
"""The kinds of pictures that unions for Stable Diffusion XL follow, as their maker numbers
them.
"""
_CONFIG = "config.json"
# What a ControlNet's answers are added to must be as wide as they are. How many layers it has of
# its own is its own affair: small ones have fewer.
_SHARED = (
    "in_channels",
    "block_out_channels",
    "layers_per_block",
    "cross_attention_dim",
    "addition_embed_type",
    "projection_class_embeddings_input_dim",
)
_EMBEDDING = "conditioning_embedding_out_channels"
_USUAL_KINDS = 6  # of pictures, for a union whose config does not say
_USUAL = (0, 0, 0, 0)  # as many levels as configs that do not say so have


@dataclass(frozen=True, kw_only=True)
class ControlNet:
    """A ControlNet whose folder has been looked at."""

    name: str
    folder: str
    digest: str
    config: Mapping[str, Any] = field(repr=False)

    @property
    def kind(self) -> str:
        """Its class in diffusers."""
        return str(self.config["_class_name"])


def is_control(folder: Path) -> bool:
    """Whether a folder is that of a single model, and not that of a pipeline."""
    return (folder / _CONFIG).is_file() and not (folder / "model_index.json").exists()


def inspect_control(name: str, folder: Path, digest: str | None = None) -> ControlNet:
    """Look at a ControlNet's folder without loading it. `digest` is that of its files, if the
    folder has only the heads of those with weights.

    Raises RequestError, naming the fault, if it cannot be used.
    """
    if not is_control(folder):
        raise RequestError(
            f"{name} is no ControlNet: its folder needs a {_CONFIG} beside its weights, as"
            f" `{KIND}.save_pretrained` writes them."
        )
    config = read_json(folder / _CONFIG, name)
    if (kind := config.get("_class_name")) not in (KIND, UNION):
        raise RequestError(
            f"{name} is a {kind}, and pictures can be controlled by a {KIND} or a {UNION} alone."
        )
    check_weights(name, folder, "diffusers")
    digest = digest or control_digest(folder)
    check_shapes(name, folder, digest)
    return ControlNet(name=name, folder=str(folder), digest=digest, config=config)


def control_digest(folder: Path) -> str:
    """sha256 over the files that are loaded. Raises RequestError if one cannot be read."""
    return files_digest(folder, control_files(folder))


def control_files(folder: Path) -> Iterator[Path]:
    """The files of a ControlNet that are loaded."""
    return files_of_one(folder, "diffusers")


def kind_of_mode(mode: int | None) -> str | None:
    """The kind of pictures that has a number in MODES; None for none."""
    return next((name for name, number in MODES.items() if number == mode), None)


def mode_misfit(control: ControlNet, mode: str | None) -> str | None:
    """Why a ControlNet cannot follow pictures of a kind in MODES, or of none that is named; None
    if it can.
    """
    if control.kind == KIND:
        one = "it follows pictures of the one kind that it was trained with"
        return None if mode is None else f"{one}: remove `kind`."
    count = control.config.get("num_control_type", _USUAL_KINDS)
    known = [name for name, number in MODES.items() if number < count]
    if mode in known:
        return None
    names = ", ".join(known)
    if mode is None:
        return f"it is a union of several, and must be told which: write `kind:`, one of {names}."
    return f"it follows no {mode}, but {names}."


def control_misfit(
    control: ControlNet, denoiser: Mapping[str, Any], vae: Mapping[str, Any]
) -> str | None:
    """Why a ControlNet cannot stand beside a denoiser and a VAE with these configs, None if it
    can.
    """
    for name in _SHARED:
        own, other = control.config.get(name), denoiser.get(name)
        if own != other:
            return (
                f"the {control.kind} was made for another kind of model: its {name} is {own}, and"
                f" that of the campaign's model is {other}."
            )
    shrinks = 2 ** (len(control.config.get(_EMBEDDING, _USUAL)) - 1)
    factor = 2 ** (len(vae.get("block_out_channels", _USUAL)) - 1)
    if shrinks != factor:
        return (
            f"the {control.kind} makes pictures {shrinks} times smaller, and the VAE of the"
            f" campaign's model {factor} times: it was made for another kind of model."
        )
    return None
