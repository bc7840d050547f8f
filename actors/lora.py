"""LoRA files as their heads describe them: whether one is whole, and made for a model. No torch here; loading has the last word."""

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from safetensors import SafetensorError, safe_open

from storage.errors import RequestError

Shape = tuple[int, ...]

# A layer's two halves, by whatever trainer: layer.lora_A.weight and lora_B (peft), layer.lora_down.weight and lora_up (kohya),
# layer.lora.down.weight and up, layer.lora_linear_layer.down.weight and up, processor.to_q_lora.down.weight and up (older diffusers).
_HALF = re.compile(r"(?P<layer>.+)[._]lora(?:_linear_layer)?[._](?:(?P<down>A|down)|B|up)(?:\.\w+)?\.weight")
_ALPHA = ".alpha"
_DORA = ("dora_scale", "lora_magnitude_vector")
# Which part of a model a layer belongs to, where its name says so. `unet` in kohya's names is the denoiser, whatever it is.
_PARTS = {
    "unet.": "unet",
    "transformer.": "transformer",
    "text_encoder.": "text_encoder",
    "text_encoder_2.": "text_encoder_2",
    "text_encoder_3.": "text_encoder_3",
    "lora_unet_": "denoiser",
    "lora_te_": "text_encoder",
    "lora_te1_": "text_encoder",
    "lora_te2_": "text_encoder_2",
}
_DENOISERS = ("unet", "transformer")


def adapter_file(path: Path) -> Path:
    """The safetensors file at a path, or the only one in a folder. Raises RequestError where there is none, or more."""
    if not path.exists():
        raise RequestError(f"there is no file or folder {path}.")
    files = sorted(path.glob("*.safetensors")) if path.is_dir() else [path]
    if len(files) != 1:
        raise RequestError(f"the folder {path} has {len(files) or 'no'} .safetensors files: name the one that is meant.")
    if files[0].suffix != ".safetensors" or not files[0].is_file():
        raise RequestError(f"{files[0]} is no .safetensors file: other kinds are not read, because a pickle can run code when it is.")
    return files[0]


def digest_of_file(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def check_adapter(file: Path, weights: "Weights") -> None:
    """Raise RequestError, naming the layer, where an adapter is not whole, or was made for another kind of model."""
    for name, (down, up) in _layers(_shapes(file)).items():
        if len(down) < 2 or len(up) < 2 or down[0] != up[1]:
            raise RequestError(f"the halves of its layer {name} do not fit together: {_text(down)} and {_text(up)}.")
        found = weights.layer(name)
        if found is not None and (down[1], up[0]) != (found[1], found[0]):
            raise RequestError(
                f"it was made for another model: its layer {name} is for {down[1]} numbers in and {up[0]} out, "
                f"where {weights.name} has {found[1]} and {found[0]}."
            )


@dataclass(frozen=True)
class Weights:
    """The layers of a model's folder, as the heads of its files have them."""

    name: str
    folder: Path

    def layer(self, name: str) -> Shape | None:
        """The shape of the weights that an adapter's layer lies over; None where only loading can tell.

        Raises RequestError where the model has no such part, or its denoiser no such layer.
        """
        prefix = next((prefix for prefix in _PARTS if name.startswith(prefix)), None)
        if prefix is None:
            return None
        part = self._part(_PARTS[prefix])
        if not part:
            raise RequestError(f"it was made for another kind of model: it has the layer {name}, and {self.name} has no {_PARTS[prefix]}.")
        inner = name.removeprefix(prefix)
        found = next((part[key] for key in _spellings(inner) if key in part), None)
        if found is None and _PARTS[prefix] in _DENOISERS:  # kohya's names, and those of text encoders, may be translated when loaded
            raise RequestError(f"it was made for another model: {self.name} has no layer {name}.")
        return found

    def _part(self, part: str) -> Mapping[str, Shape]:
        """The shapes of one part's two-sided weights, by the layer's name with underscores for dots."""
        if part == "denoiser":
            return self._parts["unet"] or self._parts["transformer"]
        return self._parts[part]

    @cached_property
    def _parts(self) -> Mapping[str, Mapping[str, Shape]]:
        return {part: self._read(part) for part in {*_PARTS.values()} - {"denoiser"}}

    def _read(self, part: str) -> Mapping[str, Shape]:
        return {
            name.removesuffix(".weight").replace(".", "_"): shape
            for file in sorted((self.folder / part).glob("*.safetensors"))
            for name, shape in _shapes(file).items()
            if name.endswith(".weight") and len(shape) > 1
        }


def _spellings(name: str) -> Iterator[str]:
    """How a layer that an adapter names may be called in a model's files, with underscores for dots."""
    flat = name.replace(".processor.", ".").replace(".", "_")
    yield flat
    yield f"{flat}_0"  # the first of several that stand in a row: to_out
    yield flat.removeprefix("text_model_")  # transformers has written text encoders both ways
    yield f"text_model_{flat}"


def _layers(shapes: Mapping[str, Shape]) -> Mapping[str, tuple[Shape, Shape]]:
    """The two halves of every layer. Raises RequestError for what is no LoRA, or only half of one."""
    downs: dict[str, Shape] = {}
    ups: dict[str, Shape] = {}
    for name, shape in shapes.items():
        if half := _HALF.fullmatch(name):
            (downs if half["down"] else ups)[half["layer"]] = shape
        elif name.endswith(_DORA):
            raise RequestError(f"it is a DoRA ({name}), which is not supported: only plain LoRA is.")
        elif not name.endswith(_ALPHA):
            raise RequestError(f"it is no LoRA: {name} is no part of one.")
    if odd := sorted(downs.keys() ^ ups.keys()):
        raise RequestError(f"it is not whole: its layer {odd[0]} has only one of its two halves.")
    if not downs:
        raise RequestError("it is no LoRA: it has no layers.")
    return {name: (downs[name], ups[name]) for name in sorted(downs)}


def _shapes(file: Path) -> Mapping[str, Shape]:
    """The shape of every tensor in a file; its head alone is read."""
    try:
        with safe_open(file, framework="np") as tensors:
            return {name: tuple(tensors.get_slice(name).get_shape()) for name in tensors.keys()}  # noqa: SIM118  # not a mapping
    except (SafetensorError, OSError) as exc:
        raise RequestError(f"{file} is no whole safetensors file ({exc}).") from exc


def _text(shape: Shape) -> str:
    return "x".join(map(str, shape))
