"""Models on disk: what a name stands for, whether its folder can be used, and the digest of its
weights. No torch here.
"""

import hashlib
import math
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from actors.models.components import check_components
from actors.models.families import FAMILIES, family_of, is_known
from actors.models.family import Family
from actors.models.folders import check_folder
from actors.models.hub import fetch_model
from actors.models.model_files import read_json, require_file
from actors.models.schedulers import assumptions, usable_schedulers
from actors.models.tokenizers import TOKENIZER_JSON, VOCABULARIES
from actors.models.traits import scale_of_vae, traits_of
from actors.models.whole import check_shapes
from storage.errors import RequestError

SEEDLING = Path(__file__).parents[1] / "seedling" / "model"
# No part begins with a dot, nor the revision with a slash: the hub's library makes paths of them.
_HUB_ID = re.compile(r"(?P<repo>\w[\w.-]*/\w[\w.-]*)(?:@(?P<revision>\w[\w.-]*(?:/\w[\w.-]*)*))?")
_READ_BY_PIPELINES = ("*.safetensors", "*.json", "*.txt")
_TEMPLATE = ".jinja"
# Measured on CPU with one thread: seedling paints 0.42, 0.31, 0.28, 0.28, 0.29 s a picture in
# shapes 1, 2, 4, 8, 16.
_BATCH = {"seedling": 4}
DEFAULT_BATCH = 1
_PLAIN_SIZE = (1024, 1024)  # of pipelines that have no row of their own


@dataclass(frozen=True, kw_only=True)
class Model:
    """A model whose folder has been looked at."""

    name: str
    folder: str
    digest: str
    pipeline: str
    batch: int
    size: tuple[int, int]
    scheduler_config: dict[str, Any] = field(repr=False)
    guidance: float | None = 5.0
    """The guidance of a campaign that names none; None if the model has no guidance."""
    guidance_kind: str | None = None
    """How that number is used, a `GuidanceKind`; None in campaigns of versions before."""
    image_to_image: str | None = None
    """The class that begins from a picture, if the model has one."""
    assumed: dict[str, Any] | None = field(default=None, repr=False)
    """What holds for its noise beside its scheduler config. None in campaigns of versions that did
    not know of it.
    """
    schedulers: tuple[str, ...] | None = None
    """Those of its family that it can be painted with, the first by default; None, as above, for
    all.
    """
    manifest: str | None = None
    """Of a registered model: the sha256 of the list of its files, which workers fetch."""


def find_model(name: str, *, takes_folders: bool = True) -> Model:
    """The model that a campaign names: `seedling`, a diffusers folder if those are taken, or a hub
    id with its revision.

    Raises RequestError, naming the fault, if the model cannot be used.
    """
    if name == "seedling":
        return inspect_model(name, SEEDLING)
    # isdir says no to impossible names, while Path raises
    if takes_folders and os.path.isdir(name):  # noqa: PTH112
        return inspect_model(name, Path(name).absolute())
    if hub := hub_id(name):
        return inspect_model(name, fetch_model(*hub))
    if is_hub_name(name):
        raise RequestError(
            f"The model {name} is not a folder here; if it is a hub id, name its revision too:"
            f" {name}@REVISION."
        )
    raise RequestError(
        f"The model {name} was not found: name 'seedling', one that `farm models list` shows, a"
        " diffusers folder, or a hub id as owner/name@revision."
    )


def is_hub_name(name: str) -> bool:
    """Whether a name could be that of a model on the hub, with a revision or without one."""
    return _HUB_ID.fullmatch(name) is not None


def hub_id(name: str) -> tuple[str, str] | None:
    """The repository and the revision of a hub id that has both."""
    hub = _HUB_ID.fullmatch(name)
    return (hub["repo"], hub["revision"]) if hub and hub["revision"] else None


def inspect_model(name: str, folder: Path, digest: str | None = None) -> Model:
    """Look at a diffusers folder without loading it. `digest` is that of its weights, if the
    folder has only the heads of their files.
    """
    index = read_json(folder / "model_index.json", name)
    pipeline = str(index.get("_class_name"))
    family = family_of(pipeline)
    if family is None:
        known = ", ".join(row.pipeline for row in FAMILIES)
        raise RequestError(
            f"The model {name} is a {pipeline}, which is not a text-to-image pipeline of"
            f" diffusers: those that can be painted with are {known}, and others that need nothing"
            " but a prompt."
        )
    if pipeline in family.all_controlled:
        raise RequestError(
            f"The model {name} is a {pipeline}: name a folder without the ControlNet as `model`,"
            " and the folder of the ControlNet as `control: {model: …}`."
        )
    check_components(name, folder, family)
    facts = check_folder(name, folder, family)
    denoiser = (
        read_json(folder / family.denoiser / "config.json", name) if is_known(family) else {}
    )
    if family.unpaintable and denoiser.get(family.unpaintable):
        raise RequestError(
            f"The model {name} cannot be used: with {family.unpaintable} in its"
            f" {family.denoiser}/config.json, a {pipeline} of this diffusers cannot paint."
        )
    config = _scheduler_config(name, folder)
    assumed = (
        assumptions(config, is_flow=family.is_flow, kind=family.noise) if is_known(family) else {}
    )
    traits = traits_of(family, facts)
    model = Model(
        name=name,
        folder=str(folder),
        digest=digest or weights_digest(folder, name),
        pipeline=family.pipeline,
        batch=_BATCH.get(name, DEFAULT_BATCH),
        size=_native_size(name, folder, family, denoiser),
        scheduler_config=config,
        guidance=traits.guidance,
        guidance_kind=traits.guidance_kind.value,
        image_to_image=family.image_to_image,
        assumed=assumed,
        schedulers=usable_schedulers(family.schedulers, config, assumed),
    )
    if (
        folder != SEEDLING
    ):  # a test looks at its tensors: nobody should wait for that before a first picture
        check_shapes(name, folder, model.digest)
    return model


