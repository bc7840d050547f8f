"""The files that are stored of a model or an adapter, their places, and the digest over them."""

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

from actors.models.adapter_files import AdapterFile
from actors.models.controls import (
    control_digest,
    control_files,
    inspect_control,
    is_control,
)
from actors.models.hub import small_files
from actors.models.ip_adapters import (
    inspect_ip_adapter,
    ip_adapter_digest,
    ip_adapter_files,
    is_ip_adapter,
)
from actors.models.lora import check_lora
from actors.models.lora_strengths import CONFIG
from actors.models.manifests import Manifest, StoredFile, check_place
from actors.models.model_files import components_of
from actors.models.models import digested_files, file_digest, inspect_model, weights_digest
from actors.models.upscalers import (
    inspect_upscaler,
    is_upscaler,
    upscaler_digest,
    upscaler_files,
)
from storage.errors import RequestError

_CARD_BYTES = 65_536
_LICENCE = re.compile(
    r"^license(?:_name)?:[ \t]*[\"']?([\w.+ -]{1,100}?)[\"']?[ \t]*$", re.MULTILINE
)
_ADAPTER = "adapter.safetensors"  # whatever its file was called: the same is stored once


@dataclass(frozen=True, kw_only=True)
class Contents:
    """The files of a model or an adapter by their places. `digest_now` reads them again."""

    digest: str
    files: Mapping[str, Path]
    pipeline: str | None
    licence: str | None
    digest_now: Callable[[], str]

    @property
    def manifest(self) -> Manifest:
        return Manifest(
            digest=self.digest,
            files=tuple(_stored(place, path) for place, path in sorted(self.files.items())),
        )


class _Looked(Protocol):
    @property
    def digest(self) -> str: ...

    @property
    def kind(self) -> str: ...


@dataclass(frozen=True)
class _Beside:
    """A kind of folder of what stands beside a pipeline."""

    is_one: Callable[[Path], bool]
    look: Callable[[str, Path], _Looked]
    digest: Callable[[Path], str]
    files: Callable[[Path], Iterable[Path]]


_BESIDE = (
    _Beside(is_ip_adapter, inspect_ip_adapter, ip_adapter_digest, ip_adapter_files),
    _Beside(is_upscaler, inspect_upscaler, upscaler_digest, upscaler_files),
    _Beside(is_control, inspect_control, control_digest, control_files),
)


def model_contents(name: str, folder: Path) -> Contents:
    """Those of a folder of a pipeline, or of what stands beside one. Raises RequestError if it
    cannot be used.
    """
    for beside in _BESIDE:
        if beside.is_one(folder):
            found = beside.look(name, folder)
            return Contents(
                digest=found.digest,
                files={path.relative_to(folder).as_posix(): path for path in beside.files(folder)},
                pipeline=found.kind,
                licence=licence_of(folder),
                digest_now=partial(beside.digest, folder),
            )
    model = inspect_model(name, folder)
    return Contents(
        digest=model.digest,
        files={place: folder / place for place in _places(name, folder)},
        pipeline=model.pipeline,
        licence=licence_of(folder),
        digest_now=lambda: weights_digest(folder, name),
    )


def adapter_contents(name: str, file: AdapterFile) -> Contents:
    """Those of a LoRA, with the config beside it if that counts. Raises RequestError if it is not
    a LoRA, or not whole.
    """
    try:
        config = check_lora(file)
    except (OSError, RequestError) as exc:
        raise RequestError(f"The adapter {name} cannot be added: {exc}") from exc
    files = {_ADAPTER: file.path} | ({} if config is None else {CONFIG: config})
    return Contents(
        digest=_adapter_digest(files),
        files=files,
        pipeline=None,
        licence=licence_of(file.path.parent),
        digest_now=lambda: _adapter_digest(files),
    )


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


def _adapter_digest(files: Mapping[str, Path]) -> str:
    """The sha256 of the file; with a config, one over both: the same file counts otherwise then.

    Raises RequestError if one cannot be read.
    """
    try:
        digests = {place: file_digest(path) for place, path in sorted(files.items())}
    except OSError as exc:
        raise RequestError(f"The adapter cannot be read: {exc.strerror or exc}.") from exc
    if len(digests) == 1:
        return digests[_ADAPTER]
    lines = "".join(f"{place} {digest}\n" for place, digest in digests.items())
    return hashlib.sha256(lines.encode()).hexdigest()


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
