"""LoRA files as their heads describe them: whether one is whole, made for a model, and how
strongly each layer counts. No torch here.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from actors.models.heads import Head, Shape, read_head
from actors.models.lora_names import Place, Weights
from actors.models.lora_strengths import Strength, config_beside, configs_in, strength_of
from actors.recipes.recipe import digest_of
from storage.errors import RequestError

# A layer's two halves, in the names of its trainer:
# - peft: layer.lora_A.weight and layer.lora_B.weight
# - kohya: layer.lora_down.weight and layer.lora_up.weight
# - older diffusers: layer.lora.down.weight, layer.lora_linear_layer.down.weight and
#   processor.to_q_lora.down.weight, each with its up
# - XLabs: processor.qkv_lora1.down.weight, with its up
_HALF = re.compile(
    r"(?P<layer>.+)[._]lora(?P<number>\d?)(?:_linear_layer)?"
    r"[._](?:(?P<down>A|down)|B|up)(?:\.\w+)?\.weight"
)
_ALPHA = re.compile(
    r"(?P<layer>.+?)(?:[._]lora(?:_linear_layer)?(?:[._](?:A|down)(?:\.weight)?)?)?\.alpha"
)
# Adapters of other kinds, by how their tensors are called.
_OTHER_KINDS = {
    "DoRA": re.compile(r"dora_scale|lora_magnitude_vector"),
    "LoHa": re.compile(r"[._]hada_[wt]\d"),
    "LoKr": re.compile(r"[._]lokr_[wt]\d"),
    "LoCon with a middle part (Tucker)": re.compile(r"[._]lora_mid\."),
    "LoRA of embeddings": re.compile(r"[._]lora_embedding_[AB]"),
    "LoRA with biases": re.compile(r"[._]lora_B(\.\w+)?\.bias$"),
    "OFT": re.compile(r"[._](b?oft_(blocks|diag|[RSs])|oft_s)"),
    "IA3": re.compile(r"[._]ia3_l|\.on_input$"),
    "VeRA": re.compile(r"vera_(lambda|A|B)"),
    "GLoRA": re.compile(r"\.(a1|a2|b1|b2)\.weight$"),
    "set of differences of whole weights": re.compile(
        r"\.(diff|diff_b|set_weight|w_norm|b_norm)$"
    ),
    "ControlLoRA": re.compile(r"lora_controlnet|query_norm\.scale|\.norm_(added_)?[qk]\.weight$"),
    "textual inversion": re.compile(r"^(emb_params|clip_[lg]|<.*>|string_to_param.*)$"),
    "IP-Adapter": re.compile(r"^(ip_adapter|image_proj)\."),
}
_IDLE = re.compile(r"\.(diff|diff_b)$")
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


@dataclass(frozen=True)
class _Halves:
    down: str
    up: str
    down_shape: Shape
    up_shape: Shape


def adapter_file(path: Path) -> Path:
    """The safetensors file at a path, or the only one in a folder. Raises RequestError if there is
    none, or more.
    """
    if not path.exists():
        raise RequestError(f"there is no file or folder {path}.")
    files = sorted(path.glob("*.safetensors")) if path.is_dir() else [path]
    if len(files) != 1:
        raise RequestError(
            f"the folder {path} has {len(files) or 'no'} .safetensors files: name the one that is"
            " meant."
        )
    if files[0].suffix != ".safetensors" or not files[0].is_file():
        raise RequestError(
            f"{files[0]} is no .safetensors file: other kinds are not read, because a pickle can"
            " run code when it is."
        )
    return files[0]


def digest_of_file(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def is_of_file(digest: str, file_digest: str) -> bool:
    """Whether a LoRA's digest is that of a file, whatever else it says."""
    return digest.partition("-")[0] == file_digest


def check_adapter(path: Path, weights: Weights) -> None:
    """Raise RequestError, naming the layer, if an adapter is not whole, is not a LoRA, or was made
    for another kind of model.
    """
    _layers_of(path, weights)


def read_lora(path: Path, weights: Weights) -> Lora:
    """Read what a LoRA's head, and the config beside it, say about every layer; `path` is its
    file, or a folder with exactly one.

    Raises RequestError, naming the layer, if it is not whole, is not a LoRA, or was made for
    another kind of model.
    """
    file, layers, was_misread = _layers_of(path, weights)
    digest = digest_of_file(file)
    if was_misread:
        digest += "-" + digest_of({layer.name: layer.strength.factor for layer in layers})[:16]
    return Lora(file, layers, digest)


