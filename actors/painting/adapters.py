"""LoRA adapters on a warm pipeline: loaded beside its weights, switched without touching them, and
never skipped in silence.
"""

import warnings
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from diffusers.utils import set_adapter_layers
from peft.tuners.lora import LoraLayer
from safetensors import SafetensorError

from actors.models.adapter_files import adapter_file
from actors.models.lora import Lora, read_lora
from actors.models.lora_names import Weights
from actors.painting.lora_tensors import Laid, laid_layers
from actors.recipes.errors import BadRequest
from actors.recipes.recipe import Adapter
from storage.errors import RequestError

_KEPT = 8  # of a rank of 16, one takes 3 to 100 MB of the device's memory, by the model


class Adapters:
    """The adapters that a pipeline has loaded, the least recently used giving way when there are
    many.
    """

    def __init__(self, pipe: Any, weights: Weights) -> None:
        self._pipe = pipe
        self._weights = weights
        self._loaded: OrderedDict[str, None] = OrderedDict()
        self._used: tuple[Adapter, ...] | None = ()

    def use(self, adapters: Sequence[Adapter], paths: Sequence[str]) -> None:
        """Lay exactly these over the weights. Raises BadRequest, naming the file, if one does
        not match its digest.
        """
        if tuple(adapters) == self._used:
            return
        self._used = None  # until all is done: what fails halfway leaves others active
        for adapter, path in zip(adapters, paths, strict=True):
            if adapter.digest not in self._loaded:
                self._load(adapter, Path(path))
            self._loaded[adapter.digest] = None
            self._loaded.move_to_end(adapter.digest)
        while len(self._loaded) > max(_KEPT, len(adapters)):
            self._delete(
                self._loaded.popitem(last=False)[0]
            )  # before the choice, because peft makes one of its own when it deletes
        for model in self._models():
            set_adapter_layers(model, enabled=bool(adapters))
        if adapters:
            self._pipe.set_adapters(
                [adapter.digest for adapter in adapters], [adapter.scale for adapter in adapters]
            )
        self._used = tuple(adapters)

    def _load(self, adapter: Adapter, path: Path) -> None:
        kind = type(self._pipe).__name__
        if not hasattr(self._pipe, "load_lora_weights"):
            raise BadRequest(f"The adapter {path} cannot be used: a {kind} takes no adapters.")
        lora = self._read(adapter, path)
        try:
            laid = laid_layers(lora)
            with _several_are_meant():
                self._pipe.load_lora_weights(
                    {name: tensor for layer in laid for name, tensor in _named(layer)},
                    adapter_name=adapter.digest,
                )
            self._set_strengths(adapter.digest, laid)
        # Whatever it is that diffusers and peft stumble over, it is in the file: no other worker
        # would do better.
        except (
            RuntimeError,
            ValueError,
            KeyError,
            TypeError,
            AttributeError,
            IndexError,
            SafetensorError,
            OSError,
        ) as exc:
            self._delete(adapter.digest)
            reason = " ".join(str(exc).split())[:300]
            raise BadRequest(f"The adapter {lora.file} does not fit a {kind}: {reason}") from exc

    def _read(self, adapter: Adapter, path: Path) -> Lora:
        try:
            file = adapter_file(path)
        except (RequestError, OSError) as exc:
            raise BadRequest(
                f"The adapter {path} is neither a .safetensors file nor a folder with exactly one:"
                f" {exc}"
            ) from exc
        try:
            if not file.has_digest(adapter.digest):
                raise BadRequest(
                    f"The adapter {path} has changed since the campaign was submitted: submit it"
                    " under a new name."
                )
            lora = read_lora(file, self._weights)
        except (RequestError, OSError) as exc:
            raise BadRequest(
                f"The adapter {path} does not fit a {type(self._pipe).__name__}: {exc}"
            ) from exc
        if "-" in adapter.digest and adapter.digest != lora.digest:
            raise BadRequest(
                f"The adapter_config.json beside {path} has changed since the campaign was"
                " submitted: submit it again."
            )
        return lora

    def _set_strengths(self, name: str, laid: Sequence[Laid]) -> None:
        """Give every layer its own strength, and make sure that peft has the tensors of all of
        them, and no others.

        diffusers reads alphas under names that match no module, and would give layers whose alpha
        differs that of the others.
        """
        layers = {key: module for key, module in self._layers() if name in module.lora_A}
        for each in laid:
            layer = layers.pop((each.part, _flattened(each.module)), None)
            if layer is None:
                raise ValueError(f"its layer {each.module} was left out when it was loaded.")
            for side, tensor in ((layer.lora_A, each.down), (layer.lora_B, each.up)):
                # which mypy takes for a module
                weight: torch.Tensor = getattr(side[name], "weight")  # noqa: B009
                if not torch.equal(weight, tensor.to(device=weight.device, dtype=weight.dtype)):
                    raise ValueError(
                        f"the numbers of its layer {each.module} are not those of the file, or not"
                        " finite."
                    )
            layer.lora_alpha[name] = each.alpha
            layer.use_rslora[name] = each.is_rslora
            layer.set_scale(name, 1.0)
        if layers:
            raise ValueError(
                f"it was laid over {'.'.join(next(iter(layers)))} too, for which it has no layer."
            )

    def _delete(self, digest: str) -> None:
        with _several_are_meant():
            self._pipe.delete_adapters(digest)

    def _layers(self) -> Iterator[tuple[tuple[str, str], LoraLayer]]:
        """The adapted layers by part and name."""
        for part in self._pipe._lora_loadable_modules:
            model = getattr(self._pipe, part, None)
            for name, module in model.named_modules() if model is not None else ():
                if isinstance(module, LoraLayer):
                    yield (part, _flattened(name)), module

    def _models(self) -> Iterator[Any]:
        for name in getattr(self._pipe, "_lora_loadable_modules", ()):
            if (model := getattr(self._pipe, name, None)) is not None:
                yield model


def _named(layer: Laid) -> Iterator[tuple[str, torch.Tensor]]:
    """A layer in the names that diffusers reads whatever other layers there are: peft's, and for
    text encoders its own older ones.
    """
    down, up = (
        ("lora_linear_layer.down", "lora_linear_layer.up")
        if layer.part.startswith("text_encoder")
        else ("lora_A", "lora_B")
    )
    yield f"{layer.part}.{layer.module}.{down}.weight", layer.down
    yield f"{layer.part}.{layer.module}.{up}.weight", layer.up


def _flattened(module: str) -> str:
    """Transformers writes the layers of text encoders both with and without this."""
    return module.removeprefix("text_model.")


@contextmanager
def _several_are_meant() -> Iterator[None]:
    """Without peft's warnings of there being several adapters at a time, and of which it makes
    active when one is deleted.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Already found a `peft_config`", UserWarning)
        warnings.filterwarnings(
            "ignore", "Adapter .* was active which is now deleted", UserWarning
        )
        yield
