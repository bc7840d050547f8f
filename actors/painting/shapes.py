"""What a model's classes expect of its weights, held against the heads of its files. A program of
its own, since it loads torch.

`python -m actors.painting.shapes FOLDER` prints a JSON string with the first fault, or null. No
numbers are read and no model is filled: a model of 12 billion parameters takes as long as a tiny
one.
"""

import json
import logging
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import accelerate
import diffusers
import torch
import transformers
from diffusers.loaders.unet import UNet2DConditionLoadersMixin

from actors.models import upscalers
from actors.models.families import family_of
from actors.models.family import Family
from actors.models.heads import Head, read_head
from actors.models.ip_adapters import ENCODER, ENCODER_KIND, ip_adapter_files, is_ip_adapter
from actors.models.model_files import components_of, read_json
from actors.models.source import source_of
from actors.models.upscalers import is_upscaler
from actors.models.weights import WeightsSet, set_of, weights_files
from storage.errors import RequestError

_ORIGINS = {
    "diffusers": (diffusers, diffusers.ModelMixin),
    "transformers": (transformers, transformers.PreTrainedModel),
}
# Layers that some models come without: they lie behind what a pipeline takes of a text encoder.
_UNUSED = ("lm_head.", "pooler.")
_REASON_KEPT = 200

Mismatch = tuple[str, Iterable[int], Iterable[int]]
"""A tensor, with its shape in the files and the one that the config asks for."""


def fault_of(folder: Path) -> str | None:
    """What keeps the models in a folder from being loaded, as a sentence without its beginning;
    None if nothing is found.
    """
    if is_ip_adapter(folder) and (fault := _projection_fault(folder)) is not None:
        return fault
    for component, (library, kind) in sorted(_parts(folder).items()):
        found, weights = model_class(library, kind), set_of(folder / component, library)
        is_quantized = "quantization_config" in (
            read_json(folder / component / "config.json", folder.name) if weights else {}
        )
        if (
            found is None or weights is None or is_quantized
        ):  # what quantized weights look like is known to their packages alone
            continue
        place = folder / component
        fault = (
            _diffusers_fault(found, place, weights)
            if library == "diffusers"
            else _transformers_fault(found, place)
        )
        if fault is not None:
            return fault
    return None


def model_class(library: str, kind: str) -> Any | None:
    """The class of a component that is a model of diffusers or transformers, or None for any
    other.
    """
    origin, base = _ORIGINS.get(library, (None, None))
    found: Any = getattr(origin, kind, None)
    return found if base in getattr(found, "__mro__", ()) else None


def lacking(missing: Iterable[str]) -> list[str]:
    """Of the tensors that files do not have, those that pictures depend on."""
    return sorted(key for key in missing if not any(part in f"{key}." for part in _UNUSED))


def lacks(component: str, tensors: list[str]) -> str:
    return (
        f"the weights in {component}/ lack {len(tensors)} of its tensors, {tensors[0]} among them."
    )


def _parts(folder: Path) -> dict[str, tuple[str, str]]:
    """The parts of a pipeline's folder by their places in it; of an IP-Adapter's, its image
    encoder; of a ControlNet's or an upscaler's, the only one: itself.
    """
    if is_ip_adapter(folder):
        return {ENCODER: ("transformers", ENCODER_KIND)}
    if not (folder / "model_index.json").exists():
        if is_upscaler(folder):
            return {".": ("transformers", upscalers.KIND)}
        kind = read_json(folder / "config.json", folder.name).get("_class_name")
        return {".": ("diffusers", str(kind))}
    family = family_of(str(read_json(folder / "model_index.json", folder.name).get("_class_name")))
    assert family is not None  # whoever asks has looked at the index
    return _loaded(folder, family)


def _loaded(folder: Path, family: Family) -> dict[str, tuple[str, str]]:
    """The components that a worker loads."""
    source = source_of(family.pipeline)
    assert source is not None  # a family is one of diffusers' classes
    args = source.functions["__init__"].args
    taken = {arg.arg for arg in (*args.args, *args.kwonlyargs)} - set(family.left_out)
    return {
        part: origin
        for part, origin in components_of(folder.name, folder).items()
        if part in taken
    }