def _layers_of(path: Path, weights: Weights) -> tuple[Path, tuple[Layer, ...], bool]:
    file = adapter_file(path)
    head = read_head(file)
    halves, alphas = _sorted_out(head)
    places = _places(halves, weights, head.is_zero)
    _check_encoders(places)
    beside, inside = (
        config_beside(file, is_only_one=len(list(file.parent.glob("*.safetensors"))) == 1),
        configs_in(head),
    )
    layers: dict[tuple[str, str], Layer] = {}
    for name, place in places.items():
        pair = halves[name]
        if misfit := _misfit(pair, place):
            raise RequestError(
                f"it was made for another model: its layer {name} is {misfit[0]}, where"
                f" {weights.name} has {misfit[1]}."
            )
        alpha = None if name not in alphas else head.number(alphas[name])
        strength = strength_of(
            name,
            place.unders[0].module,
            pair.down_shape[0],
            alpha,
            [inside.get(place.part), beside],
        )
        is_folded = (
            weights.denoiser == "transformer"
            and ".lora_down." in pair.down
            and not name.startswith("transformer.")
        )
        layer = Layer(
            name=name,
            down=pair.down,
            up=pair.up,
            place=place,
            strength=strength,
            is_folded=is_folded,
        )
        for under in place.unders:
            first = layers.setdefault((place.part, under.module), layer)
            if first is not layer and not _is_same(first, layer, head):
                raise RequestError(
                    f"it has two layers for {place.part}.{under.module}: {first.name} and {name}."
                )
    unique = tuple(dict.fromkeys(layers.values()))
    return file, unique, _was_misread(unique, alphas, has_config=beside is not None)


def _sorted_out(head: Head) -> tuple[dict[str, _Halves], dict[str, str]]:
    """The two halves of every layer, and the tensors with alphas. Raises RequestError for what is
    no LoRA, or only half of one.
    """
    downs: dict[str, str] = {}
    ups: dict[str, str] = {}
    alphas: dict[str, str] = {}
    strange = []
    for name in head.shapes:
        if half := _HALF.fullmatch(name):
            (downs if half["down"] else ups)[half["layer"] + half["number"]] = name
        elif alpha := _ALPHA.fullmatch(name):
            alphas[alpha["layer"]] = name
        elif not (_IDLE.search(name) and head.is_zero(name)):
            strange.append(name)
    _check_kind(strange)
    if odd := sorted(downs.keys() ^ ups.keys()):
        raise RequestError(f"it is not whole: its layer {odd[0]} has only one of its two halves.")
    if not downs:
        raise RequestError("it is no LoRA: it has no layers.")
    if lost := sorted(alphas.keys() - downs.keys()):
        raise RequestError(f"it is not whole: it has {alphas[lost[0]]}, and no such layer.")
    return {
        name: _halves(name, downs[name], ups[name], head.shapes) for name in sorted(downs)
    }, alphas


def _check_kind(strange: Sequence[str]) -> None:
    """Raise RequestError for tensors that a plain LoRA does not have, by the kind of adapter that
    has them.
    """
    for kind, pattern in _OTHER_KINDS.items():
        if found := next((name for name in strange if pattern.search(name)), None):
            raise RequestError(
                f"it is {_a(kind)} ({found}), which is not supported: only plain LoRA is."
            )
    if strange:
        raise RequestError(f"it is no LoRA: {strange[0]} is no part of one.")


def _halves(name: str, down: str, up: str, shapes: Mapping[str, Shape]) -> _Halves:
    pair = _Halves(down, up, shapes[down], shapes[up])
    if (
        len(pair.down_shape) < 2
        or len(pair.up_shape) < 2
        or pair.down_shape[0] != pair.up_shape[1]
        or not pair.down_shape[0]
    ):
        raise RequestError(
            f"the halves of its layer {name} do not fit together: {_text(pair.down_shape)} and"
            f" {_text(pair.up_shape)}."
        )
    return pair


def _places(
    halves: Mapping[str, _Halves], weights: Weights, is_zero: Callable[[str], bool]
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
    names: Sequence[str], halves: Mapping[str, _Halves], weights: Weights
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
        told = " or ".join(fitting)
        raise RequestError(
            f"its layers could be those of {told}: put the part's name before theirs, like"
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


def _misfit(pair: _Halves, place: Place) -> tuple[str, str] | None:
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
        return f"for a kernel of {_text(pair.down_shape[2:])}", f"one of {_text(place.kernel)}"
    return None


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
        told = Counter(
            layer.strength.alpha for layer in of_part if layer.name in alphas
        ).most_common(1)
        for layer in of_part if told else ():
            is_reached = layer.name in alphas and not _UNREACHED.search(layer.name)
            if layer.strength.alpha != told[0][0] and not is_reached:
                return True
    return False


def _a(kind: str) -> str:
    return f"{'an' if kind[0] in 'AEIO' else 'a'} {kind}"


def _text(shape: Shape) -> str:
    return "x".join(map(str, shape)) or "no sides"
