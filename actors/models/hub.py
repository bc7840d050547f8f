"""Models on the hub: only those files are fetched that a pipeline reads. A repository often has
each weight several times.
"""

import glob
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import huggingface_hub  # it loads each of its parts when that is first used

from actors.models.families import family_of
from actors.models.model_files import components_of, read_json
from actors.models.tokenizers import VOCABULARIES
from actors.models.weights import choose_set, shards, without_weights
from storage.errors import RequestError

_INDEX = "model_index.json"
_TIMEOUT_S = 30.0
_SMALL = tuple(pattern.removeprefix("*") for pattern in (*VOCABULARIES, "*.jinja"))


def fetch_model(repo: str, revision: str) -> Path:
    """The folder of a hub model at a revision, in the hub's cache on this machine. Files in the
    cache are not fetched again.

    Raises RequestError if it cannot be fetched, or has nothing that a pipeline could be made of.
    """
    name = f"{repo}@{revision}"
    try:
        found = huggingface_hub.HfApi().model_info(repo, revision=revision, timeout=_TIMEOUT_S)
    # those of the hub's library, and of the libraries behind it
    except Exception as exc:  # noqa: BLE001
        try:  # the hub may be out of reach, and the model here
            return Path(
                huggingface_hub.snapshot_download(repo, revision=revision, local_files_only=True)
            )
        except Exception:  # noqa: BLE001  # likewise
            raise _failed(name, exc) from exc
    try:
        return _fetch(name, repo, revision, [file.rfilename for file in found.siblings or ()])
    except RequestError:
        raise
    except Exception as exc:  # likewise
        raise _failed(name, exc) from exc


def small_files(names: Collection[str], parts: Mapping[str, tuple[str, str]]) -> Iterator[str]:
    """The configs and tokenizers of a pipeline's parts, among a repository's files; of the indexes
    of shards, those that are followed.
    """
    for part, (library, _) in parts.items():
        inside = _inside(names, part)
        chosen = choose_set(inside, library)
        for file in inside:
            is_other_index = ".index." in file and (chosen is None or file != chosen.index)
            if file.endswith(_SMALL) and not is_other_index:
                yield f"{part}/{file}"
        yield from (
            name
            for name in names
            if name.startswith(f"{part}/additional_chat_templates/") and name.endswith(".jinja")
        )


def weights(
    name: str, folder: Path, names: Collection[str], parts: Mapping[str, tuple[str, str]]
) -> Iterator[str]:
    """The files that hold the weights of a pipeline's parts, whose indexes are in a folder
    already.
    """
    for part, (library, _) in parts.items():
        chosen = choose_set(_inside(names, part), library)
        if chosen is None:
            if any(file.endswith(".bin") for file in _inside(names, part)):
                raise without_weights(name, part, _inside(names, part), library)
        elif chosen.file:
            yield f"{part}/{chosen.file}"
        else:
            yield from (
                f"{part}/{file}"
                for file in sorted({*shards(name, folder / part, chosen).values()})
            )


def _fetch(name: str, repo: str, revision: str, names: Collection[str]) -> Path:
    def take(files: Collection[str]) -> Path:
        return Path(
            huggingface_hub.snapshot_download(
                repo, revision=revision, allow_patterns=[glob.escape(file) for file in files]
            )
        )

    if _INDEX not in names:
        raise RequestError(
            f"The model {name} is not a diffusers folder: it has no {_INDEX} on the hub."
        )
    folder = take([_INDEX])
    family = family_of(str(read_json(folder / _INDEX, name).get("_class_name")))
    if family is None:
        return folder  # whoever looks at it says what it is
    parts = {
        part: origin
        for part, origin in components_of(name, folder).items()
        if part not in family.left_out
    }
    small = [_INDEX, *small_files(names, parts)]
    folder = take(small)
    return take([*small, *weights(name, folder, names, parts)])


def _inside(names: Collection[str], part: str) -> list[str]:
    """The files that lie in one folder of a repository, without those in folders below it."""
    return sorted(
        name.removeprefix(f"{part}/")
        for name in names
        if name.startswith(f"{part}/") and name.count("/") == 1
    )


def _failed(name: str, exc: Exception) -> RequestError:
    reason = next(iter(str(exc).strip().splitlines()), type(exc).__name__).rstrip(".")
    return RequestError(
        f"The model {name} could not be fetched from the hub: {reason}."
        f" {_remedy(getattr(exc, 'response', None))}"
    )


def _remedy(response: Any) -> str:
    """What to do about an answer of the hub, or about none."""
    match getattr(response, "status_code", None):
        case 401 | 403:
            return "If it is private or gated, log in on the farm's machine with `hf auth login`."
        case 404:
            return (
                "Check its name and its revision; if it is private, log in on the farm's machine"
                " with `hf auth login`."
            )
        case 429:
            return "The hub asks for patience: submit it again in some minutes."
        case _:
            return (
                "Check the network of the farm's machine and HF_ENDPOINT, and submit it again; or"
                " name a folder that has the model."
            )