def _diffusers_fault(kind: Any, component: Path, weights: WeightsSet) -> str | None:
    """The model is built as `from_pretrained` builds it, without numbers."""
    try:
        with accelerate.init_empty_weights():
            model = kind.from_config(kind.load_config(str(component), local_files_only=True))
    except Exception as exc:  # noqa: BLE001  # of any class of diffusers
        return _not_built(kind, component, exc)
    expected = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    tensors = _tensors(component, "diffusers")
    if weights.file:
        model._fix_state_dict_keys_on_load(
            tensors
        )  # renames what older versions called otherwise, in single files alone
    mismatches = (
        (name, tensors[name].shape, shape) for name, shape in expected.items() if name in tensors
    )
    return _fault(kind, component, expected.keys() - tensors.keys(), mismatches)


def _transformers_fault(kind: Any, component: Path) -> str | None:
    """Here the library itself fills the model: it renames, ties and converts many tensors on the
    way.
    """
    try:
        _, info = kind.from_pretrained(
            None,
            config=kind.config_class.from_pretrained(str(component), local_files_only=True),
            state_dict=_tensors(component, "transformers"),
            device_map={"": "meta"},
            ignore_mismatched_sizes=True,
            output_loading_info=True,
        )
    except Exception as exc:  # noqa: BLE001  # of any class of transformers
        return _not_built(kind, component, exc) if _is_config_at_fault(kind, component) else None
    return _fault(kind, component, info["missing_keys"], info["mismatched_keys"])


def by_part(tensors: Mapping[str, torch.Tensor]) -> dict[str, dict[str, torch.Tensor]]:
    """The tensors of an IP-Adapter's file, as diffusers takes them."""
    parts: dict[str, dict[str, torch.Tensor]] = {"image_proj": {}, "ip_adapter": {}}
    for name, tensor in tensors.items():
        prefix, _, key = name.partition(".")
        if prefix in parts:
            parts[prefix][key] = tensor
    return parts


def _projection_fault(folder: Path) -> str | None:
    """What an IP-Adapter makes of pictures, built as diffusers builds it, without numbers."""
    file = next(ip_adapter_files(folder))
    with accelerate.init_empty_weights():
        own = by_part(_empty(read_head(file)))["image_proj"]
        try:
            UNet2DConditionLoadersMixin()._convert_ip_adapter_image_proj_to_diffusers(
                own, low_cpu_mem_usage=False
            )
        except Exception as exc:  # noqa: BLE001  # whatever a file's shapes make of it
            words = " ".join(str(exc).split())[:_REASON_KEPT]
            return f"no IP-Adapter can be made of {file.name} ({words})."
    return None


def _empty(head: Head) -> dict[str, torch.Tensor]:
    return {name: torch.empty(shape, device="meta") for name, shape in head.shapes.items()}


def _tensors(component: Path, library: str) -> dict[str, torch.Tensor]:
    """The tensors of a component's files, without their numbers. To map the files themselves took
    17 s for 24 GB on one machine.
    """
    heads = [read_head(file) for file in weights_files(component.name, component, library)]
    return {name: tensor for head in heads for name, tensor in _empty(head).items()}


def _is_config_at_fault(kind: Any, component: Path) -> bool:
    """Whether no model can be built of a config, whatever device it is built for."""
    try:
        with accelerate.init_empty_weights():
            kind(kind.config_class.from_pretrained(str(component), local_files_only=True))
    except Exception:  # noqa: BLE001  # likewise
        return True
    return False


def _fault(
    kind: Any, component: Path, missing: Iterable[str], mismatches: Iterable[Mismatch]
) -> str | None:
    if tensors := lacking(missing):
        return lacks(component.name, tensors)
    for name, found, expected in sorted(mismatches):
        if tuple(found) != tuple(expected):
            return (
                f"{name} in {component.name}/ is {_shape(found)}, where a {kind.__name__} of its"
                f" config.json has {_shape(expected)}: the config is another model's, or was"
                " changed."
            )
    return None


def _not_built(kind: Any, component: Path, exc: Exception) -> str:
    words = " ".join(
        str(exc).replace(f"{component}/", "").replace(str(component), component.name).split()
    )[:_REASON_KEPT]
    return (
        f"no {kind.__name__} can be made of {component.name}/config.json"
        f" ({words or type(exc).__name__})."
    )


def _shape(shape: Iterable[int]) -> str:
    return "x".join(map(str, shape)) or "one number"


def main() -> None:
    logging.disable()
    transformers.utils.logging.disable_progress_bar()
    try:
        fault = fault_of(Path(sys.argv[1]))
    except RequestError:  # the folder has changed since it was looked at
        fault = None
    print(json.dumps(fault))  # noqa: T201  # its answer


if __name__ == "__main__":
    main()
