"""LoRA adapters on a warm pipeline: loaded beside its weights, switched without touching them, and never skipped in silence."""

import hashlib
import re
import warnings
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from diffusers.utils import set_adapter_layers
from peft.tuners.tuners_utils import BaseTunerLayer
from safetensors import SafetensorError, safe_open

from actors.errors import BadRequest
from actors.recipe import Adapter

_KEPT = 8  # of a rank of 16, one takes 3 to 100 MB of the device's memory, by the model
_HALF = re.compile(r"(lora_A|lora_B|down|up)\.weight$")  # a layer has two such tensors, by whatever trainer


class Adapters:
    """The adapters that a pipeline has loaded, the least recently used giving way when there are many."""

    def __init__(self, pipe: Any) -> None:
        self._pipe = pipe
        self._loaded: OrderedDict[str, None] = OrderedDict()
        self._used: tuple[Adapter, ...] | None = ()

    def use(self, adapters: Sequence[Adapter], paths: Sequence[str]) -> None:
        """Lay exactly these over the weights. Raises BadRequest, naming the file, where one is not what it is said to be."""
        if tuple(adapters) == self._used:
            return
        self._used = None  # until all is done: what fails halfway leaves others active
        for adapter, path in zip(adapters, paths, strict=True):
            if adapter.digest not in self._loaded:
                self._load(adapter, adapter_file(Path(path)))
            self._loaded[adapter.digest] = None
            self._loaded.move_to_end(adapter.digest)
        while len(self._loaded) > max(_KEPT, len(adapters)):
            self._delete(self._loaded.popitem(last=False)[0])  # before the choice, because peft makes one of its own when it deletes
        for model in self._models():
            set_adapter_layers(model, enabled=bool(adapters))
        if adapters:
            self._pipe.set_adapters([adapter.digest for adapter in adapters], [adapter.scale for adapter in adapters])
        self._used = tuple(adapters)

    def _load(self, adapter: Adapter, file: Path) -> None:
        if not hasattr(self._pipe, "load_lora_weights"):
            raise BadRequest(f"The adapter {file} cannot be used: a {type(self._pipe).__name__} takes no adapters.")
        if _sha256(file) != adapter.digest:
            raise BadRequest(f"The adapter {file} has changed since the campaign was submitted: submit it under a new name.")
        try:
            wanted = self._halves_in(file)
            with _several_are_meant():
                self._pipe.load_lora_weights(
                    str(file.parent), weight_name=file.name, adapter_name=adapter.digest, local_files_only=True, use_safetensors=True
                )
        # Whatever it is that diffusers and peft stumble over, it is in the file: no other worker would do better.
        except (RuntimeError, ValueError, KeyError, TypeError, AttributeError, IndexError, SafetensorError, OSError) as exc:
            self._delete(adapter.digest)
            reason = " ".join(str(exc).split())[:300]
            raise BadRequest(f"The adapter {file} does not fit a {type(self._pipe).__name__}: {reason}") from exc
        found = 2 * self._layers_of(adapter.digest)
        if found != wanted or not found:
            self._delete(adapter.digest)
            raise BadRequest(
                f"The adapter {file} does not fit a {type(self._pipe).__name__}: of its {wanted} tensors the model has room for {found}. "
                "It was made for another model, or is another kind of adapter."
            )

    def _delete(self, digest: str) -> None:
        with _several_are_meant():
            self._pipe.delete_adapters(digest)

    def _halves_in(self, file: Path) -> int:
        """How many halves of layers a file has, once it is written the way that diffusers does."""
        with safe_open(file, framework="pt") as tensors:
            names = list(tensors.keys())
        if strange := sorted(name for name in names if "dora_scale" in name or "lora_magnitude_vector" in name):
            raise ValueError(f"it is a DoRA, of which diffusers would leave {strange[0]} out.")
        unet = {"unet_config": self._pipe.unet.config} if hasattr(self._pipe, "unet") else {}
        answer = self._pipe.lora_state_dict(
            str(file.parent), weight_name=file.name, local_files_only=True, use_safetensors=True, return_lora_metadata=True, **unet
        )
        return sum(bool(_HALF.search(name)) for name in answer[0])

    def _layers_of(self, name: str) -> int:
        return sum(
            isinstance(module, BaseTunerLayer) and name in getattr(module, "lora_A", ())
            for model in self._models()
            for module in model.modules()
        )

    def _models(self) -> Iterator[Any]:
        for name in getattr(self._pipe, "_lora_loadable_modules", ()):
            if (model := getattr(self._pipe, name, None)) is not None:
                yield model


def adapter_file(path: Path) -> Path:
    """The safetensors file at a path, or the only one in a folder."""
    files = sorted(path.glob("*.safetensors")) if path.is_dir() else [path]
    if len(files) != 1 or files[0].suffix != ".safetensors" or not files[0].is_file():
        raise BadRequest(f"The adapter {path} is neither a .safetensors file nor a folder with exactly one.")
    return files[0]


@contextmanager
def _several_are_meant() -> Iterator[None]:
    """Without peft's warnings of there being several adapters at a time, and of which it makes active when one is deleted."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Already found a `peft_config`", UserWarning)
        warnings.filterwarnings("ignore", "Adapter .* was active which is now deleted", UserWarning)
        yield


def _sha256(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
