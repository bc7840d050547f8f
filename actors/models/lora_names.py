"""How trainers name the layers that a LoRA lies over, and which layers of a model are meant. No
torch here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from actors.models.families import family_of
from actors.models.family import Family
from actors.models.heads import Shape, read_head
from actors.models.lora_spellings import SWAPPED, spellings
from actors.models.model_files import read_json
from storage.errors import RequestError

_DENOISER = "denoiser"  # whatever the model's is
# numbered differently by trainers and diffusers, which lays no adapter over it in any family
_T5 = "T5 encoder"
# Which part of a model a layer belongs to, if its name says so: in the names of diffusers, kohya,
# OneTrainer and ComfyUI.
_PREFIXES = {
    "unet.": "unet",
    "transformer.": "transformer",
    "text_encoder.": "text_encoder",
    "text_encoder_2.": "text_encoder_2",
    "text_encoder_3.": "text_encoder_3",
    "lora_unet_": _DENOISER,
    "lora_transformer_": _DENOISER,
    "lora_te_": "text_encoder",
    "lora_te1_": "text_encoder",
    "lora_te2_": "text_encoder_2",
    "lora_te3_": _T5,
    "diffusion_model.": _DENOISER,
    "model.diffusion_model.": _DENOISER,
    "text_encoders.clip_l.transformer.": "text_encoder",
    "text_encoders.clip_g.transformer.": "text_encoder_2",
    "text_encoders.t5xxl.transformer.": _T5,
}
_PEFT = "base_model.model."  # what peft puts before the names of any model
_NO_LAYERS = (
    "embedding",
    "embed_tokens",
    "relative_attention_bias",
)  # two-sided weights, but tables to look up, not layers


@dataclass(frozen=True)
class Under:
    """A layer of a model: the name of its module, and the shape of its weights, outputs first."""

    module: str
    shape: Shape


@dataclass(frozen=True)
class Place:
    """What a LoRA's layer lies over: a layer of one part of a model, or several whose rows it has
    one after the other.
    """

    part: str
    unders: tuple[Under, ...]
    is_swapped: bool = False
    """Whether the two halves of its rows stand the other way round."""

    @property
    def sides(self) -> tuple[int, int]:
        """Numbers in, and out."""
        return self.unders[0].shape[1], sum(under.shape[0] for under in self.unders)

    @property
    def kernel(self) -> Shape:
        return self.unders[0].shape[2:]


@dataclass(frozen=True)
class Weights:
    """The layers of a model's folder, as the heads of its files have them."""

    name: str
    folder: Path

    @cached_property
    def pipeline(self) -> str:
        """The class of the model, from its index."""
        return str(read_json(self.folder / "model_index.json", self.name).get("_class_name"))

    @property
    def adapted(self) -> tuple[str, ...]:
        """The parts that can have adapters, the denoiser first."""
        return self._family.adapted

    @property
    def denoiser(self) -> str:
        return self._family.denoiser

    def has(self, part: str) -> bool:
        return bool(self._layers(part))

    def place(self, name: str) -> Place:
        """What the layer that an adapter's file names lies over.

        Raises RequestError if the model has no such part or layer, or the part takes no adapters.
        """
        part, rest = self.part_of(name)
        assert part is not None  # whoever asks has sorted out names without a part
        if not self.has(part):
            raise RequestError(
                f"it was made for another kind of model: it has the layer {name}, and {self.name}"
                f" has no {part}."
            )
        if part not in self.adapted:
            raise RequestError(
                f"its layer {name} is for the {part}, and a {self.pipeline} takes adapters for"
                f" {self._parts_text} alone."
            )
        if (found := self.find(part, rest)) is None:
            raise RequestError(f"it was made for another model: {self.name} has no layer {name}.")
        return found

    def find(self, part: str, name: str) -> Place | None:
        """The place of a layer, by its name within a part, or None if the part has none of that
        name.
        """
        layers = self._layers(part)
        for flats in spellings(name, self._layers_per_block if part == "unet" else None):
            if all(flat in layers for flat in flats):
                return Place(
                    part,
                    tuple(layers[flat] for flat in flats),
                    is_swapped=name.replace(".", "_") == SWAPPED,
                )
        return None

    def part_of(self, name: str) -> tuple[str | None, str]:
        """The part that a layer's name says, or None if it says none, and the rest of the name."""
        rest = name.removeprefix(_PEFT)
        prefix = max(
            (prefix for prefix in _PREFIXES if rest.startswith(prefix)), key=len, default=None
        )
        if prefix is None:
            return None, rest
        part = _PREFIXES[prefix]
        return (self.denoiser if part == _DENOISER else part), rest.removeprefix(
            prefix
        ).removeprefix(_PEFT)

    @property
    def _parts_text(self) -> str:
        return ", ".join(self.adapted) or "no part"

    @cached_property
    def _family(self) -> Family:
        family = family_of(self.pipeline)
        if family is None:
            raise RequestError(f"{self.name} is a {self.pipeline}, which cannot be painted with.")
        return family

    @cached_property
    def _layers_per_block(self) -> int | None:
        layers = read_json(self.folder / "unet" / "config.json", self.name).get("layers_per_block")
        return layers if isinstance(layers, int) else None

    def _layers(self, part: str) -> Mapping[str, Under]:
        """The layers of a part, by their names with underscores for dots."""
        return self._parts.get(part) or {}

    @cached_property
    def _parts(self) -> Mapping[str, Mapping[str, Under]]:
        names = {*_PREFIXES.values(), self.denoiser} - {_DENOISER, _T5}
        t5 = {part: self._read(part) for part in names}
        return {**t5, _T5: t5.get("text_encoder_3") or t5.get("text_encoder_2") or {}}

    def _read(self, part: str) -> Mapping[str, Under]:
        return {
            module.replace(".", "_"): Under(module, shape)
            for file in sorted((self.folder / part).glob("*.safetensors"))
            for name, shape in read_head(file).shapes.items()
            if name.endswith(".weight") and len(shape) > 1
            for module in [name.removesuffix(".weight")]
            if not module.endswith(_NO_LAYERS)
        }