def _scheduler_config(name: str, folder: Path) -> dict[str, Any]:
    """The scheduler's config as JSON can hold it: diffusers writes -Infinity if a clip is off,
    which it assumes anyway.
    """
    config = read_json(folder / "scheduler" / "scheduler_config.json", name)
    if config.get("lambda_min_clipped") == -math.inf:
        del config["lambda_min_clipped"]
    if endless := [
        key
        for key, value in config.items()
        if isinstance(value, float) and not math.isfinite(value)
    ]:
        raise RequestError(
            f"The model {name} cannot be used: {endless[0]} in scheduler/scheduler_config.json is"
            " not a finite number."
        )
    return config


def _native_size(
    name: str, folder: Path, family: Family, denoiser: dict[str, Any]
) -> tuple[int, int]:
    """Width and height that the model was trained at, in pixels."""
    if not is_known(family):
        return _PLAIN_SIZE
    vae = read_json(folder / "vae" / "config.json", name)
    try:
        factor = scale_of_vae(vae) or 2 ** (len(vae.get("block_out_channels", [0] * 4)) - 1)
        latent = denoiser.get("sample_size") or family.sample_size
        height, width = latent if isinstance(latent, list) else (latent, latent)
        size = int(width) * factor, int(height) * factor
    except (TypeError, ValueError, OverflowError) as exc:
        raise RequestError(
            f"The model {name} cannot be used: `sample_size` in {family.denoiser}/config.json, or"
            f" `block_out_channels` in vae/config.json, is not what a {family.pipeline} has there"
            f" ({exc})."
        ) from exc
    return size


def weights_digest(folder: Path, name: str | None = None) -> str:
    """sha256 over the names and contents of every file that a pipeline reads; a file that is still
    the same is not read again.

    Raises RequestError, as a sentence about the model `name`, if one of them cannot be read.
    """
    return files_digest(folder, digested_files(folder), name)


def has_weights(folder: Path, digest: str) -> bool:
    """Whether a folder's files are those of a digest. One that was made before chat templates
    counted holds still.
    """
    files = digested_files(folder)
    older = {path for path in files if path.suffix != _TEMPLATE}
    return digest == files_digest(folder, files) or (
        older != files and digest == files_digest(folder, older)
    )


def files_digest(folder: Path, files: Iterable[Path], name: str | None = None) -> str:
    """The same of these files of a folder."""
    total = hashlib.sha256()
    try:
        for path in sorted(files):
            require_file(path, name or folder.name)
            total.update(f"{path.relative_to(folder).as_posix()} {file_digest(path)}\n".encode())
    except OSError as exc:
        raise RequestError(
            f"The model {name or folder.name} cannot be read: {exc.strerror or exc}."
        ) from exc
    return total.hexdigest()


def file_digest(path: Path) -> str:
    """The sha256 of a file; one that is still the same is not read again. Raises OSError."""
    seen = path.stat()
    return _file_digest(
        path, seen.st_dev, seen.st_ino, seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns
    )


def digested_files(folder: Path) -> set[Path]:
    """The files that decide the digest of a model's weights. Chat templates do, too: their words
    stand around a prompt when it is read.

    Sentencepiece and tiktoken files count only in folders without a tokenizer.json, since
    transformers reads that first. So folders that have both keep the digest that they had when the
    farm read no such files.
    """
    paths = {path for pattern in _READ_BY_PIPELINES for path in folder.glob(f"*/{pattern}")}
    others = {
        path
        for pattern in set(VOCABULARIES) - set(_READ_BY_PIPELINES)
        for path in folder.glob(f"*/{pattern}")
    }
    templates = {
        path
        for place in ("*", "*/additional_chat_templates")
        for path in folder.glob(f"{place}/*{_TEMPLATE}")
    }
    return (
        paths
        | templates
        | {path for path in others if path.parent / TOKENIZER_JSON not in paths}
        | {folder / "model_index.json"}
    )


@lru_cache(maxsize=10_000)
def _file_digest(path: Path, *_identity: int) -> str:
    """Remembered by what the file is (device, inode, size, times), never by its name alone:
    another may be put in its place.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
