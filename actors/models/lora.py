"""LoRA files as their heads describe them: whether one is whole, made for a model, and how
strongly each layer counts. No torch here.
"""

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from actors.models.adapter_files import AdapterFile
from actors.models.heads import Head, read_head
from actors.models.lora_halves import Halves, halves_of, shape_text
from actors.models.lora_names import Place, Weights
from actors.models.lora_strengths import CONFIG, Strength, config_beside, configs_in, strength_of
from actors.recipes.recipe import digest_of
from storage.errors import RequestError

_UNREACHED = re.compile(r"^lora_unet_.*_to_(q|k|v|out_0)$|^lora_te1?_|^text_encoder\.|_self_attn_")
# Of a text encoder diffusers 0.42 looks for the rank of an adapter in these layers alone, and
# loads none that has no layer of them.
_RANKED = ("q_proj", "k_proj", "v_proj", "out_proj", "fc1", "fc2")
_SGM = ("input_blocks", "middle_block", "output_blocks")


@dataclass(frozen=True, kw_only=True)
class Layer:
    """One layer of a LoRA: its two halves in the file, what it lies over, and how strongly."""

    name: str
    down: str
    up: str
    place: Place
    strength: Strength
    is_folded: bool = False
    """Whether its strength is multiplied into its halves when it is loaded: so diffusers has
    always read kohya's files for Flux, and the rounding is part of their pictures.
    """


@dataclass(frozen=True)
class Lora:
    """A LoRA that fits a model."""

    file: Path
    layers: tuple[Layer, ...]
    digest: str
    """sha256 of the file, and behind a hyphen a hash of the layers' strengths, if those are not
    what diffusers 0.42 made of the file.
    """


def read_lora(file: AdapterFile, weights: Weights) -> Lora:
    """Read what a LoRA's head, and the config beside it, say about every layer.

    Raises RequestError, naming the layer, if it is not whole, is not a LoRA, or was made for
    another kind of model.
    """
    head = read_head(file.path)
    halves, alphas = halves_of(head)
    places = _places(halves, weights, head.is_zero)
    _check_encoders(places)
    beside, inside = config_beside(file.path, is_only_one=_is_only_one(file)), configs_in(head)
    found = []
    for name, place in places.items():
        pair = halves[name]
        _check_fit(name, pair, place, weights)
        alpha = head.number(alphas[name]) if name in alphas else None
        configs = [inside.get(place.part), beside]
        strength = strength_of(name, place.unders[0].module, pair.down_shape[0], alpha, configs)
        found.append(
            Layer(
                name=name,
                down=pair.down,
                up=pair.up,
                place=place,
                strength=strength,
                is_folded=_is_folded(name, pair, weights),
            )
        )
    layers = _distinct(found, head)
    digest = file.digest
    if _was_misread(layers, alphas, has_config=beside is not None):
        digest += "-" + digest_of({layer.name: layer.strength.factor for layer in layers})[:16]
    return Lora(file.path, layers, digest)


def check_lora(file: AdapterFile) -> Path | None:
    """Look at a LoRA without a model. Returns the config that says how strongly its layers count,
    if one lies beside it.

    Raises RequestError if it is not whole, or is not a LoRA.
    """
    head = read_head(file.path)
    halves_of(head)
    configs_in(head)
    config = config_beside(file.path, is_only_one=_is_only_one(file))
    return None if config is None else file.path.with_name(CONFIG)


def _is_only_one(file: AdapterFile) -> bool:
    return len(list(file.path.parent.glob("*.safetensors"))) == 1


def _places(
    halves: Mapping[str, Halves], weights: Weights, is_zero: Callable[[str], bool]
) -> dict[str, Place]:
    """What each layer lies over. Layers of parts that take no adapters are left out if they do
    nothing.
    """
    places = {}
    bare = []
    for name, pair in halves.items():
        part, _ = weights.part_of(name)
        if part is None:
            bare.append(name)
        elif (
            part in weights.adapted
            or not weights.has(part)
            or not (is_zero(pair.up) or is_zero(pair.down))
        ):
            places[name] = weights.place(name)
    places |= _without_parts(bare, halves, weights)
    if not places:
        raise RequestError("it is a LoRA that does nothing: all its numbers are zero.")
    return places


def _without_parts(
    names: Sequence[str], halves: Mapping[str, Halves], weights: Weights
) -> dict[str, Place]:
    """The places of layers whose names do not say of what part: all of the one part that has them
    all.
    """
    if not names:
        return {}
    found = {
        part: {name: weights.find(part, weights.part_of(name)[1]) for name in names}
        for part in weights.adapted
    }
    whole = {
        part: {name: place for name, place in places.items() if place}
        for part, places in found.items()
        if all(places.values())
    }
    fitting = [
        part
        for part, places in whole.items()
        if all(_misfit(halves[name], place) is None for name, place in places.items())
    ] or list(whole)[:1]
    if len(fitting) > 1:
        parts = " or ".join(fitting)
        raise RequestError(
            f"its layers could be those of {parts}: put the part's name before theirs, like"
            f" {fitting[0]}.{names[0]}."
        )
    if not fitting:
        nearest = max(
            found.values(),
            key=lambda places: sum(place is not None for place in places.values()),
            default={},
        )
        lacking = next((name for name, place in nearest.items() if place is None), names[0])
        raise RequestError(
            f"it was made for another model: {weights.name} has no layer {lacking}."
        )
    return whole[fitting[0]]


