"""A pipeline from its folder: each model in the variant that is there, whole, or a sentence about
what it lacks.
"""

import inspect
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import diffusers
import torch
import transformers

from actors.models.family import Family
from actors.models.model_files import components_of, read_json
from actors.models.weights import WeightsSet, set_of
from actors.painting.pipelines import pipeline_class_of
from actors.painting.shapes import lacking, lacks, model_class
from actors.recipes.errors import LoadFailed
from storage.errors import RequestError, SeedbedError

_REASON_KEPT = 300
_LIBRARIES = {"diffusers": diffusers, "transformers": transformers}


def load_pipeline(folder: Path, family: Family, dtype: torch.dtype, device: torch.device) -> Any:
    """The pipeline in a folder, on a device. Raises LoadFailed if weights are not whole, and
    whatever the libraries raise.
    """
    kind = getattr(diffusers, family.pipeline)
    parts = components_of(folder.name, folder)
    taken = inspect.signature(kind.__init__).parameters.keys()
    without = _left_out(folder, family) & taken
    models = {
        name: load_model(folder / name, *parts[name], dtype)
        for name in sorted(taken & parts.keys() - without)
    }
    own = pipeline_class_of(family).own_parts(folder)
    given = {name: model for name, model in models.items() if model is not None} | own
    if own:
        return _put_together(kind, folder, given).to(device)
    return kind.from_pretrained(
        folder,
        dtype=dtype,
        use_safetensors=True,
        local_files_only=True,
        **dict.fromkeys(without),
        **given,
        **pipeline_class_of(family).load_options,
    ).to(device)


def _put_together(kind: Any, folder: Path, given: Mapping[str, Any]) -> Any:
    """A pipeline of parts that are there already, and of what else its folder has. diffusers looks
    at the classes of parts that it is given, and refuses others than it knows.
    """
    taken = inspect.signature(kind.__init__).parameters.keys()
    index = read_json(folder / "model_index.json", folder.name)
    parts = components_of(folder.name, folder)
    others = {
        name: getattr(_LIBRARIES[parts[name][0]], parts[name][1]).from_pretrained(folder / name)
        for name in sorted(taken & parts.keys() - given.keys())
    }
    config = {name: index[name] for name in taken & index.keys() - parts.keys()}
    return kind(**given, **others, **config)


@contextmanager
def reasons(folder: Path) -> Iterator[None]:
    """Errors in the block become LoadFailed, with one sentence. The farm's own errors and a lack
    of memory stay what they are.
    """
    try:
        yield
    except RequestError as exc:
        raise LoadFailed(str(exc)) from exc
    except (SeedbedError, torch.OutOfMemoryError):
        raise
    except Exception as exc:
        words = " ".join(
            str(exc).replace(f"{folder}/", "").replace(str(folder), "its folder").split()
        )
        raise LoadFailed(
            f"{words[:_REASON_KEPT] or type(exc).__name__} ({type(exc).__name__})."
        ) from exc


def _left_out(folder: Path, family: Family) -> set[str]:
    """The components that a pipeline must not have: those that its family never needs, and those
    that a model is without.
    """
    index = read_json(folder / "model_index.json", folder.name)
    return {
        name for name, origin in index.items() if isinstance(origin, list) and origin[0] is None
    } | set(family.left_out)


def load_model(component: Path, library: str, kind: str, dtype: torch.dtype) -> Any | None:
    """A model of diffusers or transformers, or None for a component without weights: its pipeline
    loads that itself.
    """
    found, weights = model_class(library, kind), set_of(component, library)
    if weights is None or found is None:
        return None
    with _as_named_now(component, weights) as place:
        model, info = found.from_pretrained(
            str(place),
            **{"torch_dtype" if library == "diffusers" else "dtype": dtype},
            variant=weights.variant or None,
            use_safetensors=True,
            local_files_only=True,
            low_cpu_mem_usage=True,
            output_loading_info=True,
        )
    if tensors := lacking(info["missing_keys"]):
        raise LoadFailed(lacks(component.name, tensors))
    return model


@contextmanager
def _as_named_now(component: Path, weights: WeightsSet) -> Iterator[Path]:
    """The component's folder; if its index has an older name, a folder of links in which it
    has the name that is read.
    """
    if weights.index in (None, weights.index_read):
        yield component
        return
    with TemporaryDirectory() as place:
        for path in component.resolve().iterdir():
            (
                Path(place) / (weights.index_read if path.name == weights.index else path.name)
            ).symlink_to(path)
        yield Path(place)
