"""A program that makes a diffusers folder of a single-file checkpoint, as other tools keep models:
`python -P -m actors.painting.conversion FILE LIKE OUT`.

It prints one line of JSON: null, or why the file cannot be converted. The farm's server starts it,
since whoever registers a model loads no torch.
"""

import json
import re
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import diffusers
import torch
import transformers
from diffusers.loaders.single_file_utils import SingleFileComponentError
from safetensors import safe_open

from actors.models.families import family_of
from actors.models.model_files import components_of, read_json
from actors.models.weights import weights_files
from storage.errors import RequestError

_LIBRARIES = frozenset({"diffusers", "transformers"})
_PICKLES = frozenset({".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle"})
_LACKED = re.compile(r"^(?P<part>\w+) = \w+\.from_pretrained", re.MULTILINE)
_DTYPES = {"F16": torch.float16, "BF16": torch.bfloat16}


def convert(file: Path, like: Path, out: Path) -> None:
    """Write the folder of a checkpoint, whose configs and tokenizers are as in `like`. Components
    that the checkpoint lacks are taken from there too.

    Raises RequestError if `like` is not a folder to go by, and what diffusers raises for a
    checkpoint of another shape.
    """
    pipeline = str(read_json(like / "model_index.json", like.name).get("_class_name"))
    family = family_of(pipeline)
    kind = getattr(diffusers, pipeline, None)
    if family is None or not hasattr(kind, "from_single_file"):
        raise RequestError(f"diffusers makes no {pipeline} of a single file.")
    for part, (library, _) in components_of(like.name, like).items():
        if library not in _LIBRARIES:
            raise RequestError(f"its {part} is of {library}, which is not loaded here.")
    if pickled := [path.name for path in like.rglob("*") if path.suffix in _PICKLES]:
        raise RequestError(
            f"{like.name} has pickled files like {pickled[0]}, which can run code when they are"
            " read: name a folder without them."
        )
    _loaded(kind, file, like).save_pretrained(out, safe_serialization=True)


def _loaded(kind: Any, file: Path, like: Path) -> Any:
    """The pipeline of a checkpoint. diffusers looks for the weights that it lacks under the names
    of its own alone, and says which component that is: text encoders have other names.
    """
    parts = components_of(like.name, like)
    how = {"torch_dtype": dtype_of(file), "local_files_only": True}
    given: dict[str, Any] = {}
    while True:
        try:
            return kind.from_single_file(str(file), config=str(like), **how, **given)
        except SingleFileComponentError as exc:
            found = _LACKED.search(exc.message)
            part = found["part"] if found else ""
            library, name = parts.get(part, ("", ""))
            if part in given or library != "transformers" or not _has_weights(like, part):
                raise
            loader = getattr(transformers, name)
            given[part] = loader.from_pretrained(str(like / part), use_safetensors=True, **how)


def _has_weights(like: Path, part: str) -> bool:
    return bool(weights_files(like.name, like / part, "transformers"))


def dtype_of(file: Path) -> torch.dtype:
    """The type that most numbers of a file have; it stays as it is."""
    counts: Counter[str] = Counter()
    with safe_open(file, framework="pt") as opened:
        for name in opened.keys():  # noqa: SIM118  # it is no mapping
            part = opened.get_slice(name)
            counts[part.get_dtype()] += int(torch.Size(part.get_shape()).numel())
    return _DTYPES.get(counts.most_common(1)[0][0], torch.float32) if counts else torch.float32


def fault_of(file: Path, like: Path, out: Path) -> str | None:
    """Convert a file; returns why it cannot be, in one sentence."""
    try:
        convert(file, like, out)
    except RequestError as exc:
        return str(exc)
    # diffusers raises whatever the first tensor that does not fit leads to
    except Exception as exc:  # noqa: BLE001
        said = next(iter(str(exc).strip().splitlines()), "").rstrip(".") or type(exc).__name__
        return f"{said}. Name a --like folder of the same kind of model, which has what it lacks."
    return None


if __name__ == "__main__":
    print(json.dumps(fault_of(*map(Path, sys.argv[1:4]))))  # noqa: T201  # its answer
