"""The registry: models that the farm keeps in its outputs, so that every machine can have them.
Each file is stored once, under its sha256, however many models have it.
"""

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from pathlib import Path
from typing import Any

from actors.models.hub import small_files
from actors.models.manifests import Manifest, StoredFile, check_place
from actors.models.model_files import components_of
from actors.models.models import digested_files, file_digest, inspect_model, weights_digest
from farm.service.model_sources import ModelSources
from farm.service.registered import NAME
from storage.errors import Conflict, RequestError
from storage.keys import weights_key
from storage.registry import Registered, Registry
from storage.store import Outputs

Json = dict[str, Any]
_RESERVED = frozenset({"seedling"})
_WRITERS = 4
_CARD_BYTES = 65_536
_LICENCE = re.compile(
    r"^license(?:_name)?:[ \t]*[\"']?([\w.+ -]{1,100}?)[\"']?[ \t]*$", re.MULTILINE
)


class RegistryService:
    """Models and adapters of a farm, added, listed and removed."""

    def __init__(self, registry: Registry, outputs: Outputs, sources: ModelSources) -> None:
        self._registry, self._outputs, self._sources = registry, outputs, sources

    def all(self, kind: str) -> list[Json]:
        """Every version, by name, the newest of each name first."""
        return [registered_json(row) for row in self._registry.all(kind)]

    def show(self, kind: str, name: str, digest: str | None = None) -> Json:
        return registered_json(self._registry.get(kind, name, digest))

    def add(self, kind: str, name: str, source: str, like: str | None = None) -> Json:
        """Store a model's files in the outputs, those that are not there yet, and let a name stand
        for it. A call that broke off is taken up again by the next one. `like` names a folder with
        the configs of a single-file checkpoint.

        Raises RequestError if the name or the source cannot be used, OutputsError if the outputs
        cannot be written.
        """
        check_name(name)
        with self._sources.opened(source, like) as folder:
            model = inspect_model(name, folder)
            files = {place: folder / place for place in _places(name, folder)}
            manifest = Manifest(
                digest=model.digest,
                files=tuple(_stored(place, path) for place, path in sorted(files.items())),
            )
            self._put(manifest, files)
            if weights_digest(folder, name) != model.digest:
                raise Conflict(f"The files of {source} were changed while they were added.")
            about = {
                "pipeline": model.pipeline,
                "licence": licence_of(folder),
                "source": source,
                "files": len(files),
            }
            row, did = self._registry.add(
                kind, name, model.digest, manifest=manifest.sha256, about=about,
                files={manifest.sha256, *(file.sha256 for file in manifest.files)},
                size=manifest.size,
            )  # fmt: skip
            self._put(manifest, files)  # a removal may have taken some meanwhile
        return {**registered_json(row), "did": did}

    def remove(self, kind: str, name: str, digest: str | None = None) -> list[Json]:
        """Forget a version, or all of a name, and delete the files that no other one needs.

        Raises NotFound, or Conflict if a campaign that is not over needs one.
        """
        rows = [self._registry.get(kind, name, digest)]
        if digest is None:
            rows = [row for row in self._registry.all(kind) if row.name == name]
        for row in rows:
            self._registry.remove(row)
            for file in row.files:
                if not self._registry.needs(file):
                    self._outputs.delete(weights_key(file))
        return [registered_json(row) for row in rows]

    def _put(self, manifest: Manifest, files: dict[str, Path]) -> None:
        """Write what the outputs do not have, a few files at a time."""

        def put(file: StoredFile) -> None:
            key = weights_key(file.sha256)
            if not self._outputs.has(key):
                with files[file.path].open("rb") as data:
                    self._outputs.put(key, data)

        once = {file.sha256: file for file in manifest.files}.values()
        with ThreadPoolExecutor(_WRITERS) as pool:
            for done in [pool.submit(copy_context().run, put, file) for file in once]:
                done.result()
        if not self._outputs.has(weights_key(manifest.sha256)):
            self._outputs.put(weights_key(manifest.sha256), manifest.data)


def check_name(name: str) -> None:
    """Raise RequestError for a name that could stand for something else."""
    if name in _RESERVED:
        raise RequestError(f"The farm's own model is called {name}: choose another name.")
    if not re.fullmatch(NAME, name):
        raise RequestError(
            f"{name!r} cannot be a name: it begins with a small letter or a digit, and has up to"
            " 80 small letters, digits and `._-`."
        )


def registered_json(row: Registered) -> Json:
    """A version as the API shows it."""
    return {
        "kind": row.kind,
        "name": row.name,
        "label": row.label,
        "digest": row.digest,
        "manifest": row.manifest,
        "bytes": row.bytes,
        "pipeline": row.about["pipeline"],
        "licence": row.about["licence"],
        "source": row.about["source"],
        "files": row.about["files"],
        "added_at": row.added_at,
        "added_by": row.added_by,
    }


def licence_of(folder: Path) -> str | None:
    """The licence that a model's card names in its head, as the hub writes cards."""
    try:
        with (folder / "README.md").open("rb") as file:
            text = file.read(_CARD_BYTES).decode("utf-8", "replace")
    except OSError:
        return None
    _, is_card, rest = text.partition("---\n")
    found = _LICENCE.search(rest.partition("\n---")[0]) if is_card and not _ else None
    return found[1].strip() if found else None


def _places(name: str, folder: Path) -> Iterator[str]:
    """The files that a pipeline reads, or that decide the digest: their places in the folder."""
    digested = {path.relative_to(folder).as_posix() for path in digested_files(folder)}
    parts = components_of(name, folder)
    present = [
        path.relative_to(folder).as_posix()
        for part in parts
        for path in (folder / part).rglob("*")
        if path.is_file()
    ]
    for place in sorted(digested | set(small_files(present, parts))):
        check_place(place)
        yield place


def _stored(place: str, path: Path) -> StoredFile:
    return StoredFile(path=place, bytes=path.stat().st_size, sha256=file_digest(path))