def _check_encoders(places: Mapping[str, Place]) -> None:
    """Raise RequestError if of a text encoder there is no layer that diffusers looks for."""
    of_encoders: dict[str, list[str]] = {}
    for place in places.values():
        if place.part.startswith("text_encoder"):
            of_encoders.setdefault(place.part, []).append(place.unders[0].module)
    for part, modules in of_encoders.items():
        if not any(module.endswith(_RANKED) for module in modules):
            raise RequestError(
                f"of the {part} it has only {modules[0]}, which diffusers loads beside layers of"
                " its attention or MLP alone: train some of those too, or leave this one out."
            )


def _check_fit(name: str, pair: Halves, place: Place, weights: Weights) -> None:
    """Raise RequestError if a layer has another shape than the model has there."""
    if misfit := _misfit(pair, place):
        raise RequestError(
            f"it was made for another model: its layer {name} is {misfit[0]}, where"
            f" {weights.name} has {misfit[1]}."
        )


def _misfit(pair: Halves, place: Place) -> tuple[str, str] | None:
    """The shape that a layer expects and the shape that the model has there, or None if they
    agree.
    """
    inside, outside = place.sides
    if (pair.down_shape[1:2], pair.up_shape[:1]) != ((inside,), (outside,)):
        return (
            f"for {pair.down_shape[1]} numbers in and {pair.up_shape[0]} out",
            f"{inside} and {outside}",
        )
    if pair.down_shape[2:] != place.kernel or any(side != 1 for side in pair.up_shape[2:]):
        return (
            f"for a kernel of {shape_text(pair.down_shape[2:])}",
            f"one of {shape_text(place.kernel)}",
        )
    return None


def _is_folded(name: str, pair: Halves, weights: Weights) -> bool:
    return (
        weights.denoiser == "transformer"
        and ".lora_down." in pair.down
        and not name.startswith("transformer.")
    )


def _distinct(layers: Sequence[Layer], head: Head) -> tuple[Layer, ...]:
    """The layers of a file, each once. Raises RequestError if two differ that lie over one layer
    of the model.
    """
    first: dict[tuple[str, str], Layer] = {}
    for layer in layers:
        part = layer.place.part
        for under in layer.place.unders:
            other = first.setdefault((part, under.module), layer)
            if other is not layer and not _is_same(other, layer, head):
                raise RequestError(
                    f"it has two layers for {part}.{under.module}: {other.name} and {layer.name}."
                )
    return tuple(dict.fromkeys(first.values()))


def _is_same(one: Layer, other: Layer, head: Head) -> bool:
    """Whether two layers of a file are the same, by two names."""
    return (
        one.place == other.place
        and one.strength == other.strength
        and all(
            head.raw(a) == head.raw(b) for a, b in ((one.down, other.down), (one.up, other.up))
        )
    )


def _was_misread(layers: Sequence[Layer], alphas: Mapping[str, str], *, has_config: bool) -> bool:
    """Whether diffusers 0.42 gave some layer of a file another strength, or none.

    Pictures that were painted so must not be taken for those of today, so such files have another
    digest. The rules of diffusers:

    1. A config beside the file is not read, nor alphas of layers in peft's names that have kohya's
       halves.
    2. Of kohya's files for a UNet, layers in SGM's names are left out if others have diffusers'
       names.
    3. There the most frequent alpha of a part counts for all its layers, but for those that its
       patterns reach: not the attention, nor anything of a first text encoder.
    """
    uneven = any(layer.strength.factor != 1 for layer in layers)
    if uneven and (
        has_config
        or any(
            layer.name.startswith("transformer.") and ".lora_down." in layer.down
            for layer in layers
        )
    ):
        return True
    blocks = [
        layer
        for layer in layers
        if layer.name.startswith("lora_unet_") and re.search("_blocks?_", layer.name)
    ]
    if (
        not all(layer.is_folded for layer in blocks)
        and len({any(block in layer.name for block in _SGM) for layer in blocks}) > 1
    ):
        return True
    for part in {layer.place.part for layer in layers}:
        of_part = [layer for layer in layers if layer.place.part == part and not layer.is_folded]
        most_frequent = Counter(
            layer.strength.alpha for layer in of_part if layer.name in alphas
        ).most_common(1)
        for layer in of_part if most_frequent else ():
            is_reached = layer.name in alphas and not _UNREACHED.search(layer.name)
            if layer.strength.alpha != most_frequent[0][0] and not is_reached:
                return True
    return False
