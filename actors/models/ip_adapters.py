"""IP-Adapters on disk: whether a folder can be used, its digest, and whether it fits a model. No
torch here.

A folder has one file with the adapter's weights, as its makers publish them, and its image encoder
in `image_encoder/`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from actors.models.family import Family
from actors.models.heads import Shape, read_head
from actors.models.model_files import read_json
from actors.models.models import files_digest
from actors.models.weights import check_weights, files_of_one
from actors.models.whole import check_shapes
from storage.errors import RequestError

KIND = "IPAdapter"
"""What its kind is called beside the classes of diffusers, which has none for it."""
ENCODER = "image_encoder"
ENCODER_KIND = "CLIPVisionModelWithProjection"
_MODEL_TYPE = "clip_vision_model"
_TOKENS = 4  # that the first kind makes of a picture
_KEYS, _VALUES = "ip_adapter.{}.to_k_ip.weight", "ip_adapter.{}.to_v_ip.weight"


@dataclass(frozen=True, kw_only=True)
class IpAdapter:
    """An IP-Adapter whose folder has been looked at. `widths` has the width of each layer of a
    denoiser that it adds to, in the order of its file, `reads` that of the texts beside it.
    """

    name: str
    folder: str
    digest: str
    widths: tuple[int, ...]
    reads: int
    kind: ClassVar[str] = KIND


def is_ip_adapter(folder: Path) -> bool:
    """Whether a folder has an image encoder, and is not that of a pipeline."""
    is_pipeline = (folder / "model_index.json").exists()
    return (folder / ENCODER / "config.json").is_file() and not is_pipeline


def inspect_ip_adapter(name: str, folder: Path, digest: str | None = None) -> IpAdapter:
    """Look at an IP-Adapter's folder without loading it. `digest` is that of its files, if the
    folder has only the heads of those with weights.

    Raises RequestError, naming the fault, if it cannot be used.
    """
    if not is_ip_adapter(folder):
        raise RequestError(
            f"{name} is no IP-Adapter: its folder needs one .safetensors file of the adapter, and"
            f" beside it its image encoder in {ENCODER}/."
        )
    encoder = read_json(folder / ENCODER / "config.json", name)
    if (kind := encoder.get("model_type")) != _MODEL_TYPE:
        raise RequestError(
            f"{name} cannot be used: its {ENCODER}/config.json is that of a {kind}, and pictures"
            f" are read by a {_MODEL_TYPE} alone."
        )
    check_weights(name, folder / ENCODER, "transformers")
    shapes = read_head(_file(name, folder)).shapes
    reads = _reads(name, shapes, encoder)
    widths = tuple(_widths(name, shapes, reads))
    digest = digest or ip_adapter_digest(folder)
    check_shapes(name, folder, digest)
    return IpAdapter(name=name, folder=str(folder), digest=digest, widths=widths, reads=reads)


def ip_adapter_digest(folder: Path) -> str:
    """sha256 over the files that are loaded. Raises RequestError if one cannot be read."""
    return files_digest(folder, ip_adapter_files(folder))


def ip_adapter_files(folder: Path) -> Iterator[Path]:
    """The files of an IP-Adapter that are loaded: first its own."""
    yield _file(folder.name, folder)
    yield from files_of_one(folder / ENCODER, "transformers")


def likeness_misfit(
    adapter: IpAdapter, family: Family, of: str, unet: Mapping[str, Any]
) -> str | None:
    """Why an IP-Adapter cannot bring that part of a likeness to a model whose U-Net has this
    config, None if it can.
    """
    if of not in family.likenesses:
        known = " or ".join(family.likenesses)
        return f"of a picture, models of {family.name} take {known}, and not its {of} alone."
    layers = dict(layers_of(unet))
    if (reads := unet.get("cross_attention_dim")) != adapter.reads:
        return (
            f"it was made for another kind of model: it stands beside texts of the width"
            f" {adapter.reads}, and the campaign's model reads those of {reads}."
        )
    if (widths := tuple(layers.values())) != adapter.widths:
        return (
            f"it was made for another kind of model: it adds to {len(adapter.widths)} layers, and"
            f" of the campaign's model {len(widths)} read texts, or their widths are others."
        )
    if not any(name.startswith(family.likenesses[of]) for name in layers):
        return f"the campaign's model lacks the layers that make the {of}: remove `of`."
    return None


def layers_of(unet: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
    """The layers of a U-Net that read texts, in the order in which an IP-Adapter's file counts
    them: the name of each, up to its number among those of one block, and its width.
    """
    widths = list(unet["block_out_channels"])
    count = len(widths)
    layers = _each(unet["layers_per_block"], count)
    depths = _each(unet.get("transformer_layers_per_block", 1), count)
    rising = unet.get("reverse_transformer_layers_per_block") or depths[::-1]
    for k, kind in enumerate(unet["down_block_types"]):
        if "CrossAttn" in kind:
            yield from _block(f"down_blocks.{k}", layers[k], depths[k], widths[k])
    for k, kind in enumerate(unet["up_block_types"]):
        if "CrossAttn" in kind:
            back = count - 1 - k
            yield from _block(f"up_blocks.{k}", layers[back] + 1, rising[k], widths[back])
    if "CrossAttn" in str(unet.get("mid_block_type", "UNetMidBlock2DCrossAttn")):
        yield from _block("mid_block", 1, depths[-1], widths[-1])


def _block(name: str, layers: int, depth: Any, width: int) -> Iterator[tuple[str, int]]:
    for layer, deep in zip(range(layers), _each(depth, layers), strict=False):
        for k in range(deep):
            yield f"{name}.attentions.{layer}.transformer_blocks.{k}", width


def _each(value: Any, count: int) -> list[Any]:
    """The values of each block, or of each layer of one: a config has them, or one for all."""
    return [value] * count if isinstance(value, int) else list(value)


def _file(name: str, folder: Path) -> Path:
    """The file of the adapter itself."""
    found = sorted(folder.glob("*.safetensors"))
    if len(found) != 1:
        names = ", ".join(path.name for path in found) or "none"
        raise RequestError(
            f"{name} cannot be used: an IP-Adapter's folder has one .safetensors file, and here"
            f" there are {len(found)} ({names})."
        )
    return found[0]


def _reads(name: str, shapes: Mapping[str, Shape], encoder: Mapping[str, Any]) -> int:
    """The width of the texts that an adapter stands beside, by what it makes of pictures."""
    own = {key.removeprefix("image_proj."): shape for key, shape in shapes.items()}
    of_pictures = encoder.get("hidden_size"), encoder.get("projection_dim")
    if len(shape := own.get("proj.weight", ())) == 2:
        read, width = of_pictures[1], shape[1]
        reads = shape[0] // _TOKENS
    elif "latents" in own and len(own.get("proj_in.weight", ())) == 2 and "proj_out.weight" in own:
        read, width = of_pictures[0], own["proj_in.weight"][1]
        reads = own["proj_out.weight"][0]
    elif "proj.3.weight" in own and len(own.get("proj.0.weight", ())) == 2:
        read, width = of_pictures[0], own["proj.0.weight"][1]
        reads = own["proj.3.weight"][0]
    else:
        raise RequestError(
            f"{name} cannot be used: its file is not that of an IP-Adapter that reads whole"
            " pictures. Those that read the identity of faces need another program for it."
        )
    if read != width:
        raise RequestError(
            f"{name} cannot be used: the adapter takes {width} numbers of a picture, and its"
            f" image encoder gives {read}. Put the encoder that it was made with into {ENCODER}/."
        )
    return reads


def _widths(name: str, shapes: Mapping[str, Shape], reads: int) -> Iterator[int]:
    """The width of each layer that an adapter adds to."""
    number = 1
    while (shape := shapes.get(_KEYS.format(number))) is not None:
        values = shapes.get(_VALUES.format(number))
        if len(shape) != 2 or shape[1] != reads or values != shape:
            raise RequestError(
                f"{name} cannot be used: {_KEYS.format(number)} is {list(shape)}, and"
                f" {_VALUES.format(number)} {list(values or ())}. Both should have the same two"
                f" numbers, the second of them {reads}."
            )
        yield shape[0]
        number += 2
